//! What NEON alone offers: products of bytes in 16 bits, two of which are added before they are widened.

use super::{I32x4, store_i8};
use core::arch::aarch64::*;

/// What the kernels run on, for humans.
pub const BACKEND: &str = "NEON";

/// A 7-bit activation.
pub type Activation = i8;

/// Inputs a step of the integer product takes.
pub const DEPTH: usize = 2;

/// 8 outputs × [`DEPTH`] inputs of weights.
#[derive(Clone, Copy)]
pub struct WeightStep([int8x8_t; 2]);

/// The inputs of a step, for each output of a half.
#[inline(always)]
fn broadcast(x: &[Activation; DEPTH]) -> int8x8_t {
    instruction!(vreinterpret_s8_s16(instruction!(vdup_n_s16(i16::from_ne_bytes(x.map(|x| x as u8))))))
}

/// `sum` and the sums of neighbours, in 32 bits.
#[inline(always)]
fn add_pairs(sum: I32x4, products: int16x8_t) -> I32x4 {
    I32x4(instruction!(vpadalq_s16(sum.0, products)))
}

impl WeightStep {
    /// Lane `DEPTH · j + h` is output j, input h.
    #[inline(always)]
    pub fn load(step: &[i8; 8 * DEPTH]) -> Self {
        let (halves, _) = step.as_chunks::<8>();
        // SAFETY: each half is 8 readable bytes.
        Self([0, 1].map(|half| unsafe { vld1_s8(halves[half].as_ptr()) }))
    }

    /// `sums[j] + Σ_h w[j, h] · x[h]` for the 8 outputs j; every x in 0..=127.
    #[inline(always)]
    pub fn dot(self, x: &[Activation; DEPTH], sums: [I32x4; 2]) -> [I32x4; 2] {
        let x = broadcast(x);
        [0, 1].map(|half| add_pairs(sums[half], instruction!(vmull_s8(self.0[half], x))))
    }

    /// Two steps of [`WeightStep::dot`], whose products are added in 16 bits, which hold two: |127 · −128 · 2| < 2¹⁵.
    #[inline(always)]
    pub fn dot_two(two: [Self; 2], x: [&[Activation; DEPTH]; 2], sums: [I32x4; 2]) -> [I32x4; 2] {
        let x = x.map(broadcast);
        [0, 1].map(|half| {
            let products = instruction!(vmull_s8(two[0].0[half], x[0]));
            add_pairs(sums[half], instruction!(vmlal_s8(products, two[1].0[half], x[1])))
        })
    }
}

/// Whether [`WeightStep::dot_two`] is exact for these steps, whatever the activations: for all.
pub fn fits_16_bits(_: [WeightStep; 2]) -> bool {
    true
}

/// Whether [`WeightStep::dot_two`] is faster than two steps: three instructions in place of four.
pub fn prefers_two_steps() -> bool {
    true
}

/// The step of 8 outputs whose input h has the weights `inputs[h]`, each in −128..=127.
#[inline(always)]
pub fn interleave([[a, b], [c, d]]: [[I32x4; 2]; DEPTH]) -> [i8; 8 * DEPTH] {
    let (mut inputs, mut step) = ([0; 16], [0; 8 * DEPTH]);
    store_i8(&mut inputs, [a, b, c, d]);
    for (output, pair) in step.as_chunks_mut::<DEPTH>().0.iter_mut().enumerate() {
        *pair = [inputs[output], inputs[8 + output]];
    }
    step
}

/// Writes sixteen values of 0..=127.
#[inline(always)]
pub fn store_activations(target: &mut [Activation; 16], values: [I32x4; 4]) {
    store_i8(target, values);
}
