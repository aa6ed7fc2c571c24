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
use crate::parallel;
use ndarray::{ArrayView2, ArrayViewMut2, s};

/// A linear layer whose weights are written anew for each use.
pub(super) struct Product(Linear);

impl Product {
    /// For up to `outputs` outputs, and [`PackedF32::steps`] of up to `steps`.
    pub fn new(outputs: usize, steps: usize) -> Result<Self> {
        let weights = PackedF32::with_capacity(steps)?;
        let bias = zeros("a bias", &[outputs.div_ceil(TILE_COLUMNS)])?;
        Ok(Self(Linear { matrix: Matrix::F32(weights), bias, outputs }))
    }

    fn reset(&mut self, outputs: usize, inputs: usize) -> &mut PackedF32 {
        let Matrix::F32(weights) = &mut self.0.matrix else { unreachable!("it was made with these") };
        self.0.outputs = outputs;
        weights.reset(outputs, inputs);
        weights
    }

    /// x ↦ x mᵀ
    pub fn rows(&mut self, m: ArrayView2<f32>) -> &Linear {
        let weights = self.reset(m.nrows(), m.ncols());
        m.rows().into_iter().enumerate().for_each(|(output, row)| weights.write_output(output, row.iter().copied()));
        &self.0
    }

    /// x ↦ x m
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
    /// For these layers.
    pub fn new<'a>(layers: impl Iterator<Item = &'a Linear> + Clone) -> Result<Self> {
        let of_integers = layers.clone().filter(|layer| matches!(layer.matrix, Matrix::Int8(..)));
        let most = |sizes: &mut dyn Iterator<Item = [usize; 2]>| {
            let most = sizes.fold([0; 2], |most, [n, k]| [most[0].max(n), most[1].max(PackedF32::steps(n, k))]);
            Product::new(most[0], most[1])
        };
        Ok(Self {
            restored: most(&mut of_integers.map(|layer| [layer.outputs(), layer.inputs()]))?,
            transposed: most(&mut layers.map(|layer| [layer.inputs(), layer.outputs()]))?,
        })
    }

    /// x ↦ x Wᵀ + b, in f32.
    pub fn forward<'a>(&'a mut self, layer: &'a Linear) -> &'a Linear {
        let Matrix::Int8(..) = layer.matrix else { return layer };
        let weights = self.restored.reset(layer.outputs(), layer.inputs());
        weights.write_squares(&|panel, block| layer.square(panel, block));
        let own = &mut self.restored.0;
        own.bias[..layer.bias.len()].copy_from_slice(&layer.bias);
        own
    }

    /// x ↦ x W: from the gradient by what `layer` gives to that by what it reads.
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
    pub(super) fn read_output(&self, output: usize, target: &mut [f32]) {
        for (block, target) in target.chunks_mut(TILE_COLUMNS).enumerate() {
            let square = self.square(output / TILE_COLUMNS, block);
            target.iter_mut().zip(square).for_each(|(target, input)| *target = input[output % TILE_COLUMNS]);
        }
    }
}

/// `out = layer(x)`, or `out += …`, threads sharing the rows.
pub(super) fn multiply(layer: &Linear, x: ArrayView2<f32>, then: Then, out: ArrayViewMut2<f32>) {
    let rows = out.nrows();
    parallel::for_each_block(out, rows, &|first, mut out: ArrayViewMut2<f32>| {
        let x = Input::F32(x.slice(s![first..first + out.nrows(), ..]));
        layer.forward(x, then, out.as_slice_mut().expect("a block of rows is contiguous"));
    });
}

/// Calls `work(row, values)` for every row of `out`, threads sharing them.
pub(super) fn for_each_row(out: ArrayViewMut2<f32>, work: &(dyn Fn(usize, &mut [f32]) + Sync)) {
    let rows = out.nrows();
    parallel::for_each_block(out, rows, &|first, mut out: ArrayViewMut2<f32>| {
        for (row, mut values) in (first..).zip(out.rows_mut()) {
            work(row, values.as_slice_mut().expect("rows are contiguous"));
        }
    });
}

/// A row of a matrix whose rows are contiguous.
pub(super) fn row<'a>(matrix: &ArrayView2<'a, f32>, row: usize) -> &'a [f32] {
    matrix.slice_move(s![row, ..]).to_slice().expect("rows are contiguous")
}
