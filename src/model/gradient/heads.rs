//! The gradient of scaled dot-product attention, head by head: of a block, or of the one query that pools.

use super::linear::{Product, for_each_row, view};
use crate::alloc::zeros;
use crate::error::Result;
use crate::kernels::attention::{AddBias, AttendScratch, PackedHead, Wanted, attend};
use crate::kernels::pack::PackedF32;
use crate::kernels::softmax::softmax_backward;
use crate::model::activations::Input;
use crate::model::config::Config;
use crate::model::linear::Then;
use crate::model::relative_bias::RelativeBias;
use crate::model::scratch::PerThread;
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

/// All heads of a layer, with T keys each.
pub(super) struct Heads {
    /// `[heads, Q, T]`.
    pub probabilities: Vec<f32>,
    /// `[heads, Q, T]` the gradient by them.
    pub gradient: Vec<f32>,
    own: Vec<HeadTape>,
    /// One a thread.
    workers: PerThread<HeadWorker>,
    tokens: usize,
    size: usize,
}

/// What belongs to one head.
struct HeadTape {
    packed: PackedHead,
    /// `[Q, d_k]` what it gathers, then the gradient by its queries.
    q: Vec<f32>,
    /// `[d_k, T]` the gradients by keys and by values: this way round, a block of queries adds to them in one product.
    k: Vec<f32>,
    v: Vec<f32>,
}

impl Heads {
    pub fn new(config: &Config) -> Result<Self> {
        let (tokens, size, heads) = (config.tokens(), config.head_size(), config.heads);
        let head = || {
            let buffer = || zeros("gradients of a head", &[tokens, size]);
            Ok(HeadTape { packed: PackedHead::f32(tokens, size)?, q: buffer()?, k: buffer()?, v: buffer()? })
        };
        Ok(Self {
            probabilities: zeros("attention", &[heads, tokens, tokens])?,
            gradient: zeros("gradients of attention", &[heads, tokens, tokens])?,
            own: (0..heads).map(|_| head()).collect::<Result<_>>()?,
            workers: PerThread::new(|| HeadWorker::new(tokens, size))?,
            tokens,
            size,
        })
    }

    /// Computes probabilities again, and `context` `[Q, D]`, what the heads gather.
    pub fn recompute(&mut self, qkv: Qkv<'_>, bias: Option<&RelativeBias>, context: &mut [f32]) {
        let Self { probabilities, own, workers, tokens, size, .. } = self;
        let (size, queries) = (*size, qkv.q.nrows());
        let mut heads: Vec<_> = own.iter_mut().zip(probabilities.chunks_exact_mut(queries * *tokens)).collect();
        parallel::for_each(&mut heads, &|index, (own, p)| {
            workers.own().recompute(index, qkv.head(index, size), bias, own, p);
        });
        for_each_row(context, own.len() * size, &|token, context| {
            let parts = context.chunks_exact_mut(size).zip(&*own);
            parts.for_each(|(context, head)| context.copy_from_slice(&head.q[token * size..][..size]));
        });
    }

    /// From the gradient by what the heads gather, `context` `[Q, D]`, to those by the probabilities and by what was read.
    ///
    /// `out`: `[T, 3 D]`, as queries, keys and values of a block are, or `[T, 2 D]`, keys and values alone.
    pub fn backward(&mut self, qkv: Qkv<'_>, context: &[f32], out: &mut [f32]) {
        let Self { probabilities, gradient, own, workers, tokens, size } = self;
        let (size, tokens, all) = (*size, *tokens, qkv.q.nrows() * *tokens);
        let context = view(context, qkv.q.ncols());
        let mut heads: Vec<_> = own.iter_mut().zip(gradient.chunks_exact_mut(all)).collect();
        parallel::for_each(&mut heads, &|index, (own, gradient)| {
            let p = view(&probabilities[index * all..][..all], tokens);
            let context = columns(context, index * size, size);
            workers.own().backward(qkv.head(index, size), p, context, own, gradient);
        });
        let width = out.len() / tokens;
        for_each_row(out, width, &|token, out| {
            let (q, kv) = out.split_at_mut(width - 2 * own.len() * size);
            let (k, v) = kv.split_at_mut(own.len() * size);
            q.chunks_exact_mut(size).zip(&*own).for_each(|(q, own)| q.copy_from_slice(&own.q[token * size..][..size]));
            for (part, values) in [(k, HeadTape::k as fn(&HeadTape) -> &[f32]), (v, HeadTape::v)] {
                for (part, own) in part.chunks_exact_mut(size).zip(&*own) {
                    let values = values(own)[token..].iter().step_by(tokens);
                    part.iter_mut().zip(values).for_each(|(part, value)| *part = *value);
                }
            }
        });
    }
}

