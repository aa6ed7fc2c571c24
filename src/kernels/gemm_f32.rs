//! `f32` matrix product with packed weights.

use super::pack::{PackedF32, StepF32};
use super::{Epilogue, HELD_ROWS, TILE_COLUMNS, TILE_ROWS, load_lanes};
use crate::simd::F32x4;
use ndarray::ArrayView2;

/// Inputs that all rows are multiplied with before a panel goes on to the next ones: so much of it takes half of a first-level cache.
pub const BLOCK_INPUTS: usize = 768;

/// Of a row and eight outputs: see [`accumulate`].
pub type Sums = [F32x4; 2];

/// What they begin with.
#[inline(always)]
pub fn no_sums() -> Sums {
    [F32x4::splat(0.0); 2]
}

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
    let mut sums = [no_sums(); HELD_ROWS];
    for (column, panel) in w.panels(epilogue.outputs()) {
        for first in (0..a.nrows()).step_by(HELD_ROWS) {
            let sums = &mut sums[..HELD_ROWS.min(a.nrows() - first)];
            sums.fill(no_sums());
            go_on::<FUSED>(a, first, panel, sums);
            epilogue.rows(first, column, sums.iter().copied());
        }
    }
}

/// Goes on with sums `[panels, m]` of all of w's outputs, whose next inputs are `a` `[m, some of k]`, from input `from` on; rows contiguous.
///
/// For what comes in parts: whether all at once or part by part, the sums are the same bits. [`hand_over`] ends it.
#[inline(never)]
pub fn accumulate<const FUSED: bool>(a: ArrayView2<f32>, w: &PackedF32, from: usize, sums: &mut [Sums]) {
    for ((_, panel), sums) in w.panels(0..usize::MAX).zip(sums.chunks_exact_mut(a.nrows())) {
        go_on::<FUSED>(a, 0, &panel[from..][..a.ncols()], sums);
    }
}

/// Hands sums `[panels, m]` to `epilogue`.
#[inline(always)]
pub fn hand_over(sums: &[Sums], m: usize, epilogue: &mut impl Epilogue<F32x4>) {
    for (panel, sums) in sums.chunks_exact(m).enumerate() {
        epilogue.rows(0, panel * TILE_COLUMNS, sums.iter().copied());
    }
}

/// A sum for each row from `first` on, and all inputs of the panel. (A function of its own: in the module once, not with each epilogue.)
#[inline(never)]
fn go_on<const FUSED: bool>(a: ArrayView2<f32>, first: usize, panel: &[StepF32], sums: &mut [Sums]) {
    for (block, panel) in panel.chunks(BLOCK_INPUTS).enumerate() {
        multiply::<FUSED>(a, [first, block * BLOCK_INPUTS], panel, sums);
    }
}

/// The same of one block of inputs; `at`: the first row and the first input.
#[inline(never)]
fn multiply<const FUSED: bool>(a: ArrayView2<f32>, at: [usize; 2], panel: &[StepF32], sums: &mut [Sums]) {
    let [mut row, input] = at;
    // Not one row higher for what is left over, as in integers: LLVM holds all rows' inputs at once, and five leave V8 no register.
    // Such tiles ran at two fifths of the speed, and 25 rows with one of them at three quarters.
    for sums in sums.chunks_mut(TILE_ROWS) {
        match sums.len() {
            1 => tile::<1, FUSED>(a, [row, input], panel, sums),
            2 => tile::<2, FUSED>(a, [row, input], panel, sums),
            3 => tile::<3, FUSED>(a, [row, input], panel, sums),
            _ => tile::<TILE_ROWS, FUSED>(a, [row, input], panel, sums),
        }
        row += sums.len();
    }
}

