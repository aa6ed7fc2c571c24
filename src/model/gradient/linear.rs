//! Products of the backward pass. All of them are `x Wᵀ` with some W in f32: weights as they are, restored from integers, or transposed,
//! keys, values, attention. Each W but the first is packed when its turn comes, into memory that is used again and again, so that one compiled
//! product does it all and a model of integers never exists in f32 as a whole.

use crate::alloc::zeros;
use crate::error::Result;
use crate::kernels::TILE_COLUMNS;
use crate::kernels::pack::PackedF32;
use crate::kernels::unpack::{Square, transposed};
use crate::model::activations::Input;
use crate::model::linear::{Linear, Matrix, Then};
use crate::model::norm::LayerNorm;
use crate::parallel;
use ndarray::{ArrayView2, ArrayViewMut2};

/// A linear layer whose weights are written anew for each use.
pub(crate) struct Product(Linear);

impl Product {
    /// For up to `outputs` outputs, and [`PackedF32::steps`] of up to `steps`.
    pub fn new(outputs: usize, steps: usize) -> Result<Self> {
        let weights = PackedF32::with_capacity(steps)?;
        let bias = zeros("a bias", &[outputs.div_ceil(TILE_COLUMNS)])?;
        Ok(Self(Linear { matrix: Matrix::F32(weights), bias, outputs }))
    }

    /// For square matrices of this size.
    pub fn square(size: usize) -> Result<Self> {
        Self::new(size, PackedF32::steps(size, size))
    }

    fn reset(&mut self, outputs: usize, inputs: usize) -> &mut PackedF32 {
        let Matrix::F32(weights) = &mut self.0.matrix else { unreachable!("it was made with these") };
        self.0.outputs = outputs;
        weights.reset(outputs, inputs);
        weights
    }

    /// x ↦ x mᵀ
    #[inline(never)]
    pub fn rows(&mut self, m: ArrayView2<f32>) -> &Linear {
        let weights = self.reset(m.nrows(), m.ncols());
        m.rows().into_iter().enumerate().for_each(|(output, row)| weights.write_output(output, row.iter().copied()));
        &self.0
    }

    /// x ↦ x m
    #[inline(never)]
    pub fn columns(&mut self, m: ArrayView2<f32>) -> &Linear {
        let weights = self.reset(m.ncols(), m.nrows());
        for (input, row) in m.rows().into_iter().enumerate() {
            weights.write_input(input, row.to_slice().expect("rows are contiguous"));
        }
        &self.0
    }
}

/// The layers of a model in the two forms that a backward pass multiplies with, one at a time.
pub(super) struct Products {
    restored: Product,
    transposed: Product,
}

impl Products {
    /// For these layers; `both` forms, or the one that goes forward.
    pub fn new<'a>(layers: impl Iterator<Item = &'a Linear>, both: bool) -> Result<Self> {
        let mut most = [[0; 2]; 2];
        let mut include = |form: usize, outputs: usize, inputs: usize| {
            let [n, steps] = most[form];
            most[form] = [n.max(outputs), steps.max(PackedF32::steps(outputs, inputs))];
        };
        for layer in layers {
            if both {
                include(1, layer.inputs(), layer.outputs());
            }
            if let Matrix::Int8(..) = layer.matrix {
                include(0, layer.outputs(), layer.inputs());
            }
        }
        let [restored, transposed] = most.map(|[outputs, steps]| Product::new(outputs, steps));
        Ok(Self { restored: restored?, transposed: transposed? })
    }

    /// x ↦ x Wᵀ + b, in f32.
    #[inline(never)]
    pub fn forward<'a>(&'a mut self, layer: &'a Linear) -> &'a Linear {
        let Matrix::Int8(..) = layer.matrix else { return layer };
        let weights = self.restored.reset(layer.outputs(), layer.inputs());
        weights.write_squares(&|panel, block| layer.square(panel, block));
        let own = &mut self.restored.0;
        own.bias[..layer.bias.len()].copy_from_slice(&layer.bias);
        own
    }

    /// x ↦ x W: from the gradient by what `layer` gives to that by what it reads.
    #[inline(never)]
    pub fn backward(&mut self, layer: &Linear) -> &Linear {
        let weights = self.transposed.reset(layer.inputs(), layer.outputs());
        weights.write_squares(&|panel, block| transposed(layer.square(block, panel)));
        &self.transposed.0
    }
}

