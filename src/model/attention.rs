//! Multi-head self-attention (ViT paper, appendix A).

use super::linear::{Linear, QuantizedRows, Then};
use super::sink::Sink;
use crate::kernels::attention::{PackedHead, attend};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

/// Queries, keys and values of all heads from one projection; heads side by side in each third.
pub struct Attention {
    /// D → 3 D: rows q, k, v, each heads × d_k.
    pub qkv: Linear,
    /// D → D.
    pub projection: Linear,
    /// Number of heads.
    pub heads: usize,
}

/// The scratch buffers attention writes.
pub(super) struct AttentionScratch<'a> {
    pub qkv: &'a mut Array2<f32>,
    pub probabilities: &'a mut Array2<f32>,
    pub context: &'a mut Array2<f32>,
    pub head: &'a mut PackedHead,
    pub quantized: &'a mut QuantizedRows,
}

impl Attention {
    /// `out += projection(heads(x))`; `x`, `out`: `[T, D]`.
    pub(super) fn add_to(
        &self,
        out: ArrayViewMut2<f32>,
        x: ArrayView2<f32>,
        scratch: AttentionScratch<'_>,
        layer: usize,
        sink: &mut dyn Sink,
    ) {
        let AttentionScratch { qkv, probabilities, context, head: packed, quantized } = scratch;
        self.qkv.forward(x, quantized, Then::Store, qkv.view_mut());
        let width = x.ncols();
        let head_size = width / self.heads;
        for head in 0..self.heads {
            let columns = |third: usize| {
                let first = third * width + head * head_size;
                qkv.slice(s![.., first..first + head_size])
            };
            let own = head * head_size;
            let gathered = context.slice_mut(s![.., own..own + head_size]);
            let recorded = sink.attention(layer, head).unwrap_or_else(|| probabilities.view_mut());
            attend(columns(0), columns(1), columns(2), packed, recorded, gathered);
        }
        self.projection.forward(context.view(), quantized, Then::Add, out);
    }
}
