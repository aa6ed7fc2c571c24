//! Everything a forward pass can show, recorded.

use crate::alloc::zeros;
use crate::error::Result;
use crate::model::{Config, Sink};
use ndarray::{Array3, Array4, ArrayView2, ArrayViewMut3, Axis};

/// The attention of every head and the residual stream after every block.
pub struct Trace {
    /// `[L, heads, T, T]`: row = query, each row a distribution over the keys.
    pub attentions: Array4<f32>,
    /// `[L + 1, T, D]`: the embeddings, then the stream after each block, before the final norm.
    pub hidden_states: Array3<f32>,
}

impl Trace {
    /// Memory for the trace of a model of this shape.
    pub fn new(config: &Config) -> Result<Self> {
        let (layers, tokens) = (config.layers, config.tokens());
        let attentions = (layers, config.heads, tokens, tokens);
        let hidden_states = (layers + 1, tokens, config.hidden_size);
        let attention_values = zeros("recorded attention", &[layers, config.heads, tokens, tokens])?;
        let hidden_values = zeros("recorded hidden states", &[layers + 1, tokens, config.hidden_size])?;
        Ok(Self {
            attentions: Array4::from_shape_vec(attentions, attention_values).expect("the buffer has this size"),
            hidden_states: Array3::from_shape_vec(hidden_states, hidden_values).expect("the buffer has this size"),
        })
    }
}

impl Sink for Trace {
    fn attention(&mut self, layer: usize) -> Option<ArrayViewMut3<'_, f32>> {
        Some(self.attentions.index_axis_mut(Axis(0), layer))
    }

    fn hidden_state(&mut self, depth: usize, stream: ArrayView2<'_, f32>) {
        self.hidden_states.index_axis_mut(Axis(0), depth).assign(&stream);
    }
}
