//! Softmax of one row.

use super::exp::exp;
use super::{fold, map_in_place};
use crate::simd::F32x4;

/// `row ← softmax(scale · row)`: e^(scale (x − max)) / Σ e^(scale (x − max)). `scale` must be positive.
///
/// Subtracting the maximum keeps every exponent ≤ 0, so nothing overflows and the sum is at least 1.
pub fn softmax_in_place(row: &mut [f32], scale: f32) {
    let max = F32x4::splat(fold(row, f32::NEG_INFINITY, F32x4::max).max_lane());
    let factor = F32x4::splat(scale);
    map_in_place(row, |x| exp((x - max) * factor));
    let sum = fold(row, 0.0, |a, b| a + b).sum();
    let inverse = F32x4::splat(1.0 / sum);
    map_in_place(row, |x| x * inverse);
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
            let scale = 0.1 + rng.f32();
            let exps: Vec<f64> = row.iter().map(|x| (f64::from(*x) * f64::from(scale)).exp()).collect();
            let total: f64 = exps.iter().sum();
            let mut result = row;
            softmax_in_place(&mut result, scale);
            for (y, e) in result.iter().zip(exps) {
                assert!((f64::from(*y) - e / total).abs() < 2e-6, "n = {n}");
            }
        }
    }

    /// Scores of a saturated head: thousands apart, still a distribution.
    #[test]
    fn survives_large_scores() {
        let mut row = [3e4, -3e4, 3e4, 0.0, -1e38];
        softmax_in_place(&mut row, 1.0);
        assert_eq!(row[0], 0.5);
        assert_eq!(row[2], 0.5);
        assert!(row[1] < 1e-30 && row[3] < 1e-30 && row[4] < 1e-30);
    }
}
