//! The backend for wasm with simd128: one instruction a method.

use core::arch::wasm32::*;
use std::ops::{Add, Div, Mul, Sub};

/// What the kernels run on, for humans.
pub const BACKEND: &str = "simd128";

/// Four `f32`.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct F32x4(v128);

/// Four `i32`.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct I32x4(v128);

/// Eight `i16`.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct I16x8(v128);

/// Sixteen `i8`.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct I8x16(v128);

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

    /// Nearest integers, ties to even.
    #[inline(always)]
    pub fn round_ties_even(self) -> Self {
        Self(f32x4_nearest(self.0))
    }

    /// Where `self < limit` the lane of `below`, elsewhere that of `above`.
    #[inline(always)]
    pub fn select_less(self, limit: Self, below: Self, above: Self) -> Self {
        Self(v128_bitselect(below.0, above.0, f32x4_lt(self.0, limit.0)))
    }

    /// Integer parts, saturating.
    #[inline(always)]
    pub fn to_i32(self) -> I32x4 {
        I32x4(i32x4_trunc_sat_f32x4(self.0))
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
}

impl I16x8 {
    /// The pair `source` in all four pairs of lanes.
    #[inline(always)]
    pub fn splat_pair(source: &[i16; 2]) -> Self {
        // SAFETY: `source` is 4 readable bytes; v128.load32_splat takes any alignment.
        Self(unsafe { v128_load32_splat(source.as_ptr().cast()) })
    }

    /// Products of the sixteen lanes, neighbours added: lane i is `a[2i]·b[2i] + a[2i+1]·b[2i+1]`.
    #[inline(always)]
    pub fn dot(self, other: Self) -> I32x4 {
        I32x4(i32x4_dot_i16x8(self.0, other.0))
    }
}

impl I8x16 {
    /// The sixteen lanes of `source`.
    #[inline(always)]
    pub fn load(source: &[i8; 16]) -> Self {
        // SAFETY: `source` is 16 readable bytes; v128.load takes any alignment.
        Self(unsafe { v128_load(source.as_ptr().cast()) })
    }

    /// Lanes 0..8, sign-extended.
    #[inline(always)]
    pub fn low(self) -> I16x8 {
        I16x8(i16x8_extend_low_i8x16(self.0))
    }

    /// Lanes 8..16, sign-extended.
    #[inline(always)]
    pub fn high(self) -> I16x8 {
        I16x8(i16x8_extend_high_i8x16(self.0))
    }
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
}
