//! What Arm's dot product adds (Armv8.4, and all of Apple's): a step in an instruction a half.

use super::{I32x4, store_i8};
use core::arch::{aarch64::*, asm};

/// What the kernels run on, for humans.
pub const BACKEND: &str = "SDOT";

/// A 7-bit activation.
pub type Activation = i8;

/// Inputs a step of the integer product takes.
pub const DEPTH: usize = 4;

/// 8 outputs × [`DEPTH`] inputs of weights.
#[derive(Clone, Copy)]
pub struct WeightStep([int8x16_t; 2]);

/// `sums + x · w`, four neighbours at a time.
#[inline(always)]
fn dot(mut sums: I32x4, x: int8x16_t, w: int8x16_t) -> I32x4 {
    // SAFETY: sdot, for which the build is compiled, touches registers alone. (`vdotq_s32` is not stable yet.)
    unsafe {
        asm!("sdot {0:v}.4s, {1:v}.16b, {2:v}.16b", inout(vreg) sums.0, in(vreg) w, in(vreg) x,
            options(pure, nomem, nostack, preserves_flags));
    }
    sums
}

impl WeightStep {
    /// Lane `DEPTH · j + h` is output j, input h.
    #[inline(always)]
    pub fn load(step: &[i8; 8 * DEPTH]) -> Self {
        let (halves, _) = step.as_chunks::<16>();
        // SAFETY: each half is 16 readable bytes.
        Self([0, 1].map(|half| unsafe { vld1q_s8(halves[half].as_ptr()) }))
    }

    /// `sums[j] + Σ_h w[j, h] · x[h]` for the 8 outputs j; every x in 0..=127.
    #[inline(always)]
    pub fn dot(self, x: &[Activation; DEPTH], sums: [I32x4; 2]) -> [I32x4; 2] {
        let x = I32x4::splat(i32::from_ne_bytes(x.map(|x| x as u8)));
        let x = instruction!(vreinterpretq_s8_s32(x.0));
        [0, 1].map(|half| dot(sums[half], x, self.0[half]))
    }
}

/// The step of 8 outputs whose input h has the weights `inputs[h]`, each in −128..=127.
#[inline(always)]
pub fn interleave(inputs: [[I32x4; 2]; DEPTH]) -> [i8; 8 * DEPTH] {
    let mut step = [0; 8 * DEPTH];
    let (halves, _) = step.as_chunks_mut::<16>();
    for (half, target) in halves.iter_mut().enumerate() {
        let mut bytes = [0; 16];
        store_i8(&mut bytes, inputs.map(|input| input[half]));
        *target = std::array::from_fn(|i| bytes[i % 4 * 4 + i / 4]);
    }
    step
}

/// Writes sixteen values of 0..=127.
#[inline(always)]
pub fn store_activations(target: &mut [Activation; 16], values: [I32x4; 4]) {
    store_i8(target, values);
}
