//! The backend for 64-bit Arm: NEON, which every one has. What its dot product adds is in `dotprod.rs`.

#[cfg(target_feature = "dotprod")]
mod dotprod;
#[cfg(not(target_feature = "dotprod"))]
mod neon;
#[cfg(target_feature = "dotprod")]
#[path = "../plain.rs"]
mod plain;

use core::arch::aarch64::*;
use std::ops::{Add, Div, Mul, Sub};

#[cfg(target_feature = "dotprod")]
pub use dotprod::{Activation, BACKEND, DEPTH, WeightStep, interleave, store_activations};
#[cfg(not(target_feature = "dotprod"))]
pub use neon::{
    Activation, BACKEND, DEPTH, WeightStep, fits_16_bits, interleave, prefers_two_steps, store_activations,
};
#[cfg(target_feature = "dotprod")]
pub use plain::{fits_16_bits, prefers_two_steps};

/// Four `f32`.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct F32x4(float32x4_t);

/// Four `i32`.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct I32x4(int32x4_t);

impl F32x4 {
    /// All lanes `value`.
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self(instruction!(vdupq_n_f32(value)))
    }

    /// The four lanes of `source`.
    #[inline(always)]
    pub fn load(source: &[f32; 4]) -> Self {
        // SAFETY: `source` is 16 readable bytes, aligned as `f32`.
        Self(unsafe { vld1q_f32(source.as_ptr()) })
    }

    /// Writes the four lanes to `target`.
    #[inline(always)]
    pub fn store(self, target: &mut [f32; 4]) {
        // SAFETY: `target` is 16 writable bytes, aligned as `f32`.
        unsafe { vst1q_f32(target.as_mut_ptr(), self.0) }
    }

    /// The larger of each pair of lanes (no NaN among the kernels' inputs is relied on).
    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        // Not fmax, which takes +0 for larger than −0: other bits than the other backends'.
        self.select_less(other, other, self)
    }

    /// The smaller of each pair of lanes.
    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        other.select_less(self, other, self)
    }

    /// Absolute values.
    #[inline(always)]
    pub fn abs(self) -> Self {
        Self(instruction!(vabsq_f32(self.0)))
    }

    /// The magnitude of `self` with the sign of `sign`.
    #[inline(always)]
    pub fn copysign(self, sign: Self) -> Self {
        Self(instruction!(vbslq_f32(instruction!(vdupq_n_u32(1 << 31)), sign.0, self.0)))
    }

    /// Where `self < limit` the lane of `below`, elsewhere that of `above`.
    #[inline(always)]
    pub fn select_less(self, limit: Self, below: Self, above: Self) -> Self {
        Self(instruction!(vbslq_f32(instruction!(vcltq_f32(self.0, limit.0)), below.0, above.0)))
    }

    /// The lanes' bits.
    #[inline(always)]
    pub fn to_bits(self) -> I32x4 {
        I32x4(instruction!(vreinterpretq_s32_f32(self.0)))
    }

    /// The even and the odd lanes of two vectors, one after the other.
    #[inline(always)]
    pub fn unzip([a, b]: [Self; 2]) -> [Self; 2] {
        [Self(instruction!(vuzp1q_f32(a.0, b.0))), Self(instruction!(vuzp2q_f32(a.0, b.0)))]
    }

    /// Two vectors lane by lane in turn: [`Self::unzip`] undone.
    #[inline(always)]
    pub fn zip([a, b]: [Self; 2]) -> [Self; 2] {
        [Self(instruction!(vzip1q_f32(a.0, b.0))), Self(instruction!(vzip2q_f32(a.0, b.0)))]
    }

    /// The sum of the lanes, as (0 + 2) + (1 + 3).
    #[inline(always)]
    pub fn sum(self) -> f32 {
        let half = self + self.halves_swapped();
        half.lane::<0>() + half.lane::<1>()
    }

    /// The largest lane.
    #[inline(always)]
    pub fn max_lane(self) -> f32 {
        let half = self.max(self.halves_swapped());
        half.max(Self::splat(half.lane::<1>())).lane::<0>()
    }

    /// Lanes 2, 3, 0, 1.
    #[inline(always)]
    fn halves_swapped(self) -> Self {
        Self(instruction!(vextq_f32::<2>(self.0, self.0)))
    }

    #[inline(always)]
    fn lane<const LANE: i32>(self) -> f32 {
        instruction!(vgetq_lane_f32::<LANE>(self.0))
    }
}

impl I32x4 {
    /// All lanes `value`.
    #[inline(always)]
    pub fn splat(value: i32) -> Self {
        Self(instruction!(vdupq_n_s32(value)))
    }

    /// The four lanes.
    #[inline(always)]
    pub fn to_array(self) -> [i32; 4] {
        let mut lanes = [0; 4];
        // SAFETY: `lanes` is 16 writable bytes, aligned as `i32`.
        unsafe { vst1q_s32(lanes.as_mut_ptr(), self.0) };
        lanes
    }

    /// Lanes as `f32`, rounded to nearest.
    #[inline(always)]
    pub fn to_f32(self) -> F32x4 {
        F32x4(instruction!(vcvtq_f32_s32(self.0)))
    }

    /// The lanes' bits read as `f32`.
    #[inline(always)]
    pub fn bits_to_f32(self) -> F32x4 {
        F32x4(instruction!(vreinterpretq_f32_s32(self.0)))
    }

    /// Lanes shifted left by `bits`.
    #[inline(always)]
    pub fn shift_left(self, bits: u32) -> Self {
        Self(instruction!(vshlq_s32(self.0, instruction!(vdupq_n_s32(bits as i32)))))
    }

    /// Lanes shifted right by `bits`, their signs kept.
    #[inline(always)]
    pub fn shift_right(self, bits: u32) -> Self {
        // A shift to the left by less than nothing is one to the right.
        Self(instruction!(vshlq_s32(self.0, instruction!(vdupq_n_s32(-(bits as i32))))))
    }
}

/// The low 16 bits of eight values.
#[inline(always)]
fn narrow([a, b]: [I32x4; 2]) -> int16x8_t {
    instruction!(vcombine_s16(instruction!(vmovn_s32(a.0)), instruction!(vmovn_s32(b.0))))
}

/// The low 8 bits of sixteen values.
#[inline(always)]
fn bytes([a, b, c, d]: [I32x4; 4]) -> int8x16_t {
    instruction!(vcombine_s8(instruction!(vmovn_s16(narrow([a, b]))), instruction!(vmovn_s16(narrow([c, d])))))
}

/// Writes sixteen values of −128..=127.
#[inline(always)]
pub fn store_i8(target: &mut [i8; 16], values: [I32x4; 4]) {
    // SAFETY: `target` is 16 writable bytes.
    unsafe { vst1q_s8(target.as_mut_ptr(), bytes(values)) }
}

macro_rules! lanewise {
    ($($type:ident $trait:ident $method:ident $intrinsic:ident;)*) => {$(
        impl $trait for $type {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(instruction!($intrinsic(self.0, other.0)))
            }
        }
    )*};
}

lanewise! {
    F32x4 Add add vaddq_f32;
    F32x4 Sub sub vsubq_f32;
    F32x4 Mul mul vmulq_f32;
    F32x4 Div div vdivq_f32;
    I32x4 Add add vaddq_s32;
    I32x4 Sub sub vsubq_s32;
}
