//! Swish with a fixed slope: x σ(β x), σ(x) = 1 / (1 + e^−x) (Ramachandran et al., 2017), and its derivative.
//!
//! β = 1 is SiLU; β = 1.702 is the approximation of GELU that CLIP was trained with, called `quick_gelu`.

use super::exp::Exp;
use crate::simd::F32x4;

/// β of SiLU.
pub const SILU: f32 = 1.0;

/// β of quick GELU (Hendrycks & Gimpel, 2016).
pub const QUICK_GELU: f32 = 1.702;

/// x σ(g), with a relative error below 5 ulp of the result beside that of g; where |g| > 88 the result is x or within 1e-36 |x| of 0.
#[inline(always)]
pub(super) fn gate(exp: Exp, one: F32x4, x: F32x4, g: F32x4) -> F32x4 {
    x / (one + exp.exp(F32x4::splat(0.0) - g))
}

/// The derivative of x σ(g) by x where that of g is `dg`: σ(g) (1 + x dg (1 − σ(g))).
#[inline(always)]
pub(super) fn gate_derivative(exp: Exp, one: F32x4, x: F32x4, g: F32x4, dg: F32x4) -> F32x4 {
    let sigmoid = gate(exp, one, one, g);
    sigmoid * (one + x * dg * (one - sigmoid))
}

/// `x ← x σ(slope x)` for every element: within 5 ulp of max(|x|, 1).
pub fn swish_in_place(values: &mut [f32], slope: f32) {
    let (exp, one, slope) = (Exp::prepare(), F32x4::splat(1.0), F32x4::splat(slope));
    super::map_in_place(values, |x| gate(exp, one, x, x * slope));
}

/// `x ← σ(x)` for every element: within 5 ulp of 1.
pub fn sigmoid_in_place(values: &mut [f32]) {
    let (exp, one) = (Exp::prepare(), F32x4::splat(1.0));
    super::map_in_place(values, |x| gate(exp, one, one, x));
}

/// `x ← d(x σ(slope x)) / dx` for every element: within 5 ulp of max(|x|, 1).
pub fn swish_derivative_in_place(values: &mut [f32], slope: f32) {
    let (exp, one, slope) = (Exp::prepare(), F32x4::splat(1.0), F32x4::splat(slope));
    super::map_in_place(values, |x| gate_derivative(exp, one, x, x * slope, slope));
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn within_its_bound() {
        let grid: Vec<f32> = (-120_000..=120_000).map(|i| i as f32 * 1e-3).collect();
        for slope in [SILU, QUICK_GELU] {
            let mut result = grid.clone();
            swish_in_place(&mut result, slope);
            for (x, y) in grid.iter().zip(result) {
                let exact = f64::from(*x) / (1.0 + (-f64::from(*x) * f64::from(slope)).exp());
                let bound = 5.0 * f64::from(f32::EPSILON) * f64::from(x.abs().max(1.0));
                assert!((f64::from(y) - exact).abs() <= bound, "{slope}: swish({x}) = {y}, exactly {exact}");
            }
        }
    }

    /// The ends too: where one class is all but certain, the other is not 0 by rounding to it.
    #[test]
    fn sigmoid_within_its_bound() {
        let grid: Vec<f32> = (-100_000..=100_001).map(|i| i as f32 * 1e-3).collect();
        let mut result = grid.clone();
        sigmoid_in_place(&mut result);
        for (x, y) in grid.iter().zip(result) {
            let exact = 1.0 / (1.0 + (-f64::from(*x)).exp());
            assert!((f64::from(y) - exact).abs() <= 5.0 * f64::from(f32::EPSILON), "σ({x}) = {y}, exactly {exact}");
            assert!((0.0..=1.0).contains(&y));
        }
    }

    #[test]
    fn derivative_within_its_bound() {
        let grid: Vec<f32> = (-120_000..=120_001).map(|i| i as f32 * 1e-3).collect();
        for slope in [SILU, QUICK_GELU] {
            let mut result = grid.clone();
            swish_derivative_in_place(&mut result, slope);
            for (x, y) in grid.iter().zip(result) {
                let (wide, beta) = (f64::from(*x), f64::from(slope));
                let sigmoid = 1.0 / (1.0 + (-wide * beta).exp());
                let exact = sigmoid * (1.0 + wide * beta * (1.0 - sigmoid));
                let bound = 5.0 * f64::from(f32::EPSILON) * f64::from(x.abs().max(1.0));
                assert!((f64::from(y) - exact).abs() <= bound, "{slope}: swish'({x}) = {y}, exactly {exact}");
            }
        }
        let mut values = [1e20, 0.0, 300.0, -300.0, -1e20];
        swish_derivative_in_place(&mut values, QUICK_GELU);
        assert!(values.iter().zip([1.0, 0.5, 1.0, 0.0, 0.0]).all(|(y, exact)| (y - exact).abs() < 1e-16), "{values:?}");
    }

    #[test]
    fn saturates() {
        let mut values = [1e20, 0.0, 300.0, -300.0, -1e20];
        swish_in_place(&mut values, SILU);
        assert_eq!(values[..3], [1e20, 0.0, 300.0]);
        assert!(values[3].abs() < 1e-33 && values[4].abs() < 1e-16, "{values:?}");
    }
}
