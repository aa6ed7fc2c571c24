//! The backward pass: how a logit changes with every block's attention and tokens, by the chain rule from the head down.
//!
//! Of a forward pass only the residual stream between blocks is kept; what is inside a block is computed again when its turn comes (Chen et al.,
//! 2016, "Training deep nets with sublinear memory cost"). All of it is f32: the matrices of an int8 model are restored one at a time,
//! and its streams are those that its own forward pass gave. Parameters get no gradients.

mod attention;
mod head;
mod heads;
mod inside;
mod linear;
mod mlp;
mod pool;
mod sink;
mod tape;
#[cfg(test)]
mod tests;

use super::block::Block;
use super::linear::Then;
use super::places::BlockPlaces;
use super::scratch::Scratch;
use super::vit::Vit;
use crate::alloc::matrix;
use crate::error::{ErrorKind, Result};
use crate::kernels::rows::add_scaled;
use crate::parallel;
use linear::{normalise, normalise_backward, row, view};
use ndarray::{Array2, ArrayView3};
use std::ops::Range;
use tape::{Memory, Tape};

pub use inside::{HeadInside, Inside, MlpInside, Norms};
pub(crate) use linear::{Product, multiply};
pub use sink::GradientSink;

impl Vit {
    /// The gradient of logit `target`, from the head down to block `down_to`, which `sink` watches.
    ///
    /// `hidden_states`: `[L + 1, T, D]` of a forward pass, as [`Sink::hidden_state`](super::Sink::hidden_state) gets them one by one.
    /// Only what blocks from `down_to` on read and give is looked at.
    pub fn backward(
        &self,
        hidden_states: ArrayView3<f32>,
        target: usize,
        down_to: usize,
        sink: &mut dyn GradientSink,
    ) -> Result<()> {
        Backward::new(self, target, down_to)?.advance(self, hidden_states, sink, &|| false)?;
        Ok(())
    }

    /// The gradient `[T, D]` of logit `target` by the stream that is pooled, which a forward pass left in `scratch`.
    pub fn gradient_of_head(&self, scratch: &Scratch, target: usize) -> Result<Array2<f32>> {
        let stream = scratch.stream();
        let mut gradient = matrix("the gradient", stream.nrows(), stream.ncols())?;
        check_target(self, target)?;
        let config = self.config.last_stage();
        let mut memory = Memory::new(&self.weights, &config, &[])?;
        let (mut tape, mut head) = Tape::new(&config, &mut memory);
        let stream = stream.to_slice().expect("it is contiguous");
        parallel::awake(|| self.head_backward(stream, target, &mut head, &mut tape));
        gradient.assign(&view(tape.gradient, config.hidden_size));
        Ok(gradient)
    }
}

/// A backward pass that may be left between two blocks.
pub struct Backward {
    memory: Memory,
    target: usize,
    down_to: usize,
    /// The depth whose stream `memory` has the gradient by, once it has one.
    depth: Option<usize>,
}

impl Backward {
    /// One of logit `target` down to block `down_to`.
    pub fn new(vit: &Vit, target: usize, down_to: usize) -> Result<Self> {
        check_target(vit, target)?;
        let layers = vit.weights.blocks.len();
        if vit.config.is_staged() {
            let why = "blocks are differentiated where all tokens attend to all, in one grid.";
            return Err(ErrorKind::UnsupportedView { view: "a backward pass", why }.into());
        }
        if down_to >= layers {
            return invalid(format!("there is no layer {down_to}. Use one of 0..={}.", layers - 1));
        }
        Ok(Self { memory: Memory::new(&vit.weights, &vit.config, &vit.weights.blocks)?, target, down_to, depth: None })
    }

    /// Begins, or goes on, until the pass is over or `pause`, asked between two blocks, says so. False where it is over.
    pub fn advance(
        &mut self,
        vit: &Vit,
        hidden_states: ArrayView3<f32>,
        sink: &mut dyn GradientSink,
        pause: &dyn Fn() -> bool,
    ) -> Result<bool> {
        let (width, layers) = (vit.config.hidden_size, vit.weights.blocks.len());
        let states = check_states(hidden_states, [layers + 1, vit.config.tokens(), width])?;
        let stream = |depth: usize| row(states, depth, &states[..vit.config.tokens() * width]);
        let (mut tape, mut head) = Tape::new(&vit.config, &mut self.memory);
        let end = parallel::awake(|| {
            if self.depth.is_none() {
                vit.head_backward(stream(layers), self.target, &mut head, &mut tape);
                sink.hidden_state(layers, view(tape.gradient, width));
            }
            for layer in (self.down_to..self.depth.unwrap_or(layers)).rev() {
                let (block, places) = (&vit.weights.blocks[layer], &vit.places.blocks[layer]);
                let tokens = vit.config.tokens();
                let read = if layer + 1 == layers { vit.config.tokens_read(tokens) } else { tokens };
                block.backward(places, stream(layer), read, &mut tape, layer, sink);
                sink.hidden_state(layer, view(tape.gradient, width));
                if layer > self.down_to && pause() {
                    return layer;
                }
            }
            self.down_to
        });
        self.depth = Some(end);
        Ok(end > self.down_to)
    }
}

