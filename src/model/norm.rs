//! LayerNorm with its learned weight and bias, or RMSNorm.

use crate::kernels::layer_norm::{layer_norm, layer_norm_backward};
use crate::kernels::rows::add_scaled;

/// `y = (x − mean) / √(variance + eps) · weight + bias`, over the last axis. RMSNorm is the same about 0 in place of the mean, with a bias of zeros.
pub struct LayerNorm {
    /// `[D]`.
    pub weight: Vec<f32>,
    /// `[D]`.
    pub bias: Vec<f32>,
    /// ε.
    pub eps: f32,
    /// Whether the mean is taken away; not of RMSNorm.
    pub centred: bool,
}

impl LayerNorm {
    /// Bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(self.weight.as_slice()) + size_of_val(self.bias.as_slice())
    }

    /// `x`, `out`: `[D]`.
    pub fn forward(&self, x: &[f32], out: &mut [f32]) {
        layer_norm(x, &self.weight, &self.bias, self.eps, self.centred, out);
    }

    /// Takes the gradient by `norm(x)` to that by `x`, in place; `x`, `gradient`: `[D]`.
    pub(super) fn backward(&self, x: &[f32], gradient: &mut [f32]) {
        layer_norm_backward(x, &self.weight, self.eps, self.centred, gradient);
    }

    /// `x ← norm(x)`; `before`: `[D]`, for x as it was.
    pub(super) fn in_place(&self, x: &mut [f32], before: &mut [f32]) {
        before.copy_from_slice(x);
        self.forward(before, x);
    }

    /// `stream += norm(branch)`, row by row; `normed`: `[D]`, for one of them.
    pub(super) fn add_to(&self, stream: &mut [f32], branch: &[f32], normed: &mut [f32]) {
        let rows = stream.chunks_exact_mut(normed.len()).zip(branch.chunks_exact(normed.len()));
        for (token, branch) in rows {
            self.forward(branch, normed);
            add_scaled(token, 1.0, normed);
        }
    }
}

/// `out = norm(x)`, or x itself where there is none.
pub(super) fn apply(norm: &Option<LayerNorm>, x: &[f32], out: &mut [f32]) {
    match norm {
        Some(norm) => norm.forward(x, out),
        None => out.copy_from_slice(x),
    }
}
