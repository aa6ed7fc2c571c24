//! vitscope runs Vision Transformers and shows what their heads attend to.

pub mod checkpoint;
pub mod classifier;
pub mod error;
pub mod explain;
pub mod kernels;
pub mod model;
pub mod preprocess;
pub mod quant;
pub mod resample;
pub mod simd;

mod alloc;

pub use classifier::{Classifier, Prediction};
pub use error::{Error, Result};

#[cfg(target_arch = "wasm32")]
pub mod wasm;
