//! The MLP of a block.

use super::activation::Activation;
use super::activations::Input;
use super::linear::{Linear, Then};
use super::norm::LayerNorm;
use super::scratch::Worker;
use crate::kernels::TILE_COLUMNS;
use crate::kernels::gemm_f32::{BLOCK_INPUTS, Sums, no_sums};
use crate::kernels::rows::multiply_in_place;
use crate::parallel::BLOCK_ROWS;
use ndarray::ArrayView2;

/// fc2(norm(f(fc1(x)))), or gated fc2(norm(f(g) · h)) with (g, h) = fc1(x) (SwiGLU; Shazeer, 2020); few have that norm.
pub struct Mlp {
    /// D → M; gated D → 2 M, the gate first.
    pub fc1: Linear,
    /// On what fc2 reads `[M]`, where a model has it (EVA-02).
    pub norm: Option<LayerNorm>,
    /// M → D.
    pub fc2: Linear,
    /// f.
    pub activation: Activation,
    /// Whether half of what fc1 gives gates the other half.
    pub gated: bool,
}

impl Mlp {
    /// `stream += mlp(norm(stream))` for a block of tokens `[rows, D]`; where the norm comes `after`, `stream += norm(mlp(stream))`.
    pub(super) fn add_to(&self, stream: &mut [f32], norm: &LayerNorm, after: bool, worker: &mut Worker) {
        let width = norm.weight.len();
        let rows = stream.len() / width;
        // A hidden layer that is there as a whole is wide, so few rows have theirs at a time.
        let blocks = if self.goes_in_slices() { 1 } else { rows.div_ceil(BLOCK_ROWS) };
        for stream in stream.chunks_mut(rows.div_ceil(blocks) * width) {
            self.add_to_rows(stream, norm, after, worker);
        }
    }

    /// Whether the second layer reads its inputs slice by slice: a row of integers has one scale, and a norm wants all of it too. An int8 model has no room for sums, and few
    /// of its layers are in floats.
    pub(super) fn goes_in_slices(&self) -> bool {
        let gate_is_whole = !self.gated || self.fc2.inputs().is_multiple_of(TILE_COLUMNS);
        self.fc2.is_fused() && self.norm.is_none() && gate_is_whole
    }

    fn add_to_rows(&self, stream: &mut [f32], norm: &LayerNorm, after: bool, worker: &mut Worker) {
        let Worker { activations, hidden, context, sums, .. } = worker;
        let (width, outputs) = (norm.weight.len(), self.fc1.outputs());
        let rows = stream.len() / width;

        let x = activations.produce(self.fc1.precision(), [rows, width], &mut |row, target| {
            let token = &stream[row * width..][..width];
            if after { target.copy_from_slice(token) } else { norm.forward(token, target) }
        });
        // GELU costs nothing on the way out of the product. The others are passes of their own: each would double the products' code.
        let on_the_way = self.activation == Activation::Gelu && !self.gated && self.norm.is_none();
        let x = if self.goes_in_slices() {
            let sums = &mut sums[..width.div_ceil(TILE_COLUMNS) * rows];
            sums.fill(no_sums());
            self.sum_slices(x, rows, on_the_way, hidden, sums);
            Input::Sums { rows, sums }
        } else if on_the_way {
            let hidden = &mut hidden[..rows * outputs];
            self.fc1.forward(x, Then::Gelu, hidden);
            let hidden = ArrayView2::from_shape((rows, outputs), &*hidden).expect("the slice has this size");
            activations.take(self.fc2.precision(), hidden)
        } else {
            let hidden = &mut hidden[..rows * outputs];
            self.fc1.forward(x, Then::Store, hidden);
            let mlp = if self.gated { outputs / 2 } else { outputs };
            activations.produce(self.fc2.precision(), [rows, mlp], &mut |row, target| {
                let (first, gated) = hidden[row * outputs..][..outputs].split_at_mut(mlp);
                match &self.norm {
                    None => {
                        target.copy_from_slice(first);
                        self.activate(target, gated);
                    }
                    Some(norm) => {
                        self.activate(first, gated);
                        norm.forward(first, target);
                    }
                }
            })
        };
        if after {
            let branch = &mut context[..stream.len()];
            self.fc2.forward(x, Then::Store, branch);
            norm.add_to(stream, branch, &mut hidden[..width]);
        } else {
            self.fc2.forward(x, Then::Add, stream);
        }
    }

