//! A map as a picture, alone or over the photo it is of.

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use colorous::Gradient;
use image::imageops::{FilterType, resize};
use image::{ImageFormat, Rgb, Rgb32FImage, Rgba, RgbaImage};
use std::io::Cursor;
use vitscope::decode::MAX_PIXELS;
use vitscope::preprocess::Region;
use vitscope::resample;

/// Shorter edge of a map that is drawn alone, in pixels.
const ALONE: usize = 512;

/// How a picture looks.
#[derive(clap::Args)]
pub struct Look {
    /// PNG: the colours; viridis if not given, and blue to red for values of both signs
    #[arg(long)]
    colormap: Option<Colormap>,
    /// PNG: how far the map covers the photo, 0 to 1
    #[arg(long, default_value_t = 0.7)]
    opacity: f32,
    /// PNG: one colour a patch, without transitions
    #[arg(long)]
    nearest: bool,
    /// PNG: the map without the photo
    #[arg(long)]
    alone: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Colormap {
    Viridis,
    Magma,
    Turbo,
    Grey,
    Diverging,
}

impl Colormap {
    /// Colour of a value from 0 to 1.
    fn colour(self, value: f32) -> [u8; 3] {
        let (gradient, value): (Gradient, f32) = match self {
            Self::Viridis => (colorous::VIRIDIS, value),
            Self::Magma => (colorous::MAGMA, value),
            Self::Turbo => (colorous::TURBO, value),
            Self::Grey => (colorous::GREYS, 1.0 - value),
            Self::Diverging => (colorous::RED_BLUE, 1.0 - value),
        };
        gradient.eval_continuous(f64::from(value.clamp(0.0, 1.0))).as_array()
    }
}

/// What is drawn.
pub struct Map {
    /// `[rows, columns, colours]`.
    pub values: Vec<f32>,
    pub rows: usize,
    pub columns: usize,
    /// 1, which a colour map shows, or 3: red, green and blue.
    pub colours: usize,
    /// Whether 0 is the middle of the colour map.
    pub signed: bool,
}

impl Map {
    /// Values from 0 to 1, as red, green and blue: one alone from 0 to its maximum, or as far below 0; three each from its least to its largest.
    fn scaled(&self) -> Rgb32FImage {
        let of = |colour: usize| self.values.iter().skip(colour).step_by(self.colours).copied();
        let ranges: Vec<[f32; 2]> = (0..self.colours)
            .map(|colour| {
                let least = of(colour).fold(f32::INFINITY, f32::min);
                let most = of(colour).fold(f32::NEG_INFINITY, f32::max);
                match (self.colours, self.signed) {
                    (1, false) => [0.0, most],
                    (1, true) => [-most.max(-least), most.max(-least)],
                    _ => [least, most],
                }
            })
            .collect();
        Rgb32FImage::from_fn(self.columns as u32, self.rows as u32, |x, y| {
            let patch = y as usize * self.columns + x as usize;
            Rgb(std::array::from_fn(|colour| {
                let colour = colour.min(self.colours - 1);
                let [least, most] = ranges[colour];
                (self.values[patch * self.colours + colour] - least) / (most - least).max(f32::MIN_POSITIVE)
            }))
        })
    }
}

/// A PNG of the map, over the part of the photo that the model saw.
pub fn render(map: &Map, photo: Option<(resample::Rgba<'_>, Region)>, look: &Look) -> Result<Vec<u8>> {
    if !(0.0..=1.0).contains(&look.opacity) {
        bail!("opacity is {}; it must lie between 0 and 1.", look.opacity);
    }
    let picture = match photo.filter(|_| !look.alone) {
        Some((photo, region)) => {
            let mut picture = RgbaImage::from_raw(photo.width as u32, photo.height as u32, photo.data.to_vec())
                .context("the photo is incomplete")?;
            let edge = |at: f64, size: f64| (at.round() as i64, (at + size).round() as i64 - at.round() as i64);
            let ((x, width), (y, height)) = (edge(region.x, region.width), edge(region.y, region.height));
            // A model that pads sees far past the edges of a long photo.
            if width.saturating_mul(height) > i64::from(MAX_PIXELS) {
                bail!("the map over this photo would have {width} × {height} pixels; --alone draws it without.");
            }
            let drawn = draw(map, width.max(1) as u32, height.max(1) as u32, look);
            blend(&mut picture, &drawn, x, y, look.opacity);
            picture
        }
        None => {
            let scale = ALONE.div_ceil(map.rows.min(map.columns));
            draw(map, (map.columns * scale) as u32, (map.rows * scale) as u32, look)
        }
    };
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).context("the picture can't be encoded")?;
    Ok(bytes.into_inner())
}

/// The map at this size. Values are interpolated, not colours; beyond the outermost patches' centres their values hold.
fn draw(map: &Map, width: u32, height: u32, look: &Look) -> RgbaImage {
    let filter = if look.nearest { FilterType::Nearest } else { FilterType::Triangle };
    let values = resize(&map.scaled(), width, height, filter);
    let usual = if map.signed { Colormap::Diverging } else { Colormap::Viridis };
    let colormap = look.colormap.unwrap_or(usual);
    RgbaImage::from_fn(width, height, |x, y| {
        let Rgb(values) = *values.get_pixel(x, y);
        let [r, g, b] = match map.colours {
            1 => colormap.colour(values[0]),
            _ => values.map(|value| (255.0 * value.clamp(0.0, 1.0)).round() as u8),
        };
        Rgba([r, g, b, 255])
    })
}

/// Lays `drawn` over `picture` from (x, y) on, as far as it reaches into it.
fn blend(picture: &mut RgbaImage, drawn: &RgbaImage, x: i64, y: i64, opacity: f32) {
    let (width, height) = (i64::from(picture.width()), i64::from(picture.height()));
    for (column, row, colour) in drawn.enumerate_pixels() {
        let (x, y) = (x + i64::from(column), y + i64::from(row));
        if x < 0 || y < 0 || x >= width || y >= height {
            continue; // a model that pads the photo sees past its edge
        }
        let under = picture.get_pixel_mut(x as u32, y as u32);
        for (under, over) in under.0.iter_mut().zip(colour.0).take(3) {
            *under = (f32::from(*under) + opacity * (f32::from(over) - f32::from(*under))).round() as u8;
        }
    }
}
