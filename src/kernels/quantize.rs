//! Activations to 7 bits, one scale and one offset a row, computed at run time.
//!
//! A row x becomes q in 0..=127 with x ≈ offset + scale · q: seven bits, because the relaxed 8-bit dot product is exact and equal on
//! every engine only within them, and an offset, because activations behind GELU and softmax lie on one side of zero.

use super::{TILE_ROWS, tile_of};
use crate::simd::{Activation, DEPTH, F32x4, I32x4, prefers_two_steps, store_activations, store_i8};

/// The largest quantised value.
const LEVELS: f32 = 127.0;

/// What a row's integers stand for: x ≈ offset + scale · q.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RowScale {
    /// The step between two integers.
    pub scale: f32,
    /// What 0 stands for.
    pub offset: f32,
}

/// Rows of activations in 7 bits: the integer product's left operand.
///
/// The rows of a tile stand together step by step, so that the product walks through them with one pointer: with one a row, V8 has
/// too few registers left and keeps some of them on the stack, which costs a tenth of the speed.
#[derive(Default)]
pub struct QuantizedRows {
    /// Tile by tile, `[steps, rows of the tile]`; the last step of a row is padded with zeros.
    values: Vec<[Activation; DEPTH]>,
    scales: Vec<RowScale>,
    steps: usize,
    tile_rows: usize,
}

/// Two steps at once need twice the activations and weights in registers, so they want fewer rows: 3 × 8 ran a third faster than 4 × 8,
/// which V8 spilled.
fn tile_rows() -> usize {
    if prefers_two_steps() { TILE_ROWS - 1 } else { TILE_ROWS }
}

/// Where a row's steps are.
struct Place {
    first: usize,
    stride: usize,
}

impl QuantizedRows {
    /// Room for `rows` rows of `width` values, so that no forward pass allocates.
    pub fn with_capacity(rows: usize, width: usize) -> crate::error::Result<Self> {
        let steps = width.div_ceil(DEPTH);
        Ok(Self {
            values: crate::alloc::reserve("quantised activations", &[rows, steps])?,
            scales: crate::alloc::reserve("activation scales", &[rows])?,
            ..Self::default()
        })
    }

    /// Makes this `rows` rows of `width` values, to be written one by one.
    pub fn reset(&mut self, rows: usize, width: usize) {
        self.steps = width.div_ceil(DEPTH);
        self.tile_rows = tile_rows();
        self.values.resize(rows * self.steps, [0; DEPTH]);
        self.scales.resize(rows, RowScale::default());
    }

    /// Quantises `x` as row `row`: `(x − offset) / scale` rounded to nearest (ties to even), with offset = min x and
    /// scale = (max x − min x) / 127.
    ///
    /// The error of an element is at most scale / 2. A constant row has scale 0 and is exact.
    #[inline(never)]
    pub fn write(&mut self, row: usize, x: &[f32]) {
        let (min, max) = min_max(x);
        let inverse = LEVELS / (max - min);
        // A range of a few subnormals would make the factor infinite: such a row is constant for every purpose.
        let constant = !inverse.is_finite();
        let inverse = if constant { 0.0 } else { inverse };
        let (offset, factor) = (F32x4::splat(min), F32x4::splat(inverse));
        let place = self.place(row);
        self.write_row(&place, x, min, |x| x.map(|x| ((x - offset) * factor).round().1));
        self.scales[row] = RowScale { scale: if constant { 0.0 } else { (max - min) / LEVELS }, offset: min };
    }

    /// Writes probabilities e in 0..=1 as the rows `2 · row` and `2 · row + 1`: 14 bits, e ≈ (128 · high + low) / [`FRACTION_LEVELS`].
    ///
    /// Seven bits would not do: behind one key with most of the attention, hundreds of others share the rest, each below 1 / 254.
    #[inline(never)]
    pub fn write_fractions(&mut self, row: usize, e: &[f32]) {
        let factor = F32x4::splat(FRACTION_LEVELS);
        let (high, low) = (self.place(2 * row), self.place(2 * row + 1));
        let mut step = 0;
        sixteens(e, 0.0, |e| {
            let values = e.map(|e| (e * factor).round().1);
            self.write_sixteen(&high, step, values.map(|value| value.shift_right(7)));
            self.write_sixteen(&low, step, values.map(|value| value - value.shift_right(7).shift_left(7)));
            step += 16 / DEPTH;
        });
    }

