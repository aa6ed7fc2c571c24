//! Pooling by attention: a learned query gathers from the tokens, and an MLP may follow (SigLIP's head; Zhai et al., 2022).

use super::attention::rows_of;
use super::linear::{Linear, Then};
use super::mlp::Mlp;
use super::norm::LayerNorm;
use super::scratch::{Scratch, StageScratch, Worker};
use crate::kernels::attention::{Wanted, attend};
use crate::parallel;
use ndarray::{ArrayView2, ArrayViewMut2, s};

/// x = projection(attention(query, tokens)); pooled = x + mlp(norm(x)), or x itself.
pub struct AttentionPool {
    /// `[D]`: the query of each head, heads side by side.
    pub query: Vec<f32>,
    /// D → 2 D: rows k, v, each heads × d_k.
    pub key_value: Linear,
    /// D → D.
    pub projection: Linear,
    /// The MLP and the norm before it, where a model has them.
    pub mlp: Option<(LayerNorm, Mlp)>,
}

impl AttentionPool {
    /// Bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        let norm = self.mlp.as_ref().map_or(0, |(norm, _)| norm.bytes());
        size_of_val(self.query.as_slice()) + norm + self.layers().map(Linear::bytes).sum::<usize>()
    }

    /// Its linear layers.
    pub(super) fn layers(&self) -> impl Iterator<Item = &Linear> {
        [&self.key_value, &self.projection].into_iter().chain(self.mlp.iter().flat_map(|(_, mlp)| [&mlp.fc1, &mlp.fc2]))
    }

    /// Pools the stream from token `start` on, each of them normalised by `norm`, into `scratch.pooled`.
    pub(super) fn forward(&self, norm: &Option<LayerNorm>, start: usize, scratch: &mut Scratch) {
        let Scratch { stages, pool_heads, pooled, workers, .. } = scratch;
        let Some(StageScratch { stream, qkv, heads, .. }) = stages.last_mut() else { return };
        let heads = if pool_heads.is_empty() { heads } else { pool_heads };
        let stream = stream.slice(s![start.., ..]);
        let (tokens, width) = stream.dim();
        let size = width / heads.len();
        // (Room for queries, keys and values is room for keys and values.)
        let memory = &mut qkv.as_slice_mut().expect("it is contiguous")[..2 * tokens * width];
        let mut keys_values = ArrayViewMut2::from_shape((tokens, 2 * width), memory).expect("the slice has this size");
        parallel::for_each_block(keys_values.view_mut(), tokens, &|first, mut out| {
            let activations = &mut workers.own().activations;
            let x = activations.produce(self.key_value.precision(), [out.nrows(), width], &mut |row, target| {
                let token = stream.row(first + row);
                super::norm::apply(norm, token.to_slice().expect("rows are contiguous"), target);
            });
            let out = out.as_slice_mut().expect("a block of rows is contiguous");
            self.key_value.forward(x, Then::Store, out);
        });
        parallel::for_each(heads, &|index, head| {
            let third = |first: usize| keys_values.slice(s![.., first..first + size]);
            head.pack(third(index * size), third(width + index * size));
        });

        let worker = &mut *workers.own();
        {
            let Worker { activations, attention, attend: scratch, context, .. } = worker;
            for (index, head) in heads.iter().enumerate() {
                let own = index * size;
                let q = ArrayView2::from_shape((1, size), &self.query[own..own + size]).expect("one row");
                let attention = rows_of(attention, 1, tokens);
                attend(q, head, scratch, attention, Wanted::default(), &mut context[own..], width);
            }
            let gathered = ArrayView2::from_shape((1, width), &context[..width]).expect("one row");
            let gathered = activations.take(self.projection.precision(), gathered);
            self.projection.forward(gathered, Then::Store, pooled);
        }
        if let Some((norm, mlp)) = &self.mlp {
            mlp.add_to(pooled, norm, false, worker);
        }
    }
}
