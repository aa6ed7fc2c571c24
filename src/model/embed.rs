//! From pixels to tokens (ViT paper, equation 1).

use super::config::Config;
use super::linear::{Linear, QuantizedRows, Then};
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
    /// `pixels`: `[3, H, W]`, `patches`: scratch `[N, P]`, `tokens`: `[T, D]`.
    pub fn forward(
        &self,
        config: &Config,
        pixels: ArrayView3<f32>,
        patches: &mut Array2<f32>,
        quantized: &mut QuantizedRows,
        mut tokens: ArrayViewMut2<f32>,
    ) {
        cut_patches(config, pixels, patches.view_mut());
        let prefix = config.prefix_tokens();
        let patch_tokens = tokens.slice_mut(s![prefix.., ..]);
        self.patch_projection.forward(patches.view(), quantized, Then::Store, patch_tokens);
        if let Some(class_token) = &self.class_token {
            tokens.row_mut(0).assign(class_token);
        }
        tokens += &self.positions;
    }
}

/// Cuts `pixels` `[3, H, W]` into rows of `patches` `[N, 3 P_h P_w]`, in the order a convolution's weight `[D, 3, P_h, P_w]` is stored.
fn cut_patches(config: &Config, pixels: ArrayView3<f32>, mut patches: ArrayViewMut2<f32>) {
    let [height, width] = config.patch_size;
    let columns = config.grid()[1];
    for (n, mut patch) in patches.rows_mut().into_iter().enumerate() {
        let (top, left) = (n / columns * height, n % columns * width);
        let window = pixels.slice(s![.., top..top + height, left..left + width]);
        patch.iter_mut().zip(window).for_each(|(target, value)| *target = *value);
    }
}
