//! What happens inside a block, computed again in f32 from the stream before it, as a backward pass does before it differentiates.
//!
//! All of it is in the checkpoint's own scale: what was taken out of channels to round them well ([`Equalised`]) is put back.

use super::tape::{Memory, Tape};
use crate::error::Result;
use crate::kernels::dot::dot;
use crate::kernels::rows::add_scaled;
use crate::kernels::softmax::softmax_in_place;
use crate::model::block::{Block, Equalised};
use crate::model::places::BlockPlaces;
use crate::model::vit::{Vit, length};
use crate::parallel;
use std::ops::Range;

/// A block, and what it reads.
pub struct Inside<'a> {
    vit: &'a Vit,
    block: &'a Block,
    places: BlockPlaces,
    stream: &'a [f32],
    without: &'a [usize],
}

/// One head of a block, and what one token asks in it.
pub struct HeadInside {
    /// `[d_k]` the token's query, ready to be compared.
    pub q: Vec<f32>,
    /// `[T, d_k]` all keys, likewise.
    pub k: Vec<f32>,
    /// `[T, d_k]` all values.
    pub v: Vec<f32>,
    /// `[T]` what relative positions add, where the model has them.
    pub bias: Option<Vec<f32>>,
    /// `q` and `k` before rotary positions turned them, where the model has these.
    pub unturned: Option<[Vec<f32>; 2]>,
    /// `[T]` q kᵀ / √d_k + bias.
    pub scores: Vec<f32>,
    /// `[T]` softmax(scores).
    pub attention: Vec<f32>,
    /// `[d_k]` Σ attention · v.
    pub context: Vec<f32>,
}

/// What the MLP of a block makes of a token.
pub struct MlpInside {
    /// `[M]` what the first layer gives; of a gated MLP the half that stays linear.
    pub before: Vec<f32>,
    /// `[M]` of a gated one the half that the activation is applied to.
    pub gate: Option<Vec<f32>>,
    /// `[M]` the activation, times the gated half where there is one, before any norm.
    pub hidden: Vec<f32>,
}

/// Euclidean lengths `[T]` of every token's vector on its way through a block.
pub struct Norms {
    /// The stream before it.
    pub stream: Vec<f32>,
    /// What the first norm gives.
    pub norm1: Vec<f32>,
    /// What attention adds.
    pub attention: Vec<f32>,
    /// The stream between.
    pub between: Vec<f32>,
    /// What the second norm gives.
    pub norm2: Vec<f32>,
    /// What the MLP adds.
    pub mlp: Vec<f32>,
}

impl<'a> Inside<'a> {
    /// Block `layer` that reads `stream` `[T, D]`, both of which `vit` has. Unless `positions`, rotary and relative ones have no part in it, and of the heads
    /// `without` the projection reads zeros.
    pub fn new(vit: &'a Vit, layer: usize, stream: &'a [f32], positions: bool, without: &'a [usize]) -> Self {
        let places = if positions { vit.places.blocks[layer].clone() } else { BlockPlaces::default() };
        Self { vit, block: &vit.weights.blocks[layer], places, stream, without }
    }

    /// What `token` asks in `head`, and is answered.
    pub fn head(&self, head: usize, token: usize) -> Result<HeadInside> {
        let (block, width, size) = (self.block, self.vit.config.hidden_size, self.vit.config.head_size());
        let mut memory = Memory::of_block(self.vit, block, 1)?;
        let (mut tape, _) = Tape::new(&self.vit.config, &mut memory);
        let part = |qkv: &[f32], third: usize| -> Vec<f32> {
            let first = third * width + head * size;
            qkv.chunks_exact(3 * width).flat_map(|token| &token[first..][..size]).copied().collect()
        };
        let own = |keys: &[f32]| keys[token * size..][..size].to_vec();
        parallel::awake(|| block.project(self.stream, token..token + 1, &mut tape));
        let attention = &mut tape.attention;
        let unturned = self.places.rotations.as_ref().map(|_| [own(&part(attention.qkv, 0)), part(attention.qkv, 1)]);
        attention.turn(&block.attention, &self.places);
        let (q, k, mut v) = (own(&part(attention.qkv, 0)), part(attention.qkv, 1), part(attention.qkv, 2));
        restore(&mut v, block.equalised.values.get(head * size..(head + 1) * size).unwrap_or_default());

        let scale = 1.0 / (size as f32).sqrt();
        let mut scores: Vec<f32> = k.chunks_exact(size).map(|k| dot(&q, k) * scale).collect();
        let bias = self.places.bias.as_ref().map(|relative| {
            let mut bias = vec![0.0; scores.len()];
            relative.add_to(head, token, None, &mut bias);
            bias
        });
        scores.iter_mut().zip(bias.iter().flatten()).for_each(|(score, bias)| *score += bias);
        let mut attention = scores.clone();
        softmax_in_place(&mut attention);
        let mut context = vec![0.0; size];
        for (v, share) in v.chunks_exact(size).zip(&attention) {
            add_scaled(&mut context, *share, v);
        }
        Ok(HeadInside { q, k, v, bias, unturned, scores, attention, context })
    }