/// Whether there is such a class.
fn check_target(vit: &Vit, target: usize) -> Result<()> {
    match vit.config.classes() {
        0 => invalid(
            "the model has no head, so there is no logit to explain. Use a model with classes, or text embeddings."
                .into(),
        ),
        classes if target >= classes => invalid(format!("there is no class {target}. Use one of 0..={}.", classes - 1)),
        _ => Ok(()),
    }
}

fn invalid<T>(problem: String) -> Result<T> {
    Err(ErrorKind::InvalidArgument(problem).into())
}

/// The hidden states one after another.
fn check_states(hidden_states: ArrayView3<'_, f32>, shape: [usize; 3]) -> Result<&[f32]> {
    match hidden_states.to_slice() {
        Some(states) if hidden_states.shape() == shape => Ok(states),
        _ => {
            let [depths, tokens, width] = shape;
            invalid(format!(
                "hidden states are {depths} × {tokens} × {width} values, row after row. Give all of a forward pass."
            ))
        }
    }
}

impl Block {
    /// Computes again what tokens `rows` of the stream `[T, D]` before this block become, up to what the MLP's first layer gives, the projection reading zeros for the heads
    /// `without`. `tape` then has what the norms give, of all tokens in `normalised` and of these in `branch`, and the stream `between` of these.
    fn recompute(&self, places: &BlockPlaces, stream: &[f32], rows: Range<usize>, without: &[usize], tape: &mut Tape) {
        let width = self.norm1.weight.len();
        let own = &stream[rows.start * width..rows.end * width];
        self.recompute_attention(places, stream, rows, without, tape);
        self.recompute_mlp(own, tape);
    }

    /// The first half of it: `between` has what attention adds to these tokens.
    fn recompute_attention(
        &self,
        places: &BlockPlaces,
        stream: &[f32],
        rows: Range<usize>,
        without: &[usize],
        tape: &mut Tape,
    ) {
        self.project(stream, rows.clone(), tape);
        let Tape { products, attention, between, branch, .. } = tape;
        let [between, branch] = [between, branch].map(|all| &mut all[..rows.len() * self.norm1.weight.len()]);
        attention.turn(&self.attention, places);
        attention.attend(&self.attention, places, rows, branch);
        if let Some(norm) = &self.attention.norm {
            between.copy_from_slice(branch);
            normalise(norm, between, branch);
        }
        let size = attention.heads.size;
        for token in branch.chunks_exact_mut(self.norm1.weight.len()) {
            without.iter().for_each(|head| token[head * size..][..size].fill(0.0));
        }
        multiply(products.forward(&self.attention.projection), branch, Then::Store, between);
    }

    /// The second half, of the rows of the stream that `between` belongs to.
    fn recompute_mlp(&self, stream: &[f32], tape: &mut Tape) {
        let Tape { products, mlp, between, branch, .. } = tape;
        let [between, branch] = [between, branch].map(|all| &mut all[..stream.len()]);
        add_scaled(between, 1.0, stream);
        mlp.recompute(&self.mlp, &self.norm2, between, branch, products);
    }

    /// Keys and values of all tokens and queries of these, not turned.
    fn project(&self, stream: &[f32], queries: Range<usize>, tape: &mut Tape) {
        let Tape { products, attention, normalised, .. } = tape;
        normalise(&self.norm1, stream, normalised);
        attention.project(&self.attention, normalised, queries, products);
    }

    /// Takes `tape.gradient` from the stream after this block, number `layer`, to the one before it, `stream` `[T, D]`. Behind its first `read` tokens it is
    /// zeros, so of the others only keys and values count.
    fn backward(
        &self,
        places: &BlockPlaces,
        stream: &[f32],
        read: usize,
        tape: &mut Tape,
        layer: usize,
        sink: &mut dyn GradientSink,
    ) {
        let width = self.norm1.weight.len();
        self.recompute(places, stream, 0..read, &[], tape);
        let Tape { products, attention, mlp, normalised, between, branch, gradient } = tape;
        {
            let [between, branch, gradient] =
                [between, &mut *branch, &mut *gradient].map(|all| &mut all[..read * width]);
            mlp.backward(&self.mlp, &self.norm2, between, gradient, branch, products);

            multiply(products.backward(&self.attention.projection), gradient, Then::Store, branch);
            if let Some(norm) = &self.attention.norm {
                attention.heads.gathered(between, width);
                normalise_backward(norm, between, branch);
            }
            attention.backward(&self.attention, places, branch);
        }
        let shape = (self.attention.heads, read, stream.len() / width);
        let matrices = |values| {
            let values: &[f32] = values;
            let own = &values[..shape.0 * shape.1 * shape.2];
            ArrayView3::from_shape(shape, own).expect("the slice has this size")
        };
        sink.attention(layer, matrices(attention.heads.probabilities), matrices(attention.heads.gradient));

        multiply(products.backward(&self.attention.qkv), attention.qkv_gradient, Then::Store, branch);
        sink.normalised(layer, view(normalised, width), view(branch, width));
        normalise_backward(&self.norm1, stream, branch);
        add_scaled(gradient, 1.0, branch);
    }
}
