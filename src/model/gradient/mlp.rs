//! The gradient of an MLP.

use super::linear::{Products, for_each_row, multiply, normalise, normalise_backward, row};
use super::tape::MlpTape;
use crate::kernels::rows::{add_scaled, multiply_in_place};
use crate::model::activation::Activation;
use crate::model::linear::Then;
use crate::model::mlp::Mlp;
use crate::model::norm::LayerNorm;

/// Values at a time of what needs a copy.
const CHUNK: usize = 64;

impl MlpTape<'_> {
    /// Computes fc1(norm(x)) again; `x`: `[rows, D]`, `branch`: `[rows, D]`, what fc1 reads afterwards.
    pub fn recompute(&mut self, mlp: &Mlp, norm: &LayerNorm, x: &[f32], branch: &mut [f32], products: &mut Products) {
        let width = norm.weight.len();
        normalise(norm, x, branch);
        let hidden = &mut self.hidden[..x.len() / width * mlp.fc1.outputs()];
        multiply(products.forward(&mlp.fc1), branch, Then::Store, hidden);
    }

    /// Computes what fc2 or its norm reads of so many rows, in `active`, after [`Self::recompute`].
    pub fn activate(&mut self, mlp: &Mlp, rows: usize) {
        let (hidden, active) = (rows * mlp.fc1.outputs(), rows * mlp.fc2.inputs());
        activate(mlp, &self.hidden[..hidden], &mut self.active[..active]);
    }

    /// `out += mlp(norm(x))`, after [`Self::recompute`].
    pub fn add_to(&mut self, mlp: &Mlp, out: &mut [f32], products: &mut Products) {
        self.activate(mlp, out.len() / mlp.fc2.outputs());
        let active = &mut self.active[..out.len() / mlp.fc2.outputs() * mlp.fc2.inputs()];
        if let Some(norm) = &mlp.norm {
            let before = &mut self.product[..active.len()];
            before.copy_from_slice(active);
            normalise(norm, before, active);
        }
        multiply(products.forward(&mlp.fc2), active, Then::Add, out);
    }

    /// Takes the gradient by x + mlp(norm(x)) to that by x, after [`Self::recompute`]. `branch`: `[rows, D]`, overwritten.
    pub fn backward(
        &mut self,
        mlp: &Mlp,
        norm: &LayerNorm,
        x: &[f32],
        gradient: &mut [f32],
        branch: &mut [f32],
        products: &mut Products,
    ) {
        let (width, outputs, inputs) = (norm.weight.len(), mlp.fc1.outputs(), mlp.fc2.inputs());
        let rows = x.len() / width;
        let active = &mut self.active[..rows * inputs];
        multiply(products.backward(&mlp.fc2), gradient, Then::Store, active);
        if let Some(norm) = &mlp.norm {
            let product = &mut self.product[..rows * inputs];
            activate(mlp, &self.hidden[..rows * outputs], product);
            normalise_backward(norm, product, active);
        }
        let (active, hidden) = (&*active, &mut self.hidden[..rows * outputs]);
        for_each_row(hidden, outputs, &|token, hidden| {
            let (first, gated) = hidden.split_at_mut(inputs);
            let gradient = row(active, token, first);
            if mlp.gated {
                gate_backward(mlp.activation, first, gated, gradient);
            } else {
                mlp.activation.derivative(first);
                multiply_in_place(first, gradient);
            }
        });
        multiply(products.backward(&mlp.fc1), hidden, Then::Store, branch);
        normalise_backward(norm, x, branch);
        add_scaled(gradient, 1.0, branch);
    }
}

/// What fc2 reads, or its norm, `active` `[rows, M]`, of what fc1 gives.
fn activate(mlp: &Mlp, hidden: &[f32], active: &mut [f32]) {
    let (outputs, inputs) = (mlp.fc1.outputs(), mlp.fc2.inputs());
    for_each_row(active, inputs, &|token, active| {
        let (first, gated) = hidden[token * outputs..][..outputs].split_at(inputs);
        active.copy_from_slice(first);
        mlp.activate(active, gated);
    });
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
