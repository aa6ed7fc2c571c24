//! The gradient of a block's attention.

use super::heads::{Heads, Qkv};
use super::linear::{Products, for_each_row, multiply, row, view};
use crate::alloc::zeros;
use crate::error::Result;
use crate::model::attention::Attention;
use crate::model::config::Config;
use crate::model::linear::Then;
use crate::model::norm::LayerNorm;
use ndarray::Axis;

/// Buffers for T tokens of width D.
pub(super) struct AttentionTape {
    /// `[T, 3 D]` queries, keys and values.
    pub qkv: Vec<f32>,
    /// `[T, 3 D]` the gradient by them.
    pub qkv_gradient: Vec<f32>,
    /// `[T, 3 D]` the first of these before queries and keys are normalised, in a model that does so.
    unnormalised: Vec<f32>,
    pub heads: Heads,
    width: usize,
}

impl AttentionTape {
    pub fn new(config: &Config, qk_norm: bool) -> Result<Self> {
        let width = config.hidden_size;
        let qkv = || zeros("queries, keys and values", &[config.tokens(), 3 * width]);
        let unnormalised = if qk_norm { qkv()? } else { Vec::new() };
        Ok(Self { qkv: qkv()?, qkv_gradient: qkv()?, unnormalised, heads: Heads::new(config)?, width })
    }

    /// Computes queries, keys, values and probabilities again, and `context` `[T, D]`, what the heads gather; `x` `[T, D]`, normalised.
    pub fn recompute(&mut self, attention: &Attention, x: &[f32], context: &mut [f32], products: &mut Products) {
        let Self { qkv, unnormalised, heads, width, .. } = self;
        multiply(products.forward(&attention.qkv), x, Then::Store, qkv);
        if let Some(norms) = &attention.qk_norm {
            unnormalised.copy_from_slice(qkv);
            for_each_row(qkv, 3 * *width, &|token, qkv| {
                for_each_norm(norms, row(unnormalised, token, qkv), qkv, LayerNorm::forward);
            });
        }
        heads.recompute(split(qkv, *width), attention.bias.as_deref(), context);
    }

    /// From the gradient by what the heads gather, `context` `[T, D]`, to those by probabilities, and by queries, keys and values as the layer
    /// gives them.
    pub fn backward(&mut self, attention: &Attention, context: &[f32]) {
        let Self { qkv, qkv_gradient, unnormalised, heads, width } = self;
        heads.backward(split(qkv, *width), context, qkv_gradient);
        if let Some(norms) = &attention.qk_norm {
            for_each_row(qkv_gradient, 3 * *width, &|token, gradient| {
                for_each_norm(norms, row(unnormalised, token, gradient), gradient, LayerNorm::backward);
            });
        }
    }
}

fn split(qkv: &[f32], width: usize) -> Qkv<'_> {
    let (q, kv) = view(qkv, 3 * width).split_at(Axis(1), width);
    Qkv { q, kv }
}

/// Calls `work(norm, x, y)` for the part of each head in a token's queries and keys.
#[inline(never)]
fn for_each_norm(norms: &[LayerNorm; 2], x: &[f32], y: &mut [f32], work: fn(&LayerNorm, &[f32], &mut [f32])) {
    let width = y.len() / 3;
    for ((norm, x), y) in norms.iter().zip(x.chunks_exact(width)).zip(y.chunks_exact_mut(width)) {
        let size = norm.weight.len();
        x.chunks_exact(size).zip(y.chunks_exact_mut(size)).for_each(|(x, y)| work(norm, x, y));
    }
}
