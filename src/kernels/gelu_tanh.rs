//! The tanh form of GELU: x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks & Gimpel, 2016), and its derivative.

use super::exp::Exp;
use super::map_in_place;
use super::swish::{gate, gate_derivative};
use crate::simd::F32x4;

/// 2 √(2/π).
const SLOPE: f32 = 1.595_769;

/// Of x³ against x.
const CUBIC: f32 = 0.044_715;

/// Past it the derivative is 0 or 1 in `f32`, and nothing overflows up to it.
const SATURATED: f32 = 10.0;

/// `x ← gelu(x)` for every element, with an absolute error below 5 ulp of max(|x|, 1).
///
/// 1 + tanh(t) = 2 σ(2 t), so it is x σ(2 √(2/π) (x + 0.044715 x³)).
pub fn gelu_tanh_in_place(values: &mut [f32]) {
    let (exp, one) = (Exp::prepare(), F32x4::splat(1.0));
    let (slope, cubic) = (F32x4::splat(SLOPE), F32x4::splat(SLOPE * CUBIC));
    map_in_place(values, |x| gate(exp, one, x, x * (slope + cubic * x * x)));
}

/// `x ← gelu'(x)` for every element, with an absolute error below 5 ulp of max(|x|, 1).
pub fn gelu_tanh_derivative_in_place(values: &mut [f32]) {
    let (exp, one) = (Exp::prepare(), F32x4::splat(1.0));
    let (slope, cubic, three) = (F32x4::splat(SLOPE), F32x4::splat(SLOPE * CUBIC), F32x4::splat(3.0));
    let (least, most) = (F32x4::splat(-SATURATED), F32x4::splat(SATURATED));
    map_in_place(values, |x| {
        let x = x.max(least).min(most);
        let square = cubic * x * x;
        gate_derivative(exp, one, x, x * (slope + square), slope + three * square)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn within_its_bound() {
        let grid: Vec<f32> = (-120_000..=120_000).map(|i| i as f32 * 1e-4).collect();
        let mut result = grid.clone();
        gelu_tanh_in_place(&mut result);
        for (x, y) in grid.iter().zip(result) {
            let exact = f64::from(*x);
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (exact + 0.044_715 * exact.powi(3));
            let exact = 0.5 * exact * (1.0 + inner.tanh());
            let bound = 5.0 * f64::from(f32::EPSILON) * f64::from(x.abs().max(1.0));
            assert!((f64::from(y) - exact).abs() <= bound, "gelu_tanh({x}) = {y}, exactly {exact}");
        }
    }

    #[test]
    fn derivative_within_its_bound() {
        let grid: Vec<f32> = (-120_000..=120_001).map(|i| i as f32 * 1e-4).collect();
        let mut result = grid.clone();
        gelu_tanh_derivative_in_place(&mut result);
        for (x, y) in grid.iter().zip(result) {
            let wide = f64::from(*x);
            let slope = (2.0 / std::f64::consts::PI).sqrt();
            let tanh = (slope * (wide + 0.044_715 * wide.powi(3))).tanh();
            let inner = slope * (1.0 + 3.0 * 0.044_715 * wide * wide);
            let exact = 0.5 * (1.0 + tanh) + 0.5 * wide * (1.0 - tanh * tanh) * inner;
            let bound = 5.0 * f64::from(f32::EPSILON) * f64::from(x.abs().max(1.0));
            assert!((f64::from(y) - exact).abs() <= bound, "gelu_tanh'({x}) = {y}, exactly {exact}");
        }
        let mut values = [100.0, -100.0, 0.0, 1e20, -1e20];
        gelu_tanh_derivative_in_place(&mut values);
        assert!(values.iter().zip([1.0, 0.0, 0.5, 1.0, 0.0]).all(|(y, exact)| (y - exact).abs() < 1e-16), "{values:?}");
    }

    /// The cube overflows long before the result does.
    #[test]
    fn saturates() {
        let mut values = [100.0, 0.0, 1e20, -100.0, -1e20];
        gelu_tanh_in_place(&mut values);
        assert_eq!(values[..3], [100.0, 0.0, 1e20]);
        assert!(values[3].abs() < 1e-33 && values[4].abs() < 1e-16, "{values:?}");
    }
}
