//! LayerNorm of rows (Ba, Kiros & Hinton, 2016), RMSNorm, which is the same about 0 in place of the mean (Zhang & Sennrich, 2019), and their gradient.

use super::fold;
use super::rows::multiply_in_place;
use crate::simd::F32x4;

/// `out = (x − mean) / √(variance + eps) · weight + bias`, with the biased variance, as PyTorch.
///
/// `x`, `weight`, `bias`, `out`: `[D]`. Mean and variance are summed in `f32` in two passes: the one-pass form E(x²) − E(x)² loses
/// the variance of rows with a large mean, which trained ViTs have. Unless `centred` the mean stays: it counts as 0.
#[inline(never)]
pub fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, centred: bool, out: &mut [f32]) {
    let width = weight.len();
    assert!(x.len() == width && bias.len() == width && out.len() == width);
    let (mean, inverse_std) = mean_and_inverse_std(x, eps, centred);
    for (((y, x), w), b) in out.iter_mut().zip(x).zip(weight).zip(bias) {
        *y = (x - mean) * inverse_std * w + b;
    }
}

/// Takes the gradient by what [`layer_norm`] gives to that by `x`, in place.
///
/// With x̂ = (x − mean) / √(variance + eps) and g = gradient · weight it is (g − mean(g) − x̂ mean(g x̂)) / √(variance + eps), without mean(g) unless
/// `centred`. `x`, `weight`, `gradient`: `[D]`.
#[inline(never)]
pub fn layer_norm_backward(x: &[f32], weight: &[f32], eps: f32, centred: bool, gradient: &mut [f32]) {
    let width = weight.len();
    assert!(x.len() == width && gradient.len() == width);
    let (mean, inverse_std) = mean_and_inverse_std(x, eps, centred);
    multiply_in_place(gradient, weight);
    let inverse_width = 1.0 / width as f32;
    let sum = if centred { fold(gradient, 0.0, |a, b| a + b).sum() } else { 0.0 };
    let (level, slope) =
        (sum * inverse_width, covariance(x, mean, gradient) * inverse_std * inverse_std * inverse_width);
    gradient.iter_mut().zip(x).for_each(|(g, x)| *g = (*g - level - (x - mean) * slope) * inverse_std);
}

#[inline(never)]
fn mean_and_inverse_std(x: &[f32], eps: f32, centred: bool) -> (f32, f32) {
    let inverse_width = 1.0 / x.len() as f32;
    let mean = if centred { fold(x, 0.0, |a, b| a + b).sum() * inverse_width } else { 0.0 };
    let variance = sum_of_squared_deviations(x, mean) * inverse_width;
    (mean, 1.0 / (variance + eps).sqrt())
}

/// Σ (x − mean)². Padding with `mean` keeps a remainder's lanes at zero.
fn sum_of_squared_deviations(row: &[f32], mean: f32) -> f32 {
    let centre = F32x4::splat(mean);
    let (quads, rest) = row.as_chunks::<4>();
    let mut sum = F32x4::splat(0.0);
    for quad in quads {
        let deviation = F32x4::load(quad) - centre;
        sum = sum + deviation * deviation;
    }
    rest.iter().fold(sum.sum(), |sum, x| sum + (x - mean) * (x - mean))
}

/// Σ (x − mean) g.
fn covariance(row: &[f32], mean: f32, gradient: &[f32]) -> f32 {
    let centre = F32x4::splat(mean);
    let ((quads, rest), (by, rest_by)) = (row.as_chunks::<4>(), gradient.as_chunks::<4>());
    let products = quads.iter().zip(by).map(|(x, g)| (F32x4::load(x) - centre) * F32x4::load(g));
    let sum = products.fold(F32x4::splat(0.0), |sum, product| sum + product);
    rest.iter().zip(rest_by).fold(sum.sum(), |sum, (x, g)| sum + (x - mean) * g)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Every remainder of four, with a mean that dwarfs the deviations.
    #[test]
    fn equals_the_formula() {
        let mut rng = fastrand::Rng::with_seed(2);
        for (width, centred) in (1..=37).flat_map(|width| [(width, true), (width, false)]) {
            let x = Array2::from_shape_fn((3, width), |(r, _)| rng.f32() * 4.0 + 50.0 * r as f32);
            let weight: Vec<f32> = (0..width).map(|_| rng.f32() * 2.0 - 1.0).collect();
            let bias: Vec<f32> = (0..width).map(|_| rng.f32() - 0.5).collect();
            let mut out = Array2::<f32>::zeros(x.raw_dim());
            for (row, mut result) in x.rows().into_iter().zip(out.rows_mut()) {
                let (row, result) = (row.to_slice().unwrap(), result.as_slice_mut().unwrap());
                layer_norm(row, &weight, &bias, 1e-6, centred, result);
                let mean = if centred { row.iter().map(|v| f64::from(*v)).sum::<f64>() / width as f64 } else { 0.0 };
                let variance = row.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / width as f64;
                for i in 0..width {
                    let exact = (f64::from(row[i]) - mean) / (variance + 1e-6).sqrt() * f64::from(weight[i])
                        + f64::from(bias[i]);
                    assert!((f64::from(result[i]) - exact).abs() < 1e-3, "width {width}: {} vs {exact}", result[i]);
                }
            }
        }
    }

    /// Every remainder of four, with a mean that dwarfs the deviations, against central differences of the formula in f64.
    #[test]
    fn gradient_equals_finite_differences() {
        let eps = 1e-3;
        let output = |x: &[f64], weight: &[f32], gradient: &[f32], centred: bool| -> f64 {
            let mean = if centred { x.iter().sum::<f64>() / x.len() as f64 } else { 0.0 };
            let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64;
            let terms = x.iter().zip(weight).zip(gradient);
            terms.map(|((x, w), g)| (x - mean) / (variance + eps).sqrt() * f64::from(*w) * f64::from(*g)).sum()
        };
        let mut rng = fastrand::Rng::with_seed(3);
        for (width, centred) in (1..=37).flat_map(|width| [(width, true), (width, false)]) {
            let x: Vec<f32> = (0..width).map(|_| rng.f32() * 4.0 + 50.0).collect();
            let mut random = || (0..width).map(|_| rng.f32() * 2.0 - 1.0).collect::<Vec<f32>>();
            let (weight, gradient) = (random(), random());
            let mut result = gradient.clone();
            layer_norm_backward(&x, &weight, eps as f32, centred, &mut result);
            for i in 0..width {
                let mut moved: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
                let mut at = |step: f64| {
                    moved[i] = f64::from(x[i]) + step;
                    output(&moved, &weight, &gradient, centred)
                };
                let exact = (at(1e-4) - at(-1e-4)) / 2e-4;
                assert!((f64::from(result[i]) - exact).abs() < 1e-4, "width {width}: {} instead of {exact}", result[i]);
            }
        }
    }
}
