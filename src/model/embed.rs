//! From pixels to tokens (ViT paper, equation 1).

use super::config::Config;
use super::linear::{Linear, Then};
use super::norm::LayerNorm;
use super::places::LearnedGrid;
use super::scratch::{Scratch, Workers};
use crate::parallel;
use ndarray::{Array2, ArrayView3, ArrayViewMut2, s};

/// z₀ = norm([prefix; patch_norm(x₁ E) + p₁; …; patch_norm(x_N E) + p_N]).
pub struct Embeddings {
    /// E: a patch, flattened channel by channel, to D.
    pub patch_projection: Linear,
    /// On every patch before its position is added, where a model has it (AIMv2).
    pub patch_norm: Option<LayerNorm>,
    /// `[P, D]`: class token, distillation token, registers, their positions already added.
    pub prefix: Array2<f32>,
    /// `[N, D]`: of the patches, if they have learned any of their own.
    pub positions: Option<LearnedGrid>,
    /// On every token, where a model has it (CLIP).
    pub norm: Option<LayerNorm>,
}

impl Embeddings {
    /// Bytes they take in memory.
    pub fn bytes(&self) -> usize {
        let positions = self.positions.as_ref().map_or(0, LearnedGrid::bytes);
        let norms = [&self.patch_norm, &self.norm].into_iter().flatten().map(LayerNorm::bytes).sum::<usize>();
        self.patch_projection.bytes() + self.prefix.len() * size_of::<f32>() + positions + norms
    }

    /// Begins the stream in `scratch`. `pixels`: `[3, H, W]`; `positions`: `[N, D]`, of each place.
    pub(super) fn forward(
        &self,
        config: &Config,
        positions: Option<&Array2<f32>>,
        pixels: ArrayView3<f32>,
        scratch: &mut Scratch,
    ) {
        let Scratch { seen, intervention, stream, workers, .. } = scratch;
        let place = |row: usize| seen.as_ref().map_or(row, |seen| seen[row]);
        let patch = |place: usize| intervention.order.as_ref().map_or(place, |order| order[place]);
        let (mut prefix, patches) =
            stream.multi_slice_mut((s![..self.prefix.nrows(), ..], s![self.prefix.nrows().., ..]));
        prefix.assign(&self.prefix);
        normalise(&self.norm, prefix, workers);
        let count = patches.nrows();
        parallel::for_each_block(patches, count, &|first, mut tokens| {
            {
                let activations = &mut workers.own().activations;
                let size = [tokens.nrows(), config.patch_values()];
                let x = activations.produce(self.patch_projection.precision(), size, |row, target| {
                    cut_patch(config, pixels, patch(place(first + row)), target);
                });
                let out = tokens.as_slice_mut().expect("a block of rows is contiguous");
                self.patch_projection.forward(x, Then::Store, out);
            }
            normalise(&self.patch_norm, tokens.view_mut(), workers);
            if let Some(positions) = positions {
                for (row, mut token) in tokens.rows_mut().into_iter().enumerate() {
                    token += &positions.row(place(first + row));
                }
            }
            normalise(&self.norm, tokens, workers);
        });
    }
}

/// `tokens ← norm(tokens)`, where there is one.
fn normalise(norm: &Option<LayerNorm>, mut tokens: ArrayViewMut2<f32>, workers: &Workers) {
    let Some(norm) = norm else { return };
    let before = &mut workers.own().context[..tokens.ncols()];
    for mut token in tokens.rows_mut() {
        norm.in_place(token.as_slice_mut().expect("rows are contiguous"), before);
    }
}

/// Cuts patch number `n` from `pixels` `[3, H, W]`, in the order a convolution's weight `[D, 3, P_h, P_w]` is stored.
fn cut_patch(config: &Config, pixels: ArrayView3<f32>, n: usize, target: &mut [f32]) {
    let [height, width] = config.patch_size;
    let columns = config.grid()[1];
    let (top, left) = (n / columns * height, n % columns * width);
    let window = pixels.slice(s![.., top..top + height, left..left + width]);
    for (target, row) in target.chunks_exact_mut(width).zip(window.rows()) {
        target.copy_from_slice(row.to_slice().expect("rows of pixels are contiguous"));
    }
}
