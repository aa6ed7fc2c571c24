//! What makes the map that is an encoder's answer of its last stream (SAM; Kirillov et al., 2023).

use super::convolution::Convolution;
use super::maps::Map;
use super::norm::LayerNorm;
use super::scratch::Workers;
use crate::parallel;
use ndarray::{Array2, ArrayView2, ArrayViewMut2};

/// norm(conv₂(norm(conv₁(x)))), each norm being of every place's channels. It leads to a stage without blocks.
pub struct Neck {
    /// In order; they keep the grid, and each gives as many channels as the last.
    pub layers: [(Convolution, LayerNorm); 2],
}

impl Neck {
    /// Bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(|(layer, norm)| layer.bytes() + norm.bytes()).sum()
    }

    /// Writes the map `out` `[T, C]` of the stream `before` `[T, D]` on the same grid; `room` has room for as many values as `out`.
    pub(super) fn forward(
        &self,
        before: ArrayView2<f32>,
        mut out: ArrayViewMut2<f32>,
        room: &mut Array2<f32>,
        grid: [usize; 2],
        workers: &Workers,
    ) {
        let (width, channels) = (before.ncols(), out.ncols());
        let before = before.to_slice().expect("it is contiguous");
        let out = out.as_slice_mut().expect("it is contiguous");
        let room = room.as_slice_mut().expect("it is contiguous");
        for (index, (convolution, norm)) in self.layers.iter().enumerate() {
            let map = if index == 0 { Map::new(before, grid, width) } else { Map::new(out, grid, channels) };
            let convolved = convolution.forward(&[map], room, workers);
            let places = ArrayViewMut2::from_shape((grid[0] * grid[1], channels), &mut *out).expect("it has this size");
            parallel::for_each_block(places, grid[0] * grid[1], &|first, mut places| {
                for (row, mut place) in places.rows_mut().into_iter().enumerate() {
                    norm.forward(convolved.token(first + row), place.as_slice_mut().expect("rows are contiguous"));
                }
            });
        }
    }
}
