//! The gradient of attention.

use super::linear::{Product, Products, for_each_row, multiply, row};
use crate::alloc::zeros;
use crate::error::Result;
use crate::kernels::attention::{AddBias, AttendScratch, PackedHead, Wanted, attend};
use crate::kernels::pack::PackedF32;
use crate::kernels::softmax::softmax_backward;
use crate::model::activations::Input;
use crate::model::attention::{Attention, Tokens};
use crate::model::config::Config;
use crate::model::linear::Then;
use crate::model::norm::LayerNorm;
use crate::model::scratch::{PerThread, matrix};
use crate::parallel;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, ArrayViewMut2, ArrayViewMut3, Axis, s};

/// Queries of a head that are taken at a time, at most: all of them would make a matrix `[T, T]` more a thread.
const QUERIES: usize = 64;

/// Buffers for T tokens of width D.
pub(super) struct AttentionTape {
    /// `[T, 3 D]` queries, keys and values.
    pub qkv: Array2<f32>,
    /// `[T, 3 D]` the gradient by them.
    pub qkv_gradient: Array2<f32>,
    /// `[T, 3 D]` queries and keys (and values) before they are normalised, in a model that does so.
    unnormalised: Array2<f32>,
    /// `[heads, T, T]`.
    pub probabilities: Array3<f32>,
    /// `[heads, T, T]` the gradient by them.
    pub gradient: Array3<f32>,
    /// `[heads]` keys and values, packed.
    pub heads: Vec<PackedHead>,
    /// For the forward pass, one a thread.
    pub scratch: PerThread<AttendScratch>,
    /// For the backward pass.
    pub workers: PerThread<HeadWorker>,
}

impl AttentionTape {
    pub fn new(config: &Config, qk_norm: bool) -> Result<Self> {
        let (tokens, width, size, heads) = (config.tokens(), config.hidden_size, config.head_size(), config.heads);
        let block = parallel::BLOCK_ROWS.min(tokens);
        let attention = || {
            let values = zeros("attention", &[heads, tokens, tokens])?;
            Ok(Array3::from_shape_vec((heads, tokens, tokens), values).expect("the buffer has this many elements"))
        };
        let qkv = || matrix("queries, keys and values", tokens, 3 * width);
        Ok(Self {
            qkv: qkv()?,
            qkv_gradient: qkv()?,
            unnormalised: if qk_norm { qkv()? } else { Array2::zeros((0, 0)) },
            probabilities: attention()?,
            gradient: attention()?,
            heads: (0..heads).map(|_| PackedHead::f32(tokens, size)).collect::<Result<_>>()?,
            scratch: PerThread::new(|| AttendScratch::new(block, tokens, size))?,
            workers: PerThread::new(|| HeadWorker::new(tokens, size))?,
        })
    }

    /// Computes queries, keys, values and probabilities again, and `context` `[T, D]`, what the heads gather; `x` `[T, D]`, normalised.
    pub fn recompute(
        &mut self,
        attention: &Attention,
        x: ArrayView2<f32>,
        context: ArrayViewMut2<f32>,
        products: &mut Products,
    ) {
        let Self { qkv, unnormalised, probabilities, heads, scratch, .. } = self;
        multiply(products.forward(&attention.qkv), x, Then::Store, qkv.view_mut());
        if let Some(norms) = &attention.qk_norm {
            unnormalised.assign(qkv);
            let before = unnormalised.view();
            let size = x.ncols() / attention.heads;
            for_each_row(qkv.view_mut(), &|token, qkv| {
                for_each_norm(norms, size, row(&before, token), qkv, LayerNorm::forward);
            });
        }
        parallel::for_each(heads, &|index, head| attention.pack(index, qkv.view(), head));

        let (tokens, width) = x.dim();
        let size = width / attention.heads;
        let rows = (context, Some(probabilities.view_mut()));
        parallel::for_each_block(rows, tokens, &|first, (mut context, probabilities)| {
            let Some(mut probabilities) = probabilities else { return };
            let queries = qkv.slice(s![first..first + context.nrows(), ..]);
            let context = context.as_slice_mut().expect("a block of rows is contiguous");
            for (index, head) in heads.iter().enumerate() {
                let own = index * size;
                let bias = attention.add_bias(index, Tokens { first, seen: None });
                let wanted = Wanted { probabilities: true, bias: bias.as_ref().map(|bias| bias as &AddBias) };
                let q = queries.slice(s![.., own..own + size]);
                let probabilities = probabilities.index_axis_mut(Axis(0), index);
                attend(q, head, &mut scratch.own(), probabilities, wanted, &mut context[own..], width);
            }
        });
    }