    /// What the MLP makes of `token`.
    pub fn mlp(&self, token: usize) -> Result<MlpInside> {
        let (mlp, factors) = (&self.block.mlp, &self.block.equalised.hidden);
        self.activated(token..token + 1, |fc1, active| {
            let (first, linear) = fc1.split_at(active.len());
            let (mut before, gate) =
                if mlp.gated { (linear.to_vec(), Some(first.to_vec())) } else { (first.to_vec(), None) };
            let mut hidden = active.to_vec();
            restore(&mut before, factors);
            restore(&mut hidden, factors);
            MlpInside { before, gate, hidden }
        })
    }

    /// The value `[T]` of one hidden unit of the MLP in every token, before any norm.
    pub fn unit(&self, unit: usize) -> Result<Vec<f32>> {
        let (all, size) = (self.stream.len() / self.vit.config.hidden_size, self.block.mlp.fc2.inputs());
        let factor = self.block.equalised.hidden.get(unit).copied().unwrap_or(1.0);
        self.activated(0..all, |_, active| active.chunks_exact(size).map(|token| token[unit] * factor).collect())
    }

    /// What `read` makes of what fc1 gives for these tokens, and of what its activation makes of that.
    fn activated<T>(&self, rows: Range<usize>, read: impl FnOnce(&[f32], &[f32]) -> T) -> Result<T> {
        let count = rows.len();
        let mut memory = Memory::of_block(self.vit, self.block, count)?;
        let (mut tape, _) = Tape::new(&self.vit.config, &mut memory);
        parallel::awake(|| {
            self.block.recompute(&self.places, self.stream, rows, self.without, &mut tape);
            tape.mlp.activate(&self.block.mlp, count);
        });
        Ok(read(tape.mlp.hidden, tape.mlp.active))
    }

    /// How long every token's vector is on its way.
    pub fn norms(&self) -> Result<Norms> {
        let (block, width) = (self.block, self.vit.config.hidden_size);
        let all = 0..self.stream.len() / width;
        let mut memory = Memory::of_block(self.vit, block, all.len())?;
        let (mut tape, _) = Tape::new(&self.vit.config, &mut memory);
        let Equalised { norm1, norm2, .. } = &block.equalised;
        let lengths = |values: &[f32]| values.chunks_exact(width).map(length).collect::<Vec<_>>();
        let restored = |values: &mut [f32], factors: &[f32]| {
            restore(values, factors);
            lengths(values)
        };
        Ok(parallel::awake(|| {
            block.recompute_attention(&self.places, self.stream, all, self.without, &mut tape);
            let attention = lengths(tape.between);
            let norm1 = restored(tape.normalised, norm1);
            block.recompute_mlp(self.stream, &mut tape);
            let between = lengths(tape.between);
            let norm2 = restored(tape.branch, norm2);
            tape.branch.fill(0.0);
            tape.mlp.add_to(&block.mlp, tape.branch, tape.products);
            Norms { stream: lengths(self.stream), norm1, attention, between, norm2, mlp: lengths(tape.branch) }
        }))
    }
}

/// Multiplies the channels of every row, where there are factors of them.
fn restore(rows: &mut [f32], factors: &[f32]) {
    if !factors.is_empty() {
        rows.chunks_exact_mut(factors.len())
            .for_each(|row| row.iter_mut().zip(factors).for_each(|(x, factor)| *x *= factor));
    }
}
