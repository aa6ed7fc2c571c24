//! Sums and products of rows, element by element: in four lanes by themselves, since compilers are told to make none of loops.

use crate::simd::F32x4;

/// `target += factor · x`, product and sum rounding each.
#[inline(never)]
pub fn add_scaled(target: &mut [f32], factor: f32, x: &[f32]) {
    let lanes = F32x4::splat(factor);
    zip_in_place(target, x, |target, x| target + x * lanes, |target, x| target + x * factor);
}

/// `target += shift + x`
#[inline(never)]
pub fn add_shifted(target: &mut [f32], shift: f32, x: &[f32]) {
    let lanes = F32x4::splat(shift);
    zip_in_place(target, x, |target, x| target + (lanes + x), |target, x| target + (shift + x));
}

/// `target *= x`
#[inline(never)]
pub fn multiply_in_place(target: &mut [f32], x: &[f32]) {
    zip_in_place(target, x, |target, x| target * x, |target, x| target * x);
}

/// `target ← max(target, |x|)`
#[inline(never)]
pub fn largest_in_place(target: &mut [f32], x: &[f32]) {
    zip_in_place(
        target,
        x,
        |target, x| target.max(x.abs()),
        |target, x| if target < x.abs() { x.abs() } else { target },
    );
}

/// `target ← f(target, x)`; `last` is the same of one value.
#[inline(always)]
fn zip_in_place(target: &mut [f32], x: &[f32], f: impl Fn(F32x4, F32x4) -> F32x4, last: impl Fn(f32, f32) -> f32) {
    let (quads, rest) = target.as_chunks_mut::<4>();
    let (others, other_rest) = x.as_chunks::<4>();
    for (quad, x) in quads.iter_mut().zip(others) {
        f(F32x4::load(quad), F32x4::load(x)).store(quad);
    }
    for (value, x) in rest.iter_mut().zip(other_rest) {
        *value = last(*value, *x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Every remainder of four.
    #[test]
    fn equal_the_loops() {
        let mut rng = fastrand::Rng::with_seed(5);
        for n in 0..=13 {
            let [a, b]: [Vec<f32>; 2] = std::array::from_fn(|_| (0..n).map(|_| rng.f32() - 0.5).collect());
            let expect = |work: &dyn Fn(&mut [f32], &[f32]), f: &dyn Fn(f32, f32) -> f32| {
                let mut found = a.clone();
                work(&mut found, &b);
                let expected: Vec<f32> = a.iter().zip(&b).map(|(a, b)| f(*a, *b)).collect();
                assert_eq!(found, expected, "{n}");
            };
            expect(&|a, b| add_scaled(a, -0.3, b), &|a, b| a + b * -0.3);
            expect(&|a, b| add_shifted(a, 0.7, b), &|a, b| a + (0.7 + b));
            expect(&multiply_in_place, &|a, b| a * b);
            expect(&largest_in_place, &|a, b| a.max(b.abs()));
        }
    }
}
