//! max(x, 0), and its derivative.

use super::map_in_place;
use crate::simd::F32x4;

/// `x ← max(x, 0)` for every element.
pub fn relu_in_place(values: &mut [f32]) {
    let zero = F32x4::splat(0.0);
    map_in_place(values, |x| x.max(zero));
}

/// `x ← 1` where x > 0, elsewhere 0, as PyTorch has it at 0.
pub fn relu_derivative_in_place(values: &mut [f32]) {
    let (zero, one) = (F32x4::splat(0.0), F32x4::splat(1.0));
    map_in_place(values, |x| zero.select_less(x, one, zero));
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn keeps_what_is_positive() {
        let mut values = [-1.0, 2.0, 0.0, -1e-40, 1e30, 3.5, -7.0];
        relu_in_place(&mut values);
        assert_eq!(values, [0.0, 2.0, 0.0, 0.0, 1e30, 3.5, 0.0]);
    }

    #[test]
    fn derivative_is_the_sign_of_what_is_positive() {
        let mut values = [-1.0, 2.0, 0.0, -0.0, 1e30, 3.5, -7.0];
        relu_derivative_in_place(&mut values);
        assert_eq!(values, [0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
    }
}
