//! Records a forward pass in JavaScript's memory: wasm's own never shrinks, and needs to hold one layer only.

use crate::alloc::zeros;
use crate::error::Result;
use crate::model::{Config, Sink};
use js_sys::Float32Array;
use ndarray::{Array3, ArrayView2, ArrayViewMut3};

/// The attention of every head and the residual stream, copied to JavaScript layer by layer.
pub struct Recorder {
    /// `[heads, T, T]` of the layer at work.
    layer: Array3<f32>,
    layers: usize,
    recorded: Recorded,
}

/// What was recorded of a forward pass.
#[derive(Default)]
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
        Ok(Self { layer, layers: config.layers, recorded: Recorded::default() })
    }

    /// What was recorded since the last call.
    pub fn finish(&mut self) -> Recorded {
        std::mem::take(&mut self.recorded)
    }
}

impl Sink for Recorder {
    fn attention(&mut self, _layer: usize) -> Option<ArrayViewMut3<'_, f32>> {
        Some(self.layer.view_mut())
    }

    fn hidden_state(&mut self, depth: usize, stream: ArrayView2<'_, f32>) {
        let Recorded { attentions, hidden_states } = &mut self.recorded;
        if depth == 0 {
            *attentions = Float32Array::new_with_length((self.layers * self.layer.len()) as u32);
            *hidden_states = Float32Array::new_with_length(((self.layers + 1) * stream.len()) as u32);
        } else {
            put(attentions, depth - 1, self.layer.as_slice());
        }
        put(hidden_states, depth, stream.as_slice());
    }
}

/// Writes part number `index` of an array of such parts.
fn put(array: &Float32Array, index: usize, part: Option<&[f32]>) {
    let part = part.expect("allocated in standard order");
    let size = part.len() as u32;
    array.subarray(index as u32 * size, (index as u32 + 1) * size).copy_from(part);
}
