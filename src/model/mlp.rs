//! The MLP of a block.

use super::linear::{Linear, Then};
use super::norm::LayerNorm;
use super::scratch::Worker;
use ndarray::ArrayView2;

/// fc2(gelu(fc1(x))).
pub struct Mlp {
    /// D → M.
    pub fc1: Linear,
    /// M → D.
    pub fc2: Linear,
}

impl Mlp {
    /// `stream += mlp(norm(stream))` for a block of tokens `[rows, D]`.
    pub(super) fn add_to(&self, stream: &mut [f32], norm: &LayerNorm, worker: &mut Worker) {
        let Worker { activations, hidden, .. } = worker;
        let (width, mlp) = (norm.weight.len(), self.fc1.outputs());
        let rows = stream.len() / width;
        let hidden = &mut hidden[..rows * mlp];

        let x = activations.produce(self.fc1.precision(), [rows, width], |row, target| {
            norm.forward(&stream[row * width..][..width], target);
        });
        self.fc1.forward(x, Then::Gelu, hidden);

        let hidden = ArrayView2::from_shape((rows, mlp), &*hidden).expect("the slice has this size");
        let x = activations.take(self.fc2.precision(), hidden);
        self.fc2.forward(x, Then::Add, stream);
    }
}
