//! Multi-head self-attention (ViT paper, appendix A).

use super::linear::{Linear, Then};
use super::norm::LayerNorm;
use super::places::{BlockPlaces, LearnedGrid};
use super::scratch::Worker;
use crate::kernels::attention::{AddBias, PackedHead, Wanted, attend};
use crate::kernels::rotate::Turn;
use ndarray::{ArrayView2, ArrayViewMut3, Axis, s};
use std::sync::Arc;

/// Queries, keys and values of all heads from one projection; heads side by side in each third.
pub struct Attention {
    /// D → 3 D: rows q, k, v, each heads × d_k.
    pub qkv: Linear,
    /// On what the heads gather `[D]`, before the projection, where a model has it (EVA-02).
    pub norm: Option<LayerNorm>,
    /// D → D.
    pub projection: Linear,
    /// Number of heads.
    pub heads: usize,
    /// On every query and every key of a head `[d_k]`, where a model has it.
    pub qk_norm: Option<[LayerNorm; 2]>,
    /// `[distances, heads]`, each to be added to the scores by how far query and key lie apart (BEiT); may be common to all blocks.
    pub tables: Vec<Arc<LearnedGrid>>,
    /// `[heads or 1, d_k / 2]` by rows and by columns: how fast queries and keys of patches are turned (RoPE); may be common to all blocks.
    pub frequencies: Option<Arc<[Vec<f32>; 2]>>,
}

/// Which tokens a block of them has.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    /// The number of its first.
    pub first: usize,
    /// Which patches there are at all, if not all.
    pub seen: Option<&'a [usize]>,
    /// Where all of them are.
    pub places: &'a BlockPlaces,
}

/// The heads of a layer.
#[derive(Clone, Copy)]
pub(super) struct Heads<'a> {
    /// Keys and values of all tokens, for each.
    pub packed: &'a [PackedHead],
    /// Those of which the projection reads zeros.
    pub left_out: &'a [usize],
}

impl Attention {
    /// `out = qkv(norm(stream))` for a block of tokens, queries and keys ready to be compared; `stream`: `[block, D]`, `out`: `[block, 3 D]`.
    pub(super) fn project(
        &self,
        norm: &LayerNorm,
        stream: ArrayView2<f32>,
        tokens: Tokens<'_>,
        out: &mut [f32],
        worker: &mut Worker,
    ) {
        let x = worker.activations.produce(self.qkv.precision(), stream.dim().into(), |row, target| {
            norm.forward(stream.row(row).to_slice().expect("rows are contiguous"), target);
        });
        self.qkv.forward(x, Then::Store, out);
        if let Some(norms) = &self.qk_norm {
            let (width, size) = (stream.ncols(), stream.ncols() / self.heads);
            let before = &mut worker.context[..size];
            for token in out.chunks_exact_mut(3 * width) {
                for (norm, heads) in norms.iter().zip(token.chunks_exact_mut(width)) {
                    heads.chunks_exact_mut(size).for_each(|head| norm.in_place(head, before));
                }
            }
        }
        if let Some(rotations) = &tokens.places.rotations {
            for (row, token) in out.chunks_exact_mut(3 * stream.ncols()).enumerate() {
                rotations.apply(tokens.first + row, tokens.seen, token, Turn::Forth);
            }
        }
    }

    /// Gives `head`, the one of number `index`, its keys and values from `qkv` `[T, 3 D]`.
    pub(super) fn pack(&self, index: usize, qkv: ArrayView2<f32>, head: &mut PackedHead) {
        let size = qkv.ncols() / (3 * self.heads);
        let third = |third: usize| {
            let first = (third * self.heads + index) * size;
            qkv.slice_move(s![.., first..first + size])
        };
        head.pack(third(1), third(2));
    }

    /// `stream += projection(heads)` for a block of tokens; `qkv`: `[block, 3 D]`, `recorded`: `[heads, block, T]`.
    pub(super) fn add_to(
        &self,
        stream: &mut [f32],
        tokens: Tokens<'_>,
        qkv: ArrayView2<f32>,
        heads: Heads<'_>,
        mut recorded: Option<ArrayViewMut3<f32>>,
        worker: &mut Worker,
    ) {
        let Worker { activations, attention, attend: scratch, context, .. } = worker;
        let (rows, width) = (qkv.nrows(), qkv.ncols() / 3);
        let size = width / self.heads;
        let context = &mut context[..rows * width];
        for (index, head) in heads.packed.iter().enumerate() {
            let own = index * size;
            let q = qkv.slice(s![.., own..own + size]);
            let (attention, probabilities) = match &mut recorded {
                Some(recorded) => (recorded.index_axis_mut(Axis(0), index), true),
                None => (attention.slice_mut(s![..rows, ..]), false),
            };
            let add_bias = |row: usize, scores: &mut [f32]| {
                let bias = tokens.places.bias.iter();
                bias.for_each(|bias| bias.add_to(index, tokens.first + row, tokens.seen, scores));
            };
            let bias = tokens.places.bias.is_some().then_some(&add_bias as &AddBias);
            attend(q, head, scratch, attention, Wanted { probabilities, bias }, &mut context[own..], width);
        }
        let precision = self.projection.precision();
        let leave_out =
            |token: &mut [f32]| heads.left_out.iter().for_each(|head| token[head * size..][..size].fill(0.0));
        let gathered = match &self.norm {
            None => {
                context.chunks_exact_mut(width).for_each(leave_out);
                activations
                    .take(precision, ArrayView2::from_shape((rows, width), &*context).expect("the slice has this size"))
            }
            Some(norm) => activations.produce(precision, [rows, width], |row, target| {
                norm.forward(&context[row * width..][..width], target);
                leave_out(target);
            }),
        };
        self.projection.forward(gathered, Then::Add, stream);
    }
}
