//! y = x Wᵀ + b, in f32 or in 8-bit integers.

use crate::kernels::gelu::gelu;
use crate::kernels::gemm_f32::gemm_f32;
use crate::kernels::gemm_i8::gemm_i8;
use crate::kernels::pack::{PackedF32, PackedI8};
use crate::kernels::quantize::quantize_row;
use crate::kernels::{TILE_COLUMNS, load_lanes, row_of, store_lanes};
use crate::quant::QuantizedMatrix;
use crate::simd::{F32x4, I32x4};
use ndarray::{ArrayView2, ArrayViewMut2};

/// A linear layer: weights `[out, in]`, packed once, and a bias `[out]`.
pub struct Linear {
    matrix: Matrix,
    /// In lanes of a tile, zeros past the end.
    bias: Vec<[f32; TILE_COLUMNS]>,
}

/// Packed weights.
pub enum Matrix {
    /// 32-bit floats.
    F32(PackedF32),
    /// 8-bit integers and one scale an output, in lanes of a tile.
    Int8(PackedI8, Vec<[f32; TILE_COLUMNS]>),
}

/// A token's activations in 8 bits: the int8 matrices' left operand.
#[derive(Default)]
pub struct QuantizedRows {
    /// `[rows, ⌈in / 2⌉]` pairs.
    pairs: Vec<[i16; 2]>,
    /// `[rows]`.
    scales: Vec<f32>,
}

impl QuantizedRows {
    /// Room for `rows` rows of `width` values, so that no forward pass allocates.
    pub fn with_capacity(rows: usize, width: usize) -> crate::error::Result<Self> {
        Ok(Self {
            pairs: crate::alloc::reserve("quantised activations", &[rows, width.div_ceil(2)])?,
            scales: crate::alloc::reserve("activation scales", &[rows])?,
        })
    }

    fn fill(&mut self, x: ArrayView2<f32>) {
        let stride = x.ncols().div_ceil(2);
        self.pairs.resize(x.nrows() * stride, [0; 2]);
        self.scales.clear();
        for (row, pairs) in x.rows().into_iter().zip(self.pairs.chunks_exact_mut(stride)) {
            self.scales.push(quantize_row(row.to_slice().expect("rows are contiguous"), pairs));
        }
    }
}

/// What happens to a result on its way out.
#[derive(Clone, Copy)]
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
    pub fn f32(weights: ArrayView2<f32>) -> Self {
        Self::F32(PackedF32::new(weights))
    }

    /// Packs 8-bit weights.
    pub fn int8(weights: &QuantizedMatrix) -> Self {
        Self::Int8(PackedI8::new(weights.values.view()), lanes(weights.scales.as_slice().expect("contiguous")))
    }
}

impl Linear {
    /// A layer of `matrix` `[out, in]` and `bias` `[out]`.
    pub fn new(matrix: Matrix, bias: &[f32]) -> Self {
        Self { matrix, bias: lanes(bias) }
    }

    /// `x`: `[rows, in]`, `out`: `[rows, out]`. `quantized` is scratch for the int8 form.
    pub fn forward(&self, x: ArrayView2<f32>, quantized: &mut QuantizedRows, then: Then, mut out: ArrayViewMut2<f32>) {
        // One closure a case: the choice is made once a call, and each GEMM is compiled with its epilogue inside.
        match then {
            Then::Store => self.product(x, quantized, |row, column, y| {
                store_lanes(row_of(&mut out, row), column, y);
            }),
            Then::Gelu => self.product(x, quantized, |row, column, y| {
                store_lanes(row_of(&mut out, row), column, y.map(gelu));
            }),
            Then::Add => self.product(x, quantized, |row, column, y| {
                let row = row_of(&mut out, row);
                let before = read_lanes(&row[column..]);
                store_lanes(row, column, [before[0] + y[0], before[1] + y[1]]);
            }),
        }
    }

    /// x Wᵀ + b, eight outputs of a row at a time.
    #[inline(always)]
    fn product(
        &self,
        x: ArrayView2<f32>,
        quantized: &mut QuantizedRows,
        mut epilogue: impl FnMut(usize, usize, [F32x4; 2]),
    ) {
        let bias = |column: usize| load_lanes(&self.bias[column / TILE_COLUMNS]);
        match &self.matrix {
            Matrix::F32(weights) => gemm_f32(x, weights, |row, column, sums| {
                let b = bias(column);
                epilogue(row, column, [sums[0] + b[0], sums[1] + b[1]]);
            }),
            Matrix::Int8(weights, scales) => {
                quantized.fill(x);
                gemm_i8(&quantized.pairs, weights, |row, column, sums| {
                    let token_scale = F32x4::splat(quantized.scales[row]);
                    let row_scales = load_lanes(&scales[column / TILE_COLUMNS]);
                    let (b, sums) = (bias(column), sums.map(I32x4::to_f32));
                    let y = |i: usize| sums[i] * (token_scale * row_scales[i]) + b[i];
                    epilogue(row, column, [y(0), y(1)]);
                });
            }
        }
    }
}

/// The next eight values of `row`, zeros past its end.
fn read_lanes(row: &[f32]) -> [F32x4; 2] {
    match row.first_chunk() {
        Some(chunk) => load_lanes(chunk),
        None => {
            let mut padded = [0.0; TILE_COLUMNS];
            padded[..row.len()].copy_from_slice(row);
            load_lanes(&padded)
        }
    }
}

/// `values` in lanes of a tile, zeros past the end.
fn lanes(values: &[f32]) -> Vec<[f32; TILE_COLUMNS]> {
    let lane = |chunk: &[f32]| std::array::from_fn(|i| chunk.get(i).copied().unwrap_or(0.0));
    values.chunks(TILE_COLUMNS).map(lane).collect()
}
