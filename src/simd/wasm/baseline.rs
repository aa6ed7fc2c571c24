//! What simd128 alone offers: products of 16-bit pairs.

use super::I32x4;
use core::arch::wasm32::*;

/// What the kernels run on, for humans.
pub const BACKEND: &str = "simd128";

/// A 7-bit activation, widened for the 16-bit product.
pub type Activation = i16;

/// Inputs a step of the integer product takes.
pub const DEPTH: usize = 2;

/// 8 outputs × [`DEPTH`] inputs of weights, widened to 16 bits once for all rows of a tile.
#[derive(Clone, Copy)]
pub struct WeightStep([v128; 2]);

impl WeightStep {
    /// Lane `DEPTH · j + h` is output j, input h.
    #[inline(always)]
    pub fn load(step: &[i8; 8 * DEPTH]) -> Self {
        let (halves, _) = step.as_chunks::<8>();
        // SAFETY: each half is 8 readable bytes; v128.load8x8_s takes any alignment.
        Self(unsafe { [i16x8_load_extend_i8x8(halves[0].as_ptr()), i16x8_load_extend_i8x8(halves[1].as_ptr())] })
    }

    /// `sums[j] + Σ_h w[j, h] · x[h]` for the 8 outputs j; every x in 0..=127.
    #[inline(always)]
    pub fn dot(self, x: &[Activation; DEPTH], sums: [I32x4; 2]) -> [I32x4; 2] {
        // SAFETY: `x` is 4 readable bytes; v128.load32_splat takes any alignment.
        let x = unsafe { v128_load32_splat(x.as_ptr().cast()) };
        [0, 1].map(|half| I32x4(i32x4_add(sums[half].0, i32x4_dot_i16x8(self.0[half], x))))
    }
}

/// The step of 8 outputs whose input h has the weights `inputs[h]`, each in −128..=127.
#[inline(always)]
pub fn interleave(inputs: [[I32x4; 2]; DEPTH]) -> [i8; 8 * DEPTH] {
    let mut step = [0; 8 * DEPTH];
    let pairs = [0, 1].map(|half| {
        let low = v128_and(inputs[0][half].0, i32x4_splat(0xff));
        v128_or(low, i32x4_shl(inputs[1][half].0, 8))
    });
    // SAFETY: `step` is 16 writable bytes; v128.store takes any alignment.
    unsafe { v128_store(step.as_mut_ptr().cast(), i16x8_narrow_i32x4(pairs[0], pairs[1])) }
    step
}

/// Writes sixteen values of 0..=127.
#[inline(always)]
pub fn store_activations(target: &mut [Activation; 16], values: [I32x4; 4]) {
    let (halves, _) = target.as_chunks_mut::<8>();
    for (half, values) in halves.iter_mut().zip(values.as_chunks::<2>().0) {
        // SAFETY: `half` is 16 writable bytes; v128.store takes any alignment.
        unsafe { v128_store(half.as_mut_ptr().cast(), i16x8_narrow_i32x4(values[0].0, values[1].0)) }
    }
}
