//! Every hyper-parameter a supported family needs, and what follows from them.

use crate::error::{Error, Result};
use crate::kernels::gemm_i8::MAX_K;

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
    /// Width D of the residual stream.
    pub hidden_size: usize,
    /// Encoder blocks.
    pub layers: usize,
    /// Attention heads a block; D / heads is the width of one.
    pub heads: usize,
    /// Hidden width of the MLP.
    pub mlp_size: usize,
    /// ε of every LayerNorm.
    pub layer_norm_eps: f32,
    /// Whether a class token is put before the patches.
    pub class_token: bool,
    /// What the head reads.
    pub pooling: Pooling,
    /// A name for each class.
    pub labels: Vec<String>,
}

/// What the head reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The class token.
    Cls,
    /// The mean of the patch tokens.
    Mean,
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

impl std::str::FromStr for Precision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "f32" => Ok(Self::F32),
            "int8" => Ok(Self::Int8),
            _ => Err(Error::InvalidArgument(format!("dtype `{text}` is unknown. Use `f32` or `int8`."))),
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
            ("number of classes", self.labels.len(), MAX_K),
        ];
        for (name, size, max) in sizes {
            if size == 0 || size > max {
                return invalid(format!("the {name} is {size}; it must lie in 1..={max}."));
            }
        }
        if !self.hidden_size.is_multiple_of(self.heads) {
            return invalid(format!("{} heads do not divide the hidden size {}.", self.heads, self.hidden_size));
        }
        for (image, patch) in self.image_size.into_iter().zip(self.patch_size) {
            if image < patch || !image.is_multiple_of(patch) {
                return invalid(format!("an image edge of {image} pixels is no multiple of the patch edge, {patch}."));
            }
        }
        if self.tokens() > MAX_TOKENS {
            return invalid(format!("{} tokens are too many; at most {MAX_TOKENS} are supported.", self.tokens()));
        }
        let widest = self.mlp_size.max(3 * self.hidden_size);
        if self.tokens() as u64 * widest as u64 > MAX_ACTIVATIONS {
            return invalid(format!("{} tokens of up to {widest} values are too many.", self.tokens()));
        }
        if !(self.layer_norm_eps.is_finite() && self.layer_norm_eps >= 0.0) {
            return invalid(format!("a LayerNorm epsilon of {} makes no sense.", self.layer_norm_eps));
        }
        if self.pooling == Pooling::Cls && !self.class_token {
            return invalid("the head reads the class token, but the model has none.".into());
        }
        Ok(())
    }

    /// Rows and columns of patches.
    pub fn grid(&self) -> [usize; 2] {
        [self.image_size[0] / self.patch_size[0], self.image_size[1] / self.patch_size[1]]
    }

    /// Patches N.
    pub fn patches(&self) -> usize {
        self.grid().iter().product()
    }

    /// Tokens before the patches.
    pub fn prefix_tokens(&self) -> usize {
        usize::from(self.class_token)
    }

    /// Tokens T: prefix and patches.
    pub fn tokens(&self) -> usize {
        self.prefix_tokens() + self.patches()
    }

    /// Values of one flattened patch, 3 P_h P_w.
    pub fn patch_values(&self) -> usize {
        3 * self.patch_size[0] * self.patch_size[1]
    }

    /// Width d_k of a head.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.heads
    }

    /// Number of classes C.
    pub fn classes(&self) -> usize {
        self.labels.len()
    }
}

fn invalid(problem: String) -> Result<()> {
    Err(Error::InvalidConfig(problem))
}
