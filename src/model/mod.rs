//! The Vision Transformer: its hyper-parameters, its weights, the one forward pass, and the one backward pass.
//!
//! Three structs carry it: [`Config`] says what the model is, [`Weights`] what it learned, [`Scratch`] holds every buffer a
//! forward pass writes. Names follow the ViT paper (Dosovitskiy et al., 2021) and timm.

mod activation;
mod activations;
mod attention;
mod attention_pool;
mod block;
mod classes;
mod config;
mod convolution;
mod decomposed;
mod embed;
mod gradient;
mod interpolate;
mod intervention;
mod labels;
mod linear;
mod maps;
mod mlp;
mod mobile;
mod neck;
mod norm;
mod places;
mod positions;
mod relative_bias;
mod rotary;
mod scores;
mod scratch;
mod sink;
mod stages;
mod transition;
mod vit;
mod window_attention;
mod windows;

pub use activation::Activation;
pub use attention::Attention;
pub use attention_pool::AttentionPool;
pub use block::{Block, Equalised};
pub use classes::{Classes, Similarity};
pub use config::{Config, Pooling, Precision, Prefix};
pub use convolution::{Convolution, InvertedResidual};
pub use decomposed::Decomposed;
pub use embed::{Embeddings, PatchInside};
pub use gradient::{Backward, GradientSink, HeadInside, Inside, MlpInside, Norms};
pub(crate) use gradient::{Product, multiply};
pub use interpolate::Interpolation;
pub use intervention::Intervention;
pub(crate) use linear::Then;
pub use linear::{Linear, Matrix};
pub use mlp::Mlp;
pub use mobile::{Bridge, Enter, LastMap, Leave, MapSizes, Stem};
pub use neck::Neck;
pub use norm::LayerNorm;
pub use places::{LearnedGrid, Places};
pub use positions::Positions;
pub use relative_bias::RelativeBias;
pub use rotary::{Coordinates, Frequencies, Rotary};
pub use scores::{Scores, likeliest};
pub use scratch::Scratch;
pub use sink::Sink;
pub use stages::{Cut, Stage, Window, WindowKind, WindowRule};
pub use transition::{Merge, Transition};
pub use vit::{Vit, Weights};
pub use windows::Windows;
