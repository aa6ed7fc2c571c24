//! Four-lane value types over WebAssembly's `v128`, or over plain arrays.
//!
//! The kernels are written once against these types; this module is the only place that chooses what stands behind them, and the
//! only place with `unsafe`. All backends round, compare and wrap alike, lane by lane, and their integers are exact, so a kernel
//! returns the same bits on each. The one exception is [`F32x4::mul_add`], which relaxed SIMD may fuse.
//!
//! A backend also chooses how the integer product goes through the inputs: it takes [`DEPTH`] of them a step, each held as an
//! [`Activation`], against [`WeightStep`], 8 outputs wide; or two steps at once, where [`prefers_two_steps`] says so.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[path = "wasm/mod.rs"]
mod backend;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[path = "scalar.rs"]
mod backend;

#[cfg(not(all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
mod plain;

pub use backend::{Activation, BACKEND, DEPTH, F32x4, I32x4, WeightStep, interleave, store_activations, store_i8};
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
pub use backend::{fits_16_bits, prefers_two_steps};
#[cfg(not(all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
pub use plain::{fits_16_bits, prefers_two_steps};

/// 1.5 · 2²³: added to an `f32`, it moves the integer nearest to it (ties to even) into the low bits of the sum.
const ROUNDING: f32 = 12_582_912.0;

impl F32x4 {
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
