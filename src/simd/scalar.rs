//! The backend for every target without simd128: arrays that the compiler may vectorise as it sees fit.

use std::array::from_fn;
use std::ops::{Add, Div, Mul, Sub};

/// What the kernels run on, for humans.
pub const BACKEND: &str = "scalar";

/// Four `f32`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(transparent)]
pub struct F32x4([f32; 4]);

/// Four `i32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct I32x4([i32; 4]);

/// Eight `i16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct I16x8([i16; 8]);

/// Sixteen `i8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct I8x16([i8; 16]);

impl F32x4 {
    /// All lanes `value`.
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self([value; 4])
    }

    /// The four lanes of `source`.
    #[inline(always)]
    pub fn load(source: &[f32; 4]) -> Self {
        Self(*source)
    }

    /// Writes the four lanes to `target`.
    #[inline(always)]
    pub fn store(self, target: &mut [f32; 4]) {
        *target = self.0;
    }

    /// The larger of each pair of lanes (no NaN among the kernels' inputs is relied on).
    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        Self(from_fn(|i| if self.0[i] < other.0[i] { other.0[i] } else { self.0[i] }))
    }

    /// The smaller of each pair of lanes.
    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        Self(from_fn(|i| if other.0[i] < self.0[i] { other.0[i] } else { self.0[i] }))
    }

    /// Absolute values.
    #[inline(always)]
    pub fn abs(self) -> Self {
        Self(self.0.map(f32::abs))
    }

    /// The magnitude of `self` with the sign of `sign`.
    #[inline(always)]
    pub fn copysign(self, sign: Self) -> Self {
        Self(from_fn(|i| self.0[i].copysign(sign.0[i])))
    }

    /// Nearest integers, ties to even.
    #[inline(always)]
    pub fn round_ties_even(self) -> Self {
        Self(self.0.map(f32::round_ties_even))
    }

    /// Where `self < limit` the lane of `below`, elsewhere that of `above`.
    #[inline(always)]
    pub fn select_less(self, limit: Self, below: Self, above: Self) -> Self {
        Self(from_fn(|i| if self.0[i] < limit.0[i] { below.0[i] } else { above.0[i] }))
    }

    /// Integer parts, saturating.
    #[inline(always)]
    pub fn to_i32(self) -> I32x4 {
        I32x4(self.0.map(|x| x as i32))
    }

    /// The sum of the lanes, as (0 + 2) + (1 + 3).
    #[inline(always)]
    pub fn sum(self) -> f32 {
        let [a, b, c, d] = self.0;
        (a + c) + (b + d)
    }

    /// The largest lane.
    #[inline(always)]
    pub fn max_lane(self) -> f32 {
        let [a, b, c, d] = self.0;
        let pick = |x: f32, y: f32| if x < y { y } else { x };
        pick(pick(a, c), pick(b, d))
    }
}

impl I32x4 {
    /// All lanes `value`.
    #[inline(always)]
    pub fn splat(value: i32) -> Self {
        Self([value; 4])
    }

    /// The four lanes.
    #[inline(always)]
    pub fn to_array(self) -> [i32; 4] {
        self.0
    }

    /// Lanes as `f32`, rounded to nearest.
    #[inline(always)]
    pub fn to_f32(self) -> F32x4 {
        F32x4(self.0.map(|x| x as f32))
    }

    /// The lanes' bits read as `f32`.
    #[inline(always)]
    pub fn bits_to_f32(self) -> F32x4 {
        F32x4(self.0.map(|x| f32::from_bits(x as u32)))
    }

    /// Lanes shifted left by `bits`.
    #[inline(always)]
    pub fn shift_left(self, bits: u32) -> Self {
        Self(self.0.map(|x| x << bits))
    }
}

impl I16x8 {
    /// The pair `source` in all four pairs of lanes.
    #[inline(always)]
    pub fn splat_pair(source: &[i16; 2]) -> Self {
        let [a, b] = *source;
        Self([a, b, a, b, a, b, a, b])
    }

    /// Products of the sixteen lanes, neighbours added: lane i is `a[2i]·b[2i] + a[2i+1]·b[2i+1]`.
    #[inline(always)]
    pub fn dot(self, other: Self) -> I32x4 {
        let (x, y) = (self.0, other.0);
        let pair =
            |i: usize| (i32::from(x[i]) * i32::from(y[i])).wrapping_add(i32::from(x[i + 1]) * i32::from(y[i + 1]));
        I32x4([pair(0), pair(2), pair(4), pair(6)])
    }
}

impl I8x16 {
    /// The sixteen lanes of `source`.
    #[inline(always)]
    pub fn load(source: &[i8; 16]) -> Self {
        Self(*source)
    }

    /// Lanes 0..8, sign-extended.
    #[inline(always)]
    pub fn low(self) -> I16x8 {
        let [a, b, c, d, e, f, g, h, ..] = self.0.map(i16::from);
        I16x8([a, b, c, d, e, f, g, h])
    }

    /// Lanes 8..16, sign-extended.
    #[inline(always)]
    pub fn high(self) -> I16x8 {
        let [.., a, b, c, d, e, f, g, h] = self.0.map(i16::from);
        I16x8([a, b, c, d, e, f, g, h])
    }
}

macro_rules! lanewise {
    ($($type:ident $trait:ident $method:ident |$a:ident, $b:ident| $result:expr;)*) => {$(
        impl $trait for $type {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(from_fn(|i| { let ($a, $b) = (self.0[i], other.0[i]); $result }))
            }
        }
    )*};
}

lanewise! {
    F32x4 Add add |a, b| a + b;
    F32x4 Sub sub |a, b| a - b;
    F32x4 Mul mul |a, b| a * b;
    F32x4 Div div |a, b| a / b;
    I32x4 Add add |a, b| a.wrapping_add(b);
}
