//! What speaks for a class: maps made of attention or tokens, and of the gradient of the class's logit by these.

use super::rollout::{Row, check_discard, discard_smallest};
use super::rows::{mean, rows};
use super::shape::{Query, Shape};
use super::trace::HiddenStates;
use crate::alloc::matrix;
use crate::error::{ErrorKind, Result};
use crate::kernels::dot::dot;
use crate::model::{Backward, GradientSink, Scratch, Vit, likeliest};
use ndarray::{Array2, ArrayView2, ArrayView3, Axis, s};

/// How gradients become a map. ∇A is the gradient of the class's logit by a block's attention A.
#[derive(Clone, Copy, Debug)]
pub enum GradientMethod {
    /// R ← R + mean_h(relu(∇A ⊙ A)) R from R = I, block after block; the query's row of R (Chefer, Gur & Wolf, ICCV 2021: the rule for
    /// self-attention).
    Chefer {
        /// Whose row.
        query: Query,
    },
    /// [`Rollout`](super::Rollout) with mean_h(relu(∇A ⊙ A)) in place of a fusion of A.
    GradientRollout {
        /// Whose row.
        query: Query,
        /// As in [`Rollout`](super::Rollout).
        discard: f64,
    },
    /// relu(Σ_d w_d X_d), X being what the block's first norm gives, w the mean of ∇X over the patches (Grad-CAM; Selvaraju et al., 2017). Of a model of stages
    /// or windows X is what is pooled, the stream behind the last block, and no block is differentiated.
    GradCam {
        /// Number of the block.
        layer: usize,
    },
}

/// A forward pass and the backward pass that follows it, on their way to a class's map.
pub struct Attribution {
    /// The likeliest class, once it is known, unless told.
    target: Option<usize>,
    /// What blocks are differentiated at, if any are.
    hidden_states: Option<HiddenStates>,
    backward: Option<Backward>,
    down_to: usize,
    sink: Box<dyn MapSink>,
}

/// What makes a map of gradients.
trait MapSink: GradientSink {
    /// `[N]`, after the last of them.
    fn map(&self) -> Vec<f32>;
}

impl Attribution {
    /// The map of class `target`, or of the likeliest.
    pub fn new(vit: &Vit, target: Option<usize>, method: GradientMethod) -> Result<Self> {
        let shape = Shape::from(&vit.config);
        let staged = vit.config.is_staged();
        if let Some((view, why)) = unsupported(method, shape.layers).filter(|_| staged) {
            return Err(ErrorKind::UnsupportedView { view, why }.into());
        }
        let (down_to, sink): (_, Box<dyn MapSink>) = match method {
            GradientMethod::Chefer { query } => (0, Box::new(Relevance::new(&shape, query, None)?)),
            GradientMethod::GradientRollout { query, discard } => {
                (0, Box::new(Relevance::new(&shape, query, Some(check_discard(discard)?))?))
            }
            GradientMethod::GradCam { layer } => {
                let layer = shape.check_layer(layer)?;
                (layer, Box::new(GradCam { layer, first: shape.prefix.len(), map: Vec::new() }))
            }
        };
        let hidden_states = if staged { None } else { Some(HiddenStates::new(&vit.config)?) };
        Ok(Self { target, hidden_states, backward: None, down_to, sink })
    }

    /// Begins, or goes on, until the map is there or `pause`, asked between two blocks, says so. False where it is there. In `scratch` no other
    /// forward pass may be made meanwhile.
    pub fn advance(
        &mut self,
        vit: &Vit,
        pixels: &[f32],
        scratch: &mut Scratch,
        pause: &dyn Fn() -> bool,
    ) -> Result<bool> {
        let Some(hidden_states) = &mut self.hidden_states else {
            if vit.advance(pixels, scratch, &mut (), pause)? {
                return Ok(true);
            }
            let target = *self.target.get_or_insert_with(|| likeliest(scratch.logits()));
            let gradient = vit.gradient_of_head(scratch, target)?;
            self.sink.normalised(self.down_to, scratch.stream(), gradient.view());
            return Ok(false);
        };
        let backward = match &mut self.backward {
            Some(backward) => backward,
            None => {
                if vit.advance(pixels, scratch, hidden_states, pause)? {
                    return Ok(true);
                }
                let target = *self.target.get_or_insert_with(|| likeliest(scratch.logits()));
                self.backward.insert(Backward::new(vit, target, self.down_to)?)
            }
        };
        backward.advance(vit, hidden_states.0.view(), &mut *self.sink, pause)
    }

