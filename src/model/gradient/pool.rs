//! The gradient of pooling by attention.

use super::heads::Qkv;
use super::linear::{multiply, normalise, normalise_backward, view};
use super::tape::Tape;
use crate::model::attention_pool::AttentionPool;
use crate::model::linear::Then;
use crate::model::norm::LayerNorm;

impl AttentionPool {
    /// Computes again how `stream`, the tokens `[n, D]` that are read, each normalised by `norm`, is pooled into `pooled` `[D]`.
    pub(super) fn recompute(&self, norm: &Option<LayerNorm>, stream: &[f32], pooled: &mut [f32], tape: &mut Tape) {
        let Tape { products, attention, mlp, normalised, between, branch, .. } = tape;
        let width = pooled.len();
        let normalised = &mut normalised[..stream.len()];
        match norm {
            Some(norm) => normalise(norm, stream, normalised),
            None => normalised.copy_from_slice(stream),
        }
        // (Room for queries, keys and values is room for keys and values.)
        let kv = &mut attention.qkv[..2 * stream.len()];
        multiply(products.forward(&self.key_value), normalised, Then::Store, kv);
        let (context, x) = (&mut branch[..width], &mut between[..width]);
        attention.heads.of_pool().recompute(self.read(kv), None, context);
        multiply(products.forward(&self.projection), context, Then::Store, x);
        pooled.copy_from_slice(x);
        if let Some((norm, own)) = &self.mlp {
            mlp.recompute(own, norm, x, context, products);
            mlp.add_to(own, pooled, products);
        }
    }

    /// Takes the gradient by what is pooled, `pooled` `[D]`, to that by the whole stream in `tape.gradient`, after [`Self::recompute`].
    pub(super) fn backward(&self, norm: &Option<LayerNorm>, stream: &[f32], pooled: &mut [f32], tape: &mut Tape) {
        let Tape { products, attention, mlp, between, branch, gradient, .. } = tape;
        let width = pooled.len();
        let (context, x) = (&mut branch[..width], &between[..width]);
        if let Some((norm, own)) = &self.mlp {
            mlp.backward(own, norm, x, pooled, context, products);
        }
        multiply(products.backward(&self.projection), pooled, Then::Store, context);

        let kv = &attention.qkv[..2 * stream.len()];
        let kv_gradient = &mut attention.qkv_gradient[..2 * stream.len()];
        attention.heads.of_pool().backward(self.read(kv), context, kv_gradient);
        let (unread, gradient) = gradient.split_at_mut(gradient.len() - stream.len());
        unread.fill(0.0);
        multiply(products.backward(&self.key_value), kv_gradient, Then::Store, gradient);
        if let Some(norm) = norm {
            normalise_backward(norm, stream, gradient);
        }
    }

    /// What the heads read: the one query, and keys and values of the tokens.
    fn read<'a>(&'a self, kv: &'a [f32]) -> Qkv<'a> {
        let width = self.query.len();
        Qkv { q: view(&self.query, width), kv: view(kv, 2 * width) }
    }
}
