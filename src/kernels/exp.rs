//! e^x, four lanes at a time.

use crate::simd::{F32x4, I32x4};

/// Smallest argument told apart: e^-87.33 is about the smallest normal `f32`.
const MIN: f32 = -87.33;

/// Largest argument: past it 2^n would no longer be a finite `f32`.
const MAX: f32 = 88.02;

/// The high part of ln 2: 9 significant bits, so that n · LN2_HIGH is exact for |n| ≤ 2^15.
const LN2_HIGH: f32 = 0.693_359_4;

/// ln 2 − LN2_HIGH.
const LN2_LOW: f32 = -2.121_944_4e-4;

/// e^x within 2 ulp for x in [−87.33, 88.02]; arguments outside are clamped to that range.
///
/// x = n ln 2 + r with |r| ≤ ln 2 / 2, so e^x = 2^n e^r, and e^r = 1 + r + r² q(r). The subtraction of n ln 2 in two parts
/// keeps r exact to half an ulp (Cody & Waite). q is a minimax fit of (e^r − 1 − r) / r² of degree 4: its own error is
/// 3.3e-9, a twentieth of an ulp; what remains is rounding.
#[inline(always)]
pub fn exp(x: F32x4) -> F32x4 {
    let x = x.max(F32x4::splat(MIN)).min(F32x4::splat(MAX));
    let n = (x * F32x4::splat(std::f32::consts::LOG2_E)).round_ties_even();
    let r = x - n * F32x4::splat(LN2_HIGH) - n * F32x4::splat(LN2_LOW);

    let mut q = F32x4::splat(0.001_381_314_5);
    for coefficient in [0.008_369_419, 0.041_668_456, 0.166_665_15, 0.499_999_94] {
        q = q * r + F32x4::splat(coefficient);
    }
    let e_r = F32x4::splat(1.0) + (r + r * r * q);

    // 2^n by its exponent bits: n + 127 lies in 1..=254.
    let power = (n.to_i32() + I32x4::splat(127)).shift_left(23).bits_to_f32();
    e_r * power
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::map_in_place;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn exp_of(values: &[f32]) -> Vec<f32> {
        let mut result = values.to_vec();
        map_in_place(&mut result, exp);
        result
    }

    /// The bound in the docs, over the whole range.
    #[test]
    fn within_two_ulp_of_f64() {
        let values: Vec<f32> = (0..=200_000).map(|i| (MIN + (MAX - MIN) * i as f32 / 200_000.0).min(MAX)).collect();
        for (x, y) in values.iter().zip(exp_of(&values)) {
            let exact = f64::from(*x).exp();
            let ulp = f64::from((exact as f32).next_up() - exact as f32);
            let error = (f64::from(y) - exact).abs() / ulp;
            assert!(error <= 2.0, "exp({x}) = {y}: {error:.2} ulp from {exact}");
        }
    }

    /// Softmax relies on e^0 being exactly 1 and on far negative arguments vanishing without becoming NaN.
    #[test]
    fn zero_and_extremes() {
        let y = exp_of(&[0.0, -1e30, f32::NEG_INFINITY, 1e30, -0.0]);
        assert_eq!((y[0], y[4]), (1.0, 1.0));
        assert!(y[1] < 1.3e-38 && y[2] < 1.3e-38);
        assert!(y[3].is_finite());
    }
}
