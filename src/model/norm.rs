//! LayerNorm with its learned weight and bias.

use crate::kernels::layer_norm::layer_norm;
use ndarray::{ArrayView2, ArrayViewMut2};

/// `y = (x − mean) / √(variance + eps) · weight + bias`, over the last axis.
pub struct LayerNorm {
    /// `[D]`.
    pub weight: Vec<f32>,
    /// `[D]`.
    pub bias: Vec<f32>,
    /// ε.
    pub eps: f32,
}

impl LayerNorm {
    /// `x`, `out`: `[rows, D]`.
    pub fn forward(&self, x: ArrayView2<f32>, out: ArrayViewMut2<f32>) {
        layer_norm(x, &self.weight, &self.bias, self.eps, out);
    }
}
