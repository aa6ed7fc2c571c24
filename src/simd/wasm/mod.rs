//! The backend for wasm with simd128: one instruction a method. What relaxed SIMD does better is in `relaxed.rs`.

#[cfg(not(target_feature = "relaxed-simd"))]
mod baseline;
#[cfg(not(target_feature = "relaxed-simd"))]
#[path = "../plain.rs"]
mod plain;
#[cfg(target_feature = "relaxed-simd")]
mod relaxed;

use core::arch::wasm32::*;
use std::ops::{Add, Div, Mul, Sub};

#[cfg(not(target_feature = "relaxed-simd"))]
pub use baseline::{Activation, BACKEND, DEPTH, WeightStep, interleave, store_activations};
#[cfg(not(target_feature = "relaxed-simd"))]
pub use plain::{fits_16_bits, prefers_two_steps};
#[cfg(target_feature = "relaxed-simd")]
pub use relaxed::{
    Activation, BACKEND, DEPTH, WeightStep, fits_16_bits, interleave, prefers_two_steps, store_activations,
};

/// Four `f32`.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct F32x4(v128);

/// Four `i32`.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct I32x4(v128);

impl F32x4 {
    /// All lanes `value`.
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self(f32x4_splat(value))
    }

    /// The four lanes of `source`.
    #[inline(always)]
    pub fn load(source: &[f32; 4]) -> Self {
        // SAFETY: `source` is 16 readable bytes; v128.load takes any alignment.
        Self(unsafe { v128_load(source.as_ptr().cast()) })
    }

    /// Writes the four lanes to `target`.
    #[inline(always)]
    pub fn store(self, target: &mut [f32; 4]) {
        // SAFETY: `target` is 16 writable bytes; v128.store takes any alignment.
        unsafe { v128_store(target.as_mut_ptr().cast(), self.0) }
    }

    /// The larger of each pair of lanes (no NaN among the kernels' inputs is relied on).
    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        // pmax is `a < b ? b : a`: one instruction on x86, where max needs seven for its NaN rules.
        Self(f32x4_pmax(self.0, other.0))
    }

    /// The smaller of each pair of lanes.
    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        Self(f32x4_pmin(self.0, other.0))
    }

    /// Absolute values.
    #[inline(always)]
    pub fn abs(self) -> Self {
        Self(f32x4_abs(self.0))
    }

    /// The magnitude of `self` with the sign of `sign`.
    #[inline(always)]
    pub fn copysign(self, sign: Self) -> Self {
        Self(v128_bitselect(sign.0, self.0, i32x4_splat(i32::MIN)))
    }

    /// Where `self < limit` the lane of `below`, elsewhere that of `above`.
    #[inline(always)]
    pub fn select_less(self, limit: Self, below: Self, above: Self) -> Self {
        Self(v128_bitselect(below.0, above.0, f32x4_lt(self.0, limit.0)))
    }

    /// The lanes' bits.
    #[inline(always)]
    pub fn to_bits(self) -> I32x4 {
        I32x4(self.0)
    }

    /// The even and the odd lanes of two vectors, one after the other.
    #[inline(always)]
    pub fn unzip([a, b]: [Self; 2]) -> [Self; 2] {
        [Self(i32x4_shuffle::<0, 2, 4, 6>(a.0, b.0)), Self(i32x4_shuffle::<1, 3, 5, 7>(a.0, b.0))]
    }

    /// Two vectors lane by lane in turn: [`Self::unzip`] undone.
    #[inline(always)]
    pub fn zip([a, b]: [Self; 2]) -> [Self; 2] {
        [Self(i32x4_shuffle::<0, 4, 1, 5>(a.0, b.0)), Self(i32x4_shuffle::<2, 6, 3, 7>(a.0, b.0))]
    }

    /// The sum of the lanes, as (0 + 2) + (1 + 3).
    #[inline(always)]
    pub fn sum(self) -> f32 {
        let half = f32x4_add(self.0, i32x4_shuffle::<2, 3, 0, 1>(self.0, self.0));
        f32x4_extract_lane::<0>(half) + f32x4_extract_lane::<1>(half)
    }

    /// The largest lane.
    #[inline(always)]
    pub fn max_lane(self) -> f32 {
        let half = f32x4_pmax(self.0, i32x4_shuffle::<2, 3, 0, 1>(self.0, self.0));
        f32x4_extract_lane::<0>(f32x4_pmax(half, i32x4_shuffle::<1, 0, 3, 2>(half, half)))
    }
}

impl I32x4 {
    /// All lanes `value`.
    #[inline(always)]
    pub fn splat(value: i32) -> Self {
        Self(i32x4_splat(value))
    }

    /// The four lanes.
    #[inline(always)]
    pub fn to_array(self) -> [i32; 4] {
        [
            i32x4_extract_lane::<0>(self.0),
            i32x4_extract_lane::<1>(self.0),
            i32x4_extract_lane::<2>(self.0),
            i32x4_extract_lane::<3>(self.0),
        ]
    }

    /// Lanes as `f32`, rounded to nearest.
    #[inline(always)]
    pub fn to_f32(self) -> F32x4 {
        F32x4(f32x4_convert_i32x4(self.0))
    }

    /// The lanes' bits read as `f32`.
    #[inline(always)]
    pub fn bits_to_f32(self) -> F32x4 {
        F32x4(self.0)
    }

    /// Lanes shifted left by `bits`.
    #[inline(always)]
    pub fn shift_left(self, bits: u32) -> Self {
        Self(i32x4_shl(self.0, bits))
    }

    /// Lanes shifted right by `bits`, their signs kept.
    #[inline(always)]
    pub fn shift_right(self, bits: u32) -> Self {
        Self(i32x4_shr(self.0, bits))
    }
}

/// Writes sixteen values of −128..=127.
#[inline(always)]
pub fn store_i8(target: &mut [i8; 16], values: [I32x4; 4]) {
    let [a, b, c, d] = values.map(|values| values.0);
    let bytes = i8x16_narrow_i16x8(i16x8_narrow_i32x4(a, b), i16x8_narrow_i32x4(c, d));
    // SAFETY: `target` is 16 writable bytes; v128.store takes any alignment.
    unsafe { v128_store(target.as_mut_ptr().cast(), bytes) }
}

macro_rules! lanewise {
    ($($type:ident $trait:ident $method:ident $instruction:ident;)*) => {$(
        impl $trait for $type {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self($instruction(self.0, other.0))
            }
        }
    )*};
}

lanewise! {
    F32x4 Add add f32x4_add;
    F32x4 Sub sub f32x4_sub;
    F32x4 Mul mul f32x4_mul;
    F32x4 Div div f32x4_div;
    I32x4 Add add i32x4_add;
    I32x4 Sub sub i32x4_sub;
}
