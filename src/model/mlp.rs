//! The MLP of a block.

use super::activation::Activation;
use super::linear::{Linear, Then};
use super::norm::LayerNorm;
use super::scratch::Worker;
use crate::kernels::rows::multiply_in_place;
use ndarray::ArrayView2;

/// fc2(norm(f(fc1(x)))), or gated fc2(norm(f(g) · h)) with (g, h) = fc1(x) (SwiGLU; Shazeer, 2020); few have that norm.
pub struct Mlp {
    /// D → M; gated D → 2 M, the gate first.
    pub fc1: Linear,
    /// On what fc2 reads `[M]`, where a model has it (EVA-02).
    pub norm: Option<LayerNorm>,
    /// M → D.
    pub fc2: Linear,
    /// f.
    pub activation: Activation,
    /// Whether half of what fc1 gives gates the other half.
    pub gated: bool,
}

impl Mlp {
    /// `stream += mlp(norm(stream))` for a block of tokens `[rows, D]`; where the norm comes `after`, `stream += norm(mlp(stream))`.
    pub(super) fn add_to(&self, stream: &mut [f32], norm: &LayerNorm, after: bool, worker: &mut Worker) {
        let Worker { activations, hidden, context, .. } = worker;
        let (width, outputs) = (norm.weight.len(), self.fc1.outputs());
        let rows = stream.len() / width;
        let hidden = &mut hidden[..rows * outputs];

        let x = activations.produce(self.fc1.precision(), [rows, width], &mut |row, target| {
            let token = &stream[row * width..][..width];
            if after { target.copy_from_slice(token) } else { norm.forward(token, target) }
        });
        // GELU costs nothing on the way out of the product. The others are passes of their own: each would double the products' code.
        let x = if self.activation == Activation::Gelu && !self.gated && self.norm.is_none() {
            self.fc1.forward(x, Then::Gelu, hidden);
            let hidden = ArrayView2::from_shape((rows, outputs), &*hidden).expect("the slice has this size");
            activations.take(self.fc2.precision(), hidden)
        } else {
            self.fc1.forward(x, Then::Store, hidden);
            let mlp = if self.gated { outputs / 2 } else { outputs };
            activations.produce(self.fc2.precision(), [rows, mlp], &mut |row, target| {
                let (first, gated) = hidden[row * outputs..][..outputs].split_at_mut(mlp);
                match &self.norm {
                    None => {
                        target.copy_from_slice(first);
                        self.activate(target, gated);
                    }
                    Some(norm) => {
                        self.activate(first, gated);
                        norm.forward(first, target);
                    }
                }
            })
        };
        if after {
            let branch = &mut context[..stream.len()];
            self.fc2.forward(x, Then::Store, branch);
            norm.add_to(stream, branch, &mut hidden[..width]);
        } else {
            self.fc2.forward(x, Then::Add, stream);
        }
    }

    /// `first ← f(first)`, times `gated` where there is that.
    pub(super) fn activate(&self, first: &mut [f32], gated: &[f32]) {
        self.activation.apply(first);
        if !gated.is_empty() {
            multiply_in_place(first, gated);
        }
    }
}
