//! Principal components of the rows of a matrix.

use super::eigen::leading_eigenvectors;
use super::rows::{mean, rows};
use crate::alloc::{matrix, room};
use crate::error::Result;
use crate::kernels::Target;
use crate::kernels::dot::dot;
use crate::kernels::gemm_f32::gemm_f32;
use crate::kernels::pack::PackedF32;
use crate::kernels::rows::add_scaled;
use ndarray::{Array2, ArrayView2};

/// The first principal components of a set of rows.
pub(super) struct Principal {
    /// `[count, D]`: directions of unit length, the largest element of each positive. Zeros where the rows have no more directions.
    pub loadings: Array2<f32>,
    /// `[n, count]`: the centred rows along these.
    pub scores: Array2<f32>,
}

impl Principal {
    /// Of the rows of `x` `[n, D]`.
    ///
    /// The directions are eigenvectors of XᵀX, X being `x` with its rows centred, and with an eigenvector u of XXᵀ so is Xᵀu: the smaller of the two
    /// products is made, and few of its eigenvectors are asked for.
    pub fn new(mut x: Array2<f32>, count: usize) -> Result<Self> {
        let (n, width) = x.dim();
        let mean = mean(x.view());
        x.as_slice_mut()
            .expect("it is contiguous")
            .chunks_exact_mut(width)
            .for_each(|row| add_scaled(row, -1.0, &mean));
        let wide = n <= width;
        room("principal components", &[n, width, size_of::<f32>()])?; // for what is turned below
        let vectors = if wide {
            leading_eigenvectors(&gram(x.view())?, count)
        } else {
            leading_eigenvectors(&gram(Array2::from_shape_fn((width, n), |(d, row)| x[[row, d]]).view())?, count)
        };

        let mut loadings = matrix("principal components", count, width)?;
        for (index, vector) in vectors.iter().enumerate() {
            let (before, own) = loadings.as_slice_mut().expect("it is contiguous").split_at_mut(index * width);
            let own = &mut own[..width];
            if wide {
                rows(x.view()).zip(vector).for_each(|(row, u)| add_scaled(own, *u as f32, row));
            } else {
                own.iter_mut().zip(vector).for_each(|(own, value)| *own = *value as f32);
            }
            // Rounding left something of the stronger ones.
            for other in before.chunks_exact(width) {
                let along = dot(own, other);
                add_scaled(own, -along, other);
            }
            normalise(own);
        }
        let scores =
            rows(x.view()).flat_map(|row| rows(loadings.view()).map(move |loading| dot(row, loading))).collect();
        let scores = Array2::from_shape_vec((n, count), scores).expect("a score for each");
        Ok(Self { loadings, scores })
    }
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
    let mut products = matrix("inner products", n, n)?;
    let values = products.as_slice_mut().expect("it is contiguous");
    gemm_f32::<true>(x, &PackedF32::new(x)?, &mut Target { values, stride: n, columns: n });
    Ok(products)
}
