//! Image files to RGBA pixels, the right way up. Native only: a page's pictures are decoded by the browser.

mod jpeg;

use crate::alloc;
use crate::error::{Error, ErrorKind, Result};
use crate::resample::Rgba;
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use std::io::Cursor;

/// Pixels a picture may have unless told otherwise: Pillow, thus transformers and timm, refuse what has more.
pub const MAX_PIXELS: u32 = 178_956_970;

/// Pixels a picture may have whatever is told: decoders count their bytes in 32 bits.
pub const MOST_PIXELS: u32 = u32::MAX / 4;

const TRUNCATED: &str = "it is truncated";

/// A decoded picture.
pub struct Picture {
    /// RGBA, row by row.
    data: Vec<u8>,
    width: usize,
    height: usize,
}

impl Picture {
    /// Decodes a whole JPEG, PNG, WebP, GIF or BMP file, the first picture of an animation, and turns it as its EXIF orientation says.
    ///
    /// Its size is looked at before anything is decoded: a file of a hundred bytes can claim any.
    pub fn decode(file: &[u8], max_pixels: u32) -> Result<Self> {
        let reader = ImageReader::new(Cursor::new(file)).with_guessed_format().map_err(damaged)?;
        match reader.format() {
            None => Err(damaged("no signature of these")),
            Some(ImageFormat::Jpeg) => jpeg::decode(file, max_pixels),
            // (A WebP file says how long it is, and libwebp wants all of it.)
            Some(ImageFormat::WebP) if file.len() < riff_length(file) => Err(damaged(TRUNCATED)),
            Some(_) => decode(reader, max_pixels),
        }
    }

    /// Its pixels.
    pub fn view(&self) -> Rgba<'_> {
        Rgba { data: &self.data, width: self.width, height: self.height }
    }

    /// Of what a decoder gave: 1 or 3 channels, alpha after them or not, of 8 bits or 16 in native order.
    ///
    /// Of 16 bits the high byte is taken, as Pillow does; `image` itself would round.
    fn from_raw(raw: Vec<u8>, [width, height]: [u32; 2], color: ColorType) -> Result<Self> {
        let [width, height] = [width as usize, height as usize];
        if color == ColorType::Rgba8 {
            return Ok(Self { data: raw, width, height });
        }
        let mut data = alloc::reserve("a picture", &[width, height, 4])?;
        let channels = usize::from(color.channel_count());
        let bytes = usize::from(color.bytes_per_pixel()) / channels;
        for pixel in raw.chunks_exact(channels * bytes) {
            let high =
                |channel: usize| pixel[channel * bytes + if cfg!(target_endian = "little") { bytes - 1 } else { 0 }];
            data.extend(match channels {
                1 => [high(0), high(0), high(0), 255],
                2 => [high(0), high(0), high(0), high(1)],
                3 => [high(0), high(1), high(2), 255],
                _ => [high(0), high(1), high(2), high(3)],
            });
        }
        Ok(Self { data, width, height })
    }

    /// Turned and mirrored, so that what the camera held up is up.
    fn upright(self, orientation: Orientation) -> Result<Self> {
        let (right, bottom) = (self.width - 1, self.height - 1);
        // Where the pixel at x, y comes from.
        let source: fn(usize, usize, usize, usize) -> (usize, usize) = match orientation {
            Orientation::NoTransforms => return Ok(self),
            Orientation::FlipHorizontal => |x, y, right, _| (right - x, y),
            Orientation::Rotate180 => |x, y, right, bottom| (right - x, bottom - y),
            Orientation::FlipVertical => |x, y, _, bottom| (x, bottom - y),
            Orientation::Rotate90FlipH => |x, y, _, _| (y, x),
            Orientation::Rotate90 => |x, y, _, bottom| (y, bottom - x),
            Orientation::Rotate270FlipH => |x, y, right, bottom| (right - y, bottom - x),
            Orientation::Rotate270 => |x, y, right, _| (right - y, x),
        };
        let lies = matches!(
            orientation,
            Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
        );
        let (width, height) = if lies { (self.height, self.width) } else { (self.width, self.height) };
        let pixels = self.data.as_chunks::<4>().0;
        let mut data = alloc::reserve("a turned picture", &[width, height, 4])?;
        for y in 0..height {
            for x in 0..width {
                let (from_x, from_y) = source(x, y, right, bottom);
                data.extend(pixels[from_y * self.width + from_x]);
            }
        }
        Ok(Self { data, width, height })
    }
}

/// What `image` decodes as Pillow does: everything but JPEG.
fn decode(mut reader: ImageReader<Cursor<&[u8]>>, max_pixels: u32) -> Result<Picture> {
    // What a decoder takes besides the picture: metadata, rows, and a frame of a GIF, which may be larger than its screen.
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(4 * u64::from(max_pixels.min(MOST_PIXELS)) + (64 << 20));
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| refused(error, max_pixels))?;
    let (width, height) = decoder.dimensions();
    check_size([width, height], max_pixels)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let color = decoder.color_type();
    let mut raw = alloc::zeros("a picture", &[width as usize, height as usize, usize::from(color.bytes_per_pixel())])?;
    decoder.read_image(&mut raw).map_err(|error| refused(error, max_pixels))?;
    Picture::from_raw(raw, [width, height], color)?.upright(orientation)
}

/// What the header of a RIFF file says, with that header.
fn riff_length(file: &[u8]) -> usize {
    let size = file.get(4..).and_then(<[u8]>::first_chunk);
    size.map_or(usize::MAX, |size| u32::from_le_bytes(*size) as usize + 8)
}

fn check_size([width, height]: [u32; 2], max_pixels: u32) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(damaged(format_args!("it claims {width} × {height} pixels")));
    }
    if u64::from(width) * u64::from(height) > u64::from(max_pixels.min(MOST_PIXELS)) {
        return Err(too_large(&format!("it has {width} × {height} pixels"), max_pixels));
    }
    Ok(())
}

fn too_large(what: &str, max_pixels: u32) -> Error {
    let remedy = if max_pixels < MOST_PIXELS { ", or raise --max-pixels" } else { "" };
    ErrorKind::InvalidImage(format!(
        "{what}, and more than {} are not read. Make it smaller{remedy}.",
        max_pixels.min(MOST_PIXELS)
    ))
    .into()
}

fn refused(error: ImageError, max_pixels: u32) -> Error {
    match error {
        ImageError::Limits(_) => too_large("a frame of it has too many pixels", max_pixels),
        error => damaged(error),
    }
}

fn damaged(reason: impl std::fmt::Display) -> Error {
    ErrorKind::DecodeImage(format!("it can't be decoded ({reason}). Is it a whole JPEG, PNG, WebP, GIF or BMP file?"))
        .into()
}
