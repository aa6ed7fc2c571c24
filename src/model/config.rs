//! Every hyper-parameter a supported family needs, and what follows from them.

use super::activation::Activation;
use super::mobile::MapSizes;
use super::positions::Positions;
use super::rotary::Frequencies;
use super::scores::Scores;
use super::stages::Stage;
use crate::error::{Error, ErrorKind, Result, shown};
use crate::kernels::gemm_i8::MAX_K;
use std::ops::Range;
use std::sync::Arc;

/// More tokens than any published plain ViT; the attention matrix of one head then takes 1 GiB.
const MAX_TOKENS: usize = 16_384;

/// Values in the widest buffer of a forward pass: 1 GiB, a hundred times what ViT-g at 518 pixels takes.
const MAX_ACTIVATIONS: u64 = 1 << 28;

/// Larger than any image a model is fed; keeps every product below within 32 bits.
const MAX_IMAGE_EDGE: usize = 1 << 14;

/// Likewise for patches: 3 · 128² values are still a sum that can't overflow.
const MAX_PATCH_EDGE: usize = 128;

/// What a plain Vision Transformer is, whatever file it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The family as people call it, for example `ViT (timm)`.
    pub family: &'static str,
    /// Height and width of the input in pixels.
    pub image_size: [usize; 2],
    /// Height and width of a patch in pixels.
    pub patch_size: [usize; 2],
    /// Whether an image is padded with zeros to whole patches, at the right and at the bottom; else what is left over there is not seen.
    pub pads: bool,
    /// Width D of the residual stream; of several stages the last one's. Heads and MLP width are then those of its last blocks.
    pub hidden_size: usize,
    /// Stages of a hierarchical model, or of one with windows, in order; empty for a plain ViT.
    pub stages: Vec<Stage>,
    /// The maps between the stages of a model that has convolutions there (MobileViT).
    pub maps: Option<MapSizes>,
    /// Encoder blocks, of all stages.
    pub layers: usize,
    /// Attention heads a block; D / heads is the width of one.
    pub heads: usize,
    /// Hidden width M of the MLP: what its second layer reads.
    pub mlp_size: usize,
    /// The MLP's nonlinearity.
    pub activation: Activation,
    /// Whether the MLP's first layer gives twice its hidden width, one half gating the other.
    pub gated: bool,
    /// ε of every norm.
    pub layer_norm_eps: f32,
    /// Whether every norm is an RMSNorm, which leaves the mean and has no bias (AIMv2).
    pub rms_norm: bool,
    /// What tells where a patch is.
    pub positions: Positions,
    /// Tokens before the patches, in order.
    pub prefix: Vec<Prefix>,
    /// What becomes the image's features.
    pub pooling: Pooling,
    /// Heads and MLP width of the pooling, where they are not the blocks' (Perception Encoder).
    pub pool: Option<[usize; 2]>,
    /// Whether the mean of the patches, or what pools them by attention, takes in the tokens before them too.
    pub pools_prefix: bool,
    /// Width of the space in which image and text features are compared, where pooled features are projected there (CLIP).
    pub projection_size: Option<usize>,
    /// Whether the answer is the similarity of the image's features and those of texts, or of [`super::Classes`]: these are normalised before the head.
    pub zero_shot: bool,
    /// The most that similarities are scaled by, where a model bounds that (AIMv2).
    pub max_logit_scale: Option<f32>,
    /// What logits become for whoever reads the answer.
    pub scores: Scores,
    /// A name for each class; none for a model without a head. (They are many, and a stage has a config of its own.)
    pub labels: Arc<[String]>,
    /// Whether the checkpoint itself named its classes.
    pub named: bool,
}

/// A token that is no patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefix {
    /// Gathers what the head reads.
    Class,
    /// Learned from a teacher (DeiT).
    Distillation,
    /// Keeps what would otherwise be kept in patches nobody misses (Darcet et al., 2024).
    Register,
}

/// What becomes the image's features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The class token.
    Cls,
    /// The mean of the patch tokens.
    Mean,
    /// The class token, then the mean of the patch tokens: 2 D features.
    ClsMean,
    /// The class token and the distillation token, each with a head of its own whose answers are averaged: 2 D features.
    ClsDistillation,
    /// The mean of these two, in a model without heads.
    #[serde(rename = "cls-distillation")]
    ClsDistillationMean,
    /// What a learned query gathers from the patch tokens.
    Attention,
    /// Nothing is pooled: features are the map of the patches, `[D, rows, columns]` (SAM).
    Map,
}

/// How weight matrices are held and multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 8-bit integers, see [`crate::quant`].
    Int8,
}

impl Precision {
    /// Of a value.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Int8 => 1,
        }
    }
}

impl std::str::FromStr for Precision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "f32" => Ok(Self::F32),
            "int8" => Ok(Self::Int8),
            _ => Err(ErrorKind::InvalidArgument(format!("dtype `{text}` is unknown. Use `f32` or `int8`.")).into()),
        }
    }
}

