//! vitscope runs Vision Transformers and shows what their heads attend to.

pub mod error;
pub mod kernels;
pub mod simd;

pub use error::{Error, Result};
