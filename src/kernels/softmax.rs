//! Softmax of one row, and its gradient.

use super::dot::dot;
use super::exp::Exp;
use super::{fold, map_in_place};
use crate::simd::F32x4;

/// `row ← softmax(row)`: e^(x − max) / Σ e^(x − max).
pub fn softmax_in_place(row: &mut [f32]) {
    let sum = exp_in_place(row);
    scale_in_place(row, 1.0 / sum);
}

/// `row ← e^(x − max)`; returns the sum. Softmax without its division, which the product with the values can make up for later.
///
/// Subtracting the maximum keeps every exponent ≤ 0, so nothing overflows, the largest value is 1 and the sum at least 1.
#[inline(never)]
pub fn exp_in_place(row: &mut [f32]) -> f32 {
    let max = F32x4::splat(fold(row, f32::NEG_INFINITY, F32x4::max).max_lane());
    let exp = Exp::prepare();
    let mut sum = F32x4::splat(0.0);
    let (quads, rest) = row.as_chunks_mut::<4>();
    for quad in quads {
        let e = exp.exp(F32x4::load(quad) - max);
        sum = sum + e;
        e.store(quad);
    }
    map_in_place(rest, |x| exp.exp(x - max));
    rest.iter().fold(sum.sum(), |sum, e| sum + e)
}

/// `row ← factor · row`.
pub fn scale_in_place(row: &mut [f32], factor: f32) {
    let factor = F32x4::splat(factor);
    map_in_place(row, |x| x * factor);
}

/// `out = factor · p ⊙ (g − Σ p g)`: the gradient by a row of scores, times `factor`, where `g` is that by its softmax `p`.
pub fn softmax_backward(p: &[f32], g: &[f32], factor: f32, out: &mut [f32]) {
    let level = dot(p, g);
    for ((out, p), g) in out.iter_mut().zip(p).zip(g) {
        *out = factor * p * (g - level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Every remainder of four, against the formula in f64.
    #[test]
    fn equals_the_formula() {
        let mut rng = fastrand::Rng::with_seed(1);
        for n in 1..=41 {
            let row: Vec<f32> = (0..n).map(|_| rng.f32() * 40.0 - 20.0).collect();
            let exps: Vec<f64> = row.iter().map(|x| f64::from(*x).exp()).collect();
            let total: f64 = exps.iter().sum();
            let mut result = row;
            softmax_in_place(&mut result);
            for (y, e) in result.iter().zip(exps) {
                assert!((f64::from(*y) - e / total).abs() < 2e-6, "n = {n}");
            }
        }
    }

    /// Every remainder of four, against the Jacobian pᵢ (δᵢⱼ − pⱼ) in f64.
    #[test]
    fn gradient_equals_the_formula() {
        let mut rng = fastrand::Rng::with_seed(2);
        for n in 1..=41 {
            let mut p: Vec<f32> = (0..n).map(|_| rng.f32() * 8.0 - 4.0).collect();
            softmax_in_place(&mut p);
            let g: Vec<f32> = (0..n).map(|_| rng.f32() * 2.0 - 1.0).collect();
            let mut result = vec![f32::NAN; n];
            softmax_backward(&p, &g, 0.125, &mut result);
            for (i, y) in result.iter().enumerate() {
                let entry = |j: usize| f64::from(p[i]) * (f64::from(u8::from(i == j)) - f64::from(p[j]));
                let exact = 0.125 * (0..n).map(|j| entry(j) * f64::from(g[j])).sum::<f64>();
                assert!((f64::from(*y) - exact).abs() < 1e-7, "n = {n}: {y} instead of {exact}");
            }
        }
    }

    /// Scores of a saturated head: thousands apart, still a distribution.
    #[test]
    fn survives_large_scores() {
        let mut row = [3e4, -3e4, 3e4, 0.0, -1e38];
        softmax_in_place(&mut row);
        assert_eq!(row[0], 0.5);
        assert_eq!(row[2], 0.5);
        assert!(row[1] < 1e-30 && row[3] < 1e-30 && row[4] < 1e-30);
    }
}
