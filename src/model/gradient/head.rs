//! From a logit to the last residual stream.

use super::linear::{multiply, row};
use super::tape::{HeadTape, Tape};
use crate::kernels::dot::dot;
use crate::kernels::rows::add_scaled;
use crate::kernels::softmax::scale_in_place;
use crate::model::linear::Then;
use crate::model::vit::{Vit, Weights, length};

impl Vit {
    /// Writes the gradient of logit `target` by the last residual stream, `stream`, to `tape.gradient`.
    pub(super) fn head_backward(&self, stream: &[f32], target: usize, head: &mut HeadTape, tape: &mut Tape) {
        let Weights { norm, pool, projection, .. } = &*self.weights;
        let heads = self.heads();
        if self.config.zero_shot {
            self.recompute_features(stream, head, tape);
        } else if let Some(pool) = pool {
            pool.recompute(norm, self.read_by_pool(stream), head.pooled, tape);
        } else {
            self.average(stream, head.average, head.token);
        }

        let HeadTape { average, pooled, features, gradient, token } = head;
        let share = features.len() / heads.len().max(1);
        for (layer, gradient) in heads.iter().zip(gradient.chunks_exact_mut(share)) {
            layer.read_output(target, gradient);
        }
        if self.config.zero_shot {
            length_backward(features, gradient);
        }
        match projection {
            Some(projection) => multiply(tape.products.backward(projection), gradient, Then::Store, pooled),
            None => pooled.copy_from_slice(gradient),
        }
        match pool {
            Some(pool) => pool.backward(norm, self.read_by_pool(stream), pooled, tape),
            None => self.average_backward(stream, average, pooled, token, tape.gradient),
        }
    }

    /// features = projection(fc_norm(pool(norm(stream)))), as [`Vit::forward`] has them, in f32.
    fn recompute_features(&self, stream: &[f32], head: &mut HeadTape, tape: &mut Tape) {
        let Weights { norm, fc_norm, pool, projection, .. } = &*self.weights;
        let HeadTape { average, pooled, features, token, .. } = head;
        match pool {
            Some(pool) => pool.recompute(norm, self.read_by_pool(stream), pooled, tape),
            None => {
                self.average(stream, average, token);
                pooled.copy_from_slice(average);
                if let Some(norm) = fc_norm {
                    pooled.chunks_exact_mut(token.len()).for_each(|pooled| norm.in_place(pooled, token));
                }
            }
        }
        match projection {
            Some(projection) => multiply(tape.products.forward(projection), pooled, Then::Store, features),
            None => features.copy_from_slice(pooled),
        }
    }

    /// The part of the stream that is pooled by attention.
    fn read_by_pool<'a>(&self, stream: &'a [f32]) -> &'a [f32] {
        &stream[self.config.first_pooled() * self.config.hidden_size..]
    }

    /// From the gradient by what is pooled to that by the stream. `average`: what is pooled before `fc_norm`; `token`: `[D]`, overwritten.
    fn average_backward(
        &self,
        stream: &[f32],
        average: &[f32],
        pooled: &mut [f32],
        token: &mut [f32],
        gradient: &mut [f32],
    ) {
        let Weights { norm, fc_norm, .. } = &*self.weights;
        let width = token.len();
        gradient.fill(0.0);
        let parts = average.chunks_exact(width).zip(pooled.chunks_exact_mut(width));
        for ((average, pooled), tokens) in parts.zip(self.config.pooled_tokens(stream.len() / width)) {
            if let Some(norm) = fc_norm {
                norm.backward(average, pooled);
            }
            scale_in_place(pooled, 1.0 / tokens.len() as f32);
            for index in tokens {
                token.copy_from_slice(pooled);
                if let Some(norm) = norm {
                    norm.backward(row(stream, index, token), token);
                }
                add_scaled(&mut gradient[index * width..][..width], 1.0, token);
            }
        }
    }
}

/// Takes the gradient g by y = x / ‖x‖ to that by x: (g − y (y · g)) / ‖x‖.
fn length_backward(x: &[f32], gradient: &mut [f32]) {
    let inverse = 1.0 / length(x);
    let along = dot(x, gradient) * inverse * inverse;
    gradient.iter_mut().zip(x).for_each(|(g, x)| *g = (*g - along * x) * inverse);
}
