//! int8 weights, and what they may be made of in 4 bits: how they come about, what they mean on disk, how far they are from what they replace.
//!
//! # Scheme
//!
//! W8A7. A weight row (one output channel) is stored as `q = round(w / scale)` in −127..=127 with
//! `scale = max |w| / 127`, so |w − q · scale| ≤ scale / 2. Activations are quantised at run time to 7 bits, 0..=127, with a scale and an
//! offset a token ([`crate::kernels::quantize`]): within 7 bits the relaxed dot product is exact and the same on every engine. The product of
//! the two is exact in 32-bit integers and scaled once:
//! `y = scale_row · (scale_token · Σ q_token q_row + offset_token · Σ q_row) + bias`, where Σ q_row is known at load.
//!
//! Attention multiplies integers too, none of them in the file ([`crate::kernels::attention`]): queries as other activations, keys in 8 bits with a
//! scale a token, values in 8 bits with a scale a channel, softmax's numerators in 14 bits. The patch projection or the first convolution, depthwise convolutions, class token, positions, biases,
//! LayerNorm, softmax, GELU and the residual stream are f32.
//!
//! Before that the channels of each block are made equally loud, which changes LayerNorms, biases and matrices, but not their function.
//!
//! 4-bit weights ([`four_bits`]) are for the file alone: they become int8 weights when a model is loaded, exactly.
//!
//! # File
//!
//! An ordinary `.safetensors` file with the names of the checkpoint it was made from, so `config.json` stays as it is and any safetensors
//! reader opens it. A quantised matrix `NAME` is stored as `NAME`: I8 `[out, in]` and `NAME_scale`: F32 `[out]`; every other
//! tensor is F32. A full convolution `[out, in, k, k]` is the matrix `[out, in · k · k]`, unless it is the first; its BatchNorm stays beside it. Its `__metadata__` holds `format` = `vitscope-int8/1`: name and version in one entry, since safetensors writes several in
//! random order and equal models should make equal files. In 4 bits `NAME` is U8 `[out, in / 2]`, the earlier weight in the lower half of a byte,
//! beside `NAME_steps`: U8 `[out, ⌈in / 32⌉]` and `NAME_scale`, and `format` is `vitscope-int4/1`.

pub mod four_bits;

use ndarray::{Array1, Array2};

/// Metadata key that names the format of a file.
pub const FORMAT_KEY: &str = "format";

/// Bits of a stored weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bits {
    /// [`four_bits`]
    Four,
    /// [`QuantizedMatrix`]
    Eight,
    /// Not quantised.
    ThirtyTwo,
}

/// Name and version of a file whose matrices have at least 8 bits.
pub const FORMAT_INT8: &str = "vitscope-int8/1";

/// Name and version of a file that has matrices in 4 bits.
pub const FORMAT_INT4: &str = "vitscope-int4/1";

/// What is appended to the name of a quantised matrix to name its scales.
pub const SCALE_SUFFIX: &str = "_scale";

/// What is appended to the name of a matrix in 4 bits to name the steps of its groups.
pub const STEPS_SUFFIX: &str = "_steps";

/// Least signal to quantisation noise of a matrix in 8 bits, in dB. Below it noise is more than 3 % of the weights, which happens where
/// a few weights dwarf the rest of their row; such a matrix stays in f32.
pub const MIN_SQNR: f64 = 30.0;

/// A matrix `[out, in]` in 8 bits with one scale a row.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedMatrix {
    /// `[out, in]`.
    pub values: Array2<i8>,
    /// `[out]`: a weight is its value times its row's scale.
    pub scales: Array1<f32>,
}

