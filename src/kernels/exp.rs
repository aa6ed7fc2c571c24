//! e^x, four lanes at a time.

use crate::simd::F32x4;
use std::hint::black_box;

/// The exponential function, with its constants in memory.
///
/// V8 builds a vector constant anew at each use, through two general registers: four instructions where a load with a broadcast is
/// one. So constants sit in a table behind a reference that `black_box` keeps the compiler from looking through; GELU takes half
/// the time that way.
#[derive(Clone, Copy)]
pub struct Exp(&'static Constants);

struct Constants {
    /// Smallest argument told apart: e^-87.33 is about the smallest normal `f32`.
    min: f32,
    /// Largest argument: past it 2^n would no longer be a finite `f32`.
    max: f32,
    log2_e: f32,
    /// The high part of ln 2: 9 significant bits, so that n · ln2_high is exact for |n| ≤ 2^15.
    ln2_high: f32,
    /// ln 2 − ln2_high.
    ln2_low: f32,
    /// (e^r − 1 − r) / r² in powers of r.
    q: [f32; 5],
    one: f32,
}

static CONSTANTS: Constants = Constants {
    min: -87.33,
    max: 88.02,
    log2_e: std::f32::consts::LOG2_E,
    ln2_high: 0.693_359_4,
    ln2_low: -2.121_944_4e-4,
    q: [0.499_999_94, 0.166_665_15, 0.041_668_456, 0.008_369_419, 0.001_381_314_5],
    one: 1.0,
};

impl Exp {
    /// For use in a loop: made before, used inside.
    #[inline(always)]
    pub fn prepare() -> Self {
        Self(black_box(&CONSTANTS))
    }

    /// e^x within 2 ulp for x in [−87.33, 88.02]; arguments outside are clamped to that range.
    ///
    /// x = n ln 2 + r with |r| ≤ ln 2 / 2, so e^x = 2^n e^r, and e^r = 1 + r + r² q(r). The subtraction of n ln 2 in two parts
    /// keeps r exact to half an ulp (Cody & Waite). q is a minimax fit of (e^r − 1 − r) / r² of degree 4: its own error is
    /// 3.3e-9, a twentieth of an ulp; what remains is rounding.
    #[inline(always)]
    pub fn exp(self, x: F32x4) -> F32x4 {
        let Constants { min, max, log2_e, ln2_high, ln2_low, q, one } = self.0;
        let splat = |value: &f32| F32x4::splat(*value);
        let x = x.max(splat(min)).min(splat(max));
        let (n, exponent) = (x * splat(log2_e)).round();
        let r = x - n * splat(ln2_high) - n * splat(ln2_low);
        let e_r = splat(one) + (r + r * r * polynomial(q, r));
        // 2^n by its exponent bits, which 1 has at 127: n + 127 lies in 1..=254.
        let power = (exponent.shift_left(23) + splat(one).to_bits()).bits_to_f32();
        e_r * power
    }
}

/// c₀ + c₁ x + c₂ x² + … by Horner's rule.
#[inline(always)]
pub fn polynomial<const N: usize>(c: &[f32; N], x: F32x4) -> F32x4 {
    c.iter().rev().map(|c| F32x4::splat(*c)).reduce(|y, c| y * x + c).expect("not empty")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::map_in_place;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn exp_of(values: &[f32]) -> Vec<f32> {
        let mut result = values.to_vec();
        map_in_place(&mut result, |x| Exp::prepare().exp(x));
        result
    }

    /// The bound in the docs, over the whole range.
    #[test]
    fn within_two_ulp_of_f64() {
        let Constants { min, max, .. } = CONSTANTS;
        let values: Vec<f32> = (0..=200_000).map(|i| (min + (max - min) * i as f32 / 200_000.0).min(max)).collect();
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
