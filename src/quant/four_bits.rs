//! Weights in 4 bits, for files half as large.
//!
//! A row has a scale, each [`GROUP`] of its weights a whole number of steps of that scale (VS-Quant; Dai et al., 2021): with q in −8..=7 and
//! step in 1..=15 a weight is `q · step · scale`. The product of the first two is an integer of 8 bits, so what comes out is a
//! [`QuantizedMatrix`] like any other, and the model runs as fast as one that was stored in 8 bits. That is 4.25 bits a weight, and about
//! 21 dB of signal to noise where a scale a row alone gives 18.

use super::QuantizedMatrix;
use ndarray::{Array1, Array2};

/// Weights that share a step.
pub const GROUP: usize = 32;

/// Largest step of a group: −8 · 15 still has 8 bits.
pub const MAX_STEP: u8 = 15;

/// Least signal to quantisation noise of a matrix in 4 bits, in dB. One that is worse gets 8 bits.
pub const MIN_SQNR: f64 = 17.0;

/// A matrix `[out, in]` in 4 bits, as the file holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct FourBitMatrix {
    /// `[out, in / 2]` bytes of two weights each, the earlier one in the lower half.
    pub nibbles: Vec<u8>,
    /// `[out, ⌈in / GROUP⌉]`
    pub steps: Vec<u8>,
    /// `[out]`
    pub scales: Vec<f32>,
}

impl FourBitMatrix {
    /// Rounds rows of `inputs` weights, an even number. Each group takes the step with the least squared error, even where that clips
    /// its largest weight.
    pub fn from_f32(weights: &[f32], inputs: usize) -> Self {
        let rows = weights.len() / inputs;
        let mut matrix = Self { nibbles: Vec::new(), steps: Vec::new(), scales: Vec::with_capacity(rows) };
        for row in weights.chunks_exact(inputs) {
            let max = row.iter().fold(0.0f32, |max, w| max.max(w.abs()));
            let scale = max / f32::from(7 * MAX_STEP);
            let scale = if scale < f32::MIN_POSITIVE { 0.0 } else { scale };
            let mut rounded = Vec::with_capacity(inputs);
            for group in row.chunks(GROUP) {
                let step = best_step(group, scale);
                matrix.steps.push(step);
                rounded.extend(group.iter().map(|w| round(*w, scale * f32::from(step)) as i8));
            }
            let (pairs, _) = rounded.as_chunks();
            matrix.nibbles.extend(pairs.iter().map(|[first, second]| (first & 15 | second << 4).cast_unsigned()));
            matrix.scales.push(scale);
        }
        matrix
    }

    /// The same weights in 8 bits, `inputs` a row.
    pub fn expand(self, inputs: usize) -> QuantizedMatrix {
        let mut values = Vec::with_capacity(self.scales.len() * inputs);
        let rows = self.nibbles.chunks_exact(inputs / 2).zip(self.steps.chunks_exact(inputs.div_ceil(GROUP)));
        for (nibbles, steps) in rows {
            for (nibbles, step) in nibbles.chunks(GROUP / 2).zip(steps) {
                // Shifting a signed integer to the right keeps its sign.
                let pair = |byte: &u8| [byte << 4, *byte].map(|half| (half.cast_signed() >> 4) * step.cast_signed());
                values.extend(nibbles.iter().flat_map(pair));
            }
        }
        let values = Array2::from_shape_vec((self.scales.len(), inputs), values).expect("whole rows");
        QuantizedMatrix { values, scales: Array1::from_vec(self.scales) }
    }

    /// [`Self::from_f32`] and its signal to noise; `None` where that is below [`MIN_SQNR`], or a row ends within a byte.
    pub fn accurate(weights: &[f32], inputs: usize) -> Option<(Self, f64)> {
        let matrix = inputs.is_multiple_of(2).then(|| Self::from_f32(weights, inputs))?;
        let sqnr = matrix.clone().expand(inputs).sqnr(weights);
        (sqnr >= MIN_SQNR).then_some((matrix, sqnr))
    }
}

