//! Watching a forward pass.

use ndarray::{ArrayView2, ArrayViewMut2};

/// What a forward pass shows on its way. Every method has a default that does nothing; `()` watches nothing.
pub trait Sink {
    /// Where the attention `[T, T]` of this head is to be written, or `None` if nobody wants it.
    ///
    /// The head computes into the given memory, so recording costs no copy.
    fn attention(&mut self, _layer: usize, _head: usize) -> Option<ArrayViewMut2<'_, f32>> {
        None
    }

    /// The residual stream `[T, D]` after `depth` blocks; 0 is the embeddings. The final norm is never applied.
    fn hidden_state(&mut self, _depth: usize, _stream: ArrayView2<'_, f32>) {}
}

impl Sink for () {}
