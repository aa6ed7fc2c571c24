//! From pixels as decoded to the `pixel_values` a model was trained on: resize, crop, rescale, normalise, pad.

use crate::alloc;
use crate::error::{ErrorKind, Result};
use crate::resample::{self, Filter, Rgba};
use std::ops::Range;

/// How an image becomes the model's input; the union of what HF processors and timm's data config ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocess {
    /// Size to resize to, before any crop.
    pub resize: Resize,
    /// Filter of that resize.
    pub filter: Filter,
    /// Centre crop `[height, width]` after the resize; a smaller image is padded with [`Self::fill`].
    pub crop: Option<[usize; 2]>,
    /// R, G, B of padding.
    pub fill: [u8; 3],
    /// How an odd margin is split.
    pub crop_rounding: CropRounding,
    /// Whether resized values keep their fractions, where others are rounded to 8 bits.
    pub floats: bool,
    /// Factor that takes 8-bit values to the range the statistics are given in: 1/255, usually.
    pub rescale_factor: f32,
    /// Mean of R, G, B, subtracted after rescaling.
    pub mean: [f32; 3],
    /// Standard deviation of R, G, B, divided by last.
    pub std: [f32; 3],
    /// Whether the model takes B, G, R.
    pub bgr: bool,
    /// Height and width that zeros fill up on the right and below, behind all other steps (SAM).
    pub pad: Option<[usize; 2]>,
}

/// The resize step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// Leave the image as it is.
    None,
    /// To height × width, whatever that does to the aspect ratio.
    Squash([usize; 2]),
    /// The shorter edge to this many pixels, keeping the aspect ratio (the longer edge rounds down).
    ShortestEdge(usize),
    /// The longer edge to this many pixels, keeping the aspect ratio (the shorter edge rounds, half up: SAM).
    LongestEdge(usize),
    /// To the smallest size that covers height × width, keeping the aspect ratio (timm, for targets that are not square).
    Cover([usize; 2]),
    /// To the largest size that fits into height × width, keeping the aspect ratio (timm's `border`).
    Contain([usize; 2]),
    /// As little as possible, so that one edge is that of height × width, keeping the aspect ratio up to multiples (DPT).
    Least {
        /// Height and width.
        size: [usize; 2],
        /// What edges are multiples of.
        multiple: usize,
    },
}

/// Where the crop starts when the margin is odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CropRounding {
    /// ⌊margin / 2⌋: Hugging Face.
    Down,
    /// margin / 2 rounded half to even: torchvision, thus timm.
    HalfEven,
    /// margin / 2 towards 0: torchvision within Hugging Face.
    TowardsZero,
}

