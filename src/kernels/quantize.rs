//! Activations to 8 bits, one scale a row (token), computed at run time.

use super::fold;
use crate::simd::F32x4;

/// Writes `x / scale` rounded to nearest (ties to even) into `pairs` and returns `scale = max |x| / 127`.
///
/// `pairs` holds ⌈len / 2⌉ pairs; an odd length is padded with 0. A row of zeros has scale 0 and quantises to zeros.
/// The error of an element is at most scale / 2.
pub fn quantize_row(x: &[f32], pairs: &mut [[i16; 2]]) -> f32 {
    assert_eq!(pairs.len(), x.len().div_ceil(2));
    let max = fold(x, 0.0, |max, x| max.max(x.abs())).max_lane();
    let inverse = if max > 0.0 { 127.0 / max } else { 0.0 };
    // A subnormal maximum would make the factor infinite: such a row is zero for every purpose.
    let inverse = if inverse.is_finite() { inverse } else { 0.0 };
    let factor = F32x4::splat(inverse);

    let (quads, rest) = x.as_chunks::<4>();
    let (targets, rest_target) = pairs.split_at_mut(2 * quads.len());
    for (quad, target) in quads.iter().zip(targets.as_chunks_mut::<2>().0) {
        let [a, b, c, d] = (F32x4::load(quad) * factor).round_ties_even().to_i32().to_array();
        *target = [[a as i16, b as i16], [c as i16, d as i16]];
    }
    let round = |x: &f32| (x * inverse).round_ties_even() as i16;
    for (pair, target) in rest.chunks(2).zip(rest_target) {
        *target = [round(&pair[0]), pair.get(1).map_or(0, round)];
    }
    max / 127.0
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// The bound in the docs, for every remainder, and the full range being used.
    #[test]
    fn error_is_at_most_half_a_step() {
        let mut rng = fastrand::Rng::with_seed(5);
        for n in 1..=33 {
            let x: Vec<f32> = (0..n).map(|_| rng.f32() * 6.0 - 3.0).collect();
            let mut pairs = vec![[7; 2]; x.len().div_ceil(2)];
            let scale = quantize_row(&x, &mut pairs);
            let q = pairs.concat();
            for (x, q) in x.iter().zip(&q) {
                assert!((x - f32::from(*q) * scale).abs() <= scale * 0.501);
            }
            assert_eq!(q[..n].iter().map(|q| q.abs()).max(), Some(127));
            assert!(q[n..].iter().all(|q| *q == 0), "padding is zero");
        }
    }

    #[test]
    fn zero_and_subnormal_rows_are_zero() {
        for value in [0.0, 1e-44] {
            let mut pairs = [[9; 2]; 3];
            quantize_row(&[value; 5], &mut pairs);
            assert_eq!(pairs, [[0; 2]; 3]);
        }
    }
}
