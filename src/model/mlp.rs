//! The MLP of a block.

use super::linear::{Linear, QuantizedRows, Then};
use ndarray::{ArrayView2, ArrayViewMut2};

/// fc2(gelu(fc1(x))).
pub struct Mlp {
    /// D → M.
    pub fc1: Linear,
    /// M → D.
    pub fc2: Linear,
}

impl Mlp {
    /// `out += mlp(x)`; `x`, `out`: `[T, D]`, `hidden`: scratch `[T, M]`.
    pub fn add_to(
        &self,
        out: ArrayViewMut2<f32>,
        x: ArrayView2<f32>,
        mut hidden: ArrayViewMut2<f32>,
        quantized: &mut QuantizedRows,
    ) {
        self.fc1.forward(x, quantized, Then::Gelu, hidden.view_mut());
        self.fc2.forward(hidden.view(), quantized, Then::Add, out);
    }
}
