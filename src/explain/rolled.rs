//! Attention rollout for all queries at once, made while a forward pass brings its layers: none of them need be kept.

use super::heads::Fusion;
use super::rollout::{check_discard, discard_smallest};
use super::rows::rows;
use super::shape::Shape;
use crate::alloc::matrix;
use crate::error::Result;
use crate::kernels::dot::sum;
use crate::kernels::softmax::scale_in_place;
use crate::model::{Product, Then, multiply};
use ndarray::{Array2, ArrayView3};

/// R of [`Rollout`](super::Rollout), which grows from its right end, the first layer: T³ a layer, where one query's row of it from the left end takes T².
pub struct Rolled {
    fusion: Fusion,
    discard: f64,
    /// `[T, T]` of the layer at work.
    fused: Array2<f32>,
    /// `[T, T]`: I, then R of the layers so far.
    product: Array2<f32>,
    /// The same, as it is multiplied.
    packed: Product,
}

impl Rolled {
    /// Of no layers yet.
    pub fn new(shape: &Shape, fusion: Fusion, discard: f64) -> Result<Self> {
        let (discard, tokens) = (check_discard(discard)?, shape.tokens());
        let mut product = matrix("the rollout", tokens, tokens)?;
        let entries = product.as_slice_mut().expect("it is contiguous");
        entries.iter_mut().step_by(tokens + 1).for_each(|diagonal| *diagonal = 1.0);
        let fused = matrix("a layer's attention", tokens, tokens)?;
        Ok(Self { fusion, discard, fused, product, packed: Product::square(tokens)? })
    }

    /// The attention `[heads, T, T]` of the next layer.
    pub fn add(&mut self, attention: ArrayView3<f32>) {
        self.fusion.fuse(attention, &mut self.fused);
        let fused = self.fused.as_slice_mut().expect("it is contiguous");
        discard_smallest(fused, self.discard);
        let packed = self.packed.columns(self.product.view());
        let product = self.product.as_slice_mut().expect("it is contiguous");
        // R ← rownorm(A + I) R, every row of it R's own and what A adds
        multiply(packed, fused, Then::Add, product);
        let tokens = self.fused.ncols();
        for (product, fused) in product.chunks_exact_mut(tokens).zip(rows(self.fused.view())) {
            scale_in_place(product, 1.0 / (1.0 + sum(fused)));
        }
    }

    /// R of all layers, row after row: what is gathered by each query.
    pub fn values(&self) -> &[f32] {
        self.product.as_slice().expect("it is contiguous")
    }
}
