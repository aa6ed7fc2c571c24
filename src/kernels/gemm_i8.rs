//! Integer matrix product: signed 8-bit weights, signed 8-bit activations widened to 16 bits, exact 32-bit sums.
//!
//! The sums are exact whatever the order: |a| ≤ 128, |w| ≤ 128, so k up to 131,071 can't overflow an `i32` and every
//! backend returns the same integers. [`MAX_K`] is checked when a model is loaded.

use super::pack::PackedI8;
use super::{TILE_COLUMNS, TILE_ROWS};
use crate::simd::{I8x16, I16x8, I32x4};

/// The longest sum that can't overflow: MAX_K · 128 · 128 < 2³¹.
pub const MAX_K: usize = 131_071;

/// C = A Wᵀ in integers, handed tile row by tile row to `epilogue(row, column, lanes)`.
///
/// `a`: m rows of `w.pairs()` activation pairs (the odd last one padded with 0), values in −128..=127; `w`: `[n, k]`.
/// `lanes` are C[row, column..column + 8]; those at or past n are zero.
pub fn gemm_i8(a: &[[i16; 2]], w: &PackedI8, mut epilogue: impl FnMut(usize, usize, [I32x4; 2])) {
    let stride = w.pairs();
    assert!(stride > 0 && a.len().is_multiple_of(stride), "rows of activations have another length than the weights'");
    for (block, rows) in a.chunks(TILE_ROWS * stride).enumerate() {
        let first = block * TILE_ROWS;
        match rows.len() / stride {
            1 => tile_rows::<1>(rows, first, w, &mut epilogue),
            2 => tile_rows::<2>(rows, first, w, &mut epilogue),
            3 => tile_rows::<3>(rows, first, w, &mut epilogue),
            _ => tile_rows::<TILE_ROWS>(rows, first, w, &mut epilogue),
        }
    }
}

/// R rows, the first being row `first` of C, against every panel.
fn tile_rows<const R: usize>(
    a: &[[i16; 2]],
    first: usize,
    w: &PackedI8,
    epilogue: &mut impl FnMut(usize, usize, [I32x4; 2]),
) {
    let stride = w.pairs();
    let rows: [&[[i16; 2]]; R] = std::array::from_fn(|r| &a[r * stride..][..stride]);
    for (column, panel) in w.panels() {
        for (r, lanes) in micro_kernel(rows, panel).into_iter().enumerate() {
            epilogue(first + r, column, lanes);
        }
    }
}

/// R rows × 8 columns, all of k, two inputs a step.
#[inline(always)]
fn micro_kernel<const R: usize>(rows: [&[[i16; 2]]; R], panel: &[[i8; 2 * TILE_COLUMNS]]) -> [[I32x4; 2]; R] {
    let rows = rows.map(|row| &row[..panel.len()]);
    let mut sums = [[I32x4::splat(0); 2]; R];
    for (i, step) in panel.iter().enumerate() {
        let w = I8x16::load(step);
        let (low, high) = (w.low(), w.high());
        for (sums, row) in sums.iter_mut().zip(rows) {
            let x = I16x8::splat_pair(&row[i]);
            *sums = [sums[0] + x.dot(low), sums[1] + x.dot(high)];
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn product(a: &Array2<i8>, w: &Array2<i8>) -> Array2<i32> {
        let pairs: Vec<[i16; 2]> = a
            .rows()
            .into_iter()
            .flat_map(|row| {
                let row = row.to_vec();
                row.chunks(2).map(|c| [c[0].into(), c.get(1).copied().unwrap_or(0).into()]).collect::<Vec<_>>()
            })
            .collect();
        let mut c = Array2::zeros((a.nrows(), w.nrows()));
        gemm_i8(&pairs, &PackedI8::new(w.view()), |row, column, lanes| {
            let values = lanes.map(I32x4::to_array).concat();
            for (j, value) in values.into_iter().enumerate() {
                match c.get_mut([row, column + j]) {
                    Some(target) => *target = value,
                    None => assert_eq!(value, 0, "lanes past the last column are zero"),
                }
            }
        });
        c
    }

    fn naive(a: &Array2<i8>, w: &Array2<i8>) -> Array2<i32> {
        a.mapv(i32::from).dot(&w.mapv(i32::from).t())
    }

    /// The same test runs on native scalar, wasm scalar and wasm simd128: equal to the naive integers means equal to each other.
    #[test]
    fn same_integers_as_the_naive_product() {
        let mut rng = fastrand::Rng::with_seed(4);
        for m in 1..=9 {
            for n in 1..=17 {
                for k in [1, 2, 3, 4, 5, 8, 13, 31, 64] {
                    let a = Array2::from_shape_fn((m, k), |_| rng.i8(..));
                    let w = Array2::from_shape_fn((n, k), |_| rng.i8(..));
                    assert_eq!(product(&a, &w), naive(&a, &w), "{m} × {n} × {k}");
                }
            }
        }
    }

    /// The extremes, where a saturating 16-bit intermediate would show.
    #[test]
    fn extremes_do_not_saturate() {
        for (x, y) in [(-128, -128), (-128, 127), (127, 127)] {
            let a = Array2::from_elem((5, 3073), x);
            let w = Array2::from_elem((9, 3073), y);
            assert_eq!(product(&a, &w), naive(&a, &w));
        }
    }
}
