//! y = x Wᵀ + b, in f32 or in 8-bit integers.

use super::activations::Input;
use super::config::Precision;
use crate::alloc::{filled, matrix};
use crate::error::Result;
use crate::kernels::gelu::Gelu;
use crate::kernels::gemm_f32::{Sums, accumulate, gemm_f32, hand_over};
use crate::kernels::gemm_i8::{ColumnScale, Dequantize, gemm_i8};
use crate::kernels::pack::{PackedF32, PackedI8};
use crate::kernels::{Epilogue, TILE_COLUMNS, TILE_ROWS, Target, load_lanes, store_lanes};
use crate::quant::QuantizedMatrix;
use crate::simd::F32x4;
use ndarray::{Array2, ArrayView2};
use std::ops::Range;

/// A linear layer: weights `[out, in]`, packed once, and a bias `[out]`.
pub struct Linear {
    pub(super) matrix: Matrix,
    /// In lanes of a tile, zeros past the end.
    pub(super) bias: Vec<[f32; TILE_COLUMNS]>,
    pub(super) outputs: usize,
}

/// Packed weights.
pub enum Matrix {
    /// 32-bit floats.
    F32(PackedF32),
    /// 32-bit floats multiplied without fusing: the patches of an int8 model, whose answers are then the same bits in every engine.
    Unfused(PackedF32),
    /// 8-bit integers and what they stand for.
    Int8(PackedI8, Vec<ColumnScale>),
}

/// What happens to a result on its way out.
#[derive(Clone, Copy, PartialEq)]
pub enum Then {
    /// out = y
    Store,
    /// out = gelu(y)
    Gelu,
    /// out += y, the residual connection
    Add,
}

impl Matrix {
    /// Packs 32-bit weights `[out, in]`.
    pub fn f32(weights: ArrayView2<f32>) -> Result<Self> {
        Ok(Self::F32(PackedF32::new(weights)?))
    }

    /// The same, for products that are never fused.
    pub fn unfused(weights: ArrayView2<f32>) -> Result<Self> {
        Ok(Self::Unfused(PackedF32::new(weights)?))
    }

    /// Packs weights that stay in 32 bits. In an int8 model even these give the same bits everywhere.
    pub fn floats(weights: ArrayView2<f32>, precision: Precision) -> Result<Self> {
        match precision {
            Precision::F32 => Self::f32(weights),
            Precision::Int8 => Self::unfused(weights),
        }
    }

    /// Packs 8-bit weights, the rows of all `parts` one after another.
    pub fn int8(parts: &[QuantizedMatrix]) -> Result<Self> {
        let (outputs, inputs) = (parts.iter().map(|part| part.scales.len()).sum(), parts[0].values.ncols());
        let rows = parts.iter().flat_map(|part| part.values.rows());
        let packed = PackedI8::new(outputs, inputs, rows.map(|row| row.to_slice().expect("rows are contiguous")))?;
        let mut columns = filled("scales", &[outputs.div_ceil(TILE_COLUMNS)], ColumnScale::default())?;
        for (output, scale) in parts.iter().flat_map(|part| &part.scales).enumerate() {
            columns[output / TILE_COLUMNS].set_scale(output % TILE_COLUMNS, *scale);
        }
        packed.sums().zip(&mut columns).for_each(|(sums, columns)| columns.set_sums(sums));
        Ok(Self::Int8(packed, columns))
    }
}

impl Linear {
    /// A layer of `matrix` `[out, in]` and `bias` `[out]`.
    pub fn new(matrix: Matrix, bias: &[f32]) -> Self {
        let lane = |chunk: &[f32]| std::array::from_fn(|i| chunk.get(i).copied().unwrap_or(0.0));
        Self { matrix, bias: bias.chunks(TILE_COLUMNS).map(lane).collect(), outputs: bias.len() }
    }

    /// The form in which it wants its input.
    pub(super) fn precision(&self) -> Precision {
        match self.matrix {
            Matrix::F32(_) | Matrix::Unfused(_) => Precision::F32,
            Matrix::Int8(..) => Precision::Int8,
        }
    }

    /// Whether it is of an f32 model: in an int8 model what stays in floats is [`Matrix::Unfused`].
    pub(super) fn is_fused(&self) -> bool {
        matches!(self.matrix, Matrix::F32(_))
    }

    /// Rows that it takes as long for as for fewer: a multiple of them is best.
    pub(super) fn tile_rows(&self) -> usize {
        match self.precision() {
            Precision::F32 => TILE_ROWS,
            Precision::Int8 => 1,
        }
    }

    /// Outputs.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Weights `[out, in]`; integers as what they stand for.
    pub fn weights(&self) -> Result<Array2<f32>> {
        self.weights_of(0..self.outputs)
    }

    /// Those of some outputs `[n, in]`.
    pub fn weights_of(&self, outputs: impl ExactSizeIterator<Item = usize>) -> Result<Array2<f32>> {
        let mut weights = matrix("weights", outputs.len(), self.inputs())?;
        for (output, mut row) in outputs.zip(weights.rows_mut()) {
            self.read_output(output, row.as_slice_mut().expect("rows are contiguous"));
        }
        Ok(weights)
    }

    /// Inputs.
    pub(super) fn inputs(&self) -> usize {
        match &self.matrix {
            Matrix::F32(weights) | Matrix::Unfused(weights) => weights.k(),
            Matrix::Int8(weights, _) => weights.k(),
        }
    }

