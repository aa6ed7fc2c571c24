//! Scaled dot-product attention of one head: softmax(Q Kᵀ / √d_k) V (Vaswani et al., 2017, equation 1).

use super::gemm_f32::gemm_f32;
use super::pack::PackedF32;
use super::softmax::softmax_in_place;
use super::{row_of, store_lanes};
use ndarray::{ArrayView2, ArrayViewMut2};

/// Keys and values of the head at work, packed for the two products; reused from head to head.
#[derive(Default)]
pub struct PackedHead {
    keys: PackedF32,
    values: PackedF32,
}

/// Attends with one head and leaves its attention in `probabilities`.
///
/// `q`, `k`, `v`, `context`: `[T, d_k]`, rows contiguous; `probabilities`: `[T, T]`, row = query, each row a distribution
/// over the keys.
pub fn attend(
    q: ArrayView2<f32>,
    k: ArrayView2<f32>,
    v: ArrayView2<f32>,
    packed: &mut PackedHead,
    mut probabilities: ArrayViewMut2<f32>,
    mut context: ArrayViewMut2<f32>,
) {
    let scale = 1.0 / (q.ncols() as f32).sqrt();
    packed.keys.repack(k);
    packed.values.repack(v.t());
    gemm_f32(q, &packed.keys, |row, column, lanes| store_lanes(row_of(&mut probabilities, row), column, lanes));
    for row in 0..q.nrows() {
        softmax_in_place(row_of(&mut probabilities, row), scale);
    }
    gemm_f32(probabilities.view(), &packed.values, |row, column, lanes| {
        store_lanes(row_of(&mut context, row), column, lanes)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Axis};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// The formula in f64, over head sizes and token counts that leave every remainder.
    #[test]
    fn equals_the_formula() {
        let mut rng = fastrand::Rng::with_seed(6);
        let mut packed = PackedHead::default();
        for (tokens, d) in [(1, 1), (2, 3), (5, 8), (17, 12), (10, 16), (33, 7)] {
            let mut random = || Array2::from_shape_fn((tokens, d), |_| rng.f32() * 4.0 - 2.0);
            let (q, k, v) = (random(), random(), random());
            let mut probabilities = Array2::zeros((tokens, tokens));
            let mut context = Array2::zeros((tokens, d));
            attend(q.view(), k.view(), v.view(), &mut packed, probabilities.view_mut(), context.view_mut());

            let wide = |x: &Array2<f32>| x.mapv(f64::from);
            let weights = (wide(&q).dot(&wide(&k).t()) / (d as f64).sqrt()).exp();
            let expected = &weights / &weights.sum_axis(Axis(1)).insert_axis(Axis(1));
            let close =
                |a: &Array2<f32>, b: &Array2<f64>| a.iter().zip(b).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5);
            assert!(close(&probabilities, &expected), "{tokens} tokens, d_k {d}");
            assert!(close(&context, &expected.dot(&wide(&v))), "{tokens} tokens, d_k {d}");
        }
    }
}