impl QuantizedMatrix {
    /// Rounds rows of `inputs` weights to 8 bits; a row of zeros gets scale 0.
    pub fn from_f32(weights: &[f32], inputs: usize) -> Self {
        let mut values = Vec::with_capacity(weights.len());
        let mut scales = Vec::with_capacity(weights.len() / inputs);
        for row in weights.chunks_exact(inputs) {
            let max = row.iter().fold(0.0f32, |max, w| max.max(w.abs()));
            let scale = max / 127.0;
            // Below 127 subnormals the scale itself has lost its bits; such a row is zero for every purpose.
            let zero = scale < f32::MIN_POSITIVE;
            let round = |w: &f32| if zero { 0 } else { (w / scale).round_ties_even().clamp(-127.0, 127.0) as i8 };
            values.extend(row.iter().map(round));
            scales.push(scale);
        }
        let values = Array2::from_shape_vec((scales.len(), inputs), values).expect("whole rows");
        Self { values, scales: Array1::from_vec(scales) }
    }

    /// [`Self::from_f32`] where that costs no accuracy, `None` where it is worse than [`MIN_SQNR`]; and how good it is.
    pub fn accurate(weights: &[f32], inputs: usize) -> (Option<Self>, f64) {
        let quantized = Self::from_f32(weights, inputs);
        let sqnr = quantized.sqnr(weights);
        ((sqnr >= MIN_SQNR).then_some(quantized), sqnr)
    }

    /// The weights these 8 bits stand for, row after row.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut weights = Vec::with_capacity(self.values.len());
        for (row, scale) in self.rows() {
            weights.extend(row.iter().map(|q| f32::from(*q) * scale));
        }
        weights
    }

    /// Signal to quantisation noise, 10 log₁₀(Σ w² / Σ (w − ŵ)²), in dB; infinite where nothing was lost.
    pub fn sqnr(&self, weights: &[f32]) -> f64 {
        let mut signal = 0.0;
        let mut noise = 0.0;
        for ((row, scale), weights) in self.rows().zip(weights.chunks_exact(self.values.ncols().max(1))) {
            for (w, q) in weights.iter().zip(row) {
                signal += f64::from(*w).powi(2);
                noise += f64::from(w - f32::from(*q) * scale).powi(2);
            }
        }
        if noise == 0.0 { f64::INFINITY } else { 10.0 * (signal / noise).log10() }
    }

    fn rows(&self) -> impl Iterator<Item = (&[i8], f32)> {
        let values = self.values.as_slice().expect("rows are contiguous");
        values.chunks_exact(self.values.ncols().max(1)).zip(self.scales.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn error_is_at_most_half_a_step() {
        let mut rng = fastrand::Rng::with_seed(7);
        let weights = Array2::from_shape_fn((9, 31), |(r, _)| (rng.f32() - 0.5) * 10f32.powi(r as i32 - 4));
        let flat = weights.as_slice().unwrap();
        let quantized = QuantizedMatrix::from_f32(flat, 31);
        let restored = quantized.to_f32();
        for ((row, restored), scale) in flat.chunks(31).zip(restored.chunks(31)).zip(&quantized.scales) {
            assert!(row.iter().zip(restored).all(|(w, r)| (w - r).abs() <= scale * 0.501));
        }
        assert!(quantized.sqnr(flat) > 40.0);
    }

    /// One weight that dwarfs a long row takes all of the 8 bits.
    #[test]
    fn accuracy_decides() {
        let mut rng = fastrand::Rng::with_seed(8);
        let mut weights: Vec<f32> = (0..4 * 1024).map(|_| rng.f32() - 0.5).collect();
        assert!(QuantizedMatrix::accurate(&weights, 1024).0.is_some());
        weights.iter_mut().step_by(1024).for_each(|w| *w = 40.0);
        let (refused, sqnr) = QuantizedMatrix::accurate(&weights, 1024);
        assert!(refused.is_none() && sqnr < MIN_SQNR, "{sqnr}");
    }

    #[test]
    fn rows_without_signal_are_zero() {
        let weights = [0.0, -0.0, 1e-44, 1e-45, 1.0, -1.0];
        let quantized = QuantizedMatrix::from_f32(&weights, 2);
        assert_eq!(quantized.values, ndarray::array![[0, 0], [0, 0], [127, -127]]);
        assert!(quantized.to_f32().iter().all(|w| w.is_finite()));
    }
}