impl Config {
    /// Checks what the forward pass relies on.
    pub fn validate(&self) -> Result<()> {
        let sizes = [
            ("image height", self.image_size[0], MAX_IMAGE_EDGE),
            ("image width", self.image_size[1], MAX_IMAGE_EDGE),
            ("patch height", self.patch_size[0], MAX_PATCH_EDGE),
            ("patch width", self.patch_size[1], MAX_PATCH_EDGE),
            ("hidden size", self.hidden_size, MAX_K),
            ("number of layers", self.layers, MAX_K),
            ("number of heads", self.heads, MAX_K),
            ("MLP width", self.mlp_size, MAX_K),
            ("MLP width of the pooling", self.pool_mlp_size(), MAX_K),
            // (Nothing reads a map.)
            ("feature width", if self.pooling == Pooling::Map { 1 } else { self.feature_size() }, MAX_K),
            // (A model without a head has no classes, and gives features.)
            ("number of classes", self.labels.len().max(1), MAX_K),
        ];
        for (name, size, max) in sizes {
            if size == 0 || size > max {
                return invalid(format!("the {name} is {size}; it must lie in 1..={max}."));
            }
        }
        let own = if self.is_staged() { 1 } else { self.heads };
        for heads in [own, if self.pooling == Pooling::Attention { self.pool_heads() } else { own }] {
            if heads == 0 || !self.hidden_size.is_multiple_of(heads) {
                return invalid(format!("{heads} heads do not divide the hidden size {}.", self.hidden_size));
            }
        }
        for (image, patch) in self.image_size.into_iter().zip(self.patch_size) {
            if image < patch && !self.pads {
                return invalid(format!("an image edge of {image} pixels is smaller than a patch's edge of {patch}."));
            }
        }
        self.validate_stages()?;
        if let Some(problem) = self.maps.as_ref().and_then(|maps| maps.problem(self.image_size, MAX_ACTIVATIONS)) {
            return invalid(problem);
        }
        for stage in 0..self.stage_count() {
            let tokens = self.prefix_tokens() + self.grid_of(stage).iter().product::<usize>();
            // (Within windows few attend to each other.)
            if self.stages.is_empty() && tokens > MAX_TOKENS {
                return invalid(format!("{tokens} tokens are too many; at most {MAX_TOKENS} are supported."));
            }
            let own =
                self.stages.get(stage).map_or([self.hidden_size, self.mlp_size], |own| [own.hidden_size, own.mlp_size]);
            let widest = own[1].saturating_mul(1 + usize::from(self.gated)).max(3 * own[0]);
            if tokens as u64 * widest as u64 > MAX_ACTIVATIONS {
                return invalid(format!("{tokens} tokens of up to {widest} values are too many."));
            }
        }
        if !(self.layer_norm_eps.is_finite() && self.layer_norm_eps >= 0.0) {
            return invalid(format!("a norm's epsilon of {} makes no sense.", shown(self.layer_norm_eps)));
        }
        if self.positions.sinusoidal && !self.hidden_size.is_multiple_of(4) {
            return invalid(format!(
                "sinusoidal positions take a hidden size of a multiple of 4, and this is {}.",
                self.hidden_size
            ));
        }
        if let Some(rotary) = &self.positions.rotary {
            let (parts, sound) = match rotary.frequencies {
                Frequencies::Falling { temperature, .. } => (4, temperature.is_finite() && temperature > 0.0),
                Frequencies::Learned => (2, true),
            };
            if !self.head_size().is_multiple_of(parts) {
                return invalid(format!(
                    "rotary positions take heads of a multiple of {parts} channels, and these have {}.",
                    self.head_size()
                ));
            }
            if !sound {
                return invalid("the temperature of rotary positions must be a number above 0.".into());
            }
        }
        let needed: &[Prefix] = match self.pooling {
            Pooling::Cls | Pooling::ClsMean => &[Prefix::Class],
            Pooling::ClsDistillation | Pooling::ClsDistillationMean => &[Prefix::Class, Prefix::Distillation],
            Pooling::Mean | Pooling::Attention | Pooling::Map => &[],
        };
        if self.pooling == Pooling::Map && (self.classes() > 0 || self.prefix_tokens() > 0) {
            return invalid("features that are a map have no classes, and no tokens beside the patches.".into());
        }
        if !self.prefix.starts_with(needed) {
            return invalid("the head reads the class token or the distillation token, but the model has none.".into());
        }
        Ok(())
    }

    /// The same for images of another size, checked. What makes no sense of it is the doing of whoever chose it.
    pub fn resized(&self, image_size: [usize; 2]) -> Result<Self> {
        let resized = Self { image_size, ..self.clone() };
        let [height, width] = image_size;
        resized.validate().map_err(|error| match error.kind() {
            ErrorKind::InvalidConfig(problem) => {
                ErrorKind::InvalidArgument(format!("an image size of {height} × {width} can't be run: {problem}"))
                    .into()
            }
            _ => error,
        })?;
        Ok(resized)
    }

