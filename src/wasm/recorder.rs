//! Records a forward pass in JavaScript's memory: wasm's own never shrinks, and needs to hold one layer only.

use super::js::{Float32Array, Object, Result};
use crate::alloc::zeros;
use crate::model::{Config, Sink};
use ndarray::{Array3, ArrayView2, ArrayViewMut3};

/// The attention of every head and the residual stream, copied to JavaScript layer by layer.
#[derive(Default)]
pub struct Recorder {
    /// `[heads, T, T]` of the layer at work, made for the first recording of attention.
    layer: Array3<f32>,
    /// Those that are recorded, in order.
    layers: Vec<u32>,
    /// What is recorded, or what JavaScript threw meanwhile, of which the forward pass learns nothing. None between recordings.
    recorded: Option<Result<Recorded>>,
}

/// Of n layers.
struct Recorded {
    /// `[n, heads, T, T]`.
    attentions: Option<Float32Array>,
    /// `[n + 1, T, D]`: the embeddings, then the stream after each of the layers.
    hidden_states: Option<Float32Array>,
}

impl Recorder {
    /// Takes JavaScript's memory for a forward pass, before there is one to be interrupted.
    pub fn start(&mut self, config: &Config, layers: Vec<u32>, attentions: bool, hidden_states: bool) -> Result<()> {
        let (count, tokens) = (layers.len(), config.tokens());
        let shape = [config.heads, tokens, tokens];
        if attentions && self.layer.is_empty() {
            let layer = zeros("recorded attention", &shape)?;
            self.layer = Array3::from_shape_vec(shape, layer).expect("the buffer has this size");
        }
        let array = |wanted: bool, length| wanted.then(|| Float32Array::zeros(length)).transpose();
        self.recorded = Some(Ok(Recorded {
            attentions: array(attentions, count * self.layer.len())?,
            hidden_states: array(hidden_states, (count + 1) * tokens * config.hidden_size)?,
        }));
        self.layers = layers;
        Ok(())
    }

    /// Gives up what is recorded.
    pub fn stop(&mut self) {
        self.recorded = None;
    }

    /// Gives what was recorded to `target`.
    pub fn finish(&mut self, target: &Object) -> Result<()> {
        let Some(recorded) = self.recorded.take() else { return Ok(()) };
        let Recorded { attentions, hidden_states } = recorded?;
        let put = |key, array: Option<Float32Array>| array.map_or(Ok(()), |array| target.put(key, &array));
        put("attentions", attentions)?;
        put("hiddenStates", hidden_states)
    }

    /// Which of the recorded layers this is.
    fn place(&self, layer: usize) -> Option<usize> {
        self.layers.iter().position(|recorded| *recorded as usize == layer)
    }

    /// Copies what there is behind `depth` blocks.
    fn write(&self, depth: usize, stream: ArrayView2<'_, f32>) -> Result<()> {
        let Some(Ok(Recorded { attentions, hidden_states })) = &self.recorded else { return Ok(()) };
        let layer = depth.checked_sub(1);
        let Some(row) = layer.map_or(Some(0), |layer| Some(self.place(layer)? + 1)) else { return Ok(()) };
        if let (Some(attentions), Some(_)) = (attentions, layer) {
            put(attentions, row - 1, self.layer.as_slice())?;
        }
        hidden_states.as_ref().map_or(Ok(()), |states| put(states, row, stream.as_slice()))
    }
}

impl Sink for Recorder {
    fn attention(&mut self, layer: usize) -> Option<ArrayViewMut3<'_, f32>> {
        match self.recorded {
            Some(Ok(Recorded { attentions: Some(_), .. })) if self.place(layer).is_some() => {
                Some(self.layer.view_mut())
            }
            _ => None,
        }
    }

    fn hidden_state(&mut self, depth: usize, stream: ArrayView2<'_, f32>) {
        if let Err(thrown) = self.write(depth, stream) {
            self.recorded = Some(Err(thrown));
        }
    }
}

/// Writes part number `index` of an array of such parts.
fn put(array: &Float32Array, index: usize, part: Option<&[f32]>) -> Result<()> {
    let part = part.expect("allocated in standard order");
    array.write(index * part.len(), part)
}
