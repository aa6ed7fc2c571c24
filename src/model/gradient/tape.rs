//! Every buffer of a backward pass. The plain ones are cut from one piece of memory, which is there as a whole or not at all.

use super::heads::HeadWorker;
use super::linear::Products;
use crate::alloc::zeros;
use crate::error::Result;
use crate::model::attention_pool::AttentionPool;
use crate::model::block::Block;
use crate::model::config::Config;
use crate::model::scratch::PerThread;
use crate::model::vit::{Vit, Weights};
use std::slice;

/// What is computed again of one block, and the gradients on their way through it: T tokens of width D.
pub(super) struct Tape<'m> {
    pub products: &'m mut Products,
    pub attention: AttentionTape<'m>,
    pub mlp: MlpTape<'m>,
    /// `[T, D]` what the first norm gives.
    pub normalised: &'m mut [f32],
    /// `[T, D]` the stream between attention and MLP; of the tokens that are looked at, like all behind attention.
    pub between: &'m mut [f32],
    /// `[T, D]` what goes into a linear layer of a branch, and the gradient by it.
    pub branch: &'m mut [f32],
    /// `[T, D]` the gradient by the stream.
    pub gradient: &'m mut [f32],
}

/// Of attention.
pub(super) struct AttentionTape<'m> {
    /// `[T, 3 D]` queries, keys and values.
    pub qkv: &'m mut [f32],
    /// `[T, 3 D]` the gradient by them.
    pub qkv_gradient: &'m mut [f32],
    /// `[T, 3 D]` the first of these before queries and keys are normalised, in a model that does so.
    pub unnormalised: &'m mut [f32],
    pub heads: Heads<'m>,
}

/// Of all heads of a layer.
pub(super) struct Heads<'m> {
    /// `[heads, Q, T]`, with as many queries as there are: T, or the one that pools.
    pub probabilities: &'m mut [f32],
    /// `[heads, Q, T]` the gradient by them.
    pub gradient: &'m mut [f32],
    /// `[heads, 3, T, d_k]`, where each head writes on its own: `[Q, d_k]` what it gathers, then the gradient by its queries; `[d_k, T]` the
    /// gradient by its keys, and by its values.
    pub own: &'m mut [f32],
    /// One a thread.
    pub workers: &'m PerThread<HeadWorker>,
    /// T.
    pub tokens: usize,
    /// d_k.
    pub size: usize,
    /// Workers of the pooling's heads, their number, their T and d_k.
    pub pool: (&'m PerThread<HeadWorker>, [usize; 3]),
}

/// Of an MLP of width M.
pub(super) struct MlpTape<'m> {
    /// `[T, M]`, or `[T, 2 M]` of a gated one: what fc1 gives, then the gradient by it.
    pub hidden: &'m mut [f32],
    /// `[T, M]`: what fc2 reads, or the gradient by it.
    pub active: &'m mut [f32],
    /// `[T, M]`: what the norm before fc2 reads, in a model that has one.
    pub product: &'m mut [f32],
}

/// Of what is pooled and of features.
pub(super) struct HeadTape<'m> {
    /// What is pooled, before `fc_norm`.
    pub average: &'m mut [f32],
    /// What is pooled, then the gradient by it.
    pub pooled: &'m mut [f32],
    /// What the head reads.
    pub features: &'m mut [f32],
    /// The gradient by that.
    pub gradient: &'m mut [f32],
    /// `[D]`.
    pub token: &'m mut [f32],
}

/// The memory behind the plain buffers.
pub(super) struct Memory {
    values: Vec<f32>,
    sizes: [usize; 18],
    products: Products,
    workers: PerThread<HeadWorker>,
    /// Of the pooling, where its heads are not as the blocks'.
    pool: Option<PerThread<HeadWorker>>,
}

