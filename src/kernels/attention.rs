//! Scaled dot-product attention of one head: softmax(Q Kᵀ / √d_k) V (Vaswani et al., 2017, equation 1), in f32 or in integers.
//!
//! Keys and values of a head are packed once ([`PackedHead`]); then any block of queries can attend ([`attend`]), each on its own.
//! Softmax is f32 in both forms, and its division is left to the product with V, unless somebody wants to see the probabilities.
//!
//! # Integers
//!
//! Queries have 7 bits, a scale and an offset a token; keys 8 bits and a scale a token, after their mean over the tokens is taken away:
//! it adds the same to all scores of a query, which softmax doesn't see, and in trained models it is most of what keys are (as found by
//! SageAttention; Zhang et al., 2024). e^(score − max) lies in 0..=1 and gets 14 bits in two rows of 7, values 8 bits and a scale a channel.

use super::gemm_f32::gemm_f32;
use super::gemm_i8::{ColumnScale, Dequantize, gemm_i8};
use super::pack::{PackedF32, PackedI8};
use super::quantize::{FRACTION_LEVELS, QuantizedRows, quantize_i8};
use super::rows::{add_scaled, largest_in_place};
use super::softmax::{exp_in_place, scale_in_place};
use super::{Epilogue, HELD_ROWS, TILE_COLUMNS, Target, fold, load_lanes, store_lanes};
use crate::alloc::{filled, zeros};
use crate::error::Result;
use crate::simd::{DEPTH, F32x4, I32x4, interleave};
use ndarray::{ArrayView2, ArrayViewMut2};

/// Keys and values of one head, packed for the two products.
pub enum PackedHead {
    /// 32-bit floats.
    F32 {
        /// `[T, d_k]`.
        keys: PackedF32,
        /// `[d_k, T]`.
        values: PackedF32,
    },
    /// 8-bit integers.
    Int8(Box<Int8Head>),
}

/// Keys and values in 8 bits.
pub struct Int8Head {
    /// `[T, d_k]`.
    keys: PackedI8,
    /// Of `[T]` keys.
    key_scales: Vec<ColumnScale>,
    /// `[d_k, T]`.
    values: PackedI8,
    /// Of `[d_k]` channels.
    value_scales: Vec<[f32; TILE_COLUMNS]>,
    /// `[d_k]`: the keys' mean, then max |v|, then 127 / max |v|.
    channels: Vec<f32>,
    /// `[d_k]`: a key without the mean.
    centred: Vec<f32>,
    /// `[d_k]`: that key in 8 bits.
    key: Vec<i8>,
}

impl PackedHead {
    /// Room for a head of `tokens` keys and values of `size` channels in f32.
    pub fn f32(tokens: usize, size: usize) -> Result<Self> {
        Ok(Self::F32 { keys: PackedF32::zeros(tokens, size)?, values: PackedF32::zeros(size, tokens)? })
    }

    /// Room for a head of `tokens` keys and values of `size` channels in 8 bits.
    pub fn int8(tokens: usize, size: usize) -> Result<Self> {
        Ok(Self::Int8(Box::new(Int8Head {
            keys: PackedI8::zeros(tokens, size)?,
            key_scales: filled("key scales", &[tokens.div_ceil(TILE_COLUMNS)], ColumnScale::default())?,
            values: PackedI8::zeros(size, tokens)?,
            value_scales: filled("value scales", &[size.div_ceil(TILE_COLUMNS)], [0.0; TILE_COLUMNS])?,
            channels: zeros("channels", &[size])?,
            centred: zeros("a key", &[size])?,
            key: zeros("a key", &[size])?,
        })))
    }

    /// Tokens T whose keys and values it holds.
    pub fn tokens(&self) -> usize {
        match self {
            Self::F32 { values, .. } => values.k(),
            Self::Int8(head) => head.values.k(),
        }
    }

    /// Takes in the keys `k` and values `v`, `[T, d_k]`, rows contiguous.
    pub fn pack(&mut self, k: ArrayView2<f32>, v: ArrayView2<f32>) {
        match self {
            Self::F32 { keys, values } => {
                for (token, (k, v)) in rows(k).zip(rows(v)).enumerate() {
                    keys.write_output(token, k.iter().copied());
                    values.write_input(token, v);
                }
            }
            Self::Int8(head) => {
                head.pack_keys(k);
                head.pack_values(v);
            }
        }
    }
}