    /// Sixteen integers from step `step` of a row on.
    #[inline(always)]
    fn write_sixteen(&mut self, place: &Place, step: usize, values: [I32x4; 4]) {
        let mut sixteen = [0; 16];
        store_activations(&mut sixteen, values);
        let targets = self.values[place.first + step * place.stride..].iter_mut().step_by(place.stride);
        let steps = sixteen.as_chunks::<DEPTH>().0.iter().take(self.steps - step);
        targets.zip(steps).for_each(|(target, step)| *target = *step);
    }

    /// Quantises sixteen values at a time; `padding` must become 0.
    #[inline(always)]
    fn write_row(&mut self, place: &Place, x: &[f32], padding: f32, quantize: impl Fn([F32x4; 4]) -> [I32x4; 4]) {
        let mut targets = self.values[place.first..].iter_mut().step_by(place.stride).take(self.steps);
        sixteens(x, padding, |x| {
            let mut sixteen = [0; 16];
            store_activations(&mut sixteen, quantize(x));
            targets.by_ref().zip(sixteen.as_chunks::<DEPTH>().0).for_each(|(target, step)| *target = *step);
        });
    }

    fn place(&self, row: usize) -> Place {
        let [first, stride] = tile_of(row, self.rows(), self.tile_rows);
        Place { first: first * self.steps + (row - first), stride }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.scales.len()
    }

    /// Steps of [`DEPTH`] inputs a row.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Rows of a tile, but for the last ones.
    pub(super) fn tile_rows(&self) -> usize {
        self.tile_rows
    }

    /// The tile of R rows from row `first` on: each step of all its rows.
    #[inline(always)]
    pub(super) fn tile<const R: usize>(&self, first: usize) -> &[[[Activation; DEPTH]; R]] {
        self.values[first * self.steps..][..R * self.steps].as_chunks().0
    }

    /// `[rows]`: what the integers stand for.
    #[inline(always)]
    pub fn scales(&self) -> &[RowScale] {
        &self.scales
    }
}

/// What the 14 bits of [`QuantizedRows::write_fractions`] count to.
pub const FRACTION_LEVELS: f32 = 16_383.0;

/// `target = round(factor · x)` (ties to even), for products within ±127.
#[inline(never)]
pub fn quantize_i8(x: &[f32], factor: f32, target: &mut [i8]) {
    let factor = F32x4::splat(factor);
    let mut targets = target.chunks_mut(16);
    sixteens(x, 0.0, |x| {
        let values = x.map(|x| (x * factor).round().1);
        let target = targets.next().expect("as long as x");
        match target.first_chunk_mut() {
            Some(target) => store_i8(target, values),
            None => {
                let mut padded = [0; 16];
                store_i8(&mut padded, values);
                target.copy_from_slice(&padded[..target.len()]);
            }
        }
    });
}

/// Hands `x` to `work` sixteen values at a time, the last ones filled up with `padding`.
#[inline(always)]
fn sixteens(x: &[f32], padding: f32, mut work: impl FnMut([F32x4; 4])) {
    let (chunks, rest) = x.as_chunks::<16>();
    let mut padded = [padding; 16];
    if !rest.is_empty() {
        padded[..rest.len()].copy_from_slice(rest);
    }
    // (In one loop, so that `work` is in the module once, and inside of it.)
    for x in chunks.iter().chain((!rest.is_empty()).then_some(&padded)) {
        work(quads(x));
    }
}

