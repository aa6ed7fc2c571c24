//! Where recorded attention is read from.

use super::trace::Trace;
use crate::error::Result;
use ndarray::{ArrayView3, s};
use std::ops::Range;

/// The attention of all layers. A view asks for the part it needs, so that a recording may lie anywhere.
pub trait Attentions {
    /// `[heads, queries, T]` of a layer: these rows of the matrices of these heads, or in place of several their mean, if that is what was kept.
    fn read(&mut self, layer: usize, heads: Range<usize>, queries: Range<usize>) -> Result<ArrayView3<'_, f32>>;
}

impl Attentions for &Trace {
    fn read(&mut self, layer: usize, heads: Range<usize>, queries: Range<usize>) -> Result<ArrayView3<'_, f32>> {
        Ok(self.attentions.slice(s![layer, heads, queries, ..]))
    }
}
