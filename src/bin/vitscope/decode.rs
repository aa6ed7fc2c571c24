//! Image files to RGBA pixels, the right way up.

use anyhow::{Context, Result, anyhow};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage, RgbaImage};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use vitscope::resample::Rgba;

/// A decoded picture.
pub struct Picture(RgbaImage);

impl Picture {
    /// Reads and decodes, turning the picture as its EXIF orientation says (as browsers do).
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
        let decoded = decode(&bytes).with_context(|| {
            format!("{} can't be decoded; is it a whole JPEG, PNG, WebP, GIF or BMP?", path.display())
        })?;
        Ok(Self(decoded.into_rgba8()))
    }

    pub fn view(&self) -> Rgba<'_> {
        Rgba { data: self.0.as_raw(), width: self.0.width() as usize, height: self.0.height() as usize }
    }
}

fn decode(bytes: &[u8]) -> Result<DynamicImage> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let format = reader.format();
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let libjpeg = if format == Some(ImageFormat::Jpeg) { decode_jpeg(bytes)? } else { None };
    let mut picture = match libjpeg {
        Some(picture) => picture,
        None => DynamicImage::from_decoder(decoder)?,
    };
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// JPEG through libjpeg-turbo's arithmetic, so that pixels equal Pillow's and browsers'; `None` for CMYK, which it does not convert.
fn decode_jpeg(bytes: &[u8]) -> Result<Option<DynamicImage>> {
    // libjpeg reports damage by unwinding; resume_unwind leaves no message behind, so none is lost here.
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        let decoder = mozjpeg::Decompress::new_mem(bytes)?;
        if matches!(decoder.color_space(), mozjpeg::ColorSpace::JCS_CMYK | mozjpeg::ColorSpace::JCS_YCCK) {
            return Ok(None);
        }
        let mut rows = decoder.rgb()?;
        let (width, height) = (rows.width() as u32, rows.height() as u32);
        let pixels: Vec<[u8; 3]> = rows.read_scanlines()?;
        Ok(RgbImage::from_raw(width, height, pixels.into_flattened()))
    }));
    let picture: std::io::Result<_> = decoded.map_err(|_| anyhow!("its JPEG data is damaged"))?;
    Ok(picture?.map(DynamicImage::ImageRgb8))
}
