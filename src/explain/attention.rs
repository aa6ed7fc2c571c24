//! Where recorded attention is read from.

use super::trace::{StagedTrace, Trace};
use crate::error::Result;
use ndarray::{ArrayView3, s};
use std::ops::Range;

/// The attention of all layers. A view asks for the part it needs, so that a recording may lie anywhere.
pub trait Attentions {
    /// `[heads, queries, n]` of a window of a layer, which without windows is one of all tokens: these rows of the matrices of these heads, or in place of several
    /// their mean, if that is what was kept.
    fn read(
        &mut self,
        layer: usize,
        window: usize,
        heads: Range<usize>,
        queries: Range<usize>,
    ) -> Result<ArrayView3<'_, f32>>;

    /// Whether rows are of all tokens though they attend within windows, as those that were kept are.
    fn unrolled(&self) -> bool {
        false
    }
}

impl Attentions for &Trace {
    fn read(
        &mut self,
        layer: usize,
        _window: usize,
        heads: Range<usize>,
        queries: Range<usize>,
    ) -> Result<ArrayView3<'_, f32>> {
        Ok(self.attentions.slice(s![layer, heads, queries, ..]))
    }
}

impl Attentions for &StagedTrace {
    fn read(
        &mut self,
        layer: usize,
        window: usize,
        heads: Range<usize>,
        queries: Range<usize>,
    ) -> Result<ArrayView3<'_, f32>> {
        Ok(self.attentions[layer].slice(s![window, heads, queries, ..]))
    }
}