    /// Rows and columns of patches, in the first of several stages. What is left of the image at the right and at the bottom is padded or not seen.
    pub fn grid(&self) -> [usize; 2] {
        self.grid_of(0)
    }

    /// The same before any stage makes whole cells of them.
    pub(super) fn patches_along(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            let (image, patch) = (self.image_size[axis], self.patch_size[axis]);
            if self.pads { image.div_ceil(patch) } else { image / patch }
        })
    }

    /// Patches N.
    pub fn patches(&self) -> usize {
        self.grid().iter().product()
    }

    /// Tokens before the patches.
    pub fn prefix_tokens(&self) -> usize {
        self.prefix.len()
    }

    /// Tokens T: prefix and patches.
    pub fn tokens(&self) -> usize {
        self.prefix_tokens() + self.patches()
    }

    /// Whether a size has so many tokens.
    pub fn check_tokens(&self, tokens: usize) -> Result<()> {
        let prefix = self.prefix_tokens();
        if (prefix + 1..=MAX_TOKENS).contains(&tokens) {
            return Ok(());
        }
        Err(ErrorKind::InvalidArgument(format!(
            "{tokens} tokens are of no size of this model, which has {prefix} before its patches, and {MAX_TOKENS} at most."
        )).into())
    }

    /// Outputs of the MLP's first layer.
    pub fn mlp_outputs(&self) -> usize {
        if self.gated { self.mlp_size.saturating_mul(2) } else { self.mlp_size }
    }

    /// Which of `tokens` tokens, the prefix and some patches, are pooled: one part after another, D features each.
    pub fn pooled_tokens(&self, tokens: usize) -> impl Iterator<Item = Range<usize>> {
        let patches = self.prefix_tokens()..tokens;
        let (first, second) = match self.pooling {
            Pooling::Cls => (0..1, None),
            Pooling::Mean | Pooling::Attention | Pooling::Map => (self.first_pooled()..tokens, None),
            Pooling::ClsMean => (0..1, Some(patches)),
            Pooling::ClsDistillation => (0..1, Some(1..2)),
            Pooling::ClsDistillationMean => (0..2, None),
        };
        std::iter::once(first).chain(second)
    }

    /// How many of the tokens, from the first on, are read of the stream behind the last block.
    pub fn tokens_read(&self, tokens: usize) -> usize {
        self.pooled_tokens(tokens).map(|tokens| tokens.end).max().unwrap_or(tokens)
    }

    /// Where the tokens begin whose mean is taken, or which are pooled by attention.
    pub fn first_pooled(&self) -> usize {
        if self.pools_prefix { 0 } else { self.prefix_tokens() }
    }

    /// The fewest patches that the model can see: without any, there is nothing whose mean could be taken. (Where patches can't be left out, all can be
    /// filled.)
    pub fn fewest_patches(&self) -> usize {
        match self.pooling {
            _ if self.is_staged() => 0,
            Pooling::Cls | Pooling::ClsDistillation | Pooling::ClsDistillationMean => 0,
            Pooling::Mean | Pooling::ClsMean | Pooling::Attention | Pooling::Map => 1,
        }
    }

    /// Width of what is pooled.
    pub fn pooled_size(&self) -> usize {
        match self.pooling {
            Pooling::ClsMean | Pooling::ClsDistillation => self.hidden_size.saturating_mul(2),
            Pooling::Map => self.last_grid().into_iter().fold(self.hidden_size, usize::saturating_mul),
            _ => self.hidden_size,
        }
    }

    /// Width of the image's features: what the head reads.
    pub fn feature_size(&self) -> usize {
        self.projection_size.unwrap_or(self.pooled_size())
    }

    /// Values of one flattened patch, 3 P_h P_w.
    pub fn patch_values(&self) -> usize {
        3 * self.patch_size[0] * self.patch_size[1]
    }

    /// Width d_k of a head.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.heads
    }

    /// Heads of pooling by attention.
    pub fn pool_heads(&self) -> usize {
        self.pool.map_or(self.heads, |[heads, _]| heads)
    }

    /// How many heads pool by attention, and how many of `tokens` tokens they read, where that is not as in the blocks.
    pub fn own_pool_heads(&self, tokens: usize) -> Option<[usize; 2]> {
        let own = [self.pool_heads(), tokens - self.first_pooled()];
        (self.pooling == Pooling::Attention && own != [self.heads, tokens]).then_some(own)
    }

    /// Hidden width of the MLP in pooling by attention.
    pub fn pool_mlp_size(&self) -> usize {
        self.pool.map_or(self.mlp_size, |[_, mlp_size]| mlp_size)
    }

    /// Number of classes C; 0 without a head.
    pub fn classes(&self) -> usize {
        self.labels.len()
    }
}

fn invalid(problem: String) -> Result<()> {
    Err(ErrorKind::InvalidConfig(problem).into())
}
