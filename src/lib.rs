//! vitscope runs Vision Transformers and shows what their heads attend to.
//!
//! ```no_run
//! use vitscope::{Classifier, checkpoint::ConfigFiles, resample::Rgba};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = std::fs::read_to_string("models/vitscope-small/config.json")?;
//! let preprocessor = std::fs::read_to_string("models/vitscope-small/preprocessor_config.json")?;
//! let weights = std::fs::read("models/vitscope-small/model.safetensors")?;
//! let files = ConfigFiles { config: &config, preprocessor: Some(&preprocessor), processor: None };
//! let mut classifier = Classifier::load(files, &weights, None)?;
//!
//! let photo = Rgba { data: &[128; 4 * 300 * 200], width: 300, height: 200 };
//! let pixel_values = classifier.preprocess(photo)?;
//! let (logits, trace) = classifier.trace(&pixel_values)?;
//! println!("{:?}", trace.attentions.dim()); // (layers, heads, tokens, tokens)
//! # Ok(())
//! # }
//! ```
//!
//! `ARCHITECTURE.md` in the repository is the map of the code.

pub mod checkpoint;
pub mod classifier;
#[cfg(all(feature = "decode", not(target_arch = "wasm32")))]
pub mod decode;
pub mod error;
pub mod explain;
pub mod kernels;
pub mod model;
pub mod parallel;
pub mod preprocess;
pub mod quant;
pub mod resample;
pub mod simd;

mod alloc;

pub use classifier::{Classifier, Prediction};
pub use error::{Error, ErrorKind, Result};

#[cfg(target_arch = "wasm32")]
pub mod wasm;
