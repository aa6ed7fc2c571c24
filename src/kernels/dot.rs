//! Sums of one row or of the product of two.

use super::fold;
use crate::simd::F32x4;

/// Σ x.
pub fn sum(x: &[f32]) -> f32 {
    fold(x, 0.0, |sum, x| sum + x).sum()
}

/// Σ x y, for rows of one length.
#[inline(never)]
pub fn dot(x: &[f32], y: &[f32]) -> f32 {
    assert_eq!(x.len(), y.len());
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<4>(), y.as_chunks::<4>());
    let zero = F32x4::splat(0.0);
    // Two sums, so that an addition need not wait for the one before.
    let mut sums = [zero; 2];
    for (x, y) in x.chunks(2).zip(y.chunks(2)) {
        for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *sum = F32x4::load(x) * F32x4::load(y) + *sum;
        }
    }
    x_rest.iter().zip(y_rest).fold((sums[0] + sums[1]).sum(), |sum, (x, y)| sum + x * y)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Every remainder.
    #[test]
    fn equal_the_formulas() {
        let mut rng = fastrand::Rng::with_seed(5);
        for n in 0..=41 {
            let mut row = || (0..n).map(|_| rng.f32() - 0.5).collect::<Vec<f32>>();
            let (x, y) = (row(), row());
            let exact = |y: &dyn Fn(usize) -> f32| (0..n).map(|i| f64::from(x[i]) * f64::from(y(i))).sum::<f64>();
            assert!((f64::from(sum(&x)) - exact(&|_| 1.0)).abs() < 1e-6, "n = {n}");
            assert!((f64::from(dot(&x, &y)) - exact(&|i| y[i])).abs() < 1e-6, "n = {n}");
        }
    }
}
