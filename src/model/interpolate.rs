//! Learned grids (positions, tables of relative positions) at another resolution, as the source libraries do it.

use crate::resample::Filter;

/// How a library resamples a grid. All are separable: what an output position reads along one axis does not depend on the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// `torch.nn.functional.interpolate(mode="bicubic", align_corners=False)`: cubic convolution with a = −0.75, edges repeated.
    Bicubic,
    /// The same with `antialias=True`: Pillow's filter, a = −0.5, widened where the grid shrinks.
    BicubicAntialias,
    /// `mode="bilinear"`, edges repeated.
    Bilinear,
    /// The same with `align_corners=True`: the outermost stay the outermost.
    BilinearCorners,
    /// `mode="bilinear"` with `antialias=True`: Pillow's filter.
    BilinearAntialias,
    /// timm's `resize_rel_pos_bias_table`: linear between points whose distances grow geometrically from the centre, so that near
    /// ones stay where they were.
    Geometric,
}

/// What an output position reads, with weights that sum to 1.
type Taps = Vec<(usize, f64)>;

/// A grid `[rows · columns, D]` at another size.
pub(super) fn resize(grid: &[f32], from: [usize; 2], to: [usize; 2], how: Interpolation) -> Vec<f32> {
    let width = grid.len() / (from[0] * from[1]);
    let across = resample(grid, [from[0], from[1], width], &how.taps(from[1], to[1]));
    // Columns are done: a row of the grid is one long vector now.
    resample(&across, [1, from[0], to[1] * width], &how.taps(from[0], to[0]))
}

/// The middle axis of `source` `[outer, length, inner]`, resampled.
fn resample(source: &[f32], [outer, length, inner]: [usize; 3], outputs: &[Taps]) -> Vec<f32> {
    let mut resampled = Vec::with_capacity(outer * outputs.len() * inner);
    for block in source.chunks_exact(length * inner) {
        for taps in outputs {
            let first = resampled.len();
            resampled.resize(first + inner, 0.0);
            for (i, weight) in taps {
                let (target, weight) = (&mut resampled[first..], *weight as f32);
                target.iter_mut().zip(&block[i * inner..]).for_each(|(sum, value)| *sum += weight * value);
            }
        }
    }
    resampled
}

impl Interpolation {
    fn taps(self, from: usize, to: usize) -> Vec<Taps> {
        let scale = from as f64 / to as f64;
        let centre = |i: usize| (i as f64 + 0.5) * scale - 0.5;
        let clamp = |i: f64| i.clamp(0.0, (from - 1) as f64) as usize;
        match self {
            Self::Bicubic => (0..to)
                .map(|i| {
                    let first = centre(i).floor();
                    let t = centre(i) - first;
                    [-1.0, 0.0, 1.0, 2.0].map(|tap: f64| (clamp(first + tap), cubic((t - tap).abs()))).to_vec()
                })
                .collect(),
            Self::BicubicAntialias => filtered(Filter::Bicubic, from, to),
            Self::BilinearAntialias => filtered(Filter::Bilinear, from, to),
            Self::Bilinear | Self::BilinearCorners => (0..to)
                .map(|i| {
                    let corners = (i * (from - 1)) as f64 / (to - 1).max(1) as f64;
                    let position = if self == Self::BilinearCorners { corners } else { centre(i).max(0.0) };
                    let t = position - position.floor();
                    vec![(clamp(position.floor()), 1.0 - t), (clamp(position.floor() + 1.0), t)]
                })
                .collect(),
            Self::Geometric => geometric(from, to),
        }
    }
}

fn filtered(filter: Filter, from: usize, to: usize) -> Vec<Taps> {
    (0..to)
        .map(|i| {
            let (first, weights) = filter.weights(from, to, i);
            weights.into_iter().enumerate().map(|(tap, weight)| (first + tap, weight)).collect()
        })
        .collect()
}

/// Cubic convolution (Keys, 1981) with PyTorch's a.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.75;
    if x <= 1.0 { ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0 } else { ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A }
}

/// `from` points at 0, ±1, ±(1 + q), ±(1 + q + q²), …, where q is such that the outermost lie at the edge of `to` points at distance 1.
fn geometric(from: usize, to: usize) -> Vec<Taps> {
    let (half, target) = (from / 2, (to / 2) as f64);
    let (mut left, mut right, mut q) = (1.01, 1.5, 0.0);
    while right - left > 1e-6 {
        q = (left + right) / 2.0;
        let reach = (1.0 - f64::powi(q, half as i32)) / (1.0 - q);
        if reach > target { right = q } else { left = q }
    }
    let mut reach = Vec::with_capacity(half);
    let mut current = 1.0;
    for i in 0..half {
        reach.push(current);
        current += f64::powi(q, i as i32 + 1);
    }
    let points: Vec<f64> =
        reach.iter().rev().map(|x| -x).chain(std::iter::once(0.0)).chain(reach.iter().copied()).collect();

    let at = |i: usize| i as f64 - target;
    (0..to)
        .map(|i| {
            let right = points.partition_point(|point| *point < at(i)).min(points.len() - 1);
            let left = right.saturating_sub(1);
            let before = (at(i) - points[left]).max(0.0);
            let after = (points[right] - at(i)).max(0.0);
            if before + after == 0.0 {
                return vec![(right, 1.0)];
            }
            vec![(left, after / (before + after)), (right, before / (before + after))]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const ALL: [Interpolation; 6] = [
        Interpolation::Bicubic,
        Interpolation::BicubicAntialias,
        Interpolation::Bilinear,
        Interpolation::BilinearCorners,
        Interpolation::BilinearAntialias,
        Interpolation::Geometric,
    ];

    #[test]
    fn weights_sum_to_one_and_stay_inside() {
        for how in ALL {
            for (from, to) in [(1, 5), (5, 1), (7, 7), (7, 13), (13, 5), (27, 37)] {
                for taps in how.taps(from, to) {
                    let sum: f64 = taps.iter().map(|(_, weight)| weight).sum();
                    assert!((sum - 1.0).abs() < 1e-12, "{how:?} {from} → {to}: {taps:?}");
                    assert!(taps.iter().all(|(i, _)| *i < from));
                }
            }
        }
    }

    /// A ramp stays a ramp, rows are not taken for columns.
    #[test]
    fn axes_keep_their_order() {
        let grid: Vec<f32> = (0..24).map(|i| (i / 6 * 100 + i % 6) as f32).collect();
        for how in [Interpolation::Bicubic, Interpolation::BicubicAntialias, Interpolation::Bilinear] {
            let resized = resize(&grid, [4, 6], [8, 12], how);
            // Between the inner points, where no edge is repeated: output 7 lies at 3.25, output 4 at 1.75.
            let value = resized[4 * 12 + 7];
            // (With a = −0.75 cubic convolution is not exact even for ramps.)
            let tolerance = if how == Interpolation::Bicubic { 10.0 } else { 1e-3 };
            assert!((value - 178.25).abs() < tolerance, "{how:?}: {value}");
        }
    }
}
