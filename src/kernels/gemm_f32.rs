//! `f32` matrix product with packed weights.

use super::pack::{PackedF32, StepF32};
use super::{Epilogue, HELD_ROWS, TILE_ROWS, hold, load_lanes};
use crate::simd::F32x4;
use ndarray::ArrayView2;

/// C = A Wᵀ, handed panel by panel to `epilogue`.
///
/// `a`: `[m, k]` with contiguous rows; `w`: `[n, k]`. Each output is one sum over k in index order, so it does not depend on m, n or
/// the tile it falls in. A panel of weights is multiplied with all rows before the next one is read.
///
/// `FUSED`: by a multiply-add that an engine may round once, where it has one; otherwise products and sums round each, and every
/// engine returns the same bits.
#[inline(never)]
pub fn gemm_f32<const FUSED: bool>(a: ArrayView2<f32>, w: &PackedF32, epilogue: &mut impl Epilogue<F32x4>) {
    assert_eq!(a.ncols(), w.k(), "inner dimensions differ");
    let mut sums = [[F32x4::splat(0.0); 2]; HELD_ROWS];
    for (column, panel) in w.panels(epilogue.from()) {
        let mut first = 0;
        while first < a.nrows() {
            let rows = multiply::<FUSED>(a, first, panel, &mut sums);
            epilogue.rows(first, column, sums[..rows].iter().copied());
            first += rows;
        }
    }
}

/// As many rows from `first` on as `sums` can hold × 8 columns; returns their number.
#[inline(never)]
fn multiply<const FUSED: bool>(
    a: ArrayView2<f32>,
    first: usize,
    panel: &[StepF32],
    sums: &mut [[F32x4; 2]; HELD_ROWS],
) -> usize {
    // Not one row higher for what is left over, as in integers: LLVM holds all rows' inputs at once, and five leave V8 no register.
    // Such tiles ran at two fifths of the speed, and 25 rows with one of them at three quarters.
    hold(
        first,
        a.nrows(),
        |rest| rest.min(TILE_ROWS),
        sums,
        |row, height, sums| match height {
            1 => sums.copy_from_slice(&tile::<1, FUSED>(a, row, panel)),
            2 => sums.copy_from_slice(&tile::<2, FUSED>(a, row, panel)),
            3 => sums.copy_from_slice(&tile::<3, FUSED>(a, row, panel)),
            _ => sums.copy_from_slice(&tile::<TILE_ROWS, FUSED>(a, row, panel)),
        },
    )
}

/// R rows × 8 columns, all of k.
#[inline(always)]
fn tile<const R: usize, const FUSED: bool>(a: ArrayView2<f32>, first: usize, panel: &[StepF32]) -> [[F32x4; 2]; R] {
    let row = |r: usize| a.row(first + r).to_slice().expect("rows are contiguous");
    let rows: [&[f32]; R] = std::array::from_fn(|r| &row(r)[..panel.len()]);
    let mut sums = [[F32x4::splat(0.0); 2]; R];
    for (i, step) in panel.iter().enumerate() {
        let w = load_lanes(&step.0);
        for (sums, row) in sums.iter_mut().zip(rows) {
            let x = F32x4::splat(row[i]);
            *sums = [0, 1].map(|i| if FUSED { x.mul_add(w[i], sums[i]) } else { x * w[i] + sums[i] });
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{TILE_COLUMNS, Target};
    use ndarray::{Array2, s};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn product<const FUSED: bool>(a: ArrayView2<f32>, w: &Array2<f32>) -> Array2<f32> {
        let (rows, columns) = (a.nrows(), w.nrows());
        let mut c = Array2::zeros((rows, columns));
        let values = c.as_slice_mut().unwrap();
        let packed = PackedF32::new(w.view()).unwrap();
        gemm_f32::<FUSED>(a, &packed, &mut Target { values, stride: columns, columns });
        c
    }

    /// Every remainder of the tile in all three dimensions.
    #[test]
    fn equals_the_naive_product() {
        let mut rng = fastrand::Rng::with_seed(3);
        for m in (1..=2 * TILE_ROWS + 3).chain([HELD_ROWS, 2 * HELD_ROWS + 7]) {
            for n in 1..=2 * TILE_COLUMNS + 1 {
                for k in [1, 2, 3, 4, 5, 8, 13, 31] {
                    let a = Array2::from_shape_fn((m, k), |_| rng.f32() - 0.5);
                    let w = Array2::from_shape_fn((n, k), |_| rng.f32() - 0.5);
                    for c in [product::<true>(a.view(), &w), product::<false>(a.view(), &w)] {
                        let difference = (&c - &a.dot(&w.t())).mapv(f32::abs);
                        assert!(difference.iter().all(|d| *d < 1e-5), "{m} × {n} × {k}: {difference}");
                    }
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
        assert_eq!(product::<true>(a, &w), a.dot(&w.t()));
    }
}
