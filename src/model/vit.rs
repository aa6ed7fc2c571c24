//! The whole model and its forward pass (ViT paper, equations 1 to 4).

use super::block::Block;
use super::config::{Config, Pooling};
use super::embed::Embeddings;
use super::linear::{Linear, Then};
use super::norm::LayerNorm;
use super::scratch::{Scratch, Worker};
use super::sink::Sink;
use crate::error::{Error, Result};
use crate::parallel;
use ndarray::ArrayView3;

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

impl Weights {
    /// Bytes they take in memory.
    pub fn bytes(&self) -> usize {
        let Self { embeddings, blocks, norm, fc_norm, head } = self;
        let norms = [norm, fc_norm].into_iter().flatten().map(LayerNorm::bytes);
        let blocks = blocks.iter().map(Block::bytes);
        embeddings.bytes() + head.bytes() + norms.chain(blocks).sum::<usize>()
    }
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
        let pixels = self.view_pixels(pixels)?;
        parallel::awake(|| self.encode(pixels, scratch, sink));
        self.classify(scratch);
        Ok(&scratch.logits)
    }

    /// The residual stream: embeddings, then block after block.
    fn encode(&self, pixels: ArrayView3<f32>, scratch: &mut Scratch, sink: &mut dyn Sink) {
        let Weights { embeddings, blocks, .. } = &self.weights;
        embeddings.forward(&self.config, pixels, scratch.stream.view_mut(), &scratch.workers);
        sink.hidden_state(0, scratch.stream.view());
        for (layer, block) in blocks.iter().enumerate() {
            block.forward(scratch, layer, sink);
            sink.hidden_state(layer + 1, scratch.stream.view());
        }
    }

    /// logits = head(fc_norm(pool(norm(stream)))), either norm being optional.
    fn classify(&self, scratch: &mut Scratch) {
        let Scratch { stream, pooled, logits, workers, .. } = scratch;
        let Weights { norm, fc_norm, head, .. } = &self.weights;
        let Worker { activations, context, .. } = &mut *workers.own();
        let read = match self.config.pooling {
            Pooling::Cls => 0..1,
            Pooling::Mean => self.config.prefix_tokens()..self.config.tokens(),
        };

        let token = &mut context[..pooled.len()];
        pooled.fill(0.0);
        for row in read.clone() {
            apply(norm, stream.row(row).to_slice().expect("rows are contiguous"), token);
            pooled.iter_mut().zip(&*token).for_each(|(sum, value)| *sum += value);
        }
        pooled.iter_mut().for_each(|sum| *sum /= read.len() as f32);

        let size = [1, pooled.len()];
        let features = activations.produce(head.precision(), size, |_, target| apply(fc_norm, pooled, target));
        head.forward(features, Then::Store, logits);
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

/// `out = norm(x)`, or x itself where there is none.
fn apply(norm: &Option<LayerNorm>, x: &[f32], out: &mut [f32]) {
    match norm {
        Some(norm) => norm.forward(x, out),
        None => out.copy_from_slice(x),
    }
}
