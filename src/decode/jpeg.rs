//! JPEG through libjpeg-turbo's arithmetic, so that pixels equal Pillow's and browsers'.

use super::{Picture, TRUNCATED, check_size, damaged};
use crate::alloc;
use crate::error::Result;
use image::ColorType;
use image::metadata::Orientation;
use mozjpeg::{ColorSpace, Decompress, Marker};
use std::cell::Cell;
use std::io::{BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What begins an APP1 segment with EXIF data.
const EXIF: &[u8] = b"Exif\0\0";

pub fn decode(file: &[u8], max_pixels: u32) -> Result<Picture> {
    // libjpeg reports damage by unwinding; resume_unwind leaves no message behind, so none is lost here.
    catch_unwind(AssertUnwindSafe(|| read(file, max_pixels))).unwrap_or_else(|payload| {
        Err(damaged(payload.downcast_ref::<String>().map_or("its JPEG data is damaged", String::as_str)))
    })
}

fn read(file: &[u8], max_pixels: u32) -> Result<Picture> {
    let truncated = Cell::new(false);
    let source = Whole { rest: file, truncated: &truncated };
    let decoder = Decompress::with_markers(&[Marker::APP(1)]).from_reader(source).map_err(damaged)?;
    let size = [decoder.width() as u32, decoder.height() as u32];
    check_size(size, max_pixels)?;
    let orientation =
        decoder.markers().find_map(|marker| Orientation::from_exif_chunk(marker.data.strip_prefix(EXIF)?));
    let inks = matches!(decoder.color_space(), ColorSpace::JCS_CMYK | ColorSpace::JCS_YCCK);
    let wanted = if inks { ColorSpace::JCS_CMYK } else { ColorSpace::JCS_EXT_RGBA };
    let mut started = decoder.to_colorspace(wanted).map_err(damaged)?;
    let mut pixels = alloc::zeros::<[u8; 4]>("a picture", &[started.width(), started.height()])?;
    started.read_scanlines_into(&mut pixels).map_err(damaged)?;
    // Whether all of the picture was there. What comes after it may be missing, but not be damaged.
    if truncated.get() {
        return Err(damaged(TRUNCATED));
    }
    started.finish().map_err(damaged)?;
    if inks {
        pixels.iter_mut().for_each(|ink| *ink = without_ink(*ink));
    }
    Picture::from_raw(pixels.into_flattened(), size, ColorType::Rgba8)?
        .upright(orientation.unwrap_or(Orientation::NoTransforms))
}

/// What is left of white. Files hold 255 − ink, as Adobe's programs write it and Pillow assumes.
fn without_ink([cyan, magenta, yellow, black]: [u8; 4]) -> [u8; 4] {
    let left = |ink: u8| ((u32::from(ink) * u32::from(black) + 127) / 255) as u8;
    [left(cyan), left(magenta), left(yellow), 255]
}

/// A file that remembers whether more was asked of it than it has. libjpeg then only warns, and makes up the rest of the picture in grey.
struct Whole<'f> {
    rest: &'f [u8],
    truncated: &'f Cell<bool>,
}

impl BufRead for Whole<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.truncated.set(self.truncated.get() || self.rest.is_empty());
        Ok(self.rest)
    }

    fn consume(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }
}

impl Read for Whole<'_> {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        self.rest.read(target)
    }
}