/// A weight in units of `unit`, which may be 0.
fn round(weight: f32, unit: f32) -> f32 {
    if unit == 0.0 { 0.0 } else { (weight / unit).round_ties_even().clamp(-8.0, 7.0) }
}

fn best_step(group: &[f32], scale: f32) -> u8 {
    let error = |step: u8| -> f32 {
        let unit = scale * f32::from(step);
        group.iter().map(|w| (w - round(*w, unit) * unit).powi(2)).sum()
    };
    (1..=MAX_STEP).min_by(|a, b| error(*a).total_cmp(&error(*b))).expect("there are steps")
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Normal deviates, as trained weights nearly are.
    fn weights(count: usize) -> Vec<f32> {
        let mut rng = fastrand::Rng::with_seed(5);
        (0..count).map(|_| (0..12).map(|_| rng.f32()).sum::<f32>() - 6.0).collect()
    }

    /// A last group that is not whole comes back in its place.
    #[test]
    fn every_weight_is_near_what_it_was() {
        for inputs in [2, 30, 32, 34, 66, 192] {
            let weights = weights(5 * inputs);
            let matrix = FourBitMatrix::from_f32(&weights, inputs);
            assert_eq!(matrix.nibbles.len(), 5 * inputs / 2);
            assert_eq!(matrix.steps.len(), 5 * inputs.div_ceil(GROUP));
            assert!(matrix.steps.iter().all(|step| (1..=MAX_STEP).contains(step)));
            let sqnr = matrix.expand(inputs).sqnr(&weights);
            assert!(sqnr > 19.5, "{inputs} inputs: {sqnr} dB");
        }
    }

    #[test]
    fn all_sixteen_codes_and_the_largest_step_fit_into_8_bits() {
        let codes: Vec<u8> = (0..16).map(|code| code | (15 - code) << 4).collect();
        let matrix = FourBitMatrix { nibbles: codes, steps: vec![MAX_STEP], scales: vec![1.0] };
        let expected: Vec<i8> =
            (0..16).flat_map(|code| [code, 15 - code]).map(|q| if q > 7 { q - 16 } else { q } * 15).collect();
        assert_eq!(matrix.expand(32).values.as_slice().unwrap(), expected);
    }

    /// A group of small weights beside one of large ones keeps its own resolution; one scale for the row would make it zero.
    #[test]
    fn groups_have_their_own_step() {
        let mut weights = weights(2 * GROUP);
        weights[..GROUP].iter_mut().for_each(|w| *w *= 0.05);
        let matrix = FourBitMatrix::from_f32(&weights, 2 * GROUP);
        assert!(matrix.steps[0] < matrix.steps[1]);
        let restored = matrix.expand(2 * GROUP).to_f32();
        let small = |values: &[f32]| values[..GROUP].iter().map(|w| w * w).sum::<f32>();
        assert!((small(&restored) / small(&weights) - 1.0).abs() < 0.1);
    }

    #[test]
    fn rows_without_signal_are_zero() {
        let restored = FourBitMatrix::from_f32(&[0.0, -0.0, 1e-44, 1e-45, 1.0, -1.0], 2).expand(2).to_f32();
        assert_eq!(restored[..4], [0.0; 4]);
        assert!(restored[4] > 0.9 && restored[5] < -0.9);
    }

    /// Groups in which one weight dwarfs the others are for 8 bits.
    #[test]
    fn accuracy_decides() {
        let mut weights = weights(4 * 64);
        assert!(FourBitMatrix::accurate(&weights, 64).is_some());
        assert!(FourBitMatrix::accurate(&weights[..63], 63).is_none());
        weights.iter_mut().step_by(GROUP).for_each(|w| *w = 20.0);
        assert!(FourBitMatrix::accurate(&weights, 64).is_none());
    }
}
