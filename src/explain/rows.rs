//! Rows of matrices as slices. (ndarray's own reductions and zips compile to many times the code.)

use crate::kernels::rows::add_scaled;
use ndarray::ArrayView2;

/// The rows of a matrix whose rows are contiguous.
pub(super) fn rows<'a>(matrix: ArrayView2<'a, f32>) -> impl DoubleEndedIterator<Item = &'a [f32]> + ExactSizeIterator {
    matrix.into_outer_iter().map(|row| row.to_slice().expect("rows are contiguous"))
}

/// The mean of the rows, element by element.
pub fn mean(matrix: ArrayView2<f32>) -> Vec<f32> {
    let mut mean = vec![0.0; matrix.ncols()];
    let share = 1.0 / matrix.nrows() as f32;
    rows(matrix).for_each(|row| add_scaled(&mut mean, 1.0, row));
    mean.iter_mut().for_each(|sum| *sum *= share);
    mean
}
