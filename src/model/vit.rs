//! The whole model and its forward pass (ViT paper, equations 1 to 4).

use super::block::Block;
use super::config::{Config, Pooling};
use super::embed::Embeddings;
use super::linear::{Linear, Then};
use super::norm::LayerNorm;
use super::scratch::Scratch;
use super::sink::Sink;
use crate::error::{Error, Result};
use ndarray::{ArrayView3, Axis, s};

/// What a model learned.
pub struct Weights {
    /// Patch projection, class token, positions.
    pub embeddings: Embeddings,
    /// The encoder.
    pub blocks: Vec<Block>,
    /// After the last block, on every token that is read.
    pub norm: Option<LayerNorm>,
    /// After pooling (timm's `fc_norm`), where a model has it in place of `norm`.
    pub fc_norm: Option<LayerNorm>,
    /// D → classes.
    pub head: Linear,
}

/// A Vision Transformer.
pub struct Vit {
    /// What it is.
    pub config: Config,
    /// What it learned.
    pub weights: Weights,
}

impl Vit {
    /// Logits `[C]` of `pixels` (normalised, `[3, H, W]`, row-major). `sink` may watch.
    pub fn forward<'s>(&self, pixels: &[f32], scratch: &'s mut Scratch, sink: &mut dyn Sink) -> Result<&'s [f32]> {
        let Weights { embeddings, blocks, head, .. } = &self.weights;
        let pixels = self.view_pixels(pixels)?;

        let Scratch { patches, stream, quantized, .. } = scratch;
        embeddings.forward(&self.config, pixels, patches, quantized, stream.view_mut());
        sink.hidden_state(0, stream.view());

        for (layer, block) in blocks.iter().enumerate() {
            block.forward(scratch, layer, sink);
            sink.hidden_state(layer + 1, scratch.stream.view());
        }

        self.pool(scratch);
        let Scratch { features, logits, quantized, .. } = scratch;
        head.forward(features.view(), quantized, Then::Store, logits.view_mut());
        Ok(logits.as_slice().expect("one contiguous row"))
    }

    /// `features` ← what the head reads: fc_norm(pool(norm(stream))), either norm being optional.
    fn pool(&self, scratch: &mut Scratch) {
        let Scratch { stream, normed, pooled, features, .. } = scratch;
        let read = match self.config.pooling {
            Pooling::Cls => 0..1,
            Pooling::Mean => self.config.prefix_tokens()..self.config.tokens(),
        };
        let tokens = stream.slice(s![read.clone(), ..]);
        let tokens = match &self.weights.norm {
            Some(norm) => {
                norm.forward(tokens, normed.slice_mut(s![read.clone(), ..]));
                normed.slice(s![read, ..])
            }
            None => tokens,
        };
        let mean = tokens.mean_axis(Axis(0)).expect("there is at least one token");
        pooled.row_mut(0).assign(&mean);
        match &self.weights.fc_norm {
            Some(norm) => norm.forward(pooled.view(), features.view_mut()),
            None => features.assign(pooled),
        }
    }

    fn view_pixels<'p>(&self, pixels: &'p [f32]) -> Result<ArrayView3<'p, f32>> {
        let [height, width] = self.config.image_size;
        ArrayView3::from_shape((3, height, width), pixels).map_err(|_| {
            Error::InvalidArgument(format!(
                "{} pixel values were given where the model takes 3 × {height} × {width}.",
                pixels.len()
            ))
        })
    }
}
