//! What SSE2 alone offers: products of 16-bit pairs.

use super::I32x4;
use core::arch::x86_64::*;

/// What the kernels run on, for humans.
pub const BACKEND: &str = "SSE2";

/// A 7-bit activation, widened for the 16-bit product.
pub type Activation = i16;

/// Inputs a step of the integer product takes.
pub const DEPTH: usize = 2;

/// 8 outputs × [`DEPTH`] inputs of weights, widened to 16 bits once for all rows of a tile.
#[derive(Clone, Copy)]
pub struct WeightStep([__m128i; 2]);

impl WeightStep {
    /// Lane `DEPTH · j + h` is output j, input h.
    #[inline(always)]
    pub fn load(step: &[i8; 8 * DEPTH]) -> Self {
        // SAFETY: `step` is 16 readable bytes; movdqu takes any alignment.
        let bytes = unsafe { _mm_loadu_si128(step.as_ptr().cast()) };
        let signs = instruction!(_mm_cmpgt_epi8(instruction!(_mm_setzero_si128()), bytes));
        Self([instruction!(_mm_unpacklo_epi8(bytes, signs)), instruction!(_mm_unpackhi_epi8(bytes, signs))])
    }

    /// `sums[j] + Σ_h w[j, h] · x[h]` for the 8 outputs j; every x in 0..=127.
    #[inline(always)]
    pub fn dot(self, x: &[Activation; DEPTH], sums: [I32x4; 2]) -> [I32x4; 2] {
        // SAFETY: `x` is 4 readable bytes, read as an `i32` of any alignment.
        let x = I32x4::splat(unsafe { x.as_ptr().cast::<i32>().read_unaligned() });
        [0, 1].map(|half| sums[half] + I32x4(instruction!(_mm_madd_epi16(self.0[half], x.0))))
    }
}

/// The step of 8 outputs whose input h has the weights `inputs[h]`, each in −128..=127.
#[inline(always)]
pub fn interleave(inputs: [[I32x4; 2]; DEPTH]) -> [i8; 8 * DEPTH] {
    let mut step = [0; 8 * DEPTH];
    // Pairs of 16 bits first, which unpacking puts side by side.
    let [low, high] = inputs.map(|[a, b]| instruction!(_mm_packs_epi32(a.0, b.0)));
    let halves = [instruction!(_mm_unpacklo_epi16(low, high)), instruction!(_mm_unpackhi_epi16(low, high))];
    let bytes = instruction!(_mm_packs_epi16(halves[0], halves[1]));
    // SAFETY: `step` is 16 writable bytes; movdqu takes any alignment.
    unsafe { _mm_storeu_si128(step.as_mut_ptr().cast(), bytes) }
    step
}

/// Writes sixteen values of 0..=127.
#[inline(always)]
pub fn store_activations(target: &mut [Activation; 16], values: [I32x4; 4]) {
    let (halves, _) = target.as_chunks_mut::<8>();
    for (half, values) in halves.iter_mut().zip(values.as_chunks::<2>().0) {
        let words = instruction!(_mm_packs_epi32(values[0].0, values[1].0));
        // SAFETY: `half` is 16 writable bytes; movdqu takes any alignment.
        unsafe { _mm_storeu_si128(half.as_mut_ptr().cast(), words) }
    }
}
