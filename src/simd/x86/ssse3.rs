//! What later processors add: products of bytes whose neighbours are added in 16 bits (SSSE3, in x86-64-v2), and in 32 bits (VNNI).

use super::I32x4;
use core::arch::x86_64::*;

/// Whether one instruction is the whole step.
const VNNI: bool =
    cfg!(any(target_feature = "avxvnni", all(target_feature = "avx512vnni", target_feature = "avx512vl")));

/// What the kernels run on, for humans.
pub const BACKEND: &str = if VNNI { "VNNI" } else { "SSSE3" };

/// A 7-bit activation.
pub type Activation = u8;

/// Inputs a step of the integer product takes.
pub const DEPTH: usize = 4;

/// 8 outputs × [`DEPTH`] inputs of weights.
#[derive(Clone, Copy)]
pub struct WeightStep([__m128i; 2]);

/// `sums + x · w`, four neighbours at a time.
#[cfg(all(target_feature = "avx512vnni", target_feature = "avx512vl"))]
#[inline(always)]
fn dot(sums: I32x4, x: I32x4, w: __m128i) -> I32x4 {
    I32x4(instruction!(_mm_dpbusd_epi32(sums.0, x.0, w)))
}

/// `sums + x · w`, four neighbours at a time.
#[cfg(all(target_feature = "avxvnni", not(all(target_feature = "avx512vnni", target_feature = "avx512vl"))))]
#[inline(always)]
fn dot(sums: I32x4, x: I32x4, w: __m128i) -> I32x4 {
    I32x4(instruction!(_mm_dpbusd_avx_epi32(sums.0, x.0, w)))
}

/// `sums + x · w`, four neighbours at a time: exact, since 16 bits hold two products, |127 · −128 · 2| < 2¹⁵.
#[cfg(not(any(target_feature = "avxvnni", all(target_feature = "avx512vnni", target_feature = "avx512vl"))))]
#[inline(always)]
fn dot(sums: I32x4, x: I32x4, w: __m128i) -> I32x4 {
    sums + widened(instruction!(_mm_maddubs_epi16(x.0, w)))
}

/// The sums of neighbours, in 32 bits.
#[inline(always)]
fn widened(products: __m128i) -> I32x4 {
    I32x4(instruction!(_mm_madd_epi16(products, instruction!(_mm_set1_epi16(1)))))
}

/// The inputs of a step, for each output.
#[inline(always)]
fn broadcast(x: &[Activation; DEPTH]) -> I32x4 {
    I32x4::splat(i32::from_ne_bytes(*x))
}

impl WeightStep {
    /// Lane `DEPTH · j + h` is output j, input h.
    #[inline(always)]
    pub fn load(step: &[i8; 8 * DEPTH]) -> Self {
        let (halves, _) = step.as_chunks::<16>();
        // SAFETY: each half is 16 readable bytes; movdqu takes any alignment.
        Self([0, 1].map(|half| unsafe { _mm_loadu_si128(halves[half].as_ptr().cast()) }))
    }

    /// `sums[j] + Σ_h w[j, h] · x[h]` for the 8 outputs j; every x in 0..=127.
    #[inline(always)]
    pub fn dot(self, x: &[Activation; DEPTH], sums: [I32x4; 2]) -> [I32x4; 2] {
        [0, 1].map(|half| dot(sums[half], broadcast(x), self.0[half]))
    }

    /// Two steps of [`WeightStep::dot`], whose products are added in 16 bits: they must fit for every x in 0..=127.
    #[inline(always)]
    pub fn dot_two(two: [Self; 2], x: [&[Activation; DEPTH]; 2], sums: [I32x4; 2]) -> [I32x4; 2] {
        let x = x.map(broadcast);
        [0, 1].map(|half| {
            let products = [0, 1].map(|step| instruction!(_mm_maddubs_epi16(x[step].0, two[step].0[half])));
            sums[half] + widened(instruction!(_mm_add_epi16(products[0], products[1])))
        })
    }
}

/// Whether [`WeightStep::dot_two`] is exact for these steps, whatever the activations: in each lane of its 16-bit sums, which takes two
/// neighbours of each step, the positive weights together and the negative ones together stay within 2¹⁵ / 127 = 258.
#[inline(always)]
pub fn fits_16_bits(two: [WeightStep; 2]) -> bool {
    let zero = instruction!(_mm_setzero_si128());
    let neighbours = |kept: [__m128i; 2]| {
        let sums = kept.map(|kept| instruction!(_mm_maddubs_epi16(instruction!(_mm_set1_epi8(1)), kept)));
        instruction!(_mm_add_epi16(sums[0], sums[1]))
    };
    let too_much = [0, 1].map(|half| {
        let w = two.map(|step| step.0[half]);
        let negative = w.map(|w| instruction!(_mm_cmpgt_epi8(zero, w)));
        let most = neighbours([0, 1].map(|i| instruction!(_mm_andnot_si128(negative[i], w[i]))));
        let least = neighbours([0, 1].map(|i| instruction!(_mm_and_si128(negative[i], w[i]))));
        let above = instruction!(_mm_cmpgt_epi16(most, instruction!(_mm_set1_epi16(258))));
        instruction!(_mm_or_si128(above, instruction!(_mm_cmpgt_epi16(instruction!(_mm_set1_epi16(-258)), least))))
    });
    instruction!(_mm_movemask_epi8(instruction!(_mm_or_si128(too_much[0], too_much[1])))) == 0
}

/// Whether [`WeightStep::dot_two`] is faster than two steps: five instructions for twice the work of three.
pub fn prefers_two_steps() -> bool {
    !VNNI
}

/// The step of 8 outputs whose input h has the weights `inputs[h]`, each in −128..=127.
#[inline(always)]
pub fn interleave(inputs: [[I32x4; 2]; DEPTH]) -> [i8; 8 * DEPTH] {
    let mut step = [0; 8 * DEPTH];
    let (halves, _) = step.as_chunks_mut::<16>();
    let turned = instruction!(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    for (half, target) in halves.iter_mut().enumerate() {
        let pairs = [0, 2].map(|h| instruction!(_mm_packs_epi32(inputs[h][half].0, inputs[h + 1][half].0)));
        let bytes = instruction!(_mm_packs_epi16(pairs[0], pairs[1]));
        let bytes = instruction!(_mm_shuffle_epi8(bytes, turned));
        // SAFETY: `target` is 16 writable bytes; movdqu takes any alignment.
        unsafe { _mm_storeu_si128(target.as_mut_ptr().cast(), bytes) }
    }
    step
}

/// Writes sixteen values of 0..=127.
#[inline(always)]
pub fn store_activations(target: &mut [Activation; 16], values: [I32x4; 4]) {
    let mut signed = [0; 16];
    super::store_i8(&mut signed, values);
    *target = signed.map(|value| value as u8);
}