impl Int8Head {
    #[inline(never)]
    fn pack_keys(&mut self, k: ArrayView2<f32>) {
        let Self { keys, key_scales, channels: mean, centred, key: quantized, .. } = self;
        mean.fill(0.0);
        rows(k).for_each(|key| add_scaled(mean, 1.0, key));
        mean.iter_mut().for_each(|mean| *mean /= k.nrows() as f32);

        for (token, key) in rows(k).enumerate() {
            centred.copy_from_slice(key);
            add_scaled(centred, -1.0, mean);
            let max = fold(centred, 0.0, |max, k| max.max(k.abs())).max_lane();
            quantize_i8(centred, inverse_scale(max), quantized);
            keys.write_output(token, quantized);
            key_scales[token / TILE_COLUMNS].set_scale(token % TILE_COLUMNS, max / 127.0);
        }
        keys.sums().zip(key_scales).for_each(|(sums, scales)| scales.set_sums(sums));
    }

    #[inline(never)]
    fn pack_values(&mut self, v: ArrayView2<f32>) {
        let Self { values, value_scales, channels, .. } = self;
        channels.fill(0.0);
        rows(v).for_each(|v| largest_in_place(channels, v));
        for (lanes, max) in value_scales.iter_mut().zip(channels.chunks(TILE_COLUMNS)) {
            lanes.iter_mut().zip(max).for_each(|(scale, max)| *scale = max / 127.0);
        }
        channels.iter_mut().for_each(|max| *max = inverse_scale(*max));

        for step in 0..values.steps() {
            let tokens: [Option<&[f32]>; DEPTH] = std::array::from_fn(|h| {
                let token = step * DEPTH + h;
                (token < v.nrows()).then(|| v.row(token).to_slice().expect("rows are contiguous"))
            });
            for (panel, scales) in channels.chunks(TILE_COLUMNS).enumerate() {
                let first = panel * TILE_COLUMNS;
                let own = scales.len();
                let scales = load_padded(scales);
                let inputs = tokens.map(|v| {
                    let Some(v) = v else { return [I32x4::splat(0); 2] };
                    let v = load_padded(&v[first..first + own]);
                    [0, 1].map(|i| (v[i] * scales[i]).round().1)
                });
                values.write_step(panel, step, interleave(inputs));
            }
        }
    }
}

/// Up to eight values, zeros behind them.
#[inline(always)]
fn load_padded(values: &[f32]) -> [F32x4; 2] {
    match values.first_chunk() {
        Some(values) => load_lanes(values),
        None => {
            let mut padded = [0.0; TILE_COLUMNS];
            padded[..values.len()].copy_from_slice(values);
            load_lanes(&padded)
        }
    }
}

/// 127 / max, or 0 where that is not finite: a row below 127 subnormals is zero for every purpose.
fn inverse_scale(max: f32) -> f32 {
    let inverse = 127.0 / max;
    if inverse.is_finite() { inverse } else { 0.0 }
}

/// What one thread needs to attend with a block of queries.
pub struct AttendScratch {
    /// `[block]`: 1 / Σ e, a query.
    inverse_sums: Vec<f32>,
    /// `[block, d_k]` queries.
    queries: QuantizedRows,
    /// `[2 · block, T]` fractions.
    fractions: QuantizedRows,
}

impl AttendScratch {
    /// For blocks of up to `block` queries of `size` channels against `tokens` keys.
    pub fn new(block: usize, tokens: usize, size: usize) -> Result<Self> {
        Ok(Self {
            inverse_sums: zeros("sums of attention", &[block])?,
            queries: QuantizedRows::with_capacity(block, size)?,
            fractions: QuantizedRows::with_capacity(2 * block, tokens)?,
        })
    }
}

/// Adds to a row of scaled scores `[T]`, given its number, what depends on positions.
pub type AddBias<'a> = dyn Fn(usize, &mut [f32]) + 'a;

/// What is wanted besides the gathered values.
#[derive(Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Whether attention is to hold the probabilities afterwards.
    pub probabilities: bool,
    /// Called for each row before softmax.
    pub bias: Option<&'a AddBias<'a>>,
}