    /// The hidden layer slice by slice, so that many rows of it stay in cache, and what fc2 makes of each added to `sums`.
    fn sum_slices(&self, x: Input<'_>, rows: usize, on_the_way: bool, hidden: &mut [f32], sums: &mut [Sums]) {
        let units = self.fc2.inputs();
        for from in (0..units).step_by(BLOCK_INPUTS) {
            let slice = from..units.min(from + BLOCK_INPUTS);
            let (first, rest) = hidden.split_at_mut(rows * slice.len());
            if on_the_way {
                self.fc1.forward_some(slice.clone(), x, Then::Gelu, first);
            } else {
                self.fc1.forward_some(slice.clone(), x, Then::Store, first);
                let gated = if self.gated { &mut rest[..rows * slice.len()] } else { &mut [] };
                if self.gated {
                    self.fc1.forward_some(units + slice.start..units + slice.end, x, Then::Store, gated);
                }
                self.activate(first, gated);
            }
            let first = ArrayView2::from_shape((rows, slice.len()), &*first).expect("the slice has this size");
            self.fc2.accumulate(first, from, sums);
        }
    }

    /// `first ← f(first)`, times `gated` where there is that.
    pub(super) fn activate(&self, first: &mut [f32], gated: &[f32]) {
        self.activation.apply(first);
        if !gated.is_empty() {
            multiply_in_place(first, gated);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::activations::Activations;
    use super::super::linear::Matrix;
    use super::*;
    use ndarray::Array2;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Slice by slice, the last one short, the bits are those of a hidden layer that is there as a whole; as it is where floats are left in an int8 model, which has no sums.
    #[test]
    fn slices_change_no_bit() {
        for fused in [true, false] {
            compare_with_the_whole(fused);
        }
    }

    fn compare_with_the_whole(fused: bool) {
        let (rows, width) = (7, 12);
        for (units, gated, activation) in [
            (2 * BLOCK_INPUTS + 40, false, Activation::Gelu),
            (BLOCK_INPUTS + 3, false, Activation::Silu),
            (BLOCK_INPUTS + 16, true, Activation::Silu),
        ] {
            let mut rng = fastrand::Rng::with_seed(7);
            let outputs = if gated { 2 * units } else { units };
            let mut layer = |outputs: usize, inputs: usize| {
                let weights = Array2::from_shape_fn((outputs, inputs), |_| rng.f32() - 0.5);
                let bias: Vec<f32> = (0..outputs).map(|_| rng.f32() - 0.5).collect();
                let matrix = if fused { Matrix::f32(weights.view()) } else { Matrix::unfused(weights.view()) };
                Linear::new(matrix.unwrap(), &bias)
            };
            let mlp = Mlp { fc1: layer(outputs, width), norm: None, fc2: layer(width, units), activation, gated };
            assert_eq!(mlp.goes_in_slices(), fused);
            let norm = LayerNorm { weight: vec![1.0; width], bias: vec![0.0; width], eps: 1e-6, centred: true };
            let stream: Vec<f32> = (0..rows * width).map(|_| rng.f32() * 4.0).collect();

            let mut whole = stream.clone();
            let mut x = Array2::zeros((rows, width));
            for (token, mut target) in stream.chunks_exact(width).zip(x.rows_mut()) {
                norm.forward(token, target.as_slice_mut().unwrap());
            }
            let mut hidden = vec![0.0; rows * outputs];
            let then = if activation == Activation::Gelu { Then::Gelu } else { Then::Store };
            mlp.fc1.forward(Input::F32(x.view()), then, &mut hidden);
            let mut inner = Array2::zeros((rows, units));
            for (hidden, mut target) in hidden.chunks_exact_mut(outputs).zip(inner.rows_mut()) {
                let (first, gate) = hidden.split_at_mut(units);
                if then != Then::Gelu {
                    mlp.activate(first, gate);
                }
                target.as_slice_mut().unwrap().copy_from_slice(first);
            }
            mlp.fc2.forward(Input::F32(inner.view()), Then::Add, &mut whole);

            let mut worker = Worker::holding(Activations::new(rows, units, 0).unwrap());
            worker.hidden = vec![9.0; rows * if fused { 2 * BLOCK_INPUTS } else { outputs }];
            worker.sums = vec![no_sums(); if fused { width.div_ceil(TILE_COLUMNS) * rows } else { 0 }];
            let mut sliced = stream;
            mlp.add_to(&mut sliced, &norm, false, &mut worker);
            assert!(sliced.iter().zip(&whole).all(|(a, b)| a.to_bits() == b.to_bits()), "{units} units");
        }
    }
}