/// A rectangle in the pixels of the image as given; fractional, since it undoes a resize.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Region {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl Preprocess {
    /// Height and width this leaves an image of any size with, if that is known.
    pub fn output_size(&self) -> Option<[usize; 2]> {
        match (self.pad, self.crop, self.resize) {
            (Some(size), ..) | (None, Some(size), _) | (None, None, Resize::Squash(size)) => Some(size),
            _ => None,
        }
    }

    /// `pixel_values` `[3, height, width]` of an image, `size` being the `[height, width]` the model takes.
    pub fn apply(&self, image: Rgba<'_>, size: [usize; 2]) -> Result<Vec<f32>> {
        check(image)?;
        let resized = self.resized_size(image.width, image.height);
        let seen = self.crop.unwrap_or([resized.0, resized.1]);
        let [height, width] = seen;
        if self.pad.map_or(seen != size, |pad| pad != size || height > pad[0] || width > pad[1]) {
            return Err(ErrorKind::InvalidImage(format!(
                "preprocessing leaves it at {height} × {width} where the model takes {} × {}; resize it before, or add a \
                 centre crop to the model's processor file.",
                size[0], size[1]
            )).into());
        }
        let start = [self.crop_start(resized.0, height), self.crop_start(resized.1, width)];
        let (rows, columns) = (visible(start[0], height, resized.0), visible(start[1], width, resized.1));
        let window = Window { start, rows: rows.clone(), columns: columns.clone(), size: seen, padded: size };
        let rgb = if self.floats {
            resample::resize_floats(image, resized, self.filter, rows, columns)?
        } else {
            let rgb = resample::resize(image, resized, self.filter, rows, columns)?;
            rgb.iter().map(|pixel| pixel.map(f32::from)).collect()
        };
        self.lay(&window, &rgb)
    }

    /// `[3, height, width]` of what was resized, with padding around it, normalised, with zeros behind.
    fn lay(&self, window: &Window, rgb: &[[f32; 3]]) -> Result<Vec<f32>> {
        let Window { start: [top, left], rows, columns, size: [height, width], padded } = window;
        let fill = self.fill.map(f32::from);
        let pixel = |row: isize, column: isize| match (usize::try_from(row), usize::try_from(column)) {
            (Ok(y), Ok(x)) if rows.contains(&y) && columns.contains(&x) => {
                rgb[(y - rows.start) * columns.len() + x - columns.start]
            }
            _ => fill,
        };
        let mut values = alloc::reserve("pixel values", &[3, padded[0], padded[1]])?;
        for (plane, channel) in if self.bgr { [2, 1, 0] } else { [0, 1, 2] }.into_iter().enumerate() {
            let (mean, std) = (self.mean[channel], self.std[channel]);
            for row in (0..*height).map(|y| y as isize + top) {
                let row = (0..*width).map(|x| pixel(row, x as isize + left)[channel]);
                values.extend(row.map(|value| (value * self.rescale_factor - mean) / std));
                values.resize(values.len() + padded[1] - width, 0.0);
            }
            values.resize((plane + 1) * padded[0] * padded[1], 0.0);
        }
        Ok(values)
    }

    /// What stands for nothing in each channel of `pixel_values`: the mean, or the middle grey where no mean is subtracted.
    pub fn blank(&self) -> [f32; 3] {
        match self.mean {
            [0.0, 0.0, 0.0] => self.std.map(|std| 127.5 * self.rescale_factor / std),
            _ => [0.0; 3],
        }
    }

    /// The part of a `width × height` image that the model sees; it reaches past the image where there is padding.
    pub fn region(&self, width: usize, height: usize) -> Result<Region> {
        check_size(width, height)?;
        let (resized_height, resized_width) = self.resized_size(width, height);
        let crop = self.crop.unwrap_or([resized_height, resized_width]);
        let [seen_height, seen_width] = self.pad.unwrap_or(crop);
        let x_scale = width as f64 / resized_width as f64;
        let y_scale = height as f64 / resized_height as f64;
        Ok(Region {
            x: self.crop_start(resized_width, crop[1]) as f64 * x_scale,
            y: self.crop_start(resized_height, crop[0]) as f64 * y_scale,
            width: seen_width as f64 * x_scale,
            height: seen_height as f64 * y_scale,
        })
    }

    /// (height, width) after the resize.
    fn resized_size(&self, width: usize, height: usize) -> (usize, usize) {
        // In u64: edge · size overflows 32 bits for long images.
        let scaled = |long: usize, short: usize, edge: usize| (edge as u64 * long as u64 / short as u64) as usize;
        match self.resize {
            Resize::None => (height, width),
            Resize::Squash([h, w]) => (h, w),
            Resize::ShortestEdge(edge) if width <= height => (scaled(height, width, edge), edge),
            Resize::ShortestEdge(edge) => (edge, scaled(width, height, edge)),
            Resize::LongestEdge(edge) => {
                let scale = edge as f64 / height.max(width) as f64;
                // A very long image would shrink to nothing across.
                let edge = |size: usize| (size as f64 * scale + 0.5).max(1.0) as usize;
                (edge(height), edge(width))
            }
            Resize::Least { size: [h, w], multiple } => {
                let [rows, columns] = [h as f64 / height as f64, w as f64 / width as f64];
                let scale = if (1.0 - columns).abs() < (1.0 - rows).abs() { columns } else { rows };
                let edge = |size: usize| {
                    let multiples = (scale * size as f64 / multiple as f64).round_ties_even().max(1.0);
                    (multiples as usize).saturating_mul(multiple)
                };
                (edge(height), edge(width))
            }
            Resize::Cover([h, w]) | Resize::Contain([h, w]) => {
                let (rows, columns) = (height as f64 / h as f64, width as f64 / w as f64);
                let cover = matches!(self.resize, Resize::Cover(_));
                let ratio = if cover { rows.min(columns) } else { rows.max(columns) };
                // A very long image would shrink to nothing across.
                let edge = |size: usize| (size as f64 / ratio).round_ties_even().max(1.0) as usize;
                (edge(height), edge(width))
            }
        }
    }

    /// First row or column of a centre crop; negative where the crop is larger and pads.
    fn crop_start(&self, size: usize, crop: usize) -> isize {
        let margin = size as isize - crop as isize;
        match self.crop_rounding {
            CropRounding::Down => margin.div_euclid(2),
            // torchvision pads ⌊−margin / 2⌋ in front.
            CropRounding::HalfEven if margin < 0 => -(-margin / 2),
            CropRounding::TowardsZero => margin / 2,
            CropRounding::HalfEven => (margin as f64 / 2.0).round_ties_even() as isize,
        }
    }
}

/// What the model sees of a resized image.
struct Window {
    /// Its first row and column; negative where there is padding.
    start: [isize; 2],
    /// The rows that there are.
    rows: Range<usize>,
    /// The columns that there are.
    columns: Range<usize>,
    /// Its height and width.
    size: [usize; 2],
    /// The same with the zeros behind it.
    padded: [usize; 2],
}

/// The part of `start..start + length` that lies in `0..size`.
fn visible(start: isize, length: usize, size: usize) -> Range<usize> {
    let end = (start + length as isize).clamp(0, size as isize) as usize;
    (start.max(0) as usize).min(end)..end
}

fn check(image: Rgba<'_>) -> Result<()> {
    check_size(image.width, image.height)?;
    let bytes = image.width.checked_mul(image.height).and_then(|pixels| pixels.checked_mul(4));
    if bytes != Some(image.data.len()) {
        return Err(ErrorKind::InvalidImage(format!(
            "{} × {} RGBA pixels take 4 bytes each, but {} bytes were given.",
            image.width,
            image.height,
            image.data.len()
        ))
        .into());
    }
    Ok(())
}

fn check_size(width: usize, height: usize) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(
            ErrorKind::InvalidImage(format!("it has no pixels ({width} × {height}). Choose another image.")).into()
        );
    }
    Ok(())
}