    /// The class, once it is known.
    pub fn target(&self) -> Option<usize> {
        self.target
    }

    /// Its map `[N]`, in the end.
    pub fn map(&self) -> Vec<f32> {
        self.sink.map()
    }
}

/// What means nothing where tokens attend within windows, or change their number, and why.
fn unsupported(method: GradientMethod, layers: usize) -> Option<(&'static str, &'static str)> {
    const PRODUCT: &str = "it multiplies the attention of all layers, between the same tokens, and here tokens attend within windows or are merged.";
    match method {
        GradientMethod::Chefer { .. } => Some(("chefer", PRODUCT)),
        GradientMethod::GradientRollout { .. } => Some(("gradient-rollout", PRODUCT)),
        GradientMethod::GradCam { layer } => (layer + 1 != layers)
            .then_some(("grad-cam of that layer", "here it is of what the last layer leaves. Leave `layer` out.")),
    }
}

/// Multiplies what attention and gradient give, as the backward pass brings them: the last block first, which is the left end of the product.
struct Relevance {
    row: Row,
    /// `[T, T]`: mean_h(relu(∇A ⊙ A)).
    fused: Array2<f32>,
    /// The rollout's share to discard; none for the plain sum of the ICCV rule.
    rollout: Option<f64>,
}

impl Relevance {
    fn new(shape: &Shape, query: Query, rollout: Option<f64>) -> Result<Self> {
        let tokens = shape.tokens();
        Ok(Self { row: Row::new(shape, query)?, fused: matrix("relevance", tokens, tokens)?, rollout })
    }
}

impl GradientSink for Relevance {
    fn attention(&mut self, _layer: usize, attention: ArrayView3<f32>, gradient: ArrayView3<f32>) {
        let share = 1.0 / attention.len_of(Axis(0)) as f32;
        let (tokens, fused) = (attention.len_of(Axis(2)), self.fused.as_slice_mut().expect("it is contiguous"));
        fused.fill(0.0);
        for (attention, gradient) in attention.outer_iter().zip(gradient.outer_iter()) {
            for (fused, (a, g)) in fused.chunks_exact_mut(tokens).zip(rows(attention).zip(rows(gradient))) {
                for (fused, (a, g)) in fused.iter_mut().zip(a.iter().zip(g)) {
                    let product = a * g;
                    *fused += if product > 0.0 { share * product } else { 0.0 };
                }
            }
        }
        match self.rollout {
            None => self.row.multiply_plain(self.fused.view()),
            Some(discard) => {
                discard_smallest(fused, discard);
                self.row.multiply_normalised(self.fused.view());
            }
        }
    }
}

impl MapSink for Relevance {
    fn map(&self) -> Vec<f32> {
        self.row.patches()
    }
}

/// Waits for one block's tokens.
struct GradCam {
    layer: usize,
    /// Number of the first patch's token.
    first: usize,
    map: Vec<f32>,
}

impl GradientSink for GradCam {
    fn normalised(&mut self, layer: usize, tokens: ArrayView2<f32>, gradient: ArrayView2<f32>) {
        if layer != self.layer {
            return;
        }
        let weights = mean(gradient.slice(s![self.first.., ..]));
        self.map = rows(tokens.slice(s![self.first.., ..])).map(|patch| dot(patch, &weights).max(0.0)).collect();
    }
}

impl MapSink for GradCam {
    fn map(&self) -> Vec<f32> {
        self.map.clone()
    }
}