    /// From the gradient by what the heads gather, `context` `[T, D]`, to those by probabilities, and by queries, keys and values as `qkv` gives them.
    pub fn backward(&mut self, attention: &Attention, context: ArrayView2<f32>) {
        let (tokens, width) = context.dim();
        let (q, kv) = self.qkv.view().split_at(Axis(1), width);
        let (q_gradient, kv_gradient) = self.qkv_gradient.view_mut().split_at(Axis(1), width);
        let gradients = Gradients { probabilities: self.gradient.view_mut(), q: q_gradient, kv: kv_gradient };
        heads_backward([q, kv], self.probabilities.view(), context, gradients, &self.workers);
        if let Some(norms) = &attention.qk_norm {
            let (before, size) = (self.unnormalised.view(), width / attention.heads);
            debug_assert_eq!(before.nrows(), tokens);
            for_each_row(self.qkv_gradient.view_mut(), &|token, gradient| {
                for_each_norm(norms, size, row(&before, token), gradient, LayerNorm::backward);
            });
        }
    }
}

/// Calls `work(norm, x, y)` for the part of each head in a token's queries and keys.
fn for_each_norm(
    norms: &[LayerNorm; 2],
    size: usize,
    x: &[f32],
    y: &mut [f32],
    work: fn(&LayerNorm, &[f32], &mut [f32]),
) {
    let width = y.len() / 3;
    for ((norm, x), y) in norms.iter().zip(x.chunks_exact(width)).zip(y.chunks_exact_mut(width)) {
        x.chunks_exact(size).zip(y.chunks_exact_mut(size)).for_each(|(x, y)| work(norm, x, y));
    }
}

/// Where gradients are written, of all heads or of one.
pub(super) struct Gradients<'a> {
    /// `[heads, Q, T]`.
    pub probabilities: ArrayViewMut3<'a, f32>,
    /// `[Q, D]`.
    pub q: ArrayViewMut2<'a, f32>,
    /// `[T, 2 D]`.
    pub kv: ArrayViewMut2<'a, f32>,
}

/// All heads, threads sharing them. Queries `q` `[Q, D]`, keys and values `kv` `[T, 2 D]`, `probabilities` `[heads, Q, T]`;
/// `context` `[Q, D]`: the gradient by what the heads gather.
pub(super) fn heads_backward(
    [q, kv]: [ArrayView2<f32>; 2],
    probabilities: ArrayView3<f32>,
    context: ArrayView2<f32>,
    gradients: Gradients<'_>,
    workers: &PerThread<HeadWorker>,
) {
    let width = q.ncols();
    let size = width / probabilities.len_of(Axis(0));
    let Gradients { probabilities: mut p_gradient, q: mut q_gradient, kv: kv_gradient } = gradients;
    let (mut k_gradient, mut v_gradient) = kv_gradient.split_at(Axis(1), width);
    let qkv = q_gradient.axis_chunks_iter_mut(Axis(1), size).zip(k_gradient.axis_chunks_iter_mut(Axis(1), size));
    let qkv = qkv.zip(v_gradient.axis_chunks_iter_mut(Axis(1), size));
    let heads = p_gradient.outer_iter_mut().zip(qkv).map(|(p, ((q, k), v))| HeadGradients { p, q, k, v });
    let mut heads: Vec<_> = heads.collect();
    parallel::for_each(&mut heads, &|index, gradients| {
        let part = |first: usize| s![.., first..first + size];
        let head = Head {
            q: q.slice(part(index * size)),
            k: kv.slice(part(index * size)),
            v: kv.slice(part(width + index * size)),
            p: probabilities.index_axis(Axis(0), index),
            context: context.slice(part(index * size)),
        };
        workers.own().backward(head, gradients);
    });
}

/// One head: queries `[Q, d_k]`, keys and values `[T, d_k]`, probabilities `[Q, T]`, and the gradient by what it gathers `[Q, d_k]`.
struct Head<'a> {
    q: ArrayView2<'a, f32>,
    k: ArrayView2<'a, f32>,
    v: ArrayView2<'a, f32>,
    p: ArrayView2<'a, f32>,
    context: ArrayView2<'a, f32>,
}

