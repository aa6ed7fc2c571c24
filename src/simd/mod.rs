//! Four-lane value types over WebAssembly's `v128`, or over plain arrays.
//!
//! The kernels are written once against [`F32x4`], [`I32x4`], [`I16x8`] and [`I8x16`]; this module is the only place that
//! chooses what stands behind them, and the only place with `unsafe`. Both backends round, compare and wrap alike, lane by
//! lane: no fused multiply-add, no approximate instruction. A kernel therefore returns the same bits on both.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[path = "wasm.rs"]
mod backend;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[path = "scalar.rs"]
mod backend;

pub use backend::{BACKEND, F32x4, I8x16, I16x8, I32x4};

#[cfg(test)]
mod tests;
