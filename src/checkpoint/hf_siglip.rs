//! Hugging Face SigLIP: image classifiers, and the vision tower as an encoder or, given text features, as a zero-shot classifier.

use super::blocks::{Blocks, read_rest_of_pool};
use super::hf::{self, Usual};
use super::hf_clip::{BLOCK, is_of_another_tower, vision_config};
use super::json::Json;
use super::reader::{Bias, Reader, matrix};
use super::tensors::Tensors;
use super::{Family, processors};
use crate::error::Result;
use crate::model::{AttentionPool, Block, Config, Embeddings, Interpolation, Pooling, Weights};

pub(super) const FAMILY: Family = Family {
    name: "SigLIP (Hugging Face)",
    models: "`SiglipForImageClassification`; `SiglipModel` and `SiglipVisionModel` as encoders, and zero-shot with text features",
    recognises: |config| matches!(config.optional_str("model_type"), Some("siglip" | "siglip_vision_model")),
    config: read_config,
    blocks: |_, reader| Blocks::new([scope(reader), "encoder.layers."].concat(), BLOCK),
    weights: |config, reader, blocks| read_tower(config, reader, blocks, false),
    // A classifier reads the mean of its tokens: the head of the tower goes unused.
    ignores: |name| is_of_another_tower(name) || name.starts_with("vision_model.head."),
    processor: &processors::SIGLIP,
    any_size: false,
};

/// SigLIP 2 with patches of any grid, run at the square one or at a size that is asked for.
pub(super) const NAFLEX: Family = Family {
    name: "SigLIP 2 NaFlex (Hugging Face)",
    models: "`Siglip2ForImageClassification`; `Siglip2Model` and `Siglip2VisionModel` as encoders, and zero-shot with text features; at the square grid, or any image size",
    recognises: |config| matches!(config.optional_str("model_type"), Some("siglip2" | "siglip2_vision_model")),
    config: |json, tensors| {
        let mut config = read_config(json, tensors)?;
        let patches = vision_config(json)?.optional_usize("num_patches")?.unwrap_or(256);
        let edge = patches.isqrt();
        if edge * edge != patches {
            return Err(json.problem(format!("`num_patches` should be a square, not {patches}.")));
        }
        config.image_size = config.patch_size.map(|patch| patch.saturating_mul(edge));
        Ok(config)
    },
    weights: |config, reader, blocks| read_tower(config, reader, blocks, true),
    processor: &processors::SIGLIP2,
    ..FAMILY
};

const SCOPES: &[&str] = &["vision_model.", ""];

const USUAL: Usual = Usual {
    layer_norm_eps: 1e-6,
    hidden_act: "gelu_pytorch_tanh",
    sizes: Some([768, 3072, 12, 12, 224, 16]),
    mlp_ratio: None,
    head_dim: false,
};

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let own = vision_config(json)?;
    let mut config = hf::read_config(&own, "siglip", &USUAL)?;
    config.prefix = Vec::new();
    config.pooling = Pooling::Mean;
    hf::read_labels(&mut config, json, tensors, "classifier.weight")?;
    if config.classes() == 0 {
        hf::check_shown(&own, tensors, "vision_use_head", None, &|name| name.ends_with("head.probe"))?;
    }
    if config.classes() == 0 && SCOPES.iter().any(|scope| tensors.has(&[scope, "head.probe"].concat())) {
        config.pooling = Pooling::Attention;
    }
    Ok(config)
}

fn scope(reader: &Reader) -> &'static str {
    reader.choose(SCOPES, "embeddings.patch_embedding.weight")
}

/// The tower; `flexible`: with a linear layer on flat patches in place of a convolution.
fn read_tower(config: &Config, reader: &mut Reader, blocks: Vec<Block>, flexible: bool) -> Result<Weights> {
    let width = config.hidden_size;
    let heads = hf::read_heads(config, reader)?;
    let scope = scope(reader);
    reader.within(scope, |reader| {
        let name = "embeddings.position_embedding.weight";
        let how = if flexible { Interpolation::BilinearAntialias } else { Interpolation::Bicubic };
        let positions = reader.positions(name, &[], [0, width], how)?;
        let patches = "embeddings.patch_embedding";
        let patch_projection = match flexible {
            true => reader.flat_patch_projection(patches, width, config.patch_size)?,
            false => reader.patch_projection(patches, width, config.patch_size, Bias::Required)?,
        };
        let attends = config.pooling == Pooling::Attention;
        Ok(Weights {
            embeddings: Embeddings {
                stem: None,
                patch_projection,
                patch_norm: None,
                prefix: matrix(positions.prefix, width),
                positions: Some(positions.patches),
                norm: None,
            },
            blocks,
            transitions: Vec::new(),
            norm: Some(reader.layer_norm("post_layernorm", width, config.layer_norm_eps)?),
            fc_norm: None,
            pool: if attends { Some(reader.within("head.", |reader| read_pool(config, reader))?) } else { None },
            projection: None,
            heads,
        })
    })
}

fn read_pool(config: &Config, reader: &mut Reader) -> Result<AttentionPool> {
    let width = config.hidden_size;
    // The query is the same for every image: probe Wqᵀ + b.
    let probe = reader.floats("probe", &[1, 1, width])?;
    let bias = reader.floats("attention.in_proj_bias", &[3 * width])?;
    let (query, key_value) = reader.query_and_rest("attention.in_proj_weight", &probe, bias)?;
    read_rest_of_pool(config, reader, query, key_value, config.activation, ["attention.out_proj", "layernorm"])
}
