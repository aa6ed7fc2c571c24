//! Every buffer of a forward pass, allocated once.

use super::config::Config;
use super::linear::QuantizedRows;
use crate::alloc::zeros;
use crate::error::Result;
use crate::kernels::attention::PackedHead;
use ndarray::Array2;

/// Buffers for N patches, T tokens, width D, MLP width M, patches of P values.
pub struct Scratch {
    /// `[N, P]` patches, flattened channel by channel.
    pub(super) patches: Array2<f32>,
    /// `[T, D]` the residual stream.
    pub(super) stream: Array2<f32>,
    /// `[T, D]` the stream behind a LayerNorm.
    pub(super) normed: Array2<f32>,
    /// `[T, 3 D]` queries, keys and values, each heads × d_k wide.
    pub(super) qkv: Array2<f32>,
    /// `[T, T]` attention of the head at work, where nobody records it.
    pub(super) probabilities: Array2<f32>,
    /// `[T, D]` what the heads gathered.
    pub(super) context: Array2<f32>,
    /// `[T, M]` inside the MLP.
    pub(super) hidden: Array2<f32>,
    /// `[1, D]` what the head of the model reads.
    pub(super) pooled: Array2<f32>,
    /// `[1, D]` the same behind the last LayerNorm.
    pub(super) features: Array2<f32>,
    /// `[1, C]`.
    pub(super) logits: Array2<f32>,
    /// Keys and values of the head at work.
    pub(super) head: PackedHead,
    /// Up to `[T, max(D, M)]` activations in 8 bits.
    pub(super) quantized: QuantizedRows,
}

impl Scratch {
    /// All buffers a model of this shape needs.
    pub fn new(config: &Config) -> Result<Self> {
        let (tokens, width, mlp) = (config.tokens(), config.hidden_size, config.mlp_size);
        Ok(Self {
            patches: matrix("patches", config.patches(), config.patch_values())?,
            stream: matrix("the residual stream", tokens, width)?,
            normed: matrix("the normalised stream", tokens, width)?,
            qkv: matrix("queries, keys and values", tokens, 3 * width)?,
            probabilities: matrix("attention", tokens, tokens)?,
            context: matrix("the attention's output", tokens, width)?,
            hidden: matrix("the MLP's hidden layer", tokens, mlp)?,
            pooled: matrix("the pooled token", 1, width)?,
            features: matrix("the pooled token", 1, width)?,
            logits: matrix("logits", 1, config.classes())?,
            head: PackedHead::default(),
            quantized: QuantizedRows::with_capacity(tokens, width.max(mlp))?,
        })
    }
}

fn matrix(what: &'static str, rows: usize, columns: usize) -> Result<Array2<f32>> {
    let buffer = zeros(what, &[rows, columns])?;
    Ok(Array2::from_shape_vec((rows, columns), buffer).expect("the buffer has this many elements"))
}
