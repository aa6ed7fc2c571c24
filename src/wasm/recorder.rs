//! Records a forward pass in JavaScript's memory: wasm's own never shrinks, and needs to hold one layer only.

use super::js::{Float32Array, Result};
use crate::alloc::zeros;
use crate::model::{Config, Sink};
use ndarray::{Array3, ArrayView2, ArrayViewMut3};

/// The attention of every head and the residual stream, copied to JavaScript layer by layer.
pub struct Recorder {
    /// `[heads, T, T]` of the layer at work.
    layer: Array3<f32>,
    /// What is recorded, or what JavaScript threw meanwhile, of which the forward pass learns nothing. None between recordings.
    recorded: Option<Result<Recorded>>,
}

/// What was recorded of a forward pass.
pub struct Recorded {
    /// `[L, heads, T, T]`.
    pub attentions: Float32Array,
    /// `[L + 1, T, D]`.
    pub hidden_states: Float32Array,
}

impl Recorder {
    /// For a model of this shape.
    pub fn new(config: &Config) -> Result<Self> {
        let shape = [config.heads, config.tokens(), config.tokens()];
        let layer = zeros("recorded attention", &shape)?;
        let layer = Array3::from_shape_vec(shape, layer).expect("the buffer has this size");
        Ok(Self { layer, recorded: None })
    }

    /// Takes JavaScript's memory for a forward pass, before there is one to be interrupted.
    pub fn start(&mut self, config: &Config) -> Result<()> {
        self.recorded = Some(Ok(Recorded {
            attentions: Float32Array::zeros(config.layers * self.layer.len())?,
            hidden_states: Float32Array::zeros((config.layers + 1) * config.tokens() * config.hidden_size)?,
        }));
        Ok(())
    }

    /// What was recorded since then.
    pub fn finish(&mut self) -> Option<Result<Recorded>> {
        self.recorded.take()
    }
}

impl Sink for Recorder {
    fn attention(&mut self, _layer: usize) -> Option<ArrayViewMut3<'_, f32>> {
        Some(self.layer.view_mut())
    }

    fn hidden_state(&mut self, depth: usize, stream: ArrayView2<'_, f32>) {
        let Some(Ok(Recorded { attentions, hidden_states })) = &self.recorded else { return };
        let attention = depth.checked_sub(1).map(|layer| put(attentions, layer, self.layer.as_slice()));
        let written = attention.unwrap_or(Ok(())).and_then(|()| put(hidden_states, depth, stream.as_slice()));
        if let Err(thrown) = written {
            self.recorded = Some(Err(thrown));
        }
    }
}

/// Writes part number `index` of an array of such parts.
fn put(array: &Float32Array, index: usize, part: Option<&[f32]>) -> Result<()> {
    let part = part.expect("allocated in standard order");
    array.write(index * part.len(), part)
}
