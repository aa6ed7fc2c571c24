//! What makes the map that is an encoder's answer of its last stream (SAM; Kirillov et al., 2023).

use super::convolution::Convolution;
use super::maps::Map;
use super::norm::LayerNorm;
use super::scratch::{StageScratch, Workers};
use crate::parallel;
use ndarray::ArrayView2;

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

    /// Writes the map that is the stream `after` it from the stream `before`, on the same grid.
    pub(super) fn forward(
        &self,
        before: ArrayView2<f32>,
        after: &mut StageScratch,
        grid: [usize; 2],
        workers: &Workers,
    ) {
        // (Room for queries, keys and values, which a stage without blocks doesn't need.)
        let StageScratch { stream, qkv: room, .. } = after;
        let (width, channels) = (before.ncols(), stream.ncols());
        let before = before.to_slice().expect("it is contiguous");
        let room = room.as_slice_mut().expect("it is contiguous");
        for (index, (convolution, norm)) in self.layers.iter().enumerate() {
            let map = if index == 0 {
                Map::new(before, grid, width)
            } else {
                Map::new(stream.as_slice().expect("it is contiguous"), grid, channels)
            };
            let convolved = convolution.forward(&[map], room, workers);
            parallel::for_each_block(stream.view_mut(), grid[0] * grid[1], &|first, mut tokens| {
                for (row, mut token) in tokens.rows_mut().into_iter().enumerate() {
                    norm.forward(convolved.token(first + row), token.as_slice_mut().expect("rows are contiguous"));
                }
            });
        }
    }
}