impl Linear {
    /// 8 × 8 of its weights.
    fn square(&self, panel: usize, block: usize) -> Square {
        match &self.matrix {
            Matrix::F32(weights) | Matrix::Unfused(weights) => weights.square(panel, block),
            Matrix::Int8(weights, columns) => weights.square(panel, block, &columns[panel]),
        }
    }

    /// The weights of one output.
    pub(in crate::model) fn read_output(&self, output: usize, target: &mut [f32]) {
        for (block, target) in target.chunks_mut(TILE_COLUMNS).enumerate() {
            let square = self.square(output / TILE_COLUMNS, block);
            target.iter_mut().zip(square).for_each(|(target, input)| *target = input[output % TILE_COLUMNS]);
        }
    }
}

/// `out = layer(x)`, or `out += …`, threads sharing the rows; `x`: `[rows, in]`, `out`: `[rows, out]`.
pub(crate) fn multiply(layer: &Linear, x: &[f32], then: Then, out: &mut [f32]) {
    multiply_from(0, layer, x, then, out);
}

/// The same from output `from` on, as [`Linear::forward_from`].
#[inline(never)]
pub(super) fn multiply_from(from: usize, layer: &Linear, x: &[f32], then: Then, out: &mut [f32]) {
    let (inputs, outputs) = (layer.inputs(), layer.outputs());
    for_each_block(out, outputs, &|first, out| {
        let x = view(&x[first * inputs..][..out.len() / outputs * inputs], inputs);
        layer.forward_from(from, Input::F32(x), then, out);
    });
}

/// Calls `work(row, values)` for every row of `out`, each `width` long, threads sharing them.
#[inline(never)]
pub(super) fn for_each_row(out: &mut [f32], width: usize, work: &(dyn Fn(usize, &mut [f32]) + Sync)) {
    for_each_block(out, width, &|first, out| {
        (first..).zip(out.chunks_exact_mut(width)).for_each(|(row, values)| work(row, values));
    });
}

/// Calls `work(first, rows)` for blocks of rows. Not generic, for there to be one of it.
#[inline(never)]
fn for_each_block(out: &mut [f32], width: usize, work: &(dyn Fn(usize, &mut [f32]) + Sync)) {
    let rows = out.len() / width;
    let out = ArrayViewMut2::from_shape((rows, width), out).expect("whole rows");
    parallel::for_each_block(out, rows, &|first, mut out: ArrayViewMut2<f32>| {
        work(first, out.as_slice_mut().expect("a block of rows is contiguous"));
    });
}

/// `out = norm(x)`, both `[rows, D]`.
#[inline(never)]
pub(super) fn normalise(norm: &LayerNorm, x: &[f32], out: &mut [f32]) {
    for_each_row(out, norm.weight.len(), &|token, out| norm.forward(row(x, token, out), out));
}

/// Takes the gradient by `norm(x)` to that by `x`, both `[rows, D]`.
#[inline(never)]
pub(super) fn normalise_backward(norm: &LayerNorm, x: &[f32], gradient: &mut [f32]) {
    for_each_row(gradient, norm.weight.len(), &|token, gradient| norm.backward(row(x, token, gradient), gradient));
}

/// Row number `row` of rows as long as `like`.
pub(super) fn row<'a>(matrix: &'a [f32], row: usize, like: &[f32]) -> &'a [f32] {
    &matrix[row * like.len()..][..like.len()]
}

/// Rows of `width` values as a matrix.
#[inline(never)]
pub(super) fn view(values: &[f32], width: usize) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((values.len() / width, width), values).expect("whole rows")
}
