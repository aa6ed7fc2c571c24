//! Antialiased image resizing, equal to Pillow's bit for bit.
//!
//! A model's numbers depend on the resampler: checkpoints are trained and evaluated behind Pillow's. The arithmetic is therefore
//! Pillow's own (`Image.resize`, 8 bits a channel): a separable filter whose support grows with the reduction, weights
//! in fixed point with 22 fractional bits, and an 8-bit image between the horizontal and the vertical pass.
//! (`fast_image_resize` 6.1 was measured first: it differs from Pillow on 5–18 % of the values, by up to 12 levels.)

use crate::alloc;
use crate::error::Result;
use crate::kernels::sine::{cos, sin};
use std::f64::consts::PI;
use std::ops::Range;

/// Fractional bits of a weight: 8 bits for the pixel and 2 for sums past the ends remain of 32.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// One in fixed point.
const ONE: i32 = 1 << PRECISION_BITS;

/// One half in fixed point: where a sum starts, so that dropping its fraction rounds.
const HALF: i32 = 1 << (PRECISION_BITS - 1);

/// A resampling filter, by Pillow's names, in the order of its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The one pixel below an output's centre.
    Nearest,
    /// Sinc under a window of sinc, three zeros wide.
    Lanczos,
    /// Triangle.
    Bilinear,
    /// Cubic convolution with a = −0.5 (Keys, 1981).
    Bicubic,
    /// The mean of the pixels under an output.
    Box,
    /// Sinc under Hamming's window, one zero wide.
    Hamming,
}

impl Filter {
    /// All of them: Pillow's number of a filter is its place.
    pub const ALL: [Self; 6] = [Self::Nearest, Self::Lanczos, Self::Bilinear, Self::Bicubic, Self::Box, Self::Hamming];