impl Memory {
    /// For a backward pass through the head and these blocks, all or none, of the stage `config` that the head reads.
    pub fn new(weights: &Weights, config: &Config, blocks: &[Block]) -> Result<Self> {
        let layers = weights.pool.iter().flat_map(AttentionPool::layers).chain(&weights.projection);
        let layers = blocks.iter().flat_map(Block::layers).chain(layers);
        let rows = if blocks.is_empty() { 1 } else { config.tokens() };
        Self::with_room(config, blocks, rows, Products::new(layers, true)?, true)
    }

    /// For what one block computes again of so many tokens.
    pub fn of_block(vit: &Vit, block: &Block, rows: usize) -> Result<Self> {
        let products = Products::new(block.layers().into_iter(), false)?;
        Self::with_room(&vit.config, slice::from_ref(block), rows, products, false)
    }

    /// For blocks of which `rows` tokens are looked at, `backward` for gradients and the head too.
    fn with_room(config: &Config, blocks: &[Block], rows: usize, products: Products, backward: bool) -> Result<Self> {
        let (tokens, width) = (config.tokens(), config.hidden_size);
        let of_backward = |size: usize| if backward { size } else { 0 };
        let normalises = blocks.iter().any(|block| block.attention.qk_norm.is_some());
        let (stream, branch, qkv) = (tokens * width, rows * width, tokens * 3 * width);
        // The one size that is not bounded when a model is loaded; too much is too much.
        let pool_attention = of_backward(config.pool_heads().saturating_mul(tokens));
        let attention = config.heads.saturating_mul(rows * tokens).max(pool_attention);
        let (pooled, features) = (of_backward(config.pooled_size()), of_backward(config.feature_size()));
        let unnormalised = if normalises { qkv } else { 0 };
        let pool_mlp = of_backward(config.pool_mlp_size());
        let (hidden, active) = ((rows * config.mlp_outputs()).max(pool_mlp), (rows * config.mlp_size).max(pool_mlp));
        let product = if blocks.iter().any(|block| block.mlp.norm.is_some()) { active } else { 0 };
        // In the order in which they are cut off.
        #[rustfmt::skip]
        let sizes = [
            stream, branch, branch, of_backward(stream), qkv, of_backward(qkv), unnormalised, attention, of_backward(attention), qkv,
            hidden, active, product, pooled, pooled, features, features, of_backward(width),
        ];
        let all = sizes.iter().fold(0usize, |sum, size| sum.saturating_add(*size));
        let workers = |[heads, tokens]: [usize; 2]| PerThread::new(|| HeadWorker::new(tokens, width / heads));
        let pool = if backward { config.own_pool_heads(tokens).map(workers).transpose()? } else { None };
        let values = zeros(if backward { "the backward pass" } else { "a block's inside" }, &[all])?;
        Ok(Self { values, sizes, products, workers: workers([config.heads, tokens])?, pool })
    }
}

impl<'m> Tape<'m> {
    /// All of it; what is in the memory stays as it is.
    pub fn new(config: &Config, memory: &'m mut Memory) -> (Self, HeadTape<'m>) {
        let (tokens, size) = (config.tokens(), config.head_size());
        let mut rest = memory.values.as_mut_slice();
        let cut = memory.sizes.map(|size| rest.split_off_mut(..size).expect("the memory has room for all"));
        let [normalised, between, branch, gradient, qkv, qkv_gradient, unnormalised, rest @ ..] = cut;
        let [probabilities, p_gradient, own, hidden, active, product, average, pooled, features, f_gradient, token] =
            rest;
        let workers = &memory.workers;
        let [count, read] = config.own_pool_heads(tokens).unwrap_or([config.heads, tokens]);
        let pool = (memory.pool.as_ref().unwrap_or(workers), [count, read, config.hidden_size / count]);
        let heads = Heads { probabilities, gradient: p_gradient, own, workers, tokens, size, pool };
        let attention = AttentionTape { qkv, qkv_gradient, unnormalised, heads };
        let (products, mlp) = (&mut memory.products, MlpTape { hidden, active, product });
        let head = HeadTape { average, pooled, features, gradient: f_gradient, token };
        (Self { products, attention, mlp, normalised, between, branch, gradient }, head)
    }
}
