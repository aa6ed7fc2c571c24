//! The gradient of pooling by attention.

use super::Tape;
use super::attention::{Gradients, heads_backward};
use super::linear::{for_each_row, multiply, row};
use crate::kernels::attention::{Wanted, attend};
use crate::model::attention_pool::AttentionPool;
use crate::model::linear::Then;
use crate::model::norm::{LayerNorm, apply};
use crate::parallel;
use ndarray::{ArrayView2, ArrayViewMut2, s};

impl AttentionPool {
    /// Computes again how `stream` `[T, D]`, each token normalised by `norm`, is pooled into `pooled` `[D]`.
    pub(super) fn recompute(
        &self,
        norm: &Option<LayerNorm>,
        stream: ArrayView2<f32>,
        pooled: &mut [f32],
        tape: &mut Tape,
    ) {
        let Tape { products, attention, mlp, normalised, between, branch, .. } = tape;
        let (tokens, width) = stream.dim();
        for_each_row(normalised.view_mut(), &|token, out| apply(norm, row(&stream, token), out));
        let mut kv = keys_values(attention.qkv.as_slice_mut(), tokens, width);
        multiply(products.forward(&self.key_value), normalised.view(), Then::Store, kv.view_mut());

        let size = width / attention.heads.len();
        let part = |first: usize| kv.slice(s![.., first..first + size]);
        parallel::for_each(&mut attention.heads, &|index, head| {
            head.pack(part(index * size), part(width + index * size));
        });
        let mut context = branch.slice_mut(s![..1, ..]);
        let gathered = context.as_slice_mut().expect("a row is contiguous");
        for (index, head) in attention.heads.iter().enumerate() {
            let own = index * size;
            let q = ArrayView2::from_shape((1, size), &self.query[own..own + size]).expect("one row");
            let probabilities = attention.probabilities.slice_mut(s![index, ..1, ..]);
            let wanted = Wanted { probabilities: true, bias: None };
            attend(q, head, &mut attention.scratch.own(), probabilities, wanted, &mut gathered[own..], width);
        }

        let mut x = between.slice_mut(s![..1, ..]);
        multiply(products.forward(&self.projection), context.view(), Then::Store, x.view_mut());
        mlp.recompute(&self.mlp, &self.norm, x.view(), context, products);
        pooled.copy_from_slice(row(&x.view(), 0));
        let pooled = ArrayViewMut2::from_shape((1, width), pooled).expect("one row");
        mlp.add_to(&self.mlp, pooled, products);
    }

    /// Takes the gradient by what is pooled, `pooled` `[D]`, to that by the stream in `tape.gradient`, after [`Self::recompute`].
    pub(super) fn backward(
        &self,
        norm: &Option<LayerNorm>,
        stream: ArrayView2<f32>,
        pooled: &mut [f32],
        tape: &mut Tape,
    ) {
        let Tape { products, attention, mlp, between, branch, gradient, .. } = tape;
        let (tokens, width) = stream.dim();
        let mut pooled = ArrayViewMut2::from_shape((1, width), pooled).expect("one row");
        let mut context = branch.slice_mut(s![..1, ..]);
        let x = between.slice(s![..1, ..]);
        mlp.backward(&self.mlp, &self.norm, x, pooled.view_mut(), context.view_mut(), products);
        multiply(products.backward(&self.projection), pooled.view(), Then::Store, context.view_mut());

        let q = ArrayView2::from_shape((1, width), &self.query).expect("one row");
        let kv = keys_values(attention.qkv.as_slice_mut(), tokens, width);
        let mut kv_gradient = keys_values(attention.qkv_gradient.as_slice_mut(), tokens, width);
        let gradients = Gradients {
            probabilities: attention.gradient.slice_mut(s![.., ..1, ..]),
            // (The query is a parameter: nobody asks for its gradient.)
            q: pooled,
            kv: kv_gradient.view_mut(),
        };
        let probabilities = attention.probabilities.slice(s![.., ..1, ..]);
        heads_backward([q, kv.view()], probabilities, context.view(), gradients, &attention.workers);
        multiply(products.backward(&self.key_value), kv_gradient.view(), Then::Store, gradient.view_mut());
        if let Some(norm) = norm {
            for_each_row(gradient.view_mut(), &|token, gradient| norm.backward(row(&stream, token), gradient));
        }
    }
}

/// `[T, 2 D]` in memory for queries, keys and values.
fn keys_values(memory: Option<&mut [f32]>, tokens: usize, width: usize) -> ArrayViewMut2<'_, f32> {
    let memory = &mut memory.expect("it is contiguous")[..2 * tokens * width];
    ArrayViewMut2::from_shape((tokens, 2 * width), memory).expect("the slice has this size")
}