/// R rows × 8 columns.
#[inline(always)]
fn tile<const R: usize, const FUSED: bool>(
    a: ArrayView2<f32>,
    [first, input]: [usize; 2],
    panel: &[StepF32],
    out: &mut [Sums],
) {
    let row = |r: usize| a.row(first + r).to_slice().expect("rows are contiguous");
    let rows: [&[f32]; R] = std::array::from_fn(|r| &row(r)[input..][..panel.len()]);
    // (Lane by lane: of whole sums LLVM makes a call that copies memory, at each tile, and a tenth of the speed at 192 inputs.)
    let out: &mut [Sums; R] = out.try_into().expect("a sum for each row");
    let mut sums: [Sums; R] = std::array::from_fn(|r| [out[r][0], out[r][1]]);
    for (i, step) in panel.iter().enumerate() {
        let w = load_lanes(&step.0);
        for (sums, row) in sums.iter_mut().zip(rows) {
            let x = F32x4::splat(row[i]);
            *sums = [0, 1].map(|i| if FUSED { x.mul_add(w[i], sums[i]) } else { x * w[i] + sums[i] });
        }
    }
    for (out, [low, high]) in out.iter_mut().zip(sums) {
        (out[0], out[1]) = (low, high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Target;
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

    fn bits(c: &Array2<f32>) -> Vec<u32> {
        c.iter().map(|x| x.to_bits()).collect()
    }

    /// Whatever the blocks: the sums of every row, and of more inputs than a block has, are those of a row alone, input by input.
    #[test]
    fn blocks_of_inputs_change_no_bit() {
        let mut rng = fastrand::Rng::with_seed(4);
        for k in [BLOCK_INPUTS - 1, BLOCK_INPUTS, BLOCK_INPUTS + 1, 2 * BLOCK_INPUTS + 5] {
            let (m, n) = (HELD_ROWS + 3, TILE_COLUMNS + 3);
            let a = Array2::from_shape_fn((m, k), |_| rng.f32() - 0.5);
            let w = Array2::from_shape_fn((n, k), |_| rng.f32() - 0.5);
            let naive = Array2::from_shape_fn((m, n), |(r, c)| {
                a.row(r).iter().zip(w.row(c)).fold(0.0, |sum: f32, (x, w)| x * w + sum)
            });
            assert_eq!(bits(&product::<false>(a.view(), &w)), bits(&naive), "{k} inputs");
        }
    }

    /// The same in parts of any sizes.
    #[test]
    fn parts_come_to_the_same_bits() {
        fn check<const FUSED: bool>(m: usize, n: usize, parts: &[usize]) {
            let mut rng = fastrand::Rng::with_seed(5);
            let k = parts.iter().sum();
            let a = Array2::from_shape_fn((m, k), |_| rng.f32() - 0.5);
            let w = Array2::from_shape_fn((n, k), |_| rng.f32() - 0.5);
            let packed = PackedF32::new(w.view()).unwrap();
            let (mut sums, mut from) = (vec![no_sums(); n.div_ceil(TILE_COLUMNS) * m], 0);
            for part in parts {
                accumulate::<FUSED>(a.slice(s![.., from..from + part]), &packed, from, &mut sums);
                from += part;
            }
            let mut c = Array2::zeros((m, n));
            hand_over(&sums, m, &mut Target { values: c.as_slice_mut().unwrap(), stride: n, columns: n });
            assert_eq!(bits(&c), bits(&product::<FUSED>(a.view(), &w)), "{m} × {n}, {parts:?}");
        }
        for m in [1, 2, 3, 4, 5, 7, HELD_ROWS, HELD_ROWS + 1] {
            for n in [1, TILE_COLUMNS, TILE_COLUMNS + 3] {
                for parts in [&[13][..], &[8, 8, 3], &[1, 5], &[BLOCK_INPUTS, BLOCK_INPUTS + 1, 2]] {
                    check::<true>(m, n, parts);
                    check::<false>(m, n, parts);
                }
            }
        }
    }

    /// Some of the outputs, as a slice of a hidden layer is made.
    #[test]
    fn some_panels_are_those_of_all() {
        struct Some<'a>(Target<'a>);
        impl Epilogue<F32x4> for Some<'_> {
            fn outputs(&self) -> std::ops::Range<usize> {
                8..21
            }
            fn rows(&mut self, first: usize, column: usize, sums: impl Iterator<Item = [F32x4; 2]>) {
                self.0.rows(first, column - 8, sums);
            }
        }
        let a = Array2::from_shape_fn((5, 9), |(r, c)| (r * 9 + c) as f32);
        let w = Array2::from_shape_fn((27, 9), |(r, c)| (r + 2 * c) as f32);
        let mut c = Array2::zeros((5, 13));
        let out = Target { values: c.as_slice_mut().unwrap(), stride: 13, columns: 13 };
        gemm_f32::<true>(a.view(), &PackedF32::new(w.view()).unwrap(), &mut Some(out));
        assert_eq!(c, product::<true>(a.view(), &w).slice(s![.., 8..21]));
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