struct HeadGradients<'a> {
    p: ArrayViewMut2<'a, f32>,
    q: ArrayViewMut2<'a, f32>,
    k: ArrayViewMut2<'a, f32>,
    v: ArrayViewMut2<'a, f32>,
}

/// Buffers of one thread for one head of T tokens, in blocks of B queries.
pub(super) struct HeadWorker {
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
    /// `[B, d_k]`.
    q: Vec<f32>,
    /// `[d_k, T]` the gradients by keys and by values: this way round, a block of queries adds to them in one product.
    k: Vec<f32>,
    v: Vec<f32>,
}

impl HeadWorker {
    fn new(tokens: usize, size: usize) -> Result<Self> {
        let block = QUERIES.min(tokens);
        let buffer = |rows: usize, columns: usize| zeros("gradients of a head", &[rows, columns]);
        Ok(Self {
            values: Product::new(tokens, PackedF32::steps(tokens, size))?,
            keys: Product::new(size, PackedF32::steps(size, tokens))?,
            block: Product::new(tokens, PackedF32::steps(tokens, block))?,
            scores: buffer(block, tokens)?,
            turned: buffer(size, block)?,
            q: buffer(block, size)?,
            k: buffer(size, tokens)?,
            v: buffer(size, tokens)?,
        })
    }

    /// With P = softmax(S), S = Q Kᵀ / √d_k, C = P V, and ∂ the gradient by what follows it:
    /// ∂P = ∂C Vᵀ, ∂V = Pᵀ ∂C, ∂S = P ⊙ (∂P − rowsum(P ⊙ ∂P)), ∂Q = ∂S K / √d_k, ∂K = ∂Sᵀ Q / √d_k.
    fn backward(&mut self, head: Head<'_>, out: &mut HeadGradients<'_>) {
        let Self { values, keys, block, scores, turned, q: q_gradient, k: k_gradient, v: v_gradient } = self;
        let (queries, size) = head.q.dim();
        let tokens = head.k.nrows();
        let scale = 1.0 / (size as f32).sqrt();
        let (values, keys) = (values.rows(head.v), keys.columns(head.k));
        k_gradient.fill(0.0);
        v_gradient.fill(0.0);
        let most = queries.div_ceil(queries.div_ceil(QUERIES));
        for first in (0..queries).step_by(most) {
            let own = s![first..queries.min(first + most), ..];
            let (p, q, context) = (head.p.slice(own), head.q.slice(own), head.context.slice(own));
            let rows = p.nrows();
            let mut p_gradient = out.p.slice_mut(own);
            let p_gradient = p_gradient.as_slice_mut().expect("rows of a matrix are contiguous");
            values.forward(Input::F32(context), Then::Store, p_gradient);
            block.columns(p).forward(turn(context, turned), Then::Add, v_gradient);

            let scores = &mut scores[..rows * tokens];
            for ((row, out), g) in scores.chunks_exact_mut(tokens).enumerate().zip(p_gradient.chunks_exact(tokens)) {
                softmax_backward(self::row(&p, row), g, scale, out);
            }
            let scores = view([rows, tokens], scores);
            let q_gradient = &mut q_gradient[..rows * size];
            keys.forward(Input::F32(scores), Then::Store, q_gradient);
            out.q.slice_mut(own).assign(&view([rows, size], q_gradient));
            block.columns(scores).forward(turn(q, turned), Then::Add, k_gradient);
        }
        out.k.assign(&view([size, tokens], k_gradient).t());
        out.v.assign(&view([size, tokens], v_gradient).t());
    }
}

/// The transpose of `x`, in `memory`.
fn turn<'a>(x: ArrayView2<f32>, memory: &'a mut [f32]) -> Input<'a> {
    let (rows, columns) = x.dim();
    let memory = &mut memory[..rows * columns];
    ArrayViewMut2::from_shape((columns, rows), &mut *memory).expect("the slice has this size").assign(&x.t());
    Input::F32(view([columns, rows], memory))
}

fn view([rows, columns]: [usize; 2], values: &[f32]) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((rows, columns), values).expect("the slice has this size")
}
