//! What relaxed SIMD adds: the 8-bit dot product (VNNI, SDOT) and the fused multiply-add.

use super::{F32x4, I32x4};
use core::arch::wasm32::*;

/// What the kernels run on, for humans.
pub const BACKEND: &str = "relaxed";

/// A 7-bit activation.
pub type Activation = u8;

/// Inputs a step of the integer product takes.
pub const DEPTH: usize = 4;

/// 8 outputs × [`DEPTH`] inputs of weights.
#[derive(Clone, Copy)]
pub struct WeightStep([v128; 2]);

impl WeightStep {
    /// Lane `DEPTH · j + h` is output j, input h.
    #[inline(always)]
    pub fn load(step: &[i8; 8 * DEPTH]) -> Self {
        let (halves, _) = step.as_chunks::<16>();
        // SAFETY: each half is 16 readable bytes; v128.load takes any alignment.
        Self(unsafe { [v128_load(halves[0].as_ptr().cast()), v128_load(halves[1].as_ptr().cast())] })
    }

    /// `sums[j] + Σ_h w[j, h] · x[h]` for the 8 outputs j; every x in 0..=127.
    ///
    /// Within that range the instruction is exact and every engine returns the same integers: its operand is 7 bits wide, and a
    /// 16-bit intermediate holds two products, |127 · −128 · 2| < 2¹⁵.
    #[inline(always)]
    pub fn dot(self, x: &[Activation; DEPTH], sums: [I32x4; 2]) -> [I32x4; 2] {
        // SAFETY: `x` is 4 readable bytes; v128.load32_splat takes any alignment.
        let x = unsafe { v128_load32_splat(x.as_ptr().cast()) };
        [0, 1].map(|half| I32x4(i32x4_relaxed_dot_i8x16_i7x16_add(self.0[half], x, sums[half].0)))
    }

    /// Two steps of [`WeightStep::dot`], whose products are added in 16 bits: they must fit for every x in 0..=127.
    #[inline(always)]
    pub fn dot_two(two: [Self; 2], x: [&[Activation; DEPTH]; 2], sums: [I32x4; 2]) -> [I32x4; 2] {
        // SAFETY: each x is 4 readable bytes; v128.load32_splat takes any alignment.
        let x = x.map(|x| unsafe { v128_load32_splat(x.as_ptr().cast()) });
        [0, 1].map(|half| {
            let products = [0, 1].map(|step| i16x8_relaxed_dot_i8x16_i7x16(two[step].0[half], x[step]));
            let added = i16x8_add(products[0], products[1]);
            I32x4(i32x4_add(sums[half].0, i32x4_extadd_pairwise_i16x8(added)))
        })
    }
}

/// The step of 8 outputs whose input h has the weights `inputs[h]`, each in −128..=127.
#[inline(always)]
pub fn interleave(inputs: [[I32x4; 2]; DEPTH]) -> [i8; 8 * DEPTH] {
    let mut step = [0; 8 * DEPTH];
    let (halves, _) = step.as_chunks_mut::<16>();
    for (half, target) in halves.iter_mut().enumerate() {
        let byte = |h: usize| v128_and(inputs[h][half].0, i32x4_splat(0xff));
        let low = v128_or(byte(0), i32x4_shl(byte(1), 8));
        let high = v128_or(i32x4_shl(byte(2), 16), i32x4_shl(inputs[3][half].0, 24));
        // SAFETY: `target` is 16 writable bytes; v128.store takes any alignment.
        unsafe { v128_store(target.as_mut_ptr().cast(), v128_or(low, high)) }
    }
    step
}

/// Whether [`WeightStep::dot_two`] is exact for these steps, whatever the activations: in each lane of its 16-bit sums, which takes two
/// neighbours of each step, the positive weights together and the negative ones together stay within 2¹⁵ / 127 = 258.
#[inline(always)]
pub fn fits_16_bits(two: [WeightStep; 2]) -> bool {
    let (zero, most, least) = (i8x16_splat(0), i16x8_splat(258), i16x8_splat(-258));
    let too_much = [0, 1].map(|half| {
        let neighbours = |keep: fn(v128, v128) -> v128| {
            let sums = two.map(|step| i16x8_extadd_pairwise_i8x16(keep(step.0[half], zero)));
            i16x8_add(sums[0], sums[1])
        };
        v128_or(i16x8_gt(neighbours(i8x16_max), most), i16x8_lt(neighbours(i8x16_min), least))
    });
    !v128_any_true(v128_or(too_much[0], too_much[1]))
}

/// Whether [`WeightStep::dot_two`] is faster than two steps: on x86-64 without VNNI, or with AVX-512's form of it, which V8 does not use.
///
/// There the dot product is five instructions: two that make a vector of ones, bytes to 16-bit sums of pairs, those times one to 32
/// bits, and the addition. Adding two pairs of pairs before they are widened makes it six for twice the work.
///
/// No wasm can ask for the processor, but an instruction without a defined result for 8-bit operands tells what became of it: 16-bit
/// sums saturate at 2 · 32,767, VNNI returns 4 · 127 · 255, and SDOT takes 255 for −1.
pub fn prefers_two_steps() -> bool {
    let (a, b) = std::hint::black_box((i8x16_splat(127), u8x16_splat(255)));
    i32x4_extract_lane::<0>(i32x4_relaxed_dot_i8x16_i7x16_add(a, b, i32x4_splat(0))) == 2 * i32::from(i16::MAX)
}

/// Writes sixteen values of 0..=127.
#[inline(always)]
pub fn store_activations(target: &mut [Activation; 16], values: [I32x4; 4]) {
    let [a, b, c, d] = values.map(|values| values.0);
    let bytes = u8x16_narrow_i16x8(i16x8_narrow_i32x4(a, b), i16x8_narrow_i32x4(c, d));
    // SAFETY: `target` is 16 writable bytes; v128.store takes any alignment.
    unsafe { v128_store(target.as_mut_ptr().cast(), bytes) }
}

impl F32x4 {
    /// `self · b + c`, rounded once or twice, as the engine likes.
    #[inline(always)]
    pub fn mul_add(self, b: Self, c: Self) -> Self {
        Self(f32x4_relaxed_madd(self.0, b.0, c.0))
    }
}
