//! What every backend must do, lane by lane. The same tests run natively and in both wasm builds.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn lanes(x: F32x4) -> [f32; 4] {
    let mut out = [0.0; 4];
    x.store(&mut out);
    out
}

#[test]
fn rounds_ties_to_even() {
    let (floats, integers) = F32x4::load(&[0.5, 1.5, -2.5, -0.6]).round();
    assert_eq!(lanes(floats), [0.0, 2.0, -2.0, -1.0]);
    assert_eq!(integers.to_array(), [0, 2, -2, -1]);
    assert_eq!(F32x4::load(&[4e6, -4e6, 0.0, 16383.4]).round().1.to_array(), [4_000_000, -4_000_000, 0, 16383]);
}

#[test]
fn compares_and_selects() {
    let (a, b) = (F32x4::load(&[1.0, -2.0, 3.0, -4.0]), F32x4::splat(0.5));
    assert_eq!(lanes(a.max(b)), [1.0, 0.5, 3.0, 0.5]);
    assert_eq!(lanes(a.min(b)), [0.5, -2.0, 0.5, -4.0]);
    assert_eq!(lanes(a.abs()), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(lanes(b.copysign(a)), [0.5, -0.5, 0.5, -0.5]);
    assert_eq!(lanes(a.select_less(b, F32x4::splat(7.0), a)), [1.0, 7.0, 3.0, 7.0]);
    assert_eq!(a.max_lane(), 3.0);
    // Of two that are equal the first, whatever their signs.
    let zeros = [F32x4::splat(-0.0), F32x4::splat(0.0)];
    assert_eq!(zeros[0].max(zeros[1]).to_bits().to_array(), zeros[0].to_bits().to_array());
    assert_eq!(zeros[1].min(zeros[0]).to_bits().to_array(), zeros[1].to_bits().to_array());
}

/// As attention packs values: output by output, its inputs side by side, at the ends of their range.
#[test]
fn interleaves_the_inputs_of_each_output() {
    let inputs =
        std::array::from_fn(|h| [0, 1].map(|half| I32x4::splat(if h % 2 == 0 { 127 - h as i32 } else { half - 128 })));
    let expected = std::array::from_fn(|i| {
        let (output, h) = (i / DEPTH, i % DEPTH);
        if h % 2 == 0 { 127 - h as i8 } else { i8::MIN + (output / 4) as i8 }
    });
    assert_eq!(interleave(inputs), expected);
    let mut bytes = [0; 16];
    store_i8(&mut bytes, [-128, -1, 0, 127].map(I32x4::splat));
    assert_eq!(bytes, std::array::from_fn(|i| [-128, -1, 0, 127][i / 4]));
}

#[test]
fn unzips_and_zips() {
    let pair = [F32x4::load(&[0.0, 1.0, 2.0, 3.0]), F32x4::load(&[4.0, 5.0, 6.0, 7.0])];
    assert_eq!(F32x4::unzip(pair).map(lanes), [[0.0, 2.0, 4.0, 6.0], [1.0, 3.0, 5.0, 7.0]]);
    assert_eq!(F32x4::zip(pair).map(lanes), [[0.0, 4.0, 1.0, 5.0], [2.0, 6.0, 3.0, 7.0]]);
}

/// The order of the sum is part of the contract: another order gives other bits.
#[test]
fn sums_in_the_stated_order() {
    assert_eq!(F32x4::load(&[1e8, 1.0, -1e8, 1.0]).sum(), 2.0);
    assert_eq!(F32x4::load(&[1e8, -1e8, 1.0, 1.0]).sum(), (1e8 + 1.0) + (-1e8 + 1.0));
}

#[test]
fn converts_between_numbers_and_bits() {
    assert_eq!(lanes(I32x4::splat(-3).to_f32()), [-3.0; 4]);
    assert_eq!(lanes(I32x4::splat(127).shift_left(23).bits_to_f32()), [1.0; 4]);
    assert_eq!((I32x4::splat(i32::MAX) + I32x4::splat(1)).to_array(), [i32::MIN; 4]);
}

#[test]
fn shifts_keep_the_sign() {
    assert_eq!((I32x4::splat(-129).shift_right(7)).to_array(), [-2; 4]);
    assert_eq!((I32x4::splat(5) - I32x4::splat(128)).to_array(), [-123; 4]);
}

/// Every output, every input of a step, at the ends of both ranges: where a saturating 16-bit intermediate would show.
#[test]
fn integer_products_are_exact() {
    for (weight, x) in [(-128, 127), (127, 127), (-1, 1)] {
        let mut w = [0; 8 * DEPTH];
        for (lane, w) in w.iter_mut().enumerate() {
            *w = if lane / DEPTH == 7 { weight / 2 } else { weight };
        }
        let sums = WeightStep::load(&w).dot(&[x; DEPTH], [I32x4::splat(5), I32x4::splat(-5)]);
        let all = DEPTH as i32 * i32::from(weight) * i32::from(x);
        let last = DEPTH as i32 * i32::from(weight / 2) * i32::from(x);
        assert_eq!(sums[0].to_array(), [5 + all; 4]);
        assert_eq!(sums[1].to_array(), [all - 5, all - 5, all - 5, last - 5]);
    }
}

#[test]
fn activations_keep_their_order() {
    let mut target = [99; 16];
    let quad = |first: i32| I32x4::splat(first) + F32x4::load(&[0.0, 1.0, 2.0, 3.0]).round().1;
    store_activations(&mut target, [quad(0), quad(4), quad(120), quad(124)]);
    let expected = [0, 1, 2, 3, 4, 5, 6, 7, 120, 121, 122, 123, 124, 125, 126, 127];
    assert_eq!(target, expected.map(|x| x as Activation));
}
