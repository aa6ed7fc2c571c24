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
    assert_eq!(lanes(F32x4::load(&[0.5, 1.5, 2.5, -0.5]).round_ties_even()), [0.0, 2.0, 2.0, -0.0]);
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
}

/// The order of the sum is part of the contract: another order gives other bits.
#[test]
fn sums_in_the_stated_order() {
    assert_eq!(F32x4::load(&[1e8, 1.0, -1e8, 1.0]).sum(), 2.0);
    assert_eq!(F32x4::load(&[1e8, -1e8, 1.0, 1.0]).sum(), (1e8 + 1.0) + (-1e8 + 1.0));
}

#[test]
fn converts_between_numbers_and_bits() {
    assert_eq!(F32x4::load(&[1.9, -1.9, 3e10, f32::NAN]).to_i32().to_array(), [1, -1, i32::MAX, 0]);
    assert_eq!(lanes(I32x4::splat(-3).to_f32()), [-3.0; 4]);
    assert_eq!(lanes(I32x4::splat(127).shift_left(23).bits_to_f32()), [1.0; 4]);
    assert_eq!((I32x4::splat(i32::MAX) + I32x4::splat(1)).to_array(), [i32::MIN; 4]);
}

#[test]
fn widens_and_multiplies_pairs() {
    let w = I8x16::load(&[1, 2, 3, 4, 5, 6, 7, 8, -1, -2, -3, -4, -5, -6, -7, -128]);
    let x = I16x8::splat_pair(&[10, 100]);
    assert_eq!(x.dot(w.low()).to_array(), [210, 430, 650, 870]);
    assert_eq!(x.dot(w.high()).to_array(), [-210, -430, -650, -12870]);
}