/// Attends with the queries `q` `[rows, d_k]` (rows contiguous) and writes the gathered values to `context`.
///
/// `attention` `[rows, T]` is used on the way; where its probabilities are wanted it holds them afterwards, each row a distribution
/// over the keys. `context`: rows `width` values apart, of which the first d_k are written.
pub fn attend(
    q: ArrayView2<f32>,
    head: &PackedHead,
    scratch: &mut AttendScratch,
    mut attention: ArrayViewMut2<f32>,
    wanted: Wanted<'_>,
    context: &mut [f32],
    width: usize,
) {
    let scale = 1.0 / (q.ncols() as f32).sqrt();
    let tokens = attention.ncols();
    let scores = attention.as_slice_mut().expect("attention is contiguous");
    let out = Target { values: scores, stride: tokens, columns: tokens };
    let mut store = StoreScaled { out, factor: |_| scale };
    match head {
        PackedHead::F32 { keys, .. } => gemm_f32::<true>(q, keys, &mut store),
        PackedHead::Int8(head) => {
            scratch.queries.reset(q.nrows(), q.ncols());
            rows(q).enumerate().for_each(|(row, q)| scratch.queries.write(row, q));
            gemm_i8(
                &scratch.queries,
                &head.keys,
                &mut Dequantize { rows: &scratch.queries, columns: &head.key_scales, then: store },
            );
        }
    }

    if let Some(bias) = wanted.bias {
        scores.chunks_exact_mut(tokens).enumerate().for_each(|(row, scores)| bias(row, scores));
    }
    let inverse_sums = &mut scratch.inverse_sums[..q.nrows()];
    for (row, inverse) in scores.chunks_exact_mut(tokens).zip(&mut *inverse_sums) {
        *inverse = 1.0 / exp_in_place(row);
    }
    let out = Target { values: context, stride: width, columns: q.ncols() };
    match head {
        PackedHead::F32 { values, .. } => {
            let e = ArrayView2::from_shape((q.nrows(), tokens), scores).expect("one row a query");
            gemm_f32::<true>(e, values, &mut StoreScaled { out, factor: |row: usize| inverse_sums[row] });
        }
        PackedHead::Int8(head) => {
            assert!(2 * q.nrows() <= HELD_ROWS, "a block of queries is small");
            scratch.fractions.reset(2 * q.nrows(), tokens);
            for (row, e) in scores.chunks_exact(tokens).enumerate() {
                scratch.fractions.write_fractions(row, e);
            }
            let mut join = JoinFractions { out, scales: &head.value_scales, inverse_sums };
            gemm_i8(&scratch.fractions, &head.values, &mut join);
        }
    }
    if wanted.probabilities {
        for (row, inverse) in scores.chunks_exact_mut(tokens).zip(inverse_sums) {
            scale_in_place(row, *inverse);
        }
    }
}

/// out = factor(row) · sum
struct StoreScaled<'a, F> {
    out: Target<'a>,
    factor: F,
}

impl<F: Fn(usize) -> f32> Epilogue<F32x4> for StoreScaled<'_, F> {
    #[inline(always)]
    fn rows(&mut self, first: usize, column: usize, sums: impl Iterator<Item = [F32x4; 2]>) {
        let Self { out, factor } = self;
        let scaled = sums.enumerate().map(|(r, sums)| sums.map(|sum| sum * F32x4::splat(factor(first + r))));
        out.put(first, column, scaled, store_lanes);
    }
}

/// Puts the two rows of [`QuantizedRows::write_fractions`] together, of which a product hands over both at once: they are no more than it holds.
struct JoinFractions<'a> {
    out: Target<'a>,
    scales: &'a [[f32; TILE_COLUMNS]],
    inverse_sums: &'a [f32],
}

impl Epilogue<I32x4> for JoinFractions<'_> {
    #[inline(always)]
    fn rows(&mut self, first: usize, column: usize, mut sums: impl Iterator<Item = [I32x4; 2]>) {
        let scales = load_lanes(&self.scales[column / TILE_COLUMNS]);
        let joined = self.inverse_sums[first / 2..].iter().map_while(|inverse| {
            let unit = inverse * (1.0 / FRACTION_LEVELS);
            let (high, low) = (sums.next()?, sums.next()?);
            let part = |sums: [I32x4; 2], factor: f32, i: usize| sums[i].to_f32() * (F32x4::splat(factor) * scales[i]);
            Some([0, 1].map(|i| part(high, 128.0 * unit, i) + part(low, unit, i)))
        });
        self.out.put(first / 2, column, joined, store_lanes);
    }
}

