//! Watching a backward pass.

use ndarray::{ArrayView2, ArrayView3};

/// What a backward pass shows on its way, which goes from the last block to the first. Every method has a default that does nothing.
pub trait GradientSink {
    /// The gradient of the logit by the residual stream `[T, D]` after `depth` blocks; 0 is the embeddings.
    fn hidden_state(&mut self, _depth: usize, _gradient: ArrayView2<'_, f32>) {}

    /// Block `layer`'s attention `[heads, Q, T]` and the gradient of the logit by it, each entry being free: as if no row had to
    /// sum to 1. Q is T, but in the last block of a model whose answer reads few tokens it is these: the rows of others change nothing.
    fn attention(&mut self, _layer: usize, _attention: ArrayView3<'_, f32>, _gradient: ArrayView3<'_, f32>) {}

    /// What block `layer`'s first norm gives `[T, D]`, and the gradient of the logit by it, which passes through that block's attention
    /// alone. (In an int8 model its channels are equalised: a channel may be smaller by the factor by which its gradient is larger.)
    fn normalised(&mut self, _layer: usize, _tokens: ArrayView2<'_, f32>, _gradient: ArrayView2<'_, f32>) {}
}
