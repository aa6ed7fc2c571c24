//! Maps of channels: `[H · W, C]`, a token a row, as the stream is.

use ndarray::ArrayView3;

/// A map, its rows and its columns.
#[derive(Clone, Copy)]
pub(super) struct Map<'a> {
    pub grid: [usize; 2],
    pub channels: usize,
    /// `[H · W, C]`.
    values: &'a [f32],
}

impl<'a> Map<'a> {
    /// The map in the first values of a buffer.
    pub fn new(values: &'a [f32], grid: [usize; 2], channels: usize) -> Self {
        Self { grid, channels, values: &values[..grid[0] * grid[1] * channels] }
    }

    /// `[C]` at a place, row by row.
    pub fn token(&self, place: usize) -> &'a [f32] {
        &self.values[place * self.channels..][..self.channels]
    }

    /// `[H · W, C]`.
    pub fn values(&self) -> &'a [f32] {
        self.values
    }
}

/// `pixels` `[3, H, W]` as a map.
pub(super) fn interleave(pixels: ArrayView3<f32>, out: &mut [f32]) {
    for (channel, plane) in pixels.outer_iter().enumerate() {
        let values = out.iter_mut().skip(channel).step_by(pixels.shape()[0]);
        values.zip(plane).for_each(|(target, value)| *target = *value);
    }
}

/// The k × k places around each place of a map: what a convolution with "same" padding reads, for odd k.
#[derive(Clone, Copy)]
pub(super) struct Neighbours {
    pub kernel: usize,
    pub stride: usize,
}

impl Neighbours {
    /// Rows and columns of what is read at every `stride`-th place.
    pub fn grid(&self, grid: [usize; 2]) -> [usize; 2] {
        grid.map(|edge| edge.div_ceil(self.stride))
    }

    /// The places around place number `place` of the output, row by row, none where they lie outside.
    pub fn taps(self, grid: [usize; 2], place: usize) -> impl Iterator<Item = Option<usize>> {
        let [_, columns] = self.grid(grid);
        let corner = [place / columns, place % columns].map(|at| at * self.stride);
        let along = move |axis: usize, offset: usize| {
            (corner[axis] + offset).checked_sub(self.kernel / 2).filter(|at| *at < grid[axis])
        };
        (0..self.kernel).flat_map(move |y| {
            let row = along(0, y);
            (0..self.kernel).map(move |x| Some(row? * grid[1] + along(1, x)?))
        })
    }
}

/// `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)` from a grid to another.
#[derive(Clone, Copy)]
pub(super) struct Bilinear {
    pub from: [usize; 2],
    pub to: [usize; 2],
}

impl Bilinear {
    /// `[C]` at place number `place` of the new grid.
    pub fn read(&self, map: Map<'_>, place: usize, target: &mut [f32]) {
        if self.from == self.to {
            return target.copy_from_slice(map.token(place));
        }
        target.fill(0.0);
        for (place, weight) in self.taps(place) {
            target.iter_mut().zip(map.token(place)).for_each(|(sum, x)| *sum += weight * x);
        }
    }

    /// Places and weights that it is the sum of.
    fn taps(&self, place: usize) -> impl Iterator<Item = (usize, f32)> {
        let [rows, columns] = [(0, place / self.to[1]), (1, place % self.to[1])].map(|(axis, i)| self.axis(axis, i));
        let columns_of = self.from[1];
        let pairs =
            rows.into_iter().flat_map(move |(y, by_y)| columns.map(move |(x, by_x)| (y * columns_of + x, by_y * by_x)));
        pairs.filter(|(_, weight)| *weight != 0.0)
    }

    fn axis(&self, axis: usize, i: usize) -> [(usize, f32); 2] {
        let (from, to) = (self.from[axis], self.to[axis]);
        let position = ((i as f32 + 0.5) * (from as f32 / to as f32) - 0.5).max(0.0);
        let before = (position as usize).min(from - 1);
        let t = if before + 1 < from { position - before as f32 } else { 0.0 };
        [(before, 1.0 - t), ((before + 1).min(from - 1), t)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Interpolation;
    use crate::model::interpolate::resize;
    use ndarray::Array3;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Up and back, as learned grids are resized in f64.
    #[test]
    fn bilinear_is_as_for_learned_grids() {
        for (from, to) in [([1, 1], [2, 2]), ([3, 5], [4, 6]), ([4, 6], [3, 5]), ([7, 7], [7, 8]), ([5, 2], [5, 2])] {
            let values: Vec<f32> = (0..2 * from[0] * from[1]).map(|i| (i * i % 11) as f32).collect();
            let expected = resize(&values, from, to, Interpolation::Bilinear);
            let bilinear = Bilinear { from, to };
            for (place, expected) in expected.chunks_exact(2).enumerate() {
                let mut token = [f32::NAN; 2];
                bilinear.read(Map::new(&values, from, 2), place, &mut token);
                let near = token.iter().zip(expected).all(|(value, expected)| (value - expected).abs() < 1e-4);
                assert!(near, "{from:?} → {to:?} at {place}: {token:?}, not {expected:?}");
            }
        }
    }

    #[test]
    fn neighbours_stay_inside() {
        let around = Neighbours { kernel: 3, stride: 2 };
        assert_eq!(around.grid([5, 4]), [3, 2]);
        let taps = |place| around.taps([5, 4], place).collect::<Vec<_>>();
        assert_eq!(taps(0), [None, None, None, None, Some(0), Some(1), None, Some(4), Some(5)]);
        assert_eq!(taps(5), [Some(13), Some(14), Some(15), Some(17), Some(18), Some(19), None, None, None]);
        let only = Neighbours { kernel: 1, stride: 1 };
        assert!((0..20).all(|place| only.taps([5, 4], place).eq([Some(place)])));
    }

    #[test]
    fn channels_come_last() {
        let pixels = Array3::from_shape_fn((3, 2, 2), |(c, y, x)| (100 * c + 10 * y + x) as f32);
        let mut map = [0.0; 12];
        interleave(pixels.view(), &mut map);
        assert_eq!(map, [0., 100., 200., 1., 101., 201., 10., 110., 210., 11., 111., 211.]);
        assert_eq!(Map::new(&map, [2, 2], 3).token(2), [10., 110., 210.]);
    }
}
