//! The gradient of a block's attention.

use super::heads::Qkv;
use super::linear::{Products, for_each_row, multiply, multiply_from, row, view};
use super::tape::AttentionTape;
use crate::kernels::rotate::Turn;
use crate::model::attention::Attention;
use crate::model::linear::Then;
use crate::model::norm::LayerNorm;
use crate::model::places::BlockPlaces;
use ndarray::{Axis, s};
use std::ops::Range;

impl AttentionTape<'_> {
    /// Computes keys and values again, and these queries, normalised but not turned; `x` `[T, D]`, normalised.
    pub fn project(&mut self, attention: &Attention, x: &[f32], queries: Range<usize>, products: &mut Products) {
        let Self { qkv, unnormalised, .. } = self;
        let (width, layer) = (attention.qkv.inputs(), products.forward(&attention.qkv));
        if queries.len() * width < x.len() {
            multiply_from(width, layer, x, Then::Store, qkv);
        }
        let own = |width: usize| queries.start * width..queries.end * width;
        multiply(layer, &x[own(width)], Then::Store, &mut qkv[own(3 * width)]);
        if let Some(norms) = &attention.qk_norm {
            unnormalised.copy_from_slice(qkv);
            for_each_row(qkv, 3 * attention.qkv.inputs(), &|token, qkv| {
                for_each_norm(norms, row(unnormalised, token, qkv), qkv, LayerNorm::forward);
            });
        }
    }

    /// Turns these queries and keys, where the model has rotary positions.
    pub fn turn(&mut self, attention: &Attention, places: &BlockPlaces) {
        turn(places, attention.qkv.inputs(), self.qkv, Turn::Forth);
    }

    /// After that computes the probabilities of some queries again, and `context` `[Q, D]`, what the heads gather.
    pub fn attend(&mut self, attention: &Attention, places: &BlockPlaces, queries: Range<usize>, context: &mut [f32]) {
        let Qkv { q, kv } = split(self.qkv, attention.qkv.inputs());
        let bias = places.bias.as_deref().map(|bias| (bias, queries.start));
        self.heads.recompute(Qkv { q: q.slice_move(s![queries, ..]), kv }, bias, context);
    }

    /// From the gradient by what the heads gather for the first queries, `context` `[Q, D]`, to those by probabilities, and by queries, keys and values as the
    /// layer gives them; by other queries it is zero.
    pub fn backward(&mut self, attention: &Attention, places: &BlockPlaces, context: &[f32]) {
        let Self { qkv, qkv_gradient, unnormalised, heads } = self;
        let width = attention.qkv.inputs();
        let Qkv { q, kv } = split(qkv, width);
        heads.backward(Qkv { q: q.slice_move(s![..context.len() / width, ..]), kv }, context, qkv_gradient);
        turn(places, width, qkv_gradient, Turn::Back);
        if let Some(norms) = &attention.qk_norm {
            for_each_row(qkv_gradient, 3 * width, &|token, gradient| {
                for_each_norm(norms, row(unnormalised, token, gradient), gradient, LayerNorm::backward);
            });
        }
    }
}

/// Turns queries and keys, or the gradients by them, `[T, 3 D]`, where the model has rotary positions.
fn turn(places: &BlockPlaces, width: usize, qkv: &mut [f32], direction: Turn) {
    if let Some(rotations) = &places.rotations {
        for_each_row(qkv, 3 * width, &|token, qkv| rotations.apply(token, None, qkv, direction));
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
