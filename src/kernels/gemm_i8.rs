//! Integer matrix product: 7-bit activations, signed 8-bit weights, exact 32-bit sums.
//!
//! The sums are exact whatever the order: 0 ≤ a ≤ 127 and |w| ≤ 128, so k up to 131,071 can't overflow an `i32` and every
//! backend returns the same integers. [`MAX_K`] is checked when a model is loaded.

use super::pack::{Aligned, PackedI8, PanelI8};
use super::quantize::QuantizedRows;
use super::{Epilogue, HELD_ROWS, TILE_COLUMNS, hold, load_lanes, tile_height};
use crate::simd::{F32x4, I32x4, WeightStep};
use std::ops::Range;

/// The longest sum that can't overflow: MAX_K · 127 · 128 < 2³¹.
pub const MAX_K: usize = 131_071;

/// C = A Wᵀ in integers, handed panel by panel to `epilogue`.
///
/// `a`: `[m, k]`; `w`: `[n, k]`. A panel of weights is multiplied with all rows while it is in the first-level cache, so m should be
/// small enough (some dozen rows) for the rows to stay near as well.
#[inline(never)]
pub fn gemm_i8(a: &QuantizedRows, w: &PackedI8, epilogue: &mut impl Epilogue<I32x4>) {
    assert!(a.steps() == w.steps(), "rows of activations have another length than the weights'");
    let mut sums = [[I32x4::splat(0); 2]; HELD_ROWS];
    for (column, panel) in w.panels(epilogue.outputs()) {
        let mut first = 0;
        while first < a.rows() {
            let rows = multiply(a, first, panel, &mut sums);
            epilogue.rows(first, column, sums[..rows].iter().copied());
            first += rows;
        }
    }
}

/// As many rows from `first` on as `sums` can hold × 8 columns; returns their number.
#[inline(never)]
fn multiply(a: &QuantizedRows, first: usize, panel: PanelI8<'_>, sums: &mut [[I32x4; 2]; HELD_ROWS]) -> usize {
    hold(
        first,
        a.rows(),
        |rest| tile_height(rest, a.tile_rows()),
        sums,
        |row, height, sums| match height {
            1 => sums.copy_from_slice(&tile::<1>(a, row, panel)),
            3 => sums.copy_from_slice(&tile::<3>(a, row, panel)),
            4 => sums.copy_from_slice(&tile::<4>(a, row, panel)),
            5 => sums.copy_from_slice(&tile::<5>(a, row, panel)),
            _ => unreachable!("tiles have 3 or 4 rows, or one more"),
        },
    )
}

/// R rows × 8 columns, all of k.
#[inline(always)]
fn tile<const R: usize>(a: &QuantizedRows, first: usize, panel: PanelI8<'_>) -> [[I32x4; 2]; R] {
    let PanelI8 { steps, two_steps, extra, places } = panel;
    let rows = &a.tile::<R>(first)[..steps.len()];
    let mut sums = [[I32x4::splat(0); 2]; R];

    // Exact integers: however the steps are put together, the sums are the same.
    let (pairs, _) = steps.as_chunks::<2>();
    let pairs = if two_steps { pairs } else { &[] };
    for (pair, x) in pairs.iter().zip(rows.as_chunks::<2>().0) {
        let w = [WeightStep::load(&pair[0].0), WeightStep::load(&pair[1].0)];
        for r in 0..R {
            sums[r] = WeightStep::dot_two(w, [&x[0][r], &x[1][r]], sums[r]);
        }
    }
    let mut one_step = |step: &Aligned<_>, x: &[_; R]| {
        let w = WeightStep::load(&step.0);
        for r in 0..R {
            sums[r] = w.dot(&x[r], sums[r]);
        }
    };
    for (step, place) in extra.iter().zip(places) {
        one_step(step, &rows[usize::from(*place)]);
    }
    // (Slices, since a loop that skips asks in every step whether it still has to.)
    let done = 2 * pairs.len();
    for (step, x) in steps[done..].iter().zip(&rows[done..]) {
        one_step(step, x);
    }
    sums
}

/// What the integers of 8 outputs stand for: w = scale · q.
#[derive(Clone, Debug, Default)]
pub struct ColumnScale {
    scales: [f32; TILE_COLUMNS],
    /// Σ q over the inputs: what an activation's offset is multiplied with.
    sums: [f32; TILE_COLUMNS],
}

impl ColumnScale {
    /// Sets the scale of output `lane`.
    pub fn set_scale(&mut self, lane: usize, scale: f32) {
        self.scales[lane] = scale;
    }

    /// The scales of the 8 outputs.
    pub(super) fn scales(&self) -> &[f32; TILE_COLUMNS] {
        &self.scales
    }

