//! Hugging Face AIMv2: the vision tower as an encoder or, given text features, as a zero-shot classifier.

use super::blocks::{BlockNames, Blocks, Qkv, Windowed};
use super::hf::{self, Usual};
use super::hf_clip::{is_of_another_tower, vision_config};
use super::json::Json;
use super::reader::{Bias, Reader, matrix};
use super::tensors::Tensors;
use super::{Family, processors, unsupported};
use crate::error::Result;
use crate::model::{AttentionPool, Block, Config, Embeddings, LearnedGrid, Pooling, Positions, Weights};

pub(super) const FAMILY: Family = Family {
    name: "AIMv2 (Hugging Face)",
    models: "`Aimv2Model` and `Aimv2VisionModel` as encoders, and zero-shot with text features; at their own size",
    recognises: |config| is_aimv2(config) == Some(false),
    config: read_config,
    blocks: |_, reader| Blocks::new([scope(reader), "encoder.layers."].concat(), BLOCK),
    weights: read_weights,
    ignores: is_of_another_tower,
    processor: &processors::CLIP,
    any_size: false,
};

/// With positions that follow from the grid.
pub(super) const NATIVE: Family = Family {
    name: "AIMv2 native (Hugging Face)",
    models: "the same with `is_native`, at any size",
    recognises: |config| is_aimv2(config) == Some(true),
    config: |json, tensors| {
        let mut config = read_config(json, tensors)?;
        config.positions = Positions { sinusoidal: true, ..Positions::NONE };
        Ok(config)
    },
    any_size: true,
    ..FAMILY
};

const TYPE: &str = "aimv2";

/// Whether a config of AIMv2's has native positions.
fn is_aimv2(config: &Json) -> Option<bool> {
    matches!(config.optional_str("model_type"), Some(TYPE | "aimv2_vision_model"))
        .then(|| vision_config(config).and_then(|own| own.optional_bool("is_native")).ok().flatten().unwrap_or(false))
}

const USUAL: Usual = Usual {
    layer_norm_eps: 1e-5,
    hidden_act: "silu",
    sizes: Some([1024, 2816, 24, 8, 224, 14]),
    mlp_ratio: None,
    head_dim: false,
};

const BLOCK: BlockNames = BlockNames {
    norm1: "rms_norm1",
    qkv: Qkv::Split(["attention.q_proj", "attention.k_proj", "attention.v_proj"], [Bias::Optional; 3]),
    qk_norm: None,
    projection: "attention.out_proj",
    inner_norms: None,
    norm2: "rms_norm2",
    fc1: &["ffn.gate_proj", "ffn.up_proj"],
    fc2: "ffn.down_proj",
    bias: Bias::Optional,
    scales: None,
    windowed: Windowed::No,
};

const PROJECTION: &str = "visual_projection.weight";

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let own = vision_config(json)?;
    let mut config = hf::read_config(&own, TYPE, &USUAL)?;
    config.layer_norm_eps = own.optional_f32("rms_norm_eps")?.unwrap_or(USUAL.layer_norm_eps);
    config.rms_norm = true;
    config.gated = true;
    config.prefix = Vec::new();
    config.max_logit_scale = Some(json.optional_f32("max_logit_scale")?.unwrap_or(100.0));
    own.optional_bool("is_native")?;
    let shows = |name: &str, end: &str| !is_of_another_tower(name) && name.ends_with(end);
    if hf::are_ours(tensors) {
        for (key, usual, end) in [
            ("qkv_bias", false, "attention.q_proj.bias"),
            ("mlp_bias", false, "ffn.gate_proj.bias"),
            ("use_head", true, "head.cls_token"),
        ] {
            hf::check_shown(&own, tensors, key, Some(usual), &|name| shows(name, end))?;
        }
    }
    let pools = tensors.names().iter().any(|name| shows(name, "head.cls_token"));
    config.pooling = if pools { Pooling::Attention } else { Pooling::Mean };
    if tensors.has(PROJECTION) {
        if !pools {
            return Err(unsupported(TYPE, "`use_head` is off, and `visual_projection` projects what the head gives"));
        }
        config.projection_size = tensors.shape(PROJECTION)?.first().copied();
    }
    Ok(config)
}

fn scope(reader: &Reader) -> &'static str {
    reader.choose(&["vision_model.", ""], "embeddings.patch_embed.weight")
}

fn read_weights(config: &Config, reader: &mut Reader, blocks: Vec<Block>) -> Result<Weights> {
    let (width, eps) = (config.hidden_size, config.layer_norm_eps);
    let projection = match config.projection_size {
        Some(size) => Some(reader.linear(&[("visual_projection", Bias::Absent)], width, size, None)?),
        None => None,
    };
    let scope = scope(reader);
    reader.within(scope, |reader| {
        let pool = match config.pooling {
            Pooling::Attention => Some(reader.within("head.", |reader| read_pool(width, reader))?),
            _ => None,
        };
        Ok(Weights {
            embeddings: Embeddings {
                stem: None,
                patch_projection: reader.patch_projection(
                    "embeddings.patch_embed",
                    width,
                    config.patch_size,
                    Bias::Required,
                )?,
                patch_norm: Some(reader.layer_norm("embeddings.rms_norm", width, eps)?),
                prefix: matrix(Vec::new(), width),
                positions: read_positions(config, reader)?,
                norm: None,
            },
            blocks,
            transitions: Vec::new(),
            norm: Some(reader.layer_norm("rms_norm", width, eps)?),
            fc_norm: None,
            pool,
            projection,
            heads: Vec::new(),
        })
    })
}

/// Computed, or learned for one size alone: the library resamples none.
fn read_positions(config: &Config, reader: &mut Reader) -> Result<Option<LearnedGrid>> {
    if config.positions.sinusoidal {
        return Ok(None);
    }
    let name = "embeddings.position_embedding.weight";
    Ok(Some(reader.positions(name, &[], [0, config.hidden_size], None)?.patches))
}

/// The query is the class token itself.
fn read_pool(width: usize, reader: &mut Reader) -> Result<AttentionPool> {
    Ok(AttentionPool {
        query: reader.floats("cls_token", &[1, 1, width])?,
        key_value: reader.linear(&[("k_proj", Bias::Optional), ("v_proj", Bias::Optional)], width, 2 * width, None)?,
        projection: reader.linear(&[("output_proj", Bias::Required)], width, width, None)?,
        mlp: None,
    })
}
