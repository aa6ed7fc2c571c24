//! Principal components of the rows of a matrix.

use super::eigen::leading_eigenvectors;
use crate::alloc::zeros;
use crate::error::Result;
use crate::kernels::dot::dot;
use crate::kernels::gemm_f32::gemm_f32;
use crate::kernels::pack::PackedF32;
use crate::kernels::{Epilogue, Target, store_lanes};
use crate::simd::F32x4;
use ndarray::{Array2, ArrayView2, Axis};

/// The first principal components of a set of rows.
pub(super) struct Principal {
    /// `[count, D]`: directions of unit length, the largest element of each positive. Zeros where the rows have no more directions.
    pub loadings: Array2<f32>,
    /// `[n, count]`: the centred rows along these.
    pub scores: Array2<f32>,
}

impl Principal {
    /// Of `rows` `[n, D]`.
    ///
    /// The directions are eigenvectors of XᵀX, X being the centred rows, and with an eigenvector u of XXᵀ so is Xᵀu: the smaller of the two
    /// products is made, and few of its eigenvectors are asked for.
    pub fn new(mut rows: Array2<f32>, count: usize) -> Result<Self> {
        rows -= &rows.mean_axis(Axis(0)).expect("there are rows");
        let (n, width) = rows.dim();
        let vectors = if n <= width {
            leading_eigenvectors(&gram(rows.view())?, count)
        } else {
            leading_eigenvectors(&gram(rows.t().as_standard_layout().view())?, count)
        };
        let mut loadings = Array2::zeros((count, width));
        for (index, vector) in vectors.iter().enumerate() {
            let (before, mut own) = loadings.view_mut().split_at(Axis(0), index);
            let own = own.as_slice_mut().expect("it is contiguous").split_at_mut(width).0;
            if n <= width {
                vector.iter().enumerate().for_each(|(row, u)| add(own, *u as f32, row_of(&rows, row)));
            } else {
                own.iter_mut().zip(vector).for_each(|(own, value)| *own = *value as f32);
            }
            // Rounding left something of the stronger ones.
            for other in before.as_slice().expect("it is contiguous").chunks_exact(width) {
                add(own, -dot(own, other), other);
            }
            normalise(own);
        }
        let scores =
            Array2::from_shape_fn((n, count), |(row, component)| dot(row_of(&rows, row), row_of(&loadings, component)));
        Ok(Self { loadings, scores })
    }
}

fn row_of(matrix: &Array2<f32>, row: usize) -> &[f32] {
    let width = matrix.ncols();
    &matrix.as_slice().expect("it is contiguous")[row * width..][..width]
}

/// `target += factor · x`
fn add(target: &mut [f32], factor: f32, x: &[f32]) {
    target.iter_mut().zip(x).for_each(|(target, x)| *target += factor * x);
}

/// Unit length, the largest element positive; nothing stays nothing.
fn normalise(direction: &mut [f32]) {
    let length = dot(direction, direction).sqrt();
    let largest = direction.iter().fold(0.0f32, |largest, x| if x.abs() > largest.abs() { *x } else { largest });
    let scale = if length > 0.0 { largest.signum() / length } else { 0.0 };
    direction.iter_mut().for_each(|x| *x *= scale);
}

/// X Xᵀ `[n, n]`.
fn gram(x: ArrayView2<f32>) -> Result<Array2<f32>> {
    let n = x.nrows();
    let mut values = zeros("inner products", &[n, n])?;
    let out = Target { values: &mut values, stride: n, columns: n };
    gemm_f32::<true>(x, &PackedF32::new(x)?, &mut Store(out));
    Ok(Array2::from_shape_vec((n, n), values).expect("the buffer has this size"))
}

struct Store<'a>(Target<'a>);

impl Epilogue<F32x4> for Store<'_> {
    #[inline(always)]
    fn rows(&mut self, first: usize, column: usize, sums: impl Iterator<Item = [F32x4; 2]>) {
        self.0.rows(first, column, sums, store_lanes);
    }
}
