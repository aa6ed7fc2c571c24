//! Image files to RGBA pixels, the right way up.

use anyhow::{Context, Result, anyhow};
use image::metadata::Orientation;
use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, RgbImage, RgbaImage};
use mozjpeg::ColorSpace;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use vitscope::resample::Rgba;

/// A decoded picture.
pub struct Picture(pub RgbaImage);

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
    let mut picture = match format {
        Some(ImageFormat::Jpeg) => decode_jpeg(bytes)?,
        _ => to_8_bits(DynamicImage::from_decoder(decoder)?),
    };
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// JPEG through libjpeg-turbo's arithmetic, so that pixels equal Pillow's and browsers'.
fn decode_jpeg(bytes: &[u8]) -> Result<DynamicImage> {
    // libjpeg reports damage by unwinding; resume_unwind leaves no message behind, so none is lost here.
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        let decoder = mozjpeg::Decompress::new_mem(bytes)?;
        let (width, height) = (decoder.width() as u32, decoder.height() as u32);
        let pixels: Vec<[u8; 3]> = match decoder.color_space() {
            ColorSpace::JCS_CMYK | ColorSpace::JCS_YCCK => {
                let inks: Vec<[u8; 4]> = decoder.to_colorspace(ColorSpace::JCS_CMYK)?.read_scanlines()?;
                inks.into_iter().map(without_ink).collect()
            }
            _ => decoder.rgb()?.read_scanlines()?,
        };
        Ok(RgbImage::from_raw(width, height, pixels.into_flattened()))
    }));
    let picture: std::io::Result<_> = decoded.map_err(|_| anyhow!("its JPEG data is damaged"))?;
    Ok(DynamicImage::ImageRgb8(picture?.context("its JPEG data is incomplete")?))
}

/// What is left of white. Files hold 255 − ink, as Adobe's programs write it and Pillow assumes.
fn without_ink([cyan, magenta, yellow, black]: [u8; 4]) -> [u8; 3] {
    let left = |ink: u8| ((u32::from(ink) * u32::from(black) + 127) / 255) as u8;
    [left(cyan), left(magenta), left(yellow)]
}

/// The high byte of each 16-bit value, as Pillow takes it; `image` itself would round.
fn to_8_bits(picture: DynamicImage) -> DynamicImage {
    fn high<C: std::ops::Deref<Target = [u16]>>(values: C) -> Vec<u8> {
        values.iter().map(|value| (value >> 8) as u8).collect()
    }
    let (width, height) = (picture.width(), picture.height());
    let narrowed = match &picture {
        DynamicImage::ImageLuma16(wide) => GrayImage::from_raw(width, height, high(&**wide)).map(Into::into),
        DynamicImage::ImageLumaA16(wide) => GrayAlphaImage::from_raw(width, height, high(&**wide)).map(Into::into),
        DynamicImage::ImageRgb16(wide) => RgbImage::from_raw(width, height, high(&**wide)).map(Into::into),
        DynamicImage::ImageRgba16(wide) => RgbaImage::from_raw(width, height, high(&**wide)).map(Into::into),
        _ => None,
    };
    narrowed.unwrap_or(picture)
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::SafeTensors;
    use vitscope::preprocess::{CropRounding, Preprocess, Resize};
    use vitscope::resample::{Filter, resize};

    /// Every kind of file, against what Pillow reads: right way up, over white where transparent.
    #[test]
    fn pixels_equal_pillows() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/decode");
        let file = std::fs::read(folder.join("expected.safetensors")).unwrap();
        let expected = SafeTensors::deserialize(&file).unwrap();
        let mut compared = 0;
        for (name, tensor) in expected.iter() {
            let Some(image) = name.strip_suffix("/rgb") else { continue };
            let picture = Picture::read(&folder.join(image)).unwrap();
            let (width, height) = (picture.view().width, picture.view().height);
            assert_eq!([height, width, 3], tensor.shape(), "{image}");
            // A resize to the same size only lays it over white.
            let rgb = resize(picture.view(), (height, width), Filter::Bilinear, 0..height, 0..width).unwrap();
            let apart = rgb.as_flattened().iter().zip(tensor.data()).map(|(ours, theirs)| ours.abs_diff(*theirs)).max();
            assert_eq!(apart, Some(0), "{image}");
            compared += 1;
        }
        assert!(compared > 20, "only {compared} files were compared");
    }

    /// Whole pipelines over files: odd sizes, and threads of pixels whose resize would not fit into memory as a whole.
    #[test]
    fn pipelines_equal_the_libraries() {
        let imagenet = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        let pipeline = |resize, filter, crop: Option<[usize; 2]>, crop_rounding, (mean, std)| Preprocess {
            resize,
            filter,
            crop,
            fill: [0; 3],
            crop_rounding,
            rescale_factor: 1.0 / 255.0,
            mean,
            std,
            bgr: false,
        };
        let crop = Some([24; 2]);
        let pipelines = [
            (
                "hf_squash",
                pipeline(Resize::Squash([24, 32]), Filter::Bilinear, None, CropRounding::Down, ([0.5; 3], [0.5; 3])),
            ),
            (
                "hf_shortest_edge_crop",
                pipeline(Resize::ShortestEdge(27), Filter::Bicubic, crop, CropRounding::Down, imagenet),
            ),
            (
                "timm_center",
                pipeline(Resize::ShortestEdge(26), Filter::Bicubic, crop, CropRounding::HalfEven, imagenet),
            ),
        ];
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/decode");
        let file = std::fs::read(folder.join("expected.safetensors")).unwrap();
        let expected = SafeTensors::deserialize(&file).unwrap();
        let mut compared = 0;
        for (name, tensor) in expected.iter() {
            let (image, which) = name.split_once('/').unwrap();
            let Some((_, pipeline)) = pipelines.iter().find(|(known, _)| *known == which) else { continue };
            let picture = Picture::read(&folder.join(image)).unwrap();
            let ours = pipeline.apply(picture.view(), [tensor.shape()[1], tensor.shape()[2]]).unwrap();
            let theirs = tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            let apart = ours.iter().zip(theirs).map(|(ours, theirs)| (ours - theirs).abs()).fold(0.0, f32::max);
            assert!(apart < 1e-5, "{name}: {apart}");
            compared += 1;
        }
        assert_eq!(compared, 9);
    }
}