    /// Sets Σ q over the inputs.
    pub fn set_sums(&mut self, sums: [i32; TILE_COLUMNS]) {
        self.sums = sums.map(|sum| sum as f32);
    }
}

/// Turns integer sums into floats and hands them on.
///
/// x ≈ o + s q and w ≈ t u, so Σ x w ≈ t (s Σ q u + o Σ u).
pub struct Dequantize<'a, E> {
    /// The activations that were multiplied.
    pub rows: &'a QuantizedRows,
    /// Of the weights, 8 outputs each.
    pub columns: &'a [ColumnScale],
    /// Who gets the floats.
    pub then: E,
}

impl<E: Epilogue<F32x4>> Epilogue<I32x4> for Dequantize<'_, E> {
    fn outputs(&self) -> Range<usize> {
        self.then.outputs()
    }

    #[inline(always)]
    fn rows(&mut self, first: usize, column: usize, sums: impl Iterator<Item = [I32x4; 2]>) {
        let ColumnScale { scales, sums: weights } = &self.columns[column / TILE_COLUMNS];
        let (scales, weights) = (load_lanes(scales), load_lanes(weights));
        let values = sums.zip(&self.rows.scales()[first..]).map(|(sums, row)| {
            let (scale, offset) = (F32x4::splat(row.scale), F32x4::splat(row.offset));
            [0, 1].map(|i| scales[i] * (scale * sums[i].to_f32() + offset * weights[i]))
        });
        self.then.rows(first, column, values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Keeps the integers; lanes past the last column must be zero.
    struct Keep(Array2<i32>);

    impl Epilogue<I32x4> for Keep {
        fn rows(&mut self, first: usize, column: usize, sums: impl Iterator<Item = [I32x4; 2]>) {
            for (r, lanes) in sums.enumerate() {
                let values = lanes.map(I32x4::to_array).concat();
                for (j, value) in values.into_iter().enumerate() {
                    match self.0.get_mut([first + r, column + j]) {
                        Some(target) => *target = value,
                        None => assert_eq!(value, 0, "lanes past the last column are zero"),
                    }
                }
            }
        }
    }

    /// Rows that quantise to exactly these integers: each is made to span 0..=127 by two more values, against weights of zero.
    fn product(a: &Array2<u8>, w: &Array2<i8>) -> Array2<i32> {
        let (m, k) = a.dim();
        let mut rows = QuantizedRows::default();
        rows.reset(m, k + 2);
        for r in 0..m {
            let mut x: Vec<f32> = a.row(r).iter().map(|q| f32::from(*q)).collect();
            x.extend([0.0, 127.0]);
            rows.write(r, &x);
        }
        let mut wide = Array2::zeros((w.nrows(), k + 2));
        wide.slice_mut(ndarray::s![.., ..k]).assign(w);
        let mut c = Keep(Array2::zeros((m, w.nrows())));
        let mut packed = PackedI8::zeros(wide.nrows(), wide.ncols()).unwrap();
        (0..wide.nrows()).for_each(|output| packed.write_output(output, &wide.row(output).to_vec()));
        gemm_i8(&rows, &packed, &mut c);
        let one_by_one = std::mem::replace(&mut c.0, Array2::zeros((m, w.nrows())));
        packed.make_pairs_fit().unwrap();
        gemm_i8(&rows, &packed, &mut c);
        assert_eq!(c.0, one_by_one, "two steps at once");
        one_by_one
    }

    fn naive(a: &Array2<u8>, w: &Array2<i8>) -> Array2<i32> {
        a.mapv(i32::from).dot(&w.mapv(i32::from).t())
    }

    /// The same test runs on every backend: equal to the naive integers means equal to each other.
    #[test]
    fn same_integers_as_the_naive_product() {
        let mut rng = fastrand::Rng::with_seed(4);
        for m in (1..=11).chain([HELD_ROWS - 1, HELD_ROWS, HELD_ROWS + 1, 2 * HELD_ROWS + 7]) {
            for n in 1..=2 * TILE_COLUMNS + 1 {
                for k in [1, 2, 3, 4, 5, 8, 13, 31, 64] {
                    let a = Array2::from_shape_fn((m, k), |_| rng.u8(..=127));
                    let w = Array2::from_shape_fn((n, k), |_| rng.i8(..));
                    assert_eq!(product(&a, &w), naive(&a, &w), "{m} × {n} × {k}");
                }
            }
        }
    }

    /// The extremes, where a saturating 16-bit intermediate would show.
    #[test]
    fn extremes_do_not_saturate() {
        for weight in [-128, 127] {
            let a = Array2::from_elem((5, 3073), 127);
            let w = Array2::from_elem((9, 3073), weight);
            assert_eq!(product(&a, &w), naive(&a, &w));
        }
    }
}
