//! The gradient of scaled dot-product attention, head by head: of a block, or of the one query that pools.

use super::linear::{Product, for_each_row, view};
use super::tape::Heads;
use crate::alloc::zeros;
use crate::error::Result;
use crate::kernels::attention::{AddBias, AttendScratch, PackedHead, Wanted, attend};
use crate::kernels::pack::PackedF32;
use crate::kernels::softmax::softmax_backward;
use crate::model::activations::Input;
use crate::model::linear::Then;
use crate::model::relative_bias::RelativeBias;
use crate::parallel;
use ndarray::{ArrayView2, ArrayViewMut2, s};

/// Queries of a head that are taken at a time, at most: all of them would make a matrix `[T, T]` more a thread.
const QUERIES: usize = 64;

/// What heads read: queries `[Q, D]`, and keys and values `[T, 2 D]`, heads side by side.
#[derive(Clone, Copy)]
pub(super) struct Qkv<'a> {
    pub q: ArrayView2<'a, f32>,
    pub kv: ArrayView2<'a, f32>,
}

/// One head's part of it: `[Q, d_k]`, `[T, d_k]`, `[T, d_k]`.
struct Head<'a> {
    q: ArrayView2<'a, f32>,
    k: ArrayView2<'a, f32>,
    v: ArrayView2<'a, f32>,
}

impl<'a> Qkv<'a> {
    fn head(self, index: usize, size: usize) -> Head<'a> {
        let (first, width) = (index * size, self.q.ncols());
        let k = columns(self.kv, first, size);
        Head { q: columns(self.q, first, size), k, v: columns(self.kv, width + first, size) }
    }
}

impl Heads<'_> {
    /// The same memory for the pooling's heads.
    pub fn of_pool(&mut self) -> Heads<'_> {
        let Self { probabilities, gradient, own, pool, .. } = self;
        let (workers, [count, tokens, size]) = *pool;
        let own = &mut own[..count * 3 * tokens * size];
        Heads { probabilities, gradient, own, workers, tokens, size, pool: *pool }
    }

    /// Computes probabilities again, and `context` `[Q, D]`, what the heads gather; `bias`: relative positions, and the number of the first query's token.
    pub fn recompute(&mut self, qkv: Qkv<'_>, bias: Option<(&RelativeBias, usize)>, context: &mut [f32]) {
        let (size, tokens) = (self.size, self.tokens);
        let (width, workers) = (qkv.q.ncols(), self.workers);
        let own = self.own.chunks_exact_mut(3 * tokens * size);
        let mut heads: Vec<_> = self.probabilities.chunks_exact_mut(qkv.q.nrows() * tokens).zip(own).collect();
        parallel::for_each(&mut heads, &|index, (p, own)| {
            workers.own().recompute(index, qkv.head(index, size), bias, own, p);
        });
        self.gathered(context, width);
    }

    /// From the gradient by what the heads gather, `context` `[Q, D]`, to those by the probabilities and by what was read.
    ///
    /// `out`: `[T, 3 D]`, as queries, keys and values of a block are, behind the Q queries zeros, or `[T, 2 D]`, keys and values alone.
    pub fn backward(&mut self, qkv: Qkv<'_>, context: &[f32], out: &mut [f32]) {
        let (size, tokens) = (self.size, self.tokens);
        let (width, workers, all) = (qkv.q.ncols(), self.workers, qkv.q.nrows() * tokens);
        let own = self.own.chunks_exact_mut(3 * tokens * size);
        let mut heads: Vec<_> = self.gradient.chunks_exact_mut(all).zip(own).collect();
        let probabilities = &*self.probabilities;
        parallel::for_each(&mut heads, &|index, (gradient, own)| {
            let p = view(&probabilities[index * all..][..all], tokens);
            let context = columns(view(context, width), index * size, size);
            workers.own().backward(qkv.head(index, size), p, context, own, gradient);
        });
        let parts = out.len() / (tokens * width);
        self.gather(out, parts * width, 3 - parts);
    }

    /// What the heads gathered `[Q, D]`, as long as nothing went backward.
    pub fn gathered(&self, context: &mut [f32], width: usize) {
        self.gather(context, width, 0);
    }

    /// Writes what the heads have of their own, from part `first` on, side by side to rows of `out`, each `width` long.
    fn gather(&self, out: &mut [f32], width: usize, first: usize) {
        let Self { own, tokens, size, .. } = self;
        let heads = own.len() / (3 * tokens * size);
        for_each_row(out, width, &|token, out| {
            for (number, out) in out.chunks_exact_mut(*size).enumerate() {
                let (part, head) = (first + number / heads, number % heads);
                let (start, step) = if part == 0 { (token * size, 1) } else { (token, *tokens) };
                let values = own[(3 * head + part) * tokens * size..][start..].iter().step_by(step);
                out.iter_mut().zip(values).for_each(|(out, value)| *out = *value);
            }
        });
    }
}

/// Buffers of one thread for one head of T tokens, in blocks of B queries.
pub(super) struct HeadWorker {
    /// For the forward pass.
    packed: PackedHead,
    attend: AttendScratch,
    /// x ↦ x Vᵀ, d_k → T.
    values: Product,
    /// x ↦ x K, T → d_k.
    keys: Product,
    /// x ↦ x P, B → T, with P the probabilities or the gradient by the scores.
    block: Product,
    /// `[B, T]` the gradient by the scores.
    scores: Vec<f32>,
    /// `[d_k, B]` queries, or the gradient by what they gather.
    turned: Vec<f32>,
}

