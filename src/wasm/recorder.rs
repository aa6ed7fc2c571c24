//! Records attention in JavaScript's memory: wasm's own never shrinks, and needs to hold one layer only.

use crate::alloc::zeros;
use crate::error::Result;
use crate::model::{Config, Sink};
use js_sys::Float32Array;
use ndarray::{Array3, ArrayView2, ArrayViewMut3};

/// The attention of every head, copied to JavaScript layer by layer.
pub struct Recorder {
    /// `[heads, T, T]` of the layer at work.
    layer: Array3<f32>,
    /// `[L, heads, T, T]`.
    all: Float32Array,
    layers: usize,
}

impl Recorder {
    /// For a model of this shape.
    pub fn new(config: &Config) -> Result<Self> {
        let shape = [config.heads, config.tokens(), config.tokens()];
        let layer = zeros("recorded attention", &shape)?;
        let layer = Array3::from_shape_vec(shape, layer).expect("the buffer has this size");
        Ok(Self { layer, all: Float32Array::new_with_length(0), layers: config.layers })
    }

    /// What was recorded since the last call.
    pub fn finish(&mut self) -> Float32Array {
        std::mem::replace(&mut self.all, Float32Array::new_with_length(0))
    }
}

impl Sink for Recorder {
    fn attention(&mut self, layer: usize) -> Option<ArrayViewMut3<'_, f32>> {
        if layer == 0 {
            self.all = Float32Array::new_with_length((self.layers * self.layer.len()) as u32);
        }
        Some(self.layer.view_mut())
    }

    fn hidden_state(&mut self, depth: usize, _stream: ArrayView2<'_, f32>) {
        if depth > 0 {
            let size = self.layer.len() as u32;
            let target = self.all.subarray((depth as u32 - 1) * size, depth as u32 * size);
            target.copy_from(self.layer.as_slice().expect("allocated in standard order"));
        }
    }
}