impl HeadTape {
    fn k(&self) -> &[f32] {
        &self.k
    }

    fn v(&self) -> &[f32] {
        &self.v
    }
}

/// Buffers of one thread for one head of T tokens, in blocks of B queries.
struct HeadWorker {
    /// For the forward pass.
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
    fn new(tokens: usize, size: usize) -> Result<Self> {
        let block = QUERIES.min(tokens);
        Ok(Self {
            attend: AttendScratch::new(block, tokens, size)?,
            values: Product::new(tokens, PackedF32::steps(tokens, size))?,
            keys: Product::new(size, PackedF32::steps(size, tokens))?,
            block: Product::new(tokens, PackedF32::steps(tokens, block))?,
            scores: zeros("gradients of scores", &[block, tokens])?,
            turned: zeros("gradients of a head", &[size, block])?,
        })
    }

    /// Fills `p`, the probabilities `[Q, T]`, and `own.q` with what the head gathers.
    fn recompute(
        &mut self,
        index: usize,
        head: Head<'_>,
        bias: Option<&RelativeBias>,
        own: &mut HeadTape,
        p: &mut [f32],
    ) {
        let (queries, size) = head.q.dim();
        let tokens = head.k.nrows();
        own.packed.pack(head.k, head.v);
        for first in (0..queries).step_by(QUERIES) {
            let q = rows(head.q, first, QUERIES);
            let p = ArrayViewMut2::from_shape((q.nrows(), tokens), &mut p[first * tokens..][..q.nrows() * tokens]);
            let add_bias = |row: usize, scores: &mut [f32]| {
                bias.into_iter().for_each(|bias| bias.add_to(index, first + row, None, scores));
            };
            let wanted = Wanted { probabilities: true, bias: bias.is_some().then_some(&add_bias as &AddBias) };
            let context = &mut own.q[first * size..];
            attend(q, &own.packed, &mut self.attend, p.expect("the slice has this size"), wanted, context, size);
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
        own: &mut HeadTape,
        p_gradient: &mut [f32],
    ) {
        let Self { values, keys, block, scores, turned, .. } = self;
        let (queries, size) = head.q.dim();
        let tokens = head.k.nrows();
        let scale = 1.0 / (size as f32).sqrt();
        let (values, keys) = (values.rows(head.v), keys.columns(head.k));
        own.k.fill(0.0);
        own.v.fill(0.0);
        for first in (0..queries).step_by(QUERIES) {
            let (p, q, context) =
                (rows(p, first, QUERIES), rows(head.q, first, QUERIES), rows(context, first, QUERIES));
            let p_gradient = &mut p_gradient[first * tokens..][..p.len()];
            values.forward(Input::F32(context), Then::Store, p_gradient);
            block.columns(p).forward(turn(context, turned), Then::Add, &mut own.v);

            let scores = &mut scores[..p.len()];
            let p = p.to_slice().expect("whole rows").chunks_exact(tokens);
            for ((p, g), out) in p.zip(p_gradient.chunks_exact(tokens)).zip(scores.chunks_exact_mut(tokens)) {
                softmax_backward(p, g, scale, out);
            }
            let scores = view(scores, tokens);
            keys.forward(Input::F32(scores), Then::Store, &mut own.q[first * size..][..q.len()]);
            block.columns(scores).forward(turn(q, turned), Then::Add, &mut own.k);
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