    /// Half the width of the filter at scale 1.
    fn support(self) -> f64 {
        match self {
            Self::Nearest => 0.0,
            Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn weight(self, signed: f64) -> f64 {
        const A: f64 = -0.5;
        let x = signed.abs();
        match self {
            Self::Bilinear if x < 1.0 => 1.0 - x,
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            Self::Box if -0.5 < signed && signed <= 0.5 => 1.0,
            // Pillow writes the window's constants in single precision.
            Self::Hamming if x < 1.0 => sinc(x) * (f64::from(0.54f32) + f64::from(0.46f32) * cos(x * PI)),
            Self::Lanczos if (-3.0..3.0).contains(&signed) => sinc(x) * sinc(x / 3.0),
            _ => 0.0,
        }
    }

    /// What output `i` reads where `size` inputs become `target` outputs: the first input, and the weights of that one and those after it.
    pub fn weights(self, size: usize, target: usize, i: usize) -> (usize, Vec<f64>) {
        let scale = size as f64 / target as f64;
        let stretch = scale.max(1.0);
        let support = self.support() * stretch;
        let centre = (i as f64 + 0.5) * scale;
        // A cast truncates towards zero; Pillow clips a negative start to 0 after the same cast.
        let first = (centre - support + 0.5).max(0.0) as usize;
        let end = ((centre + support + 0.5) as usize).min(size);
        // The reciprocals are Pillow's: a division would round differently once in many weights.
        let weight = |j: usize| self.weight((j as f64 - centre + 0.5) * (1.0 / stretch));
        let inverse: f64 = 1.0 / (first..end).map(weight).sum::<f64>();
        (first, (first..end).map(|j| weight(j) * inverse).collect())
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { sin(x * PI) / (x * PI) }
}

/// Eight-bit RGBA pixels, row by row, alpha not premultiplied: what a canvas gives.
#[derive(Clone, Copy)]
pub struct Rgba<'a> {
    /// `4 · width · height` bytes.
    pub data: &'a [u8],
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Opaque pixels of a part of an image.
struct Rgb {
    pixels: Vec<[u8; 3]>,
    width: usize,
}

/// One output position: the first input it reads and the weights, in fixed point or as floats, of that one and those after it.
struct Taps<Weight = i32> {
    first: usize,
    weights: Vec<Weight>,
}

/// Resizes `image` to `height × width` and returns rows × columns of the result as RGB, `[rows, columns, 3]`.
///
/// Asking for a part costs only that part: the rest of the resized image is never made. Transparent pixels are laid over white, as a
/// page shows them.
pub fn resize(
    image: Rgba<'_>,
    (height, width): (usize, usize),
    filter: Filter,
    rows: Range<usize>,
    columns: Range<usize>,
) -> Result<Vec<[u8; 3]>> {
    let mut vertical = taps(image.height, height, filter, rows);
    let mut horizontal = taps(image.width, width, filter, columns);
    let window = flatten(image, rebase(&mut vertical), rebase(&mut horizontal))?;

    // Rounding to 8 bits between the passes makes their order visible. Pillow up to 12 always starts with the width; 13 starts with the
    // height where that leaves fewer values for the second pass (pull request 9549), which this condition reproduces.
    let saved = |from: usize, to: usize| from as i64 - to as i64;
    let (rows_saved, columns_saved) = (saved(image.height, height), saved(image.width, width));
    let resized = if rows_saved > 0 && rows_saved > 2 * columns_saved {
        resize_width(resize_height(window, &vertical)?, &horizontal)?
    } else {
        resize_height(resize_width(window, &horizontal)?, &vertical)?
    };
    Ok(resized.pixels)
}

/// The same in floats, which nothing rounds between the passes or after them, as PyTorch resizes values of a filter whose weights are sums of polynomials.
pub fn resize_floats(
    image: Rgba<'_>,
    (height, width): (usize, usize),
    filter: Filter,
    rows: Range<usize>,
    columns: Range<usize>,
) -> Result<Vec<[f32; 3]>> {
    let mut vertical = filtered(image.height, height, filter, rows, |weight| weight as f32);
    let mut horizontal = filtered(image.width, width, filter, columns, |weight| weight as f32);
    let window = flatten(image, rebase(&mut vertical), rebase(&mut horizontal))?;
    let lines = window.pixels.chunks_exact(window.width.max(1));
    let mut narrow: Vec<[f32; 3]> = alloc::reserve("a resized image", &[lines.len(), horizontal.len()])?;
    for line in lines {
        narrow
            .extend(horizontal.iter().map(|taps| weighted(line[taps.first..].iter().map(|p| p.map(f32::from)), taps)));
    }
    let mut pixels = alloc::reserve("a resized image", &[vertical.len(), horizontal.len()])?;
    for taps in &vertical {
        let column = |x: usize| narrow[taps.first * horizontal.len()..].iter().skip(x).step_by(horizontal.len());
        pixels.extend((0..horizontal.len()).map(|x| weighted(column(x).copied(), taps)));
    }
    Ok(pixels)
}

fn weighted(pixels: impl Iterator<Item = [f32; 3]>, taps: &Taps<f32>) -> [f32; 3] {
    let add = |sum: [f32; 3], (pixel, weight): ([f32; 3], &f32)| [0, 1, 2].map(|i| sum[i] + pixel[i] * weight);
    pixels.zip(&taps.weights).fold([0.0; 3], add)
}

/// The inputs that `taps` read, and `taps` counted from the first of them.
fn rebase<Weight>(taps: &mut [Taps<Weight>]) -> Range<usize> {
    let first = taps.iter().map(|taps| taps.first).min().unwrap_or(0);
    let end = taps.iter().map(|taps| taps.first + taps.weights.len()).max().unwrap_or(0);
    for taps in taps {
        taps.first -= first;
    }
    first..end
}

/// A window of `image`, over white.
fn flatten(image: Rgba<'_>, rows: Range<usize>, columns: Range<usize>) -> Result<Rgb> {
    let mut pixels = alloc::reserve("an image", &[rows.len(), columns.len()])?;
    for row in image.data.as_chunks::<4>().0.chunks_exact(image.width).take(rows.end).skip(rows.start) {
        pixels.extend(
            row[columns.clone()].iter().map(|[r, g, b, alpha]| [*r, *g, *b].map(|value| over_white(value, *alpha))),
        );
    }
    Ok(Rgb { pixels, width: columns.len() })
}

/// (value · alpha + 255 · (255 − alpha)) / 255, rounded to nearest.
fn over_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((2 * (value * alpha + 255 * (255 - alpha)) + 255) / 510) as u8
}

fn resize_width(image: Rgb, taps: &[Taps]) -> Result<Rgb> {
    let height = image.pixels.len() / image.width.max(1);
    let mut pixels = alloc::reserve("a resized image", &[height, taps.len()])?;
    for row in image.pixels.chunks_exact(image.width.max(1)) {
        for taps in taps {
            let mut sums = [HALF; 3];
            for (pixel, weight) in row[taps.first..].iter().zip(&taps.weights) {
                add_weighted(&mut sums, pixel, *weight);
            }
            pixels.push(sums.map(to_byte));
        }
    }
    Ok(Rgb { pixels, width: taps.len() })
}

fn resize_height(image: Rgb, taps: &[Taps]) -> Result<Rgb> {
    let mut pixels = alloc::reserve("a resized image", &[taps.len(), image.width])?;
    let mut sums = vec![[HALF; 3]; image.width];
    for taps in taps {
        sums.fill([HALF; 3]);
        for (row, weight) in image.pixels.chunks_exact(image.width.max(1)).skip(taps.first).zip(&taps.weights) {
            for (sums, pixel) in sums.iter_mut().zip(row) {
                add_weighted(sums, pixel, *weight);
            }
        }
        pixels.extend(sums.iter().map(|sums| sums.map(to_byte)));
    }
    Ok(Rgb { pixels, width: image.width })
}

#[inline(always)]
fn add_weighted(sums: &mut [i32; 3], pixel: &[u8; 3], weight: i32) {
    for (sum, value) in sums.iter_mut().zip(pixel) {
        *sum += i32::from(*value) * weight;
    }
}

/// The sum behind [`HALF`], rounded and clipped to 8 bits.
fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// The taps of the outputs in `range` when `size` inputs become `target` outputs.
fn taps(size: usize, target: usize, filter: Filter, range: Range<usize>) -> Vec<Taps> {
    if size == target {
        return range.map(|i| Taps { first: i, weights: vec![ONE] }).collect();
    }
    if filter == Filter::Nearest {
        // Pillow walks from centre to centre, adding up the steps' roundings. Past the end nothing is read, which leaves black.
        let step = size as f64 / target as f64;
        let centres = (0..range.end).scan(0.5 * step, |next, _| Some(std::mem::replace(next, *next + step)));
        let tap = |at: usize| Taps { first: at.min(size), weights: if at < size { vec![ONE] } else { Vec::new() } };
        return centres.skip(range.start).map(|centre| tap(centre as usize)).collect();
    }
    filtered(size, target, filter, range, |weight| (weight * f64::from(ONE)).round() as i32)
}

/// The same by the filter's weights, each as `convert` makes it.
fn filtered<Weight>(
    size: usize,
    target: usize,
    filter: Filter,
    range: Range<usize>,
    convert: fn(f64) -> Weight,
) -> Vec<Taps<Weight>> {
    let tap = |i| {
        let (first, weights) = filter.weights(size, target, i);
        Taps { first, weights: weights.into_iter().map(convert).collect() }
    };
    range.map(tap).collect()
}
