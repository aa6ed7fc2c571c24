//! `f32` matrix product with packed weights.

use super::pack::{Aligned, PackedF32};
use super::{Epilogue, TILE_COLUMNS, TILE_ROWS, load_lanes, tiles};
use crate::simd::F32x4;
use ndarray::ArrayView2;

/// C = A Wᵀ, handed tile by tile to `epilogue`.
///
/// `a`: `[m, k]` with contiguous rows; `w`: `[n, k]`. Each output is one sum over k in index order, so it does not depend on m, n or
/// the tile it falls in. A panel of weights is multiplied with all rows before the next one is read.
pub fn gemm_f32(a: ArrayView2<f32>, w: &PackedF32, epilogue: &mut impl Epilogue<F32x4>) {
    assert_eq!(a.ncols(), w.k(), "inner dimensions differ");
    for (column, panel) in w.panels() {
        for (first, height) in tiles(a.nrows()) {
            match height {
                1 => epilogue.tile::<1>(first, column, tile(a, first, panel)),
                TILE_ROWS => epilogue.tile::<TILE_ROWS>(first, column, tile(a, first, panel)),
                _ => epilogue.tile::<{ TILE_ROWS + 1 }>(first, column, tile(a, first, panel)),
            }
        }
    }
}

/// R rows × 8 columns, all of k; a function of its own for the reason that `gemm_i8` gives.
#[inline(never)]
fn tile<const R: usize>(a: ArrayView2<f32>, first: usize, panel: &[Aligned<[f32; TILE_COLUMNS]>]) -> [[F32x4; 2]; R] {
    let row = |r: usize| a.row(first + r).to_slice().expect("rows are contiguous");
    let rows: [&[f32]; R] = std::array::from_fn(|r| &row(r)[..panel.len()]);
    let mut sums = [[F32x4::splat(0.0); 2]; R];
    for (i, step) in panel.iter().enumerate() {
        let w = load_lanes(&step.0);
        for (sums, row) in sums.iter_mut().zip(rows) {
            let x = F32x4::splat(row[i]);
            *sums = [x.mul_add(w[0], sums[0]), x.mul_add(w[1], sums[1])];
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Target, store_lanes};
    use ndarray::{Array2, s};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    struct Keep<'a>(Target<'a>);

    impl Epilogue<F32x4> for Keep<'_> {
        fn tile<const R: usize>(&mut self, row: usize, column: usize, sums: [[F32x4; 2]; R]) {
            self.0.tile::<R>(row, column, |r, target| store_lanes(target, sums[r]));
        }
    }

    fn product(a: ArrayView2<f32>, w: &Array2<f32>) -> Array2<f32> {
        let (rows, columns) = (a.nrows(), w.nrows());
        let mut c = Array2::zeros((rows, columns));
        let values = c.as_slice_mut().unwrap();
        let packed = PackedF32::new(w.view()).unwrap();
        gemm_f32(a, &packed, &mut Keep(Target { values, stride: columns, columns }));
        c
    }

    /// Every remainder of the tile in all three dimensions.
    #[test]
    fn equals_the_naive_product() {
        let mut rng = fastrand::Rng::with_seed(3);
        for m in 1..=2 * TILE_ROWS + 3 {
            for n in 1..=2 * TILE_COLUMNS + 1 {
                for k in [1, 2, 3, 4, 5, 8, 13, 31] {
                    let a = Array2::from_shape_fn((m, k), |_| rng.f32() - 0.5);
                    let w = Array2::from_shape_fn((n, k), |_| rng.f32() - 0.5);
                    let c = product(a.view(), &w);
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
        assert_eq!(product(a, &w), a.dot(&w.t()));
    }
}
