//! What a forward pass shows of itself.

mod trace;

pub use trace::Trace;
