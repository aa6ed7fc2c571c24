//! `f32` matrix product with packed weights.

use super::pack::PackedF32;
use super::{TILE_COLUMNS, TILE_ROWS};
use crate::simd::F32x4;
use ndarray::{ArrayView2, s};

/// C = A Wᵀ, handed tile row by tile row to `epilogue(row, column, lanes)`.
///
/// `a`: `[m, k]` with contiguous rows; `w`: `[n, k]`. `lanes` are C[row, column..column + 8]; those at or past n are zero.
/// Each output is one sum over k in index order, so it does not depend on m, n or the tile it falls in.
pub fn gemm_f32(a: ArrayView2<f32>, w: &PackedF32, mut epilogue: impl FnMut(usize, usize, [F32x4; 2])) {
    assert_eq!(a.ncols(), w.k(), "inner dimensions differ");
    for first in (0..a.nrows()).step_by(TILE_ROWS) {
        match a.nrows() - first {
            1 => tile_rows::<1>(a, first, w, &mut epilogue),
            2 => tile_rows::<2>(a, first, w, &mut epilogue),
            3 => tile_rows::<3>(a, first, w, &mut epilogue),
            _ => tile_rows::<TILE_ROWS>(a, first, w, &mut epilogue),
        }
    }
}

/// Rows `first..first + R` against every panel.
fn tile_rows<const R: usize>(
    a: ArrayView2<f32>,
    first: usize,
    w: &PackedF32,
    epilogue: &mut impl FnMut(usize, usize, [F32x4; 2]),
) {
    let block = a.slice(s![first..first + R, ..]);
    let rows: [&[f32]; R] = std::array::from_fn(|r| block.row(r).to_slice().expect("rows are contiguous"));
    for (column, panel) in w.panels() {
        for (r, lanes) in micro_kernel(rows, panel).into_iter().enumerate() {
            epilogue(first + r, column, lanes);
        }
    }
}

/// R rows × 8 columns, all of k.
#[inline(always)]
fn micro_kernel<const R: usize>(rows: [&[f32]; R], panel: &[[f32; TILE_COLUMNS]]) -> [[F32x4; 2]; R] {
    let rows = rows.map(|row| &row[..panel.len()]);
    let mut sums = [[F32x4::splat(0.0); 2]; R];
    for (i, step) in panel.iter().enumerate() {
        let (halves, _) = step.as_chunks::<4>();
        let w = [F32x4::load(&halves[0]), F32x4::load(&halves[1])];
        for (sums, row) in sums.iter_mut().zip(rows) {
            let x = F32x4::splat(row[i]);
            *sums = [sums[0] + x * w[0], sums[1] + x * w[1]];
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::store_lanes;
    use ndarray::Array2;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Every remainder of the tile in all three dimensions.
    #[test]
    fn equals_the_naive_product() {
        let mut rng = fastrand::Rng::with_seed(3);
        for m in 1..=9 {
            for n in 1..=17 {
                for k in [1, 2, 3, 4, 5, 8, 13, 31] {
                    let a = Array2::from_shape_fn((m, k), |_| rng.f32() - 0.5);
                    let w = Array2::from_shape_fn((n, k), |_| rng.f32() - 0.5);
                    let mut c = Array2::zeros((m, n));
                    gemm_f32(a.view(), &PackedF32::new(w.view()), |row, column, lanes| {
                        store_lanes(c.row_mut(row).into_slice().unwrap(), column, lanes);
                    });
                    let difference = (&c - &a.dot(&w.t())).mapv(f32::abs);
                    assert!(difference.iter().all(|d| *d < 1e-5), "{m} × {n} × {k}: {difference}");
                }
            }
        }
    }

    /// Attention multiplies slices of the qkv rows: a row stride larger than the row must not leak neighbours in.
    #[test]
    fn reads_strided_rows() {
        let wide = Array2::from_shape_fn((5, 12), |(r, c)| (r * 12 + c) as f32);
        let a = wide.slice(s![.., 4..8]);
        let w = Array2::from_shape_fn((3, 4), |(r, c)| (r + 2 * c) as f32);
        let mut c = Array2::zeros((5, 3));
        gemm_f32(a, &PackedF32::new(w.view()), |row, column, lanes| {
            store_lanes(c.row_mut(row).into_slice().unwrap(), column, lanes);
        });
        assert_eq!(c, a.dot(&w.t()));
    }
}
