//! What a backend does that takes one step after the other.

use super::{Activation, DEPTH, I32x4, WeightStep};

/// Whether [`WeightStep::dot_two`] is faster than two steps.
pub fn prefers_two_steps() -> bool {
    false
}

/// Whether [`WeightStep::dot_two`] is exact for these steps: it adds in 32 bits, so it is for all.
pub fn fits_16_bits(_: [WeightStep; 2]) -> bool {
    true
}

impl WeightStep {
    /// Two steps of [`WeightStep::dot`].
    #[inline(always)]
    pub fn dot_two(two: [Self; 2], x: [&[Activation; DEPTH]; 2], sums: [I32x4; 2]) -> [I32x4; 2] {
        two[1].dot(x[1], two[0].dot(x[0], sums))
    }
}
