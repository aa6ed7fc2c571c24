//! Integer matrix product: 7-bit activations, signed 8-bit weights, exact 32-bit sums.
//!
//! The sums are exact whatever the order: 0 ≤ a ≤ 127 and |w| ≤ 128, so k up to 131,071 can't overflow an `i32` and every
//! backend returns the same integers. [`MAX_K`] is checked when a model is loaded.

use super::pack::{PackedI8, PanelI8};
use super::quantize::QuantizedRows;
use super::{Epilogue, TILE_COLUMNS, TILE_ROWS, load_lanes, tile_height};
use crate::simd::{Activation, DEPTH, F32x4, I32x4, WeightStep};

/// The longest sum that can't overflow: MAX_K · 127 · 128 < 2³¹.
pub const MAX_K: usize = 131_071;

/// C = A Wᵀ in integers, handed tile by tile to `epilogue`.
///
/// `a`: `[m, k]`; `w`: `[n, k]`. A panel of weights is multiplied with all rows while it is in the first-level cache, so m should be
/// small enough (some dozen rows) for the rows to stay near as well.
pub fn gemm_i8(a: &QuantizedRows, w: &PackedI8, epilogue: &mut impl Epilogue<I32x4>) {
    assert!(a.steps() == w.steps(), "rows of activations have another length than the weights'");
    for (column, panel) in w.panels() {
        multiply(a, column, panel, epilogue);
    }
}

/// All rows × 8 columns.
///
/// A function of its own, and of this size: engines switch to optimised code when a function is called next, so what runs for long
/// must be called often, and the smaller it is, the sooner it is optimised. A function a tile would cost a sixth of the speed at k = 192.
#[inline(never)]
fn multiply(a: &QuantizedRows, column: usize, panel: PanelI8<'_>, epilogue: &mut impl Epilogue<I32x4>) {
    let mut first = 0;
    while first < a.rows() {
        let height = tile_height(a.rows() - first);
        match height {
            1 => tile::<1>(a, first, column, panel, epilogue),
            TILE_ROWS => tile::<TILE_ROWS>(a, first, column, panel, epilogue),
            _ => tile::<{ TILE_ROWS + 1 }>(a, first, column, panel, epilogue),
        }
        first += height;
    }
}

/// R rows × 8 columns, all of k.
#[inline(always)]
fn tile<const R: usize>(
    a: &QuantizedRows,
    first: usize,
    column: usize,
    panel: PanelI8<'_>,
    epilogue: &mut impl Epilogue<I32x4>,
) {
    let PanelI8 { steps, two_steps, extra, places } = panel;
    let rows: [&[[Activation; DEPTH]]; R] = std::array::from_fn(|r| &a.row(first + r)[..steps.len()]);
    let mut sums = [[I32x4::splat(0); 2]; R];

    // Exact integers: however the steps are put together, the sums are the same.
    let (pairs, _) = steps.as_chunks::<2>();
    let pairs = if two_steps { pairs } else { &[] };
    let row_pairs = rows.map(|row| &row.as_chunks::<2>().0[..pairs.len()]);
    for (i, pair) in pairs.iter().enumerate() {
        let w = [WeightStep::load(&pair[0]), WeightStep::load(&pair[1])];
        for (sums, row) in sums.iter_mut().zip(row_pairs) {
            let x = &row[i];
            *sums = WeightStep::dot_two(w, [&x[0], &x[1]], *sums);
        }
    }
    for (step, place) in extra.iter().zip(places) {
        let w = WeightStep::load(step);
        for (sums, row) in sums.iter_mut().zip(rows) {
            *sums = w.dot(&row[usize::from(*place)], *sums);
        }
    }
    for (i, step) in steps.iter().enumerate().skip(2 * pairs.len()) {
        let w = WeightStep::load(step);
        for (sums, row) in sums.iter_mut().zip(rows) {
            *sums = w.dot(&row[i], *sums);
        }
    }
    epilogue.tile(first, column, sums);
}

/// What the integers of 8 outputs stand for: w = scale · q.
#[derive(Clone, Debug, Default)]
pub struct ColumnScale {
    scales: [f32; TILE_COLUMNS],
    /// Σ q over the inputs: what an activation's offset is multiplied with.
    sums: [f32; TILE_COLUMNS],
}

impl ColumnScale {
    /// Sets output `lane`.
    pub fn set(&mut self, lane: usize, scale: f32, sum: i32) {
        self.scales[lane] = scale;
        self.sums[lane] = sum as f32;
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
    #[inline(always)]
    fn tile<const R: usize>(&mut self, row: usize, column: usize, sums: [[I32x4; 2]; R]) {
        let ColumnScale { scales, sums: weights } = &self.columns[column / TILE_COLUMNS];
        let (scales, weights) = (load_lanes(scales), load_lanes(weights));
        let own = &self.rows.scales()[row..][..R];
        let values = std::array::from_fn(|r| {
            let (scale, offset) = (F32x4::splat(own[r].scale), F32x4::splat(own[r].offset));
            [0, 1].map(|i| scales[i] * (scale * sums[r][i].to_f32() + offset * weights[i]))
        });
        self.then.tile::<R>(row, column, values);
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
        fn tile<const R: usize>(&mut self, row: usize, column: usize, sums: [[I32x4; 2]; R]) {
            for (r, lanes) in sums.into_iter().enumerate() {
                let values = lanes.map(I32x4::to_array).concat();
                for (j, value) in values.into_iter().enumerate() {
                    match self.0.get_mut([row + r, column + j]) {
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
        packed.make_pairs_fit();
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
        for m in 1..=2 * TILE_ROWS + 3 {
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
