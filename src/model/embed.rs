//! From pixels to tokens (ViT paper, equation 1).

use super::config::Config;
use super::linear::{Linear, Then};
use super::scratch::Workers;
use crate::parallel;
use ndarray::{Array1, Array2, ArrayView3, ArrayViewMut2, s};

/// z₀ = [class token; x₁ E; …; x_N E] + E_pos.
pub struct Embeddings {
    /// E: a patch, flattened channel by channel, to D.
    pub patch_projection: Linear,
    /// `[D]`, if the model has one.
    pub class_token: Option<Array1<f32>>,
    /// E_pos `[T, D]`.
    pub positions: Array2<f32>,
}

impl Embeddings {
    /// Bytes they take in memory.
    pub fn bytes(&self) -> usize {
        let floats = self.positions.len() + self.class_token.as_ref().map_or(0, Array1::len);
        self.patch_projection.bytes() + floats * size_of::<f32>()
    }

    /// `pixels`: `[3, H, W]`, `tokens`: `[T, D]`.
    pub(super) fn forward(
        &self,
        config: &Config,
        pixels: ArrayView3<f32>,
        mut tokens: ArrayViewMut2<f32>,
        workers: &Workers,
    ) {
        if let Some(class_token) = &self.class_token {
            tokens.row_mut(0).assign(&(class_token + &self.positions.row(0)));
        }
        let prefix = config.prefix_tokens();
        let patches = tokens.slice_mut(s![prefix.., ..]);
        parallel::for_each_block(patches, config.patches(), &|first, mut tokens| {
            let activations = &mut workers.own().activations;
            let size = [tokens.nrows(), config.patch_values()];
            let x = activations.produce(self.patch_projection.precision(), size, |row, target| {
                cut_patch(config, pixels, first + row, target);
            });
            let out = tokens.as_slice_mut().expect("a block of rows is contiguous");
            self.patch_projection.forward(x, Then::Store, out);
            let first = prefix + first;
            tokens += &self.positions.slice(s![first..first + tokens.nrows(), ..]);
        });
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
