//! The backward pass: how a logit changes with every block's attention and tokens, by the chain rule from the head down.
//!
//! Of a forward pass only the residual stream between blocks is kept; what is inside a block is computed again when its turn comes (Chen et al.,
//! 2016, "Training deep nets with sublinear memory cost"). All of it is f32: the matrices of an int8 model are restored one at a time,
//! and its streams are those that its own forward pass gave. Parameters get no gradients.

mod attention;
mod head;
mod linear;
mod mlp;
mod pool;
mod sink;
#[cfg(test)]
mod tests;

use super::attention_pool::AttentionPool;
use super::block::Block;
use super::linear::{Linear, Then};
use super::scratch::matrix;
use super::vit::{Vit, Weights};
use crate::error::{Error, Result};
use crate::parallel;
use attention::AttentionTape;
use head::HeadTape;
use linear::{Products, for_each_row, multiply, row};
use mlp::MlpTape;
use ndarray::{Array2, ArrayView2, ArrayView3, Axis};

pub use sink::GradientSink;

/// What is computed again of one block, and the gradients on their way through it: T tokens of width D.
struct Tape {
    products: Products,
    attention: AttentionTape,
    mlp: MlpTape,
    /// `[T, D]` what the first norm gives.
    normalised: Array2<f32>,
    /// `[T, D]` the stream between attention and MLP.
    between: Array2<f32>,
    /// `[T, D]` what goes into a linear layer of a branch, and the gradient by it.
    branch: Array2<f32>,
    /// `[T, D]` the gradient by the stream.
    gradient: Array2<f32>,
}

impl Tape {
    fn new(vit: &Vit) -> Result<Self> {
        let Vit { config, weights } = vit;
        let stream = || matrix("the residual stream", config.tokens(), config.hidden_size);
        Ok(Self {
            products: Products::new(layers(weights))?,
            attention: AttentionTape::new(
                config,
                weights.blocks.iter().any(|block| block.attention.qk_norm.is_some()),
            )?,
            mlp: MlpTape::new(config)?,
            normalised: stream()?,
            between: stream()?,
            branch: stream()?,
            gradient: stream()?,
        })
    }
}

/// Every layer that a gradient goes through.
fn layers(weights: &Weights) -> impl Iterator<Item = &Linear> + Clone {
    let pool = weights.pool.iter().flat_map(AttentionPool::layers);
    weights.blocks.iter().flat_map(Block::layers).chain(pool).chain(&weights.projection)
}

impl Vit {
    /// The gradient of logit `target`, from the head down to block `down_to`, which `sink` watches.
    ///
    /// `hidden_states`: `[L + 1, T, D]` of a forward pass, as [`Sink::hidden_state`](super::Sink::hidden_state) gets them one by one.
    /// The embeddings are not read if `down_to` is not 0, and so on: only what blocks from `down_to` on read and give.
    pub fn backward(
        &self,
        hidden_states: ArrayView3<f32>,
        target: usize,
        down_to: usize,
        sink: &mut dyn GradientSink,
    ) -> Result<()> {
        self.check(hidden_states, target, down_to)?;
        let (mut head, mut tape) = (HeadTape::new(&self.config)?, Tape::new(self)?);
        let stream = |depth: usize| hidden_states.index_axis_move(Axis(0), depth);
        let layers = self.weights.blocks.len();
        parallel::awake(|| {
            self.head_backward(stream(layers), target, &mut head, &mut tape);
            sink.hidden_state(layers, tape.gradient.view());
            for layer in (down_to..layers).rev() {
                self.weights.blocks[layer].backward(stream(layer), &mut tape, layer, sink);
                sink.hidden_state(layer, tape.gradient.view());
            }
        });
        Ok(())
    }

    fn check(&self, hidden_states: ArrayView3<f32>, target: usize, down_to: usize) -> Result<()> {
        let invalid = |problem: String| Err(Error::InvalidArgument(problem));
        let (classes, layers) = (self.config.classes(), self.weights.blocks.len());
        if classes == 0 {
            return invalid(
                "the model has no head, so there is no logit to explain. Use a model with classes, or text embeddings."
                    .into(),
            );
        }
        if target >= classes {
            return invalid(format!("there is no class {target}. Use one of 0..={}.", classes - 1));
        }
        if down_to >= layers {
            return invalid(format!("there is no layer {down_to}. Use one of 0..={}.", layers - 1));
        }
        let shape = (layers + 1, self.config.tokens(), self.config.hidden_size);
        if hidden_states.dim() != shape || !hidden_states.is_standard_layout() {
            let found = hidden_states.dim();
            return invalid(format!(
                "hidden states of shape {found:?} were given where the model has {shape:?}, row after row."
            ));
        }
        Ok(())
    }
}

impl Block {
    /// Takes `tape.gradient` from the stream after this block, number `layer`, to the one before it, `stream` `[T, D]`.
    fn backward(&self, stream: ArrayView2<f32>, tape: &mut Tape, layer: usize, sink: &mut dyn GradientSink) {
        let Tape { products, attention, mlp, normalised, between, branch, gradient } = tape;
        for_each_row(normalised.view_mut(), &|token, out| self.norm1.forward(row(&stream, token), out));
        attention.recompute(&self.attention, normalised.view(), branch.view_mut(), products);
        between.assign(&stream);
        multiply(products.forward(&self.attention.projection), branch.view(), Then::Add, between.view_mut());

        mlp.recompute(&self.mlp, &self.norm2, between.view(), branch.view_mut(), products);
        mlp.backward(&self.mlp, &self.norm2, between.view(), gradient.view_mut(), branch.view_mut(), products);

        multiply(products.backward(&self.attention.projection), gradient.view(), Then::Store, branch.view_mut());
        attention.backward(&self.attention, branch.view());
        sink.attention(layer, attention.probabilities.view(), attention.gradient.view());

        multiply(products.backward(&self.attention.qkv), attention.qkv_gradient.view(), Then::Store, branch.view_mut());
        sink.normalised(layer, normalised.view(), branch.view());
        for_each_row(branch.view_mut(), &|token, branch| self.norm1.backward(row(&stream, token), branch));
        *gradient += &*branch;
    }
}
