//! Sine and cosine in f64: a library's own differ from platform to platform, and bring a table of π to reduce any argument by.

use std::f64::consts::{FRAC_PI_2, PI};

/// cos y for |y| ≤ 10⁵, within 10⁻¹⁵ + 3 · 10⁻¹⁶ |y|.
pub fn cos(y: f64) -> f64 {
    sin(FRAC_PI_2 - y)
}

/// sin y for |y| ≤ 10⁵, within 10⁻¹⁵ + 3 · 10⁻¹⁶ |y|.
#[inline(never)]
pub fn sin(y: f64) -> f64 {
    /// What f64 leaves of π.
    const REST: f64 = 1.224_646_799_147_353_2e-16;
    let turns = (y / PI).round_ties_even();
    let x = (y - turns * PI) - turns * REST;
    // Taylor's series: for |x| ≤ π / 2 the term after the last is below 2⁻⁵³ of the first.
    let series = (1..=11).rev().fold(1.0, |sum, i| 1.0 - sum * x * x / f64::from(2 * i * (2 * i + 1)));
    if turns % 2.0 == 0.0 { x * series } else { -x * series }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn within_their_bound() {
        for i in -100_000..=100_000 {
            for y in [f64::from(i) * 1e-4, f64::from(i) * 0.77] {
                let bound = 1e-15 + 3e-16 * y.abs();
                assert!((sin(y) - y.sin()).abs() <= bound && (cos(y) - y.cos()).abs() <= bound, "{y}");
            }
        }
    }
}
