//! What makes the map that is an encoder's answer of its last stream (SAM; Kirillov et al., 2023).

use super::convolution::Convolution;
use super::maps::{Map, map_mut};
use super::norm::{LayerNorm, apply};
use super::scratch::Workers;
use crate::parallel;

/// Convolutions one after another, each followed by a norm of every place's channels, where it has one.
pub struct Neck {
    /// In order.
    pub layers: Vec<(Convolution, Option<LayerNorm>)>,
}

impl Neck {
    /// Bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(|(layer, norm)| layer.bytes() + norm.as_ref().map_or(0, LayerNorm::bytes)).sum()
    }

    /// Writes the map of `map` into `rooms`, each of which has room for every layer's, and returns it.
    pub(super) fn forward<'r>(&self, map: Map<'_>, rooms: &'r mut [Vec<f32>; 2], workers: &Workers) -> Map<'r> {
        let (mut grid, mut channels) = (map.grid, map.channels);
        let [room, out] = rooms;
        for (index, (convolution, norm)) in self.layers.iter().enumerate() {
            let before = if index == 0 { map } else { Map::new(out, grid, channels) };
            let convolved = convolution.forward(&[before], room, workers);
            (grid, channels) = (convolved.grid, convolved.channels);
            let places = grid[0] * grid[1];
            parallel::for_each_block(map_mut(out, grid, channels), places, &|first, mut tokens| {
                for (row, mut token) in tokens.rows_mut().into_iter().enumerate() {
                    let token = token.as_slice_mut().expect("rows are contiguous");
                    apply(norm, convolved.token(first + row), token);
                }
            });
        }
        Map::new(out, grid, channels)
    }
}
