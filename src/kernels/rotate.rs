//! Rotation of pairs of channels, by which rotary positions turn queries and keys (Su et al., 2021, equation 34).

use crate::simd::F32x4;

/// Which channels of a head turn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairs {
    /// Channel k of the first half and channel k of the second.
    Halves,
    /// Channels 2 k and 2 k + 1.
    Neighbours,
}

/// Which way pairs turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// By the angle.
    Forth,
    /// By its opposite, which undoes the other: also the rotation's transpose.
    Back,
}

/// Turns pair k of `x` `[2 n]` by θ_k: (a, b) ← (a cos θ − b sin θ, b cos θ + a sin θ). `angles`: cosines `[n]`, then sines `[n]`. Each
/// product and each sum is rounded.
pub fn rotate(x: &mut [f32], pairs: Pairs, angles: &[f32], direction: Turn) {
    assert!(x.len() == angles.len());
    let (cosines, sines) = angles.split_at(angles.len() / 2);
    let sign = if direction == Turn::Forth { 1.0 } else { -1.0 };
    match pairs {
        Pairs::Halves => halves(x, cosines, sines, sign),
        Pairs::Neighbours => neighbours(x, cosines, sines, sign),
    }
}

#[inline(never)]
fn halves(x: &mut [f32], cosines: &[f32], sines: &[f32], sign: f32) {
    let (first, second) = x.split_at_mut(cosines.len());
    let ((a, a_rest), (b, b_rest)) = (first.as_chunks_mut::<4>(), second.as_chunks_mut::<4>());
    let ((cosines, cosines_rest), (sines, sines_rest)) = (cosines.as_chunks::<4>(), sines.as_chunks::<4>());
    let signs = F32x4::splat(sign);
    for (((a, b), cosine), sine) in a.iter_mut().zip(b).zip(cosines).zip(sines) {
        let turned = turn([F32x4::load(a), F32x4::load(b)], F32x4::load(cosine), F32x4::load(sine) * signs);
        turned[0].store(a);
        turned[1].store(b);
    }
    for (((a, b), cosine), sine) in a_rest.iter_mut().zip(b_rest).zip(cosines_rest).zip(sines_rest) {
        (*a, *b) = turn_one(*a, *b, *cosine, sign * sine);
    }
}

#[inline(never)]
fn neighbours(x: &mut [f32], cosines: &[f32], sines: &[f32], sign: f32) {
    let ((cosines, cosines_rest), (sines, sines_rest)) = (cosines.as_chunks::<4>(), sines.as_chunks::<4>());
    let signs = F32x4::splat(sign);
    let (eights, rest) = x.split_at_mut(8 * cosines.len());
    for ((eight, cosine), sine) in eights.as_chunks_mut::<8>().0.iter_mut().zip(cosines).zip(sines) {
        let pair = F32x4::unzip(super::load_lanes(eight));
        super::store_lanes(eight, F32x4::zip(turn(pair, F32x4::load(cosine), F32x4::load(sine) * signs)));
    }
    for (([a, b], cosine), sine) in rest.as_chunks_mut::<2>().0.iter_mut().zip(cosines_rest).zip(sines_rest) {
        (*a, *b) = turn_one(*a, *b, *cosine, sign * sine);
    }
}

#[inline(always)]
fn turn([a, b]: [F32x4; 2], cosine: F32x4, sine: F32x4) -> [F32x4; 2] {
    [a * cosine - b * sine, b * cosine + a * sine]
}

#[inline(always)]
fn turn_one(a: f32, b: f32, cosine: f32, sine: f32) -> (f32, f32) {
    (a * cosine - b * sine, b * cosine + a * sine)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Every remainder of four pairs, as complex numbers in f64; and the other direction takes it back.
    #[test]
    fn equals_the_formula_and_is_undone() {
        let mut rng = fastrand::Rng::with_seed(4);
        for pairs in [Pairs::Halves, Pairs::Neighbours] {
            for n in 0..=19 {
                let x: Vec<f32> = (0..2 * n).map(|_| rng.f32() * 4.0 - 2.0).collect();
                let angles: Vec<f64> = (0..n).map(|_| rng.f64() * 20.0 - 10.0).collect();
                let table = [f64::cos, f64::sin].map(|f| angles.iter().map(move |angle| f(*angle) as f32));
                let table: Vec<f32> = table.into_iter().flatten().collect();
                let mut turned = x.clone();
                rotate(&mut turned, pairs, &table, Turn::Forth);
                for (k, angle) in angles.iter().enumerate() {
                    let place = |i: usize| if pairs == Pairs::Halves { k + i * n } else { 2 * k + i };
                    let [a, b] = [0, 1].map(|i| f64::from(x[place(i)]));
                    let exact = [a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()];
                    for i in 0..2 {
                        let error = (f64::from(turned[place(i)]) - exact[i]).abs();
                        assert!(error < 1e-6, "{pairs:?}, {n} pairs, pair {k}: {error}");
                    }
                }
                rotate(&mut turned, pairs, &table, Turn::Back);
                assert!(turned.iter().zip(&x).all(|(a, b)| (a - b).abs() < 2e-6), "{pairs:?}, {n} pairs");
            }
        }
    }
}
