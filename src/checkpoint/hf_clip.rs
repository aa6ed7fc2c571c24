//! Hugging Face CLIP: image classifiers, and the vision tower as an encoder or, given text features, as a zero-shot classifier.

use super::blocks::{BlockNames, Blocks, Qkv, Windowed};
use super::hf::{self, Usual};
use super::json::Json;
use super::reader::{Bias, Reader, add, matrix};
use super::tensors::Tensors;
use super::text::{LOGIT_BIAS, LOGIT_SCALE};
use super::{Family, processors};
use crate::error::Result;
use crate::model::{Block, Config, Embeddings, Interpolation, Pooling, Weights};

pub(super) const FAMILY: Family = Family {
    name: "CLIP (Hugging Face)",
    models: "`CLIPForImageClassification`; `CLIPModel`, `CLIPVisionModelWithProjection` and `CLIPVisionModel` as encoders, and zero-shot with text features",
    recognises: |config| matches!(config.optional_str("model_type"), Some("clip" | "clip_vision_model")),
    config: read_config,
    blocks: |_, reader| {
        // transformers 5 counts AltCLIP's blocks otherwise.
        let (scope, other) = (scope(reader), "encoder.layer.");
        let counts_otherwise = reader.has(&[scope, other, "0.layer_norm1.weight"].concat());
        Blocks::new([scope, if counts_otherwise { other } else { "encoder.layers." }].concat(), BLOCK)
    },
    weights: read_weights,
    ignores: is_of_another_tower,
    processor: &processors::CLIP,
    any_size: false,
};

const USUAL: Usual = Usual {
    layer_norm_eps: 1e-5,
    hidden_act: "quick_gelu",
    sizes: Some([768, 3072, 12, 12, 224, 32]),
    mlp_ratio: None,
    head_dim: false,
};

/// Also SigLIP's.
pub(super) const BLOCK: BlockNames = BlockNames {
    norm1: "layer_norm1",
    qkv: Qkv::Split(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"], [Bias::Required; 3]),
    qk_norm: None,
    projection: "self_attn.out_proj",
    inner_norms: None,
    norm2: "layer_norm2",
    fc1: &["mlp.fc1"],
    fc2: "mlp.fc2",
    bias: Bias::Required,
    scales: None,
    windowed: Windowed::No,
};

/// The text tower, what compares the two, and indices that follow from the sizes.
pub(super) fn is_of_another_tower(name: &str) -> bool {
    name.starts_with("text_model.")
        || name.ends_with("embeddings.position_ids")
        || matches!(name, "text_projection.weight" | LOGIT_SCALE | LOGIT_BIAS)
}

/// The vision tower's own config, which may be within one of both towers; also SigLIP's.
pub(super) fn vision_config(json: &Json) -> Result<Json> {
    Ok(json.nested("vision_config")?.unwrap_or_else(|| json.clone()))
}

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    // What old files have besides wins as a whole: its class fills in what it doesn't say, and then it takes the other's place key by key.
    let own = match json.nested("vision_config_dict")? {
        Some(own) => own,
        None => vision_config(json)?,
    };
    let mut config = hf::read_config(&own, "clip", &USUAL)?;
    hf::read_labels(&mut config, json, tensors, "classifier.weight")?;
    if config.classes() > 0 {
        config.pooling = Pooling::Mean;
    } else if tensors.has("visual_projection.weight") {
        config.projection_size = tensors.shape("visual_projection.weight")?.first().copied();
    }
    Ok(config)
}

fn scope(reader: &Reader) -> &'static str {
    reader.choose(&["vision_model.", ""], "embeddings.class_embedding")
}

fn read_weights(config: &Config, reader: &mut Reader, blocks: Vec<Block>) -> Result<Weights> {
    let (width, eps) = (config.hidden_size, config.layer_norm_eps);
    let heads = hf::read_heads(config, reader)?;
    let projection = match config.projection_size {
        Some(size) => Some(reader.linear(&[("visual_projection", Bias::Absent)], width, size, None)?),
        None => None,
    };
    let scope = scope(reader);
    reader.within(scope, |reader| {
        let name = "embeddings.position_embedding.weight";
        let mut positions = reader.positions(name, &[], [1, width], Interpolation::Bicubic)?;
        add(&mut positions.prefix, &reader.floats("embeddings.class_embedding", &[width])?);
        let patches = "embeddings.patch_embedding";
        // OWL-ViT spells it right.
        let before = reader.choose(&["pre_layrnorm", "pre_layernorm"], ".weight");
        // The classifier reads patches as they leave the last block. The norm belongs to the class token, which it does without.
        let norm = reader.layer_norm("post_layernorm", width, eps)?;
        Ok(Weights {
            embeddings: Embeddings {
                stem: None,
                patch_projection: reader.patch_projection(patches, width, config.patch_size, Bias::Absent)?,
                patch_norm: None,
                prefix: matrix(positions.prefix, width),
                positions: Some(positions.patches),
                norm: Some(reader.layer_norm(before, width, eps)?),
            },
            blocks,
            transitions: Vec::new(),
            norm: (config.pooling == Pooling::Cls).then_some(norm),
            fc_norm: None,
            pool: None,
            projection,
            heads,
        })
    })
}
