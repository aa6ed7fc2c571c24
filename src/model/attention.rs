//! Multi-head self-attention (ViT paper, appendix A).

use super::linear::{Linear, Then};
use super::norm::LayerNorm;
use super::places::{BlockPlaces, LearnedGrid};
use super::scratch::{Worker, Workers};
use crate::kernels::attention::{AddBias, PackedHead, Wanted, attend};
use crate::kernels::dot::dot;
use crate::kernels::rotate::Turn;
use crate::kernels::softmax::scale_in_place;
use crate::parallel::{self, BLOCK_ROWS, Items};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, ArrayViewMut3, Axis, s};
use std::mem::take;
use std::ops::Range;
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
    /// `[heads]` by which the cosines of queries and keys are multiplied, where scores are these (Swin v2).
    pub cosine: Option<Vec<f32>>,
    /// `[distances, heads]`, each to be added to the scores by how far query and key lie apart (BEiT); may be common to all blocks.
    pub tables: Vec<Arc<LearnedGrid>>,
    /// `[2 h − 1, d_k]` and `[2 w − 1, d_k]`, whose products with a query are added to its scores by how many rows and columns a key lies away (SAM).
    pub decomposed: Option<[LearnedGrid; 2]>,
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

impl Attention {
    /// `out = qkv(norm(stream))` for a block of tokens, queries and keys ready to be compared; `stream`: `[block, D]`, `out`: `[block, 3 D]`. Of tokens that
    /// don't `ask`, queries are not computed: in their place is anything.
    pub(super) fn project(
        &self,
        norm: Option<&LayerNorm>,
        stream: ArrayView2<f32>,
        tokens: Tokens<'_>,
        ask: bool,
        out: &mut [f32],
        worker: &mut Worker,
    ) {
        let x = worker.activations.produce(self.qkv.precision(), stream.dim().into(), &mut |row, target| {
            let token = stream.row(row).to_slice().expect("rows are contiguous");
            match norm {
                Some(norm) => norm.forward(token, target),
                None => target.copy_from_slice(token),
            }
        });
        self.qkv.forward_from(if ask { 0 } else { stream.ncols() }, x, Then::Store, out);
        let before = &mut worker.context[..stream.ncols() / self.heads];
        out.chunks_exact_mut(3 * stream.ncols()).for_each(|token| self.normalise(token, before));
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

    /// Makes queries and keys of a token `[3 D]` ready to be compared, but for where it is. `before` is a head's `[d_k]`, for this to write in.
    pub(super) fn normalise(&self, token: &mut [f32], before: &mut [f32]) {
        self.scale_to_cosines(token);
        let width = token.len() / 3;
        for (norm, heads) in self.qk_norm.iter().flatten().zip(token.chunks_exact_mut(width)) {
            heads.chunks_exact_mut(before.len()).for_each(|head| norm.in_place(head, before));
        }
    }

    /// Where scores are cosines: makes them of the products that `attend` scales by 1 / √d_k. `token`: `[3 D]`.
    fn scale_to_cosines(&self, token: &mut [f32]) {
        const SMALLEST: f32 = 1e-12;
        let Some(scales) = &self.cosine else { return };
        let (queries, rest) = token.split_at_mut(token.len() / 3);
        let size = queries.len() / self.heads;
        let unscaled = (size as f32).sqrt();
        let heads = queries.chunks_exact_mut(size).zip(rest.chunks_exact_mut(size));
        for ((query, key), scale) in heads.zip(scales) {
            let length = |x: &[f32]| dot(x, x).sqrt().max(SMALLEST);
            let (by, of_key) = (scale * unscaled / length(query), 1.0 / length(key));
            scale_in_place(query, by);
            scale_in_place(key, of_key);
        }
    }

    /// What these of the heads gather for a block of tokens, in `worker.context`; `qkv`: `[block, 3 D]`, `recorded`: `[these, block, T]`.
    pub(super) fn attend(
        &self,
        tokens: Tokens<'_>,
        qkv: ArrayView2<f32>,
        heads: &[PackedHead],
        these: Range<usize>,
        mut recorded: Option<ArrayViewMut3<f32>>,
        worker: &mut Worker,
    ) {
        let Worker { attention, attend: scratch, context, .. } = worker;
        let width = qkv.ncols() / 3;
        let size = width / self.heads;
        // Few at a time, since their scores are as long as there are tokens; head by head, since keys and values are more.
        let parts = (0..qkv.nrows()).step_by(BLOCK_ROWS);
        for (index, first) in these.clone().flat_map(|index| parts.clone().map(move |first| (index, first))) {
            let (own, head) = (index * size, &heads[index]);
            let part = first..qkv.nrows().min(first + BLOCK_ROWS);
            let q = qkv.slice(s![part.clone(), own..own + size]);
            let (attention, probabilities) = match &mut recorded {
                Some(recorded) => (recorded.slice_mut(s![index - these.start, part, ..]), true),
                None => (rows_of(attention, part.len(), head.tokens()), false),
            };
            let BlockPlaces { bias, decomposed, .. } = tokens.places;
            let add_bias = |row: usize, scores: &mut [f32]| {
                let place = tokens.first + first + row;
                bias.iter().for_each(|bias| bias.add_to(index, place, tokens.seen, scores));
                let query = q.row(row).to_slice().expect("rows are contiguous");
                decomposed.iter().for_each(|decomposed| decomposed.add_to(query, place, scores));
            };
            let bias = (bias.is_some() || decomposed.is_some()).then_some(&add_bias as &AddBias);
            let context = &mut context[first * width + own..];
            attend(q, head, scratch, attention, Wanted { probabilities, bias }, context, width);
        }
    }

    /// The mean of some tokens' rows of attention, for each of the `queries`, into `rows` `[heads, queries, T]`; `tokens` are all, and `qkv`: `[T, 3 D]`.
    pub(super) fn attend_rows(
        &self,
        queries: &[Range<usize>],
        tokens: Tokens<'_>,
        qkv: ArrayView2<f32>,
        heads: &[PackedHead],
        rows: ArrayViewMut3<f32>,
        workers: &Workers,
    ) {
        let all = qkv.nrows();
        let rows = Items::new(rows.into_slice().expect("it is contiguous"), queries.len() * all);
        parallel::for_each_block(rows, heads.len(), &|first, rows| {
            let worker = &mut *workers.own();
            let mut buffer = take(&mut worker.attention);
            for (head, rows) in (first..).zip(rows.iter()) {
                for (query, mean) in queries.iter().zip(rows.chunks_exact_mut(all)) {
                    mean.fill(0.0);
                    for first in query.clone().step_by(BLOCK_ROWS) {
                        let block = first..query.end.min(first + BLOCK_ROWS);
                        let attention = rows_of(&mut buffer, block.len(), all).insert_axis(Axis(0));
                        let (own, tokens) = (qkv.slice(s![block.clone(), ..]), Tokens { first, ..tokens });
                        self.attend(tokens, own, heads, head..head + 1, Some(attention), worker);
                        let attention = rows_of(&mut buffer, block.len(), all);
                        for row in attention.rows() {
                            mean.iter_mut().zip(row).for_each(|(sum, share)| *sum += share);
                        }
                    }
                    let share = 1.0 / query.len().max(1) as f32;
                    mean.iter_mut().for_each(|sum| *sum *= share);
                }
            }
            worker.attention = buffer;
        });
    }

    /// `stream += projection(heads)` for a block of tokens whose heads' gathered values are in `worker.context`; of the heads `left_out` it reads zeros. With a
    /// norm that comes `after`, that of it is added.
    pub(super) fn add_to(
        &self,
        stream: &mut [f32],
        left_out: &[usize],
        after: Option<&LayerNorm>,
        worker: &mut Worker,
    ) {
        let Worker { activations, context, hidden, .. } = worker;
        let width = self.projection.outputs();
        let (rows, size) = (stream.len() / width, width / self.heads);
        let context = &mut context[..stream.len()];
        let precision = self.projection.precision();
        let leave_out = |token: &mut [f32]| left_out.iter().for_each(|head| token[head * size..][..size].fill(0.0));
        let gathered = match &self.norm {
            None => {
                context.chunks_exact_mut(width).for_each(leave_out);
                activations
                    .take(precision, ArrayView2::from_shape((rows, width), &*context).expect("the slice has this size"))
            }
            Some(norm) => activations.produce(precision, [rows, width], &mut |row, target| {
                norm.forward(&context[row * width..][..width], target);
                leave_out(target);
            }),
        };
        match after {
            None => self.projection.forward(gathered, Then::Add, stream),
            Some(norm) => {
                let hidden = &mut hidden[..stream.len()];
                self.projection.forward(gathered, Then::Store, hidden);
                norm.add_to(stream, hidden, &mut context[..width]);
            }
        }
    }
}

/// Room for `[rows, columns]` in a buffer of at least as many values.
pub(super) fn rows_of(buffer: &mut Array2<f32>, rows: usize, columns: usize) -> ArrayViewMut2<'_, f32> {
    let values = &mut buffer.as_slice_mut().expect("it is contiguous")[..rows * columns];
    ArrayViewMut2::from_shape((rows, columns), values).expect("the slice has this size")
}
