//! The Vision Transformer: its hyper-parameters, its weights, and the one forward pass.
//!
//! Three structs carry it: [`Config`] says what the model is, [`Weights`] what it learned, [`Scratch`] holds every buffer a
//! forward pass writes. Names follow the ViT paper (Dosovitskiy et al., 2021) and timm.

mod activations;
mod attention;
mod block;
mod config;
mod embed;
mod linear;
mod mlp;
mod norm;
mod scratch;
mod sink;
mod vit;

pub use attention::Attention;
pub use block::Block;
pub use config::{Config, Pooling, Precision};
pub use embed::Embeddings;
pub use linear::{Linear, Matrix};
pub use mlp::Mlp;
pub use norm::LayerNorm;
pub use scratch::Scratch;
pub use sink::Sink;
pub use vit::{Vit, Weights};