    /// What it makes of zeros.
    pub(super) fn write_bias(&self, out: &mut [f32]) {
        out.iter_mut().zip(self.bias.as_flattened()).for_each(|(out, bias)| *out = *bias);
    }

    /// Bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        let matrix = match &self.matrix {
            Matrix::F32(weights) | Matrix::Unfused(weights) => weights.bytes(),
            Matrix::Int8(weights, columns) => weights.bytes() + size_of_val(columns.as_slice()),
        };
        matrix + size_of_val(self.bias.as_slice())
    }

    /// `x`: `[rows, in]` in this layer's precision, `out`: `[rows, out]`.
    pub(super) fn forward(&self, x: Input<'_>, then: Then, out: &mut [f32]) {
        match x {
            Input::Sums { rows, sums } => self.finish(rows, sums, then == Then::Add, out),
            _ => self.forward_from(0, x, then, out),
        }
    }

    /// Writes `sums` of all inputs to `out` `[rows, out]`, or adds them to it, their bias with them.
    fn finish(&self, rows: usize, sums: &[Sums], add: bool, out: &mut [f32]) {
        let part = Part { outputs: 0..self.outputs, origin: 0 };
        let out = Target { values: out, stride: self.outputs, columns: self.outputs };
        let put = |target: &mut _, y| if add { add_lanes(target, y) } else { store_lanes(target, y) };
        hand_over(sums, rows, &mut Biased { part, out, bias: &self.bias, put });
    }

    /// The same from output `from` on; some before it may be written too, the others stay as they were.
    pub(super) fn forward_from(&self, from: usize, x: Input<'_>, then: Then, out: &mut [f32]) {
        self.forward_part(Part { outputs: from..self.outputs, origin: 0 }, x, then, out);
    }

    /// Of these outputs alone, the first being one of a tile's; `out`: `[rows, outputs]`.
    pub(super) fn forward_some(&self, outputs: Range<usize>, x: Input<'_>, then: Then, out: &mut [f32]) {
        assert!(outputs.start.is_multiple_of(TILE_COLUMNS), "a panel is multiplied whole");
        self.forward_part(Part { origin: outputs.start, outputs }, x, then, out);
    }

    fn forward_part(&self, part: Part, x: Input<'_>, then: Then, out: &mut [f32]) {
        // One closure a case: the choice is made once a call, and each GEMM is compiled with its epilogue inside.
        match then {
            Then::Store => self.product(part, x, out, store_lanes),
            Then::Gelu => {
                let gelu = Gelu::prepare();
                self.product(part, x, out, |target, y| store_lanes(target, y.map(|y| gelu.gelu(y))));
            }
            Then::Add => self.product(part, x, out, add_lanes),
        }
    }

    /// Goes on with the `sums` of as many rows as `x` `[rows, some of in]` has, from input `from` on: see `Input::Sums`.
    pub(super) fn accumulate(&self, x: ArrayView2<f32>, from: usize, sums: &mut [Sums]) {
        match &self.matrix {
            Matrix::F32(weights) => accumulate::<true>(x, weights, from, sums),
            Matrix::Unfused(weights) => accumulate::<false>(x, weights, from, sums),
            Matrix::Int8(..) => unreachable!("a row of integers has one scale, so it is known whole"),
        }
    }

    #[inline(always)]
    fn product(&self, part: Part, x: Input<'_>, out: &mut [f32], put: impl Fn(&mut [f32; TILE_COLUMNS], [F32x4; 2])) {
        let columns = part.outputs.end - part.origin;
        let out = Target { values: out, stride: columns, columns };
        let mut out = Biased { part, out, bias: &self.bias, put };
        match (&self.matrix, x) {
            (Matrix::F32(weights), Input::F32(x)) => gemm_f32::<true>(x, weights, &mut out),
            (Matrix::Unfused(weights), Input::F32(x)) => gemm_f32::<false>(x, weights, &mut out),
            (Matrix::Int8(weights, columns), Input::Int8(rows)) => {
                gemm_i8(rows, weights, &mut Dequantize { rows, columns, then: out });
            }
            _ => unreachable!("the input was made in this layer's precision"),
        }
    }
}

#[inline(always)]
fn add_lanes(target: &mut [f32; TILE_COLUMNS], y: [F32x4; 2]) {
    let before = load_lanes(target);
    store_lanes(target, [before[0] + y[0], before[1] + y[1]]);
}

/// Some of the outputs.
struct Part {
    outputs: Range<usize>,
    /// The one that is written first in a row.
    origin: usize,
}

/// Adds the bias and lets `put` write eight outputs of a row.
struct Biased<'a, P> {
    part: Part,
    out: Target<'a>,
    bias: &'a [[f32; TILE_COLUMNS]],
    put: P,
}

impl<P: Fn(&mut [f32; TILE_COLUMNS], [F32x4; 2])> Epilogue<F32x4> for Biased<'_, P> {
    fn outputs(&self) -> Range<usize> {
        self.part.outputs.clone()
    }

    #[inline(always)]
    fn rows(&mut self, first: usize, column: usize, sums: impl Iterator<Item = [F32x4; 2]>) {
        let Self { part, out, bias, put } = self;
        let bias = load_lanes(&bias[column / TILE_COLUMNS]);
        out.put(first, column - part.origin, sums.map(|y| [y[0] + bias[0], y[1] + bias[1]]), &*put);
    }
}
