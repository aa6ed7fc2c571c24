//! The backend for x86-64: SSE2, which every one has. What later ones add to the integer product is in `ssse3.rs`.

#[cfg(not(target_feature = "ssse3"))]
#[path = "../plain.rs"]
mod plain;
#[cfg(not(target_feature = "ssse3"))]
mod sse2;
#[cfg(target_feature = "ssse3")]
mod ssse3;

use core::arch::x86_64::*;
use std::ops::{Add, Div, Mul, Sub};

#[cfg(not(target_feature = "ssse3"))]
pub use plain::{fits_16_bits, prefers_two_steps};
#[cfg(not(target_feature = "ssse3"))]
pub use sse2::{Activation, BACKEND, DEPTH, WeightStep, interleave, store_activations};
#[cfg(target_feature = "ssse3")]
pub use ssse3::{
    Activation, BACKEND, DEPTH, WeightStep, fits_16_bits, interleave, prefers_two_steps, store_activations,
};

/// Four `f32`.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct F32x4(__m128);

/// Four `i32`.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct I32x4(__m128i);

impl F32x4 {
    /// All lanes `value`.
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self(instruction!(_mm_set1_ps(value)))
    }

    /// The four lanes of `source`.
    #[inline(always)]
    pub fn load(source: &[f32; 4]) -> Self {
        // SAFETY: `source` is 16 readable bytes; movups takes any alignment.
        Self(unsafe { _mm_loadu_ps(source.as_ptr()) })
    }

    /// Writes the four lanes to `target`.
    #[inline(always)]
    pub fn store(self, target: &mut [f32; 4]) {
        // SAFETY: `target` is 16 writable bytes; movups takes any alignment.
        unsafe { _mm_storeu_ps(target.as_mut_ptr(), self.0) }
    }

    /// The larger of each pair of lanes (no NaN among the kernels' inputs is relied on).
    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        // `a < b ? b : a`: of two that are equal maxps gives the second.
        Self(instruction!(_mm_max_ps(other.0, self.0)))
    }

    /// The smaller of each pair of lanes.
    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        Self(instruction!(_mm_min_ps(other.0, self.0)))
    }

    /// Absolute values.
    #[inline(always)]
    pub fn abs(self) -> Self {
        Self(instruction!(_mm_andnot_ps(Self::splat(-0.0).0, self.0)))
    }

    /// The magnitude of `self` with the sign of `sign`.
    #[inline(always)]
    pub fn copysign(self, sign: Self) -> Self {
        Self(instruction!(_mm_or_ps(self.abs().0, instruction!(_mm_and_ps(Self::splat(-0.0).0, sign.0)))))
    }

    /// Where `self < limit` the lane of `below`, elsewhere that of `above`.
    #[inline(always)]
    pub fn select_less(self, limit: Self, below: Self, above: Self) -> Self {
        let less = instruction!(_mm_cmplt_ps(self.0, limit.0));
        let (below, above) = (instruction!(_mm_and_ps(less, below.0)), instruction!(_mm_andnot_ps(less, above.0)));
        Self(instruction!(_mm_or_ps(below, above)))
    }

    /// The lanes' bits.
    #[inline(always)]
    pub fn to_bits(self) -> I32x4 {
        I32x4(instruction!(_mm_castps_si128(self.0)))
    }

    /// The even and the odd lanes of two vectors, one after the other.
    #[inline(always)]
    pub fn unzip([a, b]: [Self; 2]) -> [Self; 2] {
        [
            Self(instruction!(_mm_shuffle_ps::<0b10_00_10_00>(a.0, b.0))),
            Self(instruction!(_mm_shuffle_ps::<0b11_01_11_01>(a.0, b.0))),
        ]
    }

    /// Two vectors lane by lane in turn: [`Self::unzip`] undone.
    #[inline(always)]
    pub fn zip([a, b]: [Self; 2]) -> [Self; 2] {
        [Self(instruction!(_mm_unpacklo_ps(a.0, b.0))), Self(instruction!(_mm_unpackhi_ps(a.0, b.0)))]
    }

    /// The sum of the lanes, as (0 + 2) + (1 + 3).
    #[inline(always)]
    pub fn sum(self) -> f32 {
        let half = self + self.halves_swapped();
        half.first() + half.neighbours_swapped().first()
    }

    /// The largest lane.
    #[inline(always)]
    pub fn max_lane(self) -> f32 {
        let half = self.max(self.halves_swapped());
        half.max(half.neighbours_swapped()).first()
    }

    /// Lanes 2, 3, 0, 1.
    #[inline(always)]
    fn halves_swapped(self) -> Self {
        Self(instruction!(_mm_shuffle_ps::<0b01_00_11_10>(self.0, self.0)))
    }

    /// Lanes 1, 0, 3, 2.
    #[inline(always)]
    fn neighbours_swapped(self) -> Self {
        Self(instruction!(_mm_shuffle_ps::<0b10_11_00_01>(self.0, self.0)))
    }

    #[inline(always)]
    fn first(self) -> f32 {
        instruction!(_mm_cvtss_f32(self.0))
    }
}

impl I32x4 {
    /// All lanes `value`.
    #[inline(always)]
    pub fn splat(value: i32) -> Self {
        Self(instruction!(_mm_set1_epi32(value)))
    }

    /// The four lanes.
    #[inline(always)]
    pub fn to_array(self) -> [i32; 4] {
        let mut lanes = [0; 4];
        // SAFETY: `lanes` is 16 writable bytes; movdqu takes any alignment.
        unsafe { _mm_storeu_si128(lanes.as_mut_ptr().cast(), self.0) };
        lanes
    }

    /// Lanes as `f32`, rounded to nearest.
    #[inline(always)]
    pub fn to_f32(self) -> F32x4 {
        F32x4(instruction!(_mm_cvtepi32_ps(self.0)))
    }

    /// The lanes' bits read as `f32`.
    #[inline(always)]
    pub fn bits_to_f32(self) -> F32x4 {
        F32x4(instruction!(_mm_castsi128_ps(self.0)))
    }

    /// Lanes shifted left by `bits`.
    #[inline(always)]
    pub fn shift_left(self, bits: u32) -> Self {
        let bits = instruction!(_mm_cvtsi32_si128(bits as i32));
        Self(instruction!(_mm_sll_epi32(self.0, bits)))
    }

    /// Lanes shifted right by `bits`, their signs kept.
    #[inline(always)]
    pub fn shift_right(self, bits: u32) -> Self {
        let bits = instruction!(_mm_cvtsi32_si128(bits as i32));
        Self(instruction!(_mm_sra_epi32(self.0, bits)))
    }
}

/// Writes sixteen values of −128..=127.
#[inline(always)]
pub fn store_i8(target: &mut [i8; 16], values: [I32x4; 4]) {
    let pairs = [0, 2].map(|i| instruction!(_mm_packs_epi32(values[i].0, values[i + 1].0)));
    let bytes = instruction!(_mm_packs_epi16(pairs[0], pairs[1]));
    // SAFETY: `target` is 16 writable bytes; movdqu takes any alignment.
    unsafe { _mm_storeu_si128(target.as_mut_ptr().cast(), bytes) }
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
    F32x4 Add add _mm_add_ps;
    F32x4 Sub sub _mm_sub_ps;
    F32x4 Mul mul _mm_mul_ps;
    F32x4 Div div _mm_div_ps;
    I32x4 Add add _mm_add_epi32;
    I32x4 Sub sub _mm_sub_epi32;
}
