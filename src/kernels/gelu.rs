//! The exact (erf) form of GELU: gelu(x) = x Φ(x) = x/2 · (1 + erf(x / √2)) (Hendrycks & Gimpel, 2016), and its derivative.

use super::exp::{Exp, polynomial};
use super::map_in_place;
use crate::simd::F32x4;
use std::hint::black_box;

/// GELU and the error function, with their constants in memory; see [`Exp`] for why.
#[derive(Clone, Copy)]
pub struct Gelu(&'static Constants);

struct Constants {
    /// Where erf has become 1 in `f32`, and so has the quotient below.
    saturated: f32,
    /// Numerator of erf(x) / x in powers of x².
    p: [f32; 6],
    /// Denominator, likewise.
    q: [f32; 6],
    half: f32,
    inverse_sqrt_2: f32,
    /// φ(0) = 1 / √(2π).
    inverse_sqrt_2_pi: f32,
}

static CONSTANTS: Constants = Constants {
    saturated: 3.95,
    p: [std::f32::consts::FRAC_2_SQRT_PI, 0.191_549_27, 0.052_875_18, 0.003_808_074, 2.846_785_6e-4, 2.025_827_1e-6],
    q: [1.0, 0.503_088_8, 0.114_559_08, 0.015_054_93, 0.001_170_690_4, 3.783_047_2e-5],
    half: 0.5,
    inverse_sqrt_2: std::f32::consts::FRAC_1_SQRT_2,
    inverse_sqrt_2_pi: 0.398_942_3,
};

impl Gelu {
    /// For use in a loop: made before, used inside.
    #[inline(always)]
    pub fn prepare() -> Self {
        Self(black_box(&CONSTANTS))
    }

    /// erf(x) = 2/√π ∫₀ˣ e^(−t²) dt within 7 ulp, an absolute error of 4.2e-7.
    ///
    /// x P(x²) / Q(x²) with |x| clamped to 3.95, a minimax fit whose own error is 2.1e-8; what remains is rounding. Two fits joined at
    /// |x| = 1, the outer one 1 − e^(−x q(x)), stay within 2 ulp, but take 70 instructions where this takes 25, and with them GELU
    /// took a quarter of ViT-Ti's time. What GELU makes of the difference is one bit of its absolute error.
    #[inline(always)]
    pub fn erf(self, x: F32x4) -> F32x4 {
        let limit = F32x4::splat(self.0.saturated);
        let x = x.min(limit).max(F32x4::splat(0.0) - limit);
        let square = x * x;
        x * polynomial(&self.0.p, square) / polynomial(&self.0.q, square)
    }

    /// gelu(x), with an absolute error below 2.5 ulp of max(|x|, 1).
    #[inline(always)]
    pub fn gelu(self, x: F32x4) -> F32x4 {
        let half = x * F32x4::splat(self.0.half);
        half + half * self.erf(x * F32x4::splat(self.0.inverse_sqrt_2))
    }

    /// gelu'(x) = Φ(x) + x φ(x), φ(x) = e^(−x²/2) / √(2π), with an absolute error below 4 ulp of 1.
    #[inline(always)]
    pub fn derivative(self, exp: Exp, x: F32x4) -> F32x4 {
        let half = F32x4::splat(self.0.half);
        let cumulative = half + half * self.erf(x * F32x4::splat(self.0.inverse_sqrt_2));
        let density = exp.exp(F32x4::splat(0.0) - half * x * x) * F32x4::splat(self.0.inverse_sqrt_2_pi);
        cumulative + x * density
    }
}

/// `x ← gelu(x)` for every element.
pub fn gelu_in_place(values: &mut [f32]) {
    let gelu = Gelu::prepare();
    map_in_place(values, |x| gelu.gelu(x));
}

/// `x ← gelu'(x)` for every element.
pub fn gelu_derivative_in_place(values: &mut [f32]) {
    let (gelu, exp) = (Gelu::prepare(), Exp::prepare());
    map_in_place(values, |x| gelu.derivative(exp, x));
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
    fn erf_within_its_bound() {
        let mut result = grid();
        map_in_place(&mut result, |x| Gelu::prepare().erf(x));
        for (x, y) in grid().iter().zip(result) {
            let exact = exact_erf(f64::from(*x));
            let nearest = (exact as f32).abs();
            let ulp = f64::from(nearest - nearest.next_down()).max(f64::from(f32::MIN_POSITIVE));
            let error = (f64::from(y) - exact).abs() / ulp;
            assert!(error <= 7.0, "erf({x}) = {y}: {error:.2} ulp from {exact}");
        }
    }

    #[test]
    fn gelu_within_its_bound() {
        let mut result = grid();
        gelu_in_place(&mut result);
        for (x, y) in grid().iter().zip(result) {
            let exact = 0.5 * f64::from(*x) * (1.0 + exact_erf(f64::from(*x) / std::f64::consts::SQRT_2));
            let bound = 2.5 * f64::from(f32::EPSILON) * f64::from(x.abs().max(1.0));
            assert!((f64::from(y) - exact).abs() <= bound, "gelu({x}) = {y}, exactly {exact}");
        }
    }

    #[test]
    fn derivative_within_its_bound() {
        let mut result = grid();
        gelu_derivative_in_place(&mut result);
        for (x, y) in grid().iter().zip(result) {
            let x = f64::from(*x);
            let cumulative = 0.5 * (1.0 + exact_erf(x / std::f64::consts::SQRT_2));
            let exact = cumulative + x * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
            assert!((f64::from(y) - exact).abs() <= 4.0 * f64::from(f32::EPSILON), "gelu'({x}) = {y}, exactly {exact}");
        }
        let mut values = [100.0, -100.0, 0.0, 1e20, -1e20];
        gelu_derivative_in_place(&mut values);
        assert!(values.iter().zip([1.0, 0.0, 0.5, 1.0, 0.0]).all(|(y, exact)| (y - exact).abs() < 1e-16), "{values:?}");
    }

    /// Large inputs must pass through, large negative ones must vanish: activations of trained models reach ±100.
    #[test]
    fn saturates() {
        let mut values = [100.0, -100.0, 0.0, 1e20, -1e20];
        gelu_in_place(&mut values);
        assert_eq!(values, [100.0, 0.0, 0.0, 1e20, 0.0]);
    }
}