/// The least and the largest value of a row. Sixteen at a time, so that no comparison waits for the one before.
fn min_max(x: &[f32]) -> (f32, f32) {
    let first = [F32x4::splat(x.first().copied().unwrap_or(0.0)); 4];
    let (mut min, mut max) = (first, first);
    let (chunks, rest) = x.as_chunks::<16>();
    for chunk in chunks {
        for (i, x) in quads(chunk).into_iter().enumerate() {
            (min[i], max[i]) = (min[i].min(x), max[i].max(x));
        }
    }
    let (min, max) = (min[0].min(min[1]).min(min[2].min(min[3])), max[0].max(max[1]).max(max[2].max(max[3])));
    let least = -(F32x4::splat(0.0) - min).max_lane();
    rest.iter().fold((least, max.max_lane()), |(min, max), x| (min.min(*x), max.max(*x)))
}

#[inline(always)]
fn quads(x: &[f32; 16]) -> [F32x4; 4] {
    let (quads, _) = x.as_chunks::<4>();
    std::array::from_fn(|i| F32x4::load(&quads[i]))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    impl QuantizedRows {
        /// The integers of a row, padding included.
        fn row(&self, row: usize) -> Vec<Activation> {
            let Place { first, stride } = self.place(row);
            self.values[first..].iter().step_by(stride).take(self.steps).flatten().copied().collect()
        }
    }

    /// The bound in the docs, for every remainder and every place in a tile, and the full range being used.
    #[test]
    fn error_is_at_most_half_a_step() {
        let mut rng = fastrand::Rng::with_seed(5);
        let mut rows = QuantizedRows::default();
        for n in 2..=67 {
            let x: Vec<Vec<f32>> = (0..n % 11 + 1).map(|_| (0..n).map(|_| rng.f32() * 6.0 - 1.0).collect()).collect();
            rows.reset(x.len(), n);
            x.iter().enumerate().for_each(|(row, x)| rows.write(row, x));
            for (row, x) in x.iter().enumerate() {
                let (q, RowScale { scale, offset }) = (rows.row(row), rows.scales()[row]);
                for (x, q) in x.iter().zip(&q) {
                    assert!((x - offset - f32::from(*q) * scale).abs() <= scale * 0.501);
                }
                assert_eq!(q[..n].iter().max(), Some(&127));
                assert_eq!(q[..n].iter().min(), Some(&0));
                assert!(q[n..].iter().all(|q| *q == 0), "padding is zero");
            }
        }
    }

    /// Keys and values: every remainder of sixteen, and both ends of the range.
    #[test]
    fn signed_values_round_to_nearest() {
        for n in 1..=35 {
            let x: Vec<f32> = (0..n).map(|i| (i as f32 - 17.0) / 17.0).collect();
            let mut target = vec![99; n];
            quantize_i8(&x, 127.0, &mut target);
            for (x, q) in x.iter().zip(target) {
                assert_eq!(f32::from(q), (127.0 * x).round_ties_even());
            }
        }
    }

    #[test]
    fn constant_and_subnormal_rows_are_exact() {
        let mut rows = QuantizedRows::default();
        for row in [[0.0; 5], [-3.5; 5], [0.0, 1e-44, 0.0, 0.0, 0.0]] {
            rows.reset(1, 5);
            rows.write(0, &row);
            assert_eq!(rows.scales(), [RowScale { scale: 0.0, offset: row[0] }]);
            assert!(rows.row(0).iter().all(|q| *q == 0));
        }
    }

    /// 14 bits: the error is half of 1 / 16383, and 1 itself does not overflow 7 bits.
    #[test]
    fn fractions_have_fourteen_bits() {
        let mut rng = fastrand::Rng::with_seed(8);
        for n in 1..=49 {
            let mut e: Vec<f32> = (0..n).map(|_| rng.f32()).collect();
            e[rng.usize(..n)] = 1.0;
            let mut rows = QuantizedRows::default();
            rows.reset(4, n);
            rows.write_fractions(1, &e);
            let (high, low) = (rows.row(2), rows.row(3));
            for (i, e) in e.iter().enumerate() {
                assert!((0..=127).contains(&high[i]) && (0..=127).contains(&low[i]));
                let value = (f32::from(high[i]) * 128.0 + f32::from(low[i])) / FRACTION_LEVELS;
                assert!((value - e).abs() <= 0.501 / FRACTION_LEVELS);
            }
            assert!(high[n..].iter().chain(&low[n..]).all(|q| *q == 0), "padding is zero");
        }
    }
}