impl HeadWorker {
    pub fn new(tokens: usize, size: usize) -> Result<Self> {
        let block = QUERIES.min(tokens);
        Ok(Self {
            packed: PackedHead::f32(tokens, size)?,
            attend: AttendScratch::new(block, tokens, size)?,
            values: Product::new(tokens, PackedF32::steps(tokens, size))?,
            keys: Product::new(size, PackedF32::steps(size, tokens))?,
            block: Product::new(tokens, PackedF32::steps(tokens, block))?,
            scores: zeros("gradients of scores", &[block, tokens])?,
            turned: zeros("gradients of a head", &[size, block])?,
        })
    }

    /// Fills `p`, the probabilities `[Q, T]`, and the first part of `own` with what the head gathers.
    fn recompute(
        &mut self,
        index: usize,
        head: Head<'_>,
        bias: Option<(&RelativeBias, usize)>,
        own: &mut [f32],
        p: &mut [f32],
    ) {
        let (queries, size) = head.q.dim();
        let tokens = head.k.nrows();
        self.packed.pack(head.k, head.v);
        for first in (0..queries).step_by(QUERIES) {
            let q = rows(head.q, first, QUERIES);
            let p = ArrayViewMut2::from_shape((q.nrows(), tokens), &mut p[first * tokens..][..q.nrows() * tokens]);
            let add_bias = |row: usize, scores: &mut [f32]| {
                bias.into_iter().for_each(|(bias, token)| bias.add_to(index, token + first + row, None, scores));
            };
            let wanted = Wanted { probabilities: true, bias: bias.is_some().then_some(&add_bias as &AddBias) };
            let context = &mut own[first * size..];
            attend(q, &self.packed, &mut self.attend, p.expect("the slice has this size"), wanted, context, size);
        }
    }

    /// With P = softmax(S), S = Q Kᵀ / √d_k, C = P V, and ∂ the gradient by what follows it:
    /// ∂P = ∂C Vᵀ, ∂V = Pᵀ ∂C, ∂S = P ⊙ (∂P − rowsum(P ⊙ ∂P)), ∂Q = ∂S K / √d_k, ∂K = ∂Sᵀ Q / √d_k.
    ///
    /// `p` `[Q, T]`, `context` `[Q, d_k]` is ∂C, `p_gradient` `[Q, T]`.
    fn backward(
        &mut self,
        head: Head<'_>,
        p: ArrayView2<f32>,
        context: ArrayView2<f32>,
        own: &mut [f32],
        p_gradient: &mut [f32],
    ) {
        let Self { values, keys, block, scores, turned, .. } = self;
        let (queries, size) = head.q.dim();
        let tokens = head.k.nrows();
        let scale = 1.0 / (size as f32).sqrt();
        let (values, keys) = (values.rows(head.v), keys.columns(head.k));
        let (q_gradient, kv_gradient) = own.split_at_mut(tokens * size);
        q_gradient[queries * size..].fill(0.0);
        kv_gradient.fill(0.0);
        let (k_gradient, v_gradient) = kv_gradient.split_at_mut(tokens * size);
        for first in (0..queries).step_by(QUERIES) {
            let (p, q, context) =
                (rows(p, first, QUERIES), rows(head.q, first, QUERIES), rows(context, first, QUERIES));
            let p_gradient = &mut p_gradient[first * tokens..][..p.len()];
            values.forward(Input::F32(context), Then::Store, p_gradient);
            block.columns(p).forward(turn(context, turned), Then::Add, v_gradient);

            let scores = &mut scores[..p.len()];
            let p = p.to_slice().expect("whole rows").chunks_exact(tokens);
            for ((p, g), out) in p.zip(p_gradient.chunks_exact(tokens)).zip(scores.chunks_exact_mut(tokens)) {
                softmax_backward(p, g, scale, out);
            }
            let scores = view(scores, tokens);
            keys.forward(Input::F32(scores), Then::Store, &mut q_gradient[first * size..][..q.len()]);
            block.columns(scores).forward(turn(q, turned), Then::Add, k_gradient);
        }
    }
}

/// The transpose of `x`, in `memory`.
#[inline(never)]
fn turn<'a>(x: ArrayView2<f32>, memory: &'a mut [f32]) -> Input<'a> {
    let (height, memory) = (x.nrows(), &mut memory[..x.len()]);
    for (column, row) in x.rows().into_iter().enumerate() {
        let target = memory[column..].iter_mut().step_by(height);
        target.zip(row).for_each(|(target, value)| *target = *value);
    }
    Input::F32(view(memory, height))
}

#[inline(never)]
fn columns(matrix: ArrayView2<'_, f32>, first: usize, size: usize) -> ArrayView2<'_, f32> {
    matrix.slice_move(s![.., first..first + size])
}

/// Up to `count` rows.
#[inline(never)]
fn rows(matrix: ArrayView2<'_, f32>, first: usize, count: usize) -> ArrayView2<'_, f32> {
    matrix.slice_move(s![first..matrix.nrows().min(first + count), ..])
}
