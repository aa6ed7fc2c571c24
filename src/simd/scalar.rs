//! The backend for every other target: arrays that the compiler may vectorise as it sees fit.

#[path = "plain.rs"]
mod plain;

use std::array::from_fn;
use std::ops::{Add, Div, Mul, Sub};

pub use plain::{fits_16_bits, prefers_two_steps};

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

    /// Where `self < limit` the lane of `below`, elsewhere that of `above`.
    #[inline(always)]
    pub fn select_less(self, limit: Self, below: Self, above: Self) -> Self {
        Self(from_fn(|i| if self.0[i] < limit.0[i] { below.0[i] } else { above.0[i] }))
    }

    /// The lanes' bits.
    #[inline(always)]
    pub fn to_bits(self) -> I32x4 {
        I32x4(self.0.map(|x| x.to_bits() as i32))
    }

    /// The even and the odd lanes of two vectors, one after the other.
    #[inline(always)]
    pub fn unzip([a, b]: [Self; 2]) -> [Self; 2] {
        let lane = |i: usize| if i < 4 { a.0[i] } else { b.0[i - 4] };
        [0, 1].map(|odd| Self(from_fn(|i| lane(2 * i + odd))))
    }

    /// Two vectors lane by lane in turn: [`Self::unzip`] undone.
    #[inline(always)]
    pub fn zip(pair: [Self; 2]) -> [Self; 2] {
        [0, 2].map(|first| Self(from_fn(|i| pair[i % 2].0[first + i / 2])))
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

    /// Lanes shifted right by `bits`, their signs kept.
    #[inline(always)]
    pub fn shift_right(self, bits: u32) -> Self {
        Self(self.0.map(|x| x >> bits))
    }
}

/// A 7-bit activation, wide enough for the 16-bit products that compilers vectorise.
pub type Activation = i16;

/// Inputs a step of the integer product takes.
pub const DEPTH: usize = 2;

/// 8 outputs × [`DEPTH`] inputs of weights.
#[derive(Clone, Copy)]
pub struct WeightStep([i16; 8 * DEPTH]);

impl WeightStep {
    /// Lane `DEPTH · j + h` is output j, input h.
    #[inline(always)]
    pub fn load(step: &[i8; 8 * DEPTH]) -> Self {
        Self(step.map(i16::from))
    }

    /// `sums[j] + Σ_h w[j, h] · x[h]` for the 8 outputs j; every x in 0..=127.
    #[inline(always)]
    pub fn dot(self, x: &[Activation; DEPTH], sums: [I32x4; 2]) -> [I32x4; 2] {
        let (w, x) = (&self.0, [i32::from(x[0]), i32::from(x[1])]);
        // The pairs are spelled out: LLVM does not find them in a loop over an array of products.
        let pair = |j: usize| i32::from(w[2 * j]) * x[0] + i32::from(w[2 * j + 1]) * x[1];
        [sums[0] + I32x4([pair(0), pair(1), pair(2), pair(3)]), sums[1] + I32x4([pair(4), pair(5), pair(6), pair(7)])]
    }
}

/// The step of 8 outputs whose input h has the weights `inputs[h]`, each in −128..=127.
#[inline(always)]
pub fn interleave(inputs: [[I32x4; 2]; DEPTH]) -> [i8; 8 * DEPTH] {
    from_fn(|i| {
        let (output, input) = (i / DEPTH, i % DEPTH);
        inputs[input][output / 4].0[output % 4] as i8
    })
}

/// Writes sixteen values of 0..=127.
#[inline(always)]
pub fn store_activations(target: &mut [Activation; 16], values: [I32x4; 4]) {
    let (quads, _) = target.as_chunks_mut::<4>();
    for (quad, values) in quads.iter_mut().zip(values) {
        *quad = values.0.map(|x| x as i16);
    }
}

/// Writes sixteen values of −128..=127.
#[inline(always)]
pub fn store_i8(target: &mut [i8; 16], values: [I32x4; 4]) {
    let (quads, _) = target.as_chunks_mut::<4>();
    for (quad, values) in quads.iter_mut().zip(values) {
        *quad = values.0.map(|x| x as i8);
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
    I32x4 Sub sub |a, b| a.wrapping_sub(b);
}
