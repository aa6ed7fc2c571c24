//! Four-lane value types over WebAssembly's `v128`, x86's or Arm's vectors, or over plain arrays.
//!
//! The kernels are written once against these types; this module is the only place that chooses what stands behind them, and the
//! only place with `unsafe`. It goes by what a build is compiled for, never by what it runs on. All backends round, compare and wrap alike, lane by lane, and their integers are exact, so a kernel
//! returns the same bits on each. The one exception is [`F32x4::mul_add`], which relaxed SIMD may fuse.
//!
//! A backend also chooses how the integer product goes through the inputs: it takes [`DEPTH`] of them a step, each held as an
//! [`Activation`], against [`WeightStep`], 8 outputs wide; or two steps at once, where [`prefers_two_steps`] says so.

/// A call of an intrinsic that touches registers alone.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! instruction {
    ($intrinsic:ident $(::<$constant:tt>)? ($($operand:expr),*)) => {{
        #[allow(unused_unsafe)] // An operand may be such a call itself.
        // SAFETY: the build is compiled for it: all of the architecture have it, or `cfg` chose the file by it.
        let result = unsafe { $intrinsic $(::<$constant>)? ($($operand),*) };
        result
    }};
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[path = "wasm/mod.rs"]
mod backend;

#[cfg(target_arch = "x86_64")]
#[path = "x86/mod.rs"]
mod backend;

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
#[path = "arm/mod.rs"]
mod backend;

#[cfg(not(any(
    all(target_arch = "wasm32", target_feature = "simd128"),
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_endian = "little"),
)))]
#[path = "scalar.rs"]
mod backend;

pub use backend::{
    Activation, BACKEND, DEPTH, F32x4, I32x4, WeightStep, fits_16_bits, interleave, prefers_two_steps,
    store_activations, store_i8,
};

/// 1.5 · 2²³: added to an `f32`, it moves the integer nearest to it (ties to even) into the low bits of the sum.
const ROUNDING: f32 = 12_582_912.0;

impl F32x4 {
    /// `self · b + c`, rounded twice.
    #[cfg(not(all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
    #[inline(always)]
    pub fn mul_add(self, b: Self, c: Self) -> Self {
        self * b + c
    }

    /// Nearest integers, ties to even, as floats and as integers, for |x| ≤ 2²².
    ///
    /// Two additions; the instructions made for it saturate, which takes x86-64 eight.
    #[inline(always)]
    pub fn round(self) -> (Self, I32x4) {
        let moved = self + Self::splat(ROUNDING);
        (moved - Self::splat(ROUNDING), moved.to_bits() - Self::splat(ROUNDING).to_bits())
    }
}

#[cfg(test)]
mod tests;
