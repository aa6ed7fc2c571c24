//! From a logit to the last residual stream.

use super::Tape;
use super::linear::{multiply, row};
use crate::alloc::zeros;
use crate::error::Result;
use crate::kernels::dot::dot;
use crate::model::config::Config;
use crate::model::linear::{Linear, Then};
use crate::model::vit::{Vit, Weights, length};
use ndarray::{ArrayView2, ArrayViewMut2};

/// Buffers for what is pooled and for features.
pub(super) struct HeadTape {
    /// What is pooled, before `fc_norm`.
    average: Vec<f32>,
    /// What is pooled, then the gradient by it.
    pooled: Vec<f32>,
    /// What the head reads.
    features: Vec<f32>,
    /// The gradient by that.
    gradient: Vec<f32>,
    /// `[D]`.
    token: Vec<f32>,
}

impl HeadTape {
    pub fn new(config: &Config) -> Result<Self> {
        let buffer = |size: usize| zeros("features", &[size]);
        Ok(Self {
            average: buffer(config.pooled_size())?,
            pooled: buffer(config.pooled_size())?,
            features: buffer(config.feature_size())?,
            gradient: buffer(config.feature_size())?,
            token: buffer(config.hidden_size)?,
        })
    }
}

impl Vit {
    /// Writes the gradient of logit `target` by the last residual stream, `stream`, to `tape.gradient`.
    pub(super) fn head_backward(&self, stream: ArrayView2<f32>, target: usize, head: &mut HeadTape, tape: &mut Tape) {
        let Weights { norm, pool, projection, heads, .. } = &self.weights;
        if self.config.zero_shot {
            self.recompute_features(stream, head, tape);
        } else if let Some(pool) = pool {
            pool.recompute(norm, stream, &mut head.pooled, tape);
        } else {
            self.average(stream, &mut head.average, &mut head.token);
        }

        let HeadTape { average, pooled, features, gradient, token } = head;
        let share = features.len() / heads.len().max(1);
        for (layer, gradient) in heads.iter().zip(gradient.chunks_exact_mut(share)) {
            layer.read_output(target, gradient);
        }
        if self.config.zero_shot {
            normalise_backward(features, gradient);
        }
        match projection {
            Some(projection) => multiply_row(tape.products.backward(projection), gradient, pooled),
            None => pooled.copy_from_slice(gradient),
        }
        match pool {
            Some(pool) => pool.backward(norm, stream, pooled, tape),
            None => self.average_backward(stream, average, pooled, token, tape.gradient.view_mut()),
        }
    }

    /// features = projection(fc_norm(pool(norm(stream)))), as [`Vit::forward`] has them, in f32.
    fn recompute_features(&self, stream: ArrayView2<f32>, head: &mut HeadTape, tape: &mut Tape) {
        let Weights { norm, fc_norm, pool, projection, .. } = &self.weights;
        let HeadTape { average, pooled, features, token, .. } = head;
        match pool {
            Some(pool) => pool.recompute(norm, stream, pooled, tape),
            None => {
                self.average(stream, average, token);
                pooled.copy_from_slice(average);
                let norms = fc_norm.iter().flat_map(|norm| std::iter::repeat(norm));
                pooled.chunks_exact_mut(token.len()).zip(norms).for_each(|(pooled, norm)| norm.in_place(pooled, token));
            }
        }
        match projection {
            Some(projection) => multiply_row(tape.products.forward(projection), pooled, features),
            None => features.copy_from_slice(pooled),
        }
    }

    /// From the gradient by what is pooled to that by the stream. `average`: what is pooled before `fc_norm`; `token`: `[D]`, overwritten.
    fn average_backward(
        &self,
        stream: ArrayView2<f32>,
        average: &[f32],
        pooled: &mut [f32],
        token: &mut [f32],
        mut gradient: ArrayViewMut2<f32>,
    ) {
        let Weights { norm, fc_norm, .. } = &self.weights;
        let width = stream.ncols();
        gradient.fill(0.0);
        let parts = average.chunks_exact(width).zip(pooled.chunks_exact_mut(width));
        for ((average, pooled), tokens) in parts.zip(self.config.pooled_tokens(stream.nrows())) {
            if let Some(norm) = fc_norm {
                norm.backward(average, pooled);
            }
            pooled.iter_mut().for_each(|gradient| *gradient /= tokens.len() as f32);
            for index in tokens {
                token.copy_from_slice(pooled);
                if let Some(norm) = norm {
                    norm.backward(row(&stream, index), token);
                }
                gradient.row_mut(index).iter_mut().zip(&*token).for_each(|(sum, value)| *sum += value);
            }
        }
    }
}

/// Takes the gradient g by y = x / ‖x‖ to that by x: (g − y (y · g)) / ‖x‖.
fn normalise_backward(x: &[f32], gradient: &mut [f32]) {
    let inverse = 1.0 / length(x);
    let along = dot(x, gradient) * inverse * inverse;
    gradient.iter_mut().zip(x).for_each(|(g, x)| *g = (*g - along * x) * inverse);
}

fn multiply_row(layer: &Linear, x: &[f32], out: &mut [f32]) {
    let x = ArrayView2::from_shape((1, x.len()), x).expect("one row");
    let out = ArrayViewMut2::from_shape((1, out.len()), out).expect("one row");
    multiply(layer, x, Then::Store, out);
}
