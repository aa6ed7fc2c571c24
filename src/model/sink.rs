//! Watching a forward pass.

use ndarray::{ArrayView2, ArrayViewMut3};

/// What a forward pass shows on its way. Every method has a default that does nothing; `()` watches nothing.
pub trait Sink {
    /// Where the attention `[heads, T, T]` of this layer is to be written, or `None` if nobody wants it.
    ///
    /// The heads compute into the given memory, so recording costs no copy. It is complete when [`Sink::hidden_state`] is called with
    /// depth `layer` + 1.
    fn attention(&mut self, _layer: usize) -> Option<ArrayViewMut3<'_, f32>> {
        None
    }

    /// The residual stream `[T, D]` after `depth` blocks; 0 is the embeddings. The final norm is never applied.
    fn hidden_state(&mut self, _depth: usize, _stream: ArrayView2<'_, f32>) {}
}

impl Sink for () {}
