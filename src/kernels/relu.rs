//! max(x, 0).

use super::map_in_place;
use crate::simd::F32x4;

/// `x ← max(x, 0)` for every element.
pub fn relu_in_place(values: &mut [f32]) {
    let zero = F32x4::splat(0.0);
    map_in_place(values, |x| x.max(zero));
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
}