fn rows<'a>(matrix: ArrayView2<'a, f32>) -> impl Iterator<Item = &'a [f32]> {
    matrix.into_outer_iter().map(|row| row.to_slice().expect("rows are contiguous"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Axis, s};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// The formula in f64: probabilities and context.
    fn exact(q: &Array2<f32>, k: &Array2<f32>, v: &Array2<f32>) -> (Array2<f64>, Array2<f64>) {
        let wide = |x: &Array2<f32>| x.mapv(f64::from);
        let weights = (wide(q).dot(&wide(k).t()) / (q.ncols() as f64).sqrt()).exp();
        let probabilities = &weights / &weights.sum_axis(Axis(1)).insert_axis(Axis(1));
        let context = probabilities.dot(&wide(v));
        (probabilities, context)
    }

    fn largest_difference(a: &Array2<f32>, b: &Array2<f64>) -> f64 {
        a.iter().zip(b).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
    }

    /// Over head sizes and token counts that leave every remainder, in blocks that do not divide the tokens.
    fn check(build: fn(usize, usize) -> Result<PackedHead>, bound: f64) {
        let mut rng = fastrand::Rng::with_seed(6);
        for (tokens, d) in [(1, 1), (2, 3), (5, 8), (17, 12), (10, 16), (33, 7), (50, 64)] {
            let mut random = || Array2::from_shape_fn((tokens, d), |_| rng.f32() * 4.0 - 2.0);
            // Keys with a large mean, as trained models have them.
            let (q, k, v) = (random(), random() + 3.0, random());
            let (probabilities, context) = exact(&q, &k, &v);

            let mut head = build(tokens, d).unwrap();
            head.pack(k.view(), v.view());
            let block = tokens.div_ceil(2);
            let mut scratch = AttendScratch::new(block, tokens, d).unwrap();
            let mut recorded = Array2::zeros((tokens, tokens));
            let mut gathered = Array2::from_elem((tokens, d + 3), -7.0);
            for first in [0, block].into_iter().filter(|first| *first < tokens) {
                let end = tokens.min(first + block);
                let context = &mut gathered.as_slice_mut().unwrap()[first * (d + 3)..];
                let attention = recorded.slice_mut(s![first..end, ..]);
                let wanted = Wanted { probabilities: true, bias: None };
                attend(q.slice(s![first..end, ..]), &head, &mut scratch, attention, wanted, context, d + 3);
            }
            assert!(largest_difference(&recorded, &probabilities) < bound, "{tokens} tokens, d_k {d}: {recorded}");
            let inside = gathered.slice(s![.., ..d]).to_owned();
            assert!(largest_difference(&inside, &context) < 2.0 * bound, "{tokens} tokens, d_k {d}: {inside}");
            assert!(gathered.slice(s![.., d..]).iter().all(|x| *x == -7.0), "wrote past its columns");
        }
    }

    #[test]
    fn equals_the_formula() {
        check(PackedHead::f32, 1e-5);
    }

    /// Scores here reach ±10, queries have 127 steps over a range of 4: an error of about 0.03 in a score, that is 3 % of a probability.
    #[test]
    fn integers_equal_the_formula_nearly() {
        check(PackedHead::int8, 0.03);
    }

    /// One key takes half of the attention, a thousand share the rest: what they gather must not be rounded away.
    #[test]
    fn integers_keep_a_long_tail() {
        let tokens = 1001;
        let q = Array2::from_elem((1, 8), 1.0);
        let mut k = Array2::zeros((tokens, 8));
        k.row_mut(0).fill((1000f32).ln() / 8f32.sqrt());
        let mut v = Array2::from_elem((tokens, 8), 1.0);
        v.row_mut(0).fill(-1.0);
        let mut head = PackedHead::int8(tokens, 8).unwrap();
        head.pack(k.view(), v.view());
        let mut scratch = AttendScratch::new(1, tokens, 8).unwrap();
        let (mut attention, mut context) = (Array2::zeros((1, tokens)), vec![9.0; 8]);
        let wanted = Wanted { probabilities: true, bias: None };
        attend(q.view(), &head, &mut scratch, attention.view_mut(), wanted, &mut context, 8);
        assert!((attention[[0, 0]] - 0.5).abs() < 0.01, "{}", attention[[0, 0]]);
        assert!(context.iter().all(|c| c.abs() < 0.05), "{context:?}");
    }
}
