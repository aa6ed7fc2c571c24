//! The exact (erf) form of GELU: gelu(x) = x Φ(x) = x/2 · (1 + erf(x / √2)) (Hendrycks & Gimpel, 2016).

use super::exp::exp;
use super::map_in_place;
use crate::simd::F32x4;

/// erf(x) = 2/√π ∫₀ˣ e^(−t²) dt within 2 ulp.
///
/// Two minimax fits joined at |x| = 1, each of the function divided by what makes it nearly flat:
/// below, erf(x) = x + x p(x²) (fit error 1.2e-9); above, erf(|x|) = 1 − e^(−|x| q(|x|)) (fit error 6.8e-10), which is 1 in `f32`
/// from 4 on. Both are evaluated and one is selected: a branch would cost more than the lanes it saves.
#[inline(always)]
pub fn erf(x: F32x4) -> F32x4 {
    let magnitude = x.abs();

    let square = x * x;
    let mut p = F32x4::splat(7.853_922_6e-5);
    for coefficient in [-8.010_213_5e-4, 0.005_188_33, -0.026_853_813, 0.112_835_854, -0.376_126_26, 0.128_379_17] {
        p = p * square + F32x4::splat(coefficient);
    }
    let near = x + x * p;

    let clamped = magnitude.min(F32x4::splat(4.0));
    let mut q = F32x4::splat(1.161_237_5e-5);
    for coefficient in [-3.266_233_8e-4, 0.003_658_012_7, -0.023_795_012, 0.106_275_2, 0.635_128_1, 1.128_654_2] {
        q = q * clamped + F32x4::splat(coefficient);
    }
    let far = (F32x4::splat(1.0) - exp(F32x4::splat(0.0) - clamped * q)).copysign(x);

    magnitude.select_less(F32x4::splat(1.0), near, far)
}

/// gelu(x), with an absolute error below 2 ulp of max(|x|, 1).
#[inline(always)]
pub fn gelu(x: F32x4) -> F32x4 {
    let half = x * F32x4::splat(0.5);
    half + half * erf(x * F32x4::splat(std::f32::consts::FRAC_1_SQRT_2))
}

/// `x ← gelu(x)` for every element.
pub fn gelu_in_place(values: &mut [f32]) {
    map_in_place(values, gelu);
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// erf by its Maclaurin series (|x| < 3) and its continued fraction, in f64: accurate to about 1e-15.
    fn exact_erf(x: f64) -> f64 {
        if x.abs() < 3.0 {
            let (mut term, mut sum) = (x, x);
            for n in 1..200 {
                term *= -x * x / n as f64;
                sum += term / (2 * n + 1) as f64;
            }
            sum * std::f64::consts::FRAC_2_SQRT_PI
        } else {
            let a = x.abs();
            let fraction = (1..=60).rev().fold(a, |f, n| a + n as f64 / 2.0 / f);
            (1.0 - (-a * a).exp() / (fraction * std::f64::consts::PI.sqrt())).copysign(x)
        }
    }

    fn grid() -> Vec<f32> {
        (-120_000..=120_000).map(|i| i as f32 * 5e-5).collect()
    }

    #[test]
    fn erf_within_two_ulp() {
        let mut result = grid();
        map_in_place(&mut result, erf);
        for (x, y) in grid().iter().zip(result) {
            let exact = exact_erf(f64::from(*x));
            let nearest = (exact as f32).abs();
            let ulp = f64::from(nearest - nearest.next_down()).max(f64::from(f32::MIN_POSITIVE));
            let error = (f64::from(y) - exact).abs() / ulp;
            assert!(error <= 2.0, "erf({x}) = {y}: {error:.2} ulp from {exact}");
        }
    }

    #[test]
    fn gelu_within_its_bound() {
        let mut result = grid();
        gelu_in_place(&mut result);
        for (x, y) in grid().iter().zip(result) {
            let exact = 0.5 * f64::from(*x) * (1.0 + exact_erf(f64::from(*x) / std::f64::consts::SQRT_2));
            let bound = 2.0 * f64::from(f32::EPSILON) * f64::from(x.abs().max(1.0));
            assert!((f64::from(y) - exact).abs() <= bound, "gelu({x}) = {y}, exactly {exact}");
        }
    }

    /// Large inputs must pass through, large negative ones must vanish: activations of trained models reach ±100.
    #[test]
    fn saturates() {
        let mut values = [100.0, -100.0, 0.0, 1e20, -1e20];
        gelu_in_place(&mut values);
        assert_eq!(values, [100.0, 0.0, 0.0, 1e20, 0.0]);
    }
}
