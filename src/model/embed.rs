//! From pixels to tokens (ViT paper, equation 1).

use super::activations::Input;
use super::config::{Config, Precision};
use super::linear::{Linear, Then};
use super::mobile::Stem;
use super::norm::LayerNorm;
use super::places::LearnedGrid;
use super::scratch::{Scratch, StageScratch, Workers};
use super::vit::Vit;
use crate::error::{ErrorKind, Result};
use crate::parallel;
use ndarray::{Array2, ArrayView2, ArrayView3, ArrayViewMut2, s};

/// z₀ = norm([prefix; patch_norm(x₁ E) + p₁; …; patch_norm(x_N E) + p_N]).
pub struct Embeddings {
    /// What makes a map of the pixels first, where a model has it (MobileViT): its places are then in the place of patches.
    pub stem: Option<Stem>,
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

/// How one patch becomes a token.
pub struct PatchInside {
    /// `[3, P_h, P_w]` normalised pixels, as cut.
    pub pixels: Vec<f32>,
    /// `[D]` x E and the bias, before anything else.
    pub projected: Vec<f32>,
    /// `[D]` what is added for its place, in a model that adds any.
    pub position: Option<Vec<f32>>,
    /// `[D]` what the first block gets.
    pub token: Vec<f32>,
}

impl Vit {
    /// How patch number `patch` of `pixels` `[3, H, W]` becomes a token.
    pub fn patch_inside(&self, pixels: &[f32], patch: usize) -> Result<PatchInside> {
        let (config, embeddings, pixels) =
            (&self.config.of_stage(0), &self.weights.embeddings, self.view_pixels(pixels)?);
        let projection = embeddings.of_patches("patchEmbedding")?;
        let mut scratch = Scratch::seeing(config, Precision::F32, vec![patch])?;
        embeddings.forward(config, self.places.positions.as_deref(), pixels, &mut scratch);
        let mut cut = vec![0.0; config.patch_values()];
        cut_patch(config, pixels, patch, &mut cut);
        let mut projected = vec![0.0; config.hidden_size];
        let x = ArrayView2::from_shape((1, cut.len()), &cut).expect("one row");
        projection.forward(Input::F32(x), Then::Store, &mut projected);
        let position = self.places.positions.as_ref().map(|positions| positions.row(patch).to_vec());
        let token = scratch.last().stream.row(config.prefix_tokens()).to_vec();
        Ok(PatchInside { pixels: cut, projected, position, token })
    }
}

impl Embeddings {
    /// The projection `[D, 3 P_h P_w]` of patches, in a model that cuts any; `view` is what needs it.
    pub fn of_patches(&self, view: &'static str) -> Result<&Linear> {
        match &self.stem {
            None => Ok(&self.patch_projection),
            Some(_) => {
                let why = "convolutions read its pixels, across the edges of patches.";
                Err(ErrorKind::UnsupportedView { view, why }.into())
            }
        }
    }

    /// Bytes they take in memory.
    pub fn bytes(&self) -> usize {
        let positions = self.positions.as_ref().map_or(0, LearnedGrid::bytes);
        let norms = [&self.patch_norm, &self.norm].into_iter().flatten().map(LayerNorm::bytes).sum::<usize>();
        let stem = self.stem.as_ref().map_or(0, Stem::bytes);
        stem + self.patch_projection.bytes() + self.prefix.len() * size_of::<f32>() + positions + norms
    }

    /// Begins the stream in `scratch`. `pixels`: `[3, H, W]`; `positions`: `[N, D]`, of each place.
    pub(super) fn forward(
        &self,
        config: &Config,
        positions: Option<&Array2<f32>>,
        pixels: ArrayView3<f32>,
        scratch: &mut Scratch,
    ) {
        let Scratch { seen, intervention, stages, workers, maps, .. } = scratch;
        let StageScratch { stream, .. } = &mut stages[0];
        if let Some(stem) = &self.stem {
            return stem.forward(pixels, &self.patch_projection, stream.view_mut(), maps, workers);
        }
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
    // (Of a patch at the edge some may lie beyond, where zeros are.)
    let (bottom, right) = ((top + height).min(pixels.dim().1), (left + width).min(pixels.dim().2));
    if (bottom, right) != (top + height, left + width) {
        target.fill(0.0);
    }
    for (target, channel) in target.chunks_exact_mut(height * width).zip(pixels.outer_iter()) {
        for (target, row) in target.chunks_exact_mut(width).zip(channel.slice(s![top..bottom, left..right]).rows()) {
            let row = row.to_slice().expect("rows of pixels are contiguous");
            target[..row.len()].copy_from_slice(row);
        }
    }
}
