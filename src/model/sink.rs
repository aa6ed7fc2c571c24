//! Watching a forward pass.

use ndarray::{ArrayView2, ArrayViewMut3};
use std::ops::Range;

/// What a forward pass shows on its way. Every method has a default that does nothing; `()` watches nothing.
pub trait Sink {
    /// Of how many of this layer's tokens, from the first on, it looks at anything: their attention, or the stream behind it. Of the last block only these and
    /// those that the model's answer reads are computed, and [`Sink::hidden_state`] gets the others as the block before left them.
    fn watches(&self, _layer: usize) -> usize {
        usize::MAX
    }

    /// Where the attention `[heads, T, T]` of this layer is to be written, or `None` if nobody wants it; of one with windows of n tokens `[windows · heads, n, n]`.
    ///
    /// The heads compute into the given memory, so recording costs no copy. It is complete when [`Sink::hidden_state`] is called with
    /// depth `layer` + 1.
    fn attention(&mut self, _layer: usize) -> Option<ArrayViewMut3<'_, f32>> {
        None
    }

    /// Of a layer whose tokens see all: the tokens of some queries, and where the mean of their rows is to be written `[heads, queries, T]`.
    ///
    /// These are computed once more, so that nobody needs memory for all rows.
    fn rows(&mut self, _layer: usize) -> Option<(Vec<Range<usize>>, ArrayViewMut3<'_, f32>)> {
        None
    }

    /// The residual stream `[T, D]` after `depth` blocks; 0 is the embeddings. The final norm is never applied.
    fn hidden_state(&mut self, _depth: usize, _stream: ArrayView2<'_, f32>) {}
}

impl Sink for () {
    fn watches(&self, _layer: usize) -> usize {
        0
    }
}
