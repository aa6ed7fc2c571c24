//! The gradient of an MLP.

use super::linear::{Products, for_each_row, multiply, row};
use crate::error::Result;
use crate::model::activation::Activation;
use crate::model::config::Config;
use crate::model::linear::Then;
use crate::model::mlp::Mlp;
use crate::model::norm::LayerNorm;
use crate::model::scratch::matrix;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

/// Values at a time of what needs a copy.
const CHUNK: usize = 64;

/// Buffers for T tokens of MLP width M.
pub(super) struct MlpTape {
    /// `[T, M]`, or `[T, 2 M]` of a gated one: what fc1 gives, then the gradient by it.
    hidden: Array2<f32>,
    /// `[T, M]`: what fc2 reads, or the gradient by it.
    active: Array2<f32>,
}

impl MlpTape {
    pub fn new(config: &Config) -> Result<Self> {
        let tokens = config.tokens();
        Ok(Self {
            hidden: matrix("the MLP's hidden layer", tokens, config.mlp_outputs())?,
            active: matrix("the MLP's hidden layer", tokens, config.mlp_size)?,
        })
    }

    /// Computes fc1(norm(x)) again; `x`: `[rows, D]`, `branch`: `[rows, D]`, what fc1 reads afterwards.
    pub fn recompute(
        &mut self,
        mlp: &Mlp,
        norm: &LayerNorm,
        x: ArrayView2<f32>,
        mut branch: ArrayViewMut2<f32>,
        products: &mut Products,
    ) {
        for_each_row(branch.view_mut(), &|token, out| norm.forward(row(&x, token), out));
        let hidden = self.hidden.slice_mut(s![..x.nrows(), ..]);
        multiply(products.forward(&mlp.fc1), branch.view(), Then::Store, hidden);
    }

    /// `out += mlp(norm(x))`, after [`Self::recompute`].
    pub fn add_to(&mut self, mlp: &Mlp, out: ArrayViewMut2<f32>, products: &mut Products) {
        let hidden = self.hidden.view();
        let mut active = self.active.slice_mut(s![..out.nrows(), ..]);
        for_each_row(active.view_mut(), &|token, active| {
            let (first, gated) = row(&hidden, token).split_at(active.len());
            active.copy_from_slice(first);
            mlp.activation.apply(active);
            active.iter_mut().zip(gated).for_each(|(y, gated)| *y *= gated);
        });
        multiply(products.forward(&mlp.fc2), active.view(), Then::Add, out);
    }

    /// Takes the gradient by x + mlp(norm(x)) to that by x, after [`Self::recompute`]. `branch`: `[rows, D]`, overwritten.
    pub fn backward(
        &mut self,
        mlp: &Mlp,
        norm: &LayerNorm,
        x: ArrayView2<f32>,
        mut gradient: ArrayViewMut2<f32>,
        mut branch: ArrayViewMut2<f32>,
        products: &mut Products,
    ) {
        let rows = x.nrows();
        let mut active = self.active.slice_mut(s![..rows, ..]);
        multiply(products.backward(&mlp.fc2), gradient.view(), Then::Store, active.view_mut());
        let mut hidden = self.hidden.slice_mut(s![..rows, ..]);
        let active = active.view();
        for_each_row(hidden.view_mut(), &|token, hidden| {
            let gradient = row(&active, token);
            let (first, gated) = hidden.split_at_mut(gradient.len());
            if mlp.gated {
                gate_backward(mlp.activation, first, gated, gradient);
            } else {
                mlp.activation.derivative(first);
                first.iter_mut().zip(gradient).for_each(|(h, g)| *h *= g);
            }
        });
        multiply(products.backward(&mlp.fc1), hidden.view(), Then::Store, branch.view_mut());
        for_each_row(branch.view_mut(), &|token, branch| norm.backward(row(&x, token), branch));
        gradient += &branch;
    }
}

/// y = f(g) h: takes g and h to the gradients by them, from the gradient by y.
fn gate_backward(f: Activation, g: &mut [f32], h: &mut [f32], gradient: &[f32]) {
    for ((g, h), gradient) in g.chunks_mut(CHUNK).zip(h.chunks_mut(CHUNK)).zip(gradient.chunks(CHUNK)) {
        let mut memory = [0.0; CHUNK];
        let active = &mut memory[..g.len()];
        active.copy_from_slice(g);
        f.apply(active);
        f.derivative(g);
        for (((g, h), active), gradient) in g.iter_mut().zip(h).zip(&*active).zip(gradient) {
            *g *= *h * gradient;
            *h = active * gradient;
        }
    }
}
