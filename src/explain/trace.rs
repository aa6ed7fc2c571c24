//! Everything a forward pass can show, recorded.

use super::shape::{Shape, invalid};
use crate::alloc::{matrix, zeros};
use crate::error::Result;
use crate::model::{Config, Sink};
use ndarray::{Array2, Array3, Array4, ArrayView2, ArrayViewMut3, Axis};

/// The attention of every head and the residual stream after every block.
pub struct Trace {
    /// `[L, heads, T, T]`: row = query, each row a distribution over the keys.
    pub attentions: Array4<f32>,
    /// `[L + 1, T, D]`: the embeddings, then the stream after each block, before the final norm.
    pub hidden_states: Array3<f32>,
}

impl Trace {
    /// Memory for the trace of a model of this shape, whose layers are all alike.
    pub fn new(config: &Config) -> Result<Self> {
        if config.is_staged() {
            return Err(invalid(
                "the layers of this model are not alike: record them one by one (`StagedTrace`).".into(),
            ));
        }
        let (layers, tokens) = (config.layers, config.tokens());
        let shape = [layers, config.heads, tokens, tokens];
        let values = zeros("recorded attention", &shape)?;
        let attentions = Array4::from_shape_vec(shape, values).expect("the buffer has this size");
        Ok(Self { attentions, hidden_states: HiddenStates::new(config)?.0 })
    }
}

/// The residual stream alone, `[L + 1, T, D]`, as in a [`Trace`]; behind the last block of the tokens alone that the model's answer reads.
pub struct HiddenStates(pub Array3<f32>);

impl HiddenStates {
    /// Memory for those of a model of this shape.
    pub fn new(config: &Config) -> Result<Self> {
        let shape = [config.layers + 1, config.tokens(), config.hidden_size];
        let values = zeros("recorded hidden states", &shape)?;
        Ok(Self(Array3::from_shape_vec(shape, values).expect("the buffer has this size")))
    }
}

impl Sink for HiddenStates {
    fn watches(&self, layer: usize) -> usize {
        if layer + 2 < self.0.len_of(Axis(0)) { usize::MAX } else { 0 }
    }

    fn hidden_state(&mut self, depth: usize, stream: ArrayView2<'_, f32>) {
        self.0.index_axis_mut(Axis(0), depth).assign(&stream);
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

/// The same of any model, an array a layer: with stages or windows none need be like another.
pub struct StagedTrace {
    /// Of each layer `[windows, heads, n, n]`; without windows one, of all tokens.
    pub attentions: Vec<Array4<f32>>,
    /// Of each depth `[T, D]`, after its block and before any merging.
    pub hidden_states: Vec<Array2<f32>>,
}

impl StagedTrace {
    /// Memory for the trace of a model of this shape.
    pub fn new(config: &Config) -> Result<Self> {
        let shapes = || (0..config.layers).map(|layer| Shape::of_layer(config, layer));
        let attention = |shape: Shape| {
            let [windows, n] = shape.window_size();
            let dim = [windows, shape.heads, n, n];
            Ok(Array4::from_shape_vec(dim, zeros("recorded attention", &dim)?).expect("the buffer has this size"))
        };
        let stream = |shape: Shape| matrix("recorded hidden states", shape.tokens(), shape.hidden_size);
        Ok(Self {
            attentions: shapes().map(attention).collect::<Result<_>>()?,
            hidden_states: shapes().take(1).chain(shapes()).map(stream).collect::<Result<_>>()?,
        })
    }
}

impl Sink for StagedTrace {
    fn attention(&mut self, layer: usize) -> Option<ArrayViewMut3<'_, f32>> {
        let (windows, heads, n, _) = self.attentions[layer].dim();
        let values = self.attentions[layer].as_slice_mut().expect("allocated in standard order");
        Some(ArrayViewMut3::from_shape((windows * heads, n, n), values).expect("the buffer has this size"))
    }

    fn hidden_state(&mut self, depth: usize, stream: ArrayView2<'_, f32>) {
        self.hidden_states[depth].assign(&stream);
    }
}
