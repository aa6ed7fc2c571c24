//! Hugging Face SigLIP: image classifiers, and the vision tower as an encoder or, given text features, as a zero-shot classifier.

use super::blocks::read_blocks;
use super::hf::{self, Usual};
use super::hf_clip::{BLOCK, is_of_another_tower, vision_config};
use super::interpolate::Interpolation;
use super::json::Json;
use super::reader::{Bias, Reader};
use super::tensors::Tensors;
use super::{Family, pixels};
use crate::error::Result;
use crate::model::{AttentionPool, Config, Embeddings, Mlp, Pooling, Weights};
use ndarray::Array2;

pub(super) const FAMILY: Family = Family {
    name: "SigLIP (Hugging Face)",
    models: "`SiglipForImageClassification`; `SiglipModel` and `SiglipVisionModel` as encoders, and zero-shot with text features",
    recognises: |config| matches!(config.optional_str("model_type"), Some("siglip" | "siglip_vision_model")),
    config: read_config,
    weights: read_weights,
    // A classifier reads the mean of its tokens: the head of the tower goes unused.
    ignores: |name| is_of_another_tower(name) || name.starts_with("vision_model.head."),
    processor: &pixels::SIGLIP,
    any_size: false,
};

const USUAL: Usual =
    Usual { layer_norm_eps: 1e-6, hidden_act: "gelu_pytorch_tanh", sizes: Some([768, 3072, 12, 12, 224, 16]) };

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let own = vision_config(json);
    let mut config = hf::read_config(own.as_ref().unwrap_or(json), FAMILY.name, "siglip", &USUAL)?;
    config.prefix = Vec::new();
    config.pooling = Pooling::Mean;
    hf::read_labels(&mut config, json, tensors, "classifier.weight")?;
    if config.classes() == 0 && ["vision_model.", ""].iter().any(|prefix| tensors.has(&format!("{prefix}head.probe"))) {
        config.pooling = Pooling::Attention;
    }
    Ok(config)
}

fn read_weights(config: &Config, reader: &mut Reader) -> Result<Weights> {
    let width = config.hidden_size;
    let prefix = hf::prefix(|name| reader.has(name), &["vision_model.", ""], "embeddings.patch_embedding.weight");
    let at = |name: &str| format!("{prefix}{name}");
    let name = at("embeddings.position_embedding.weight");
    let (_, positions) = reader.positions(&name, (&[], 0, width), config.grid(), Interpolation::Bicubic)?;
    let patches = at("embeddings.patch_embedding");
    let pool = if config.pooling == Pooling::Attention { Some(read_pool(config, reader, &at("head"))?) } else { None };
    Ok(Weights {
        embeddings: Embeddings {
            patch_projection: reader.patch_projection(&patches, width, config.patch_size, Bias::Required)?,
            prefix: Array2::zeros((0, width)),
            positions: Some(positions),
            norm: None,
        },
        blocks: read_blocks(config, reader, &at("encoder.layers"), &BLOCK)?,
        norm: Some(reader.layer_norm(&at("post_layernorm"), width, config.layer_norm_eps)?),
        fc_norm: None,
        pool,
        projection: None,
        heads: hf::read_heads(config, reader)?,
    })
}

fn read_pool(config: &Config, reader: &mut Reader, prefix: &str) -> Result<AttentionPool> {
    let (width, mlp) = (config.hidden_size, config.mlp_size);
    let at = |name: &str| format!("{prefix}.{name}");
    // The query is the same for every image: probe Wqᵀ + b.
    let probe = reader.floats(&at("probe"), &[1, 1, width])?;
    let mut bias = reader.floats(&at("attention.in_proj_bias"), &[3 * width])?;
    let key_value_bias = bias.split_off(width);
    let (query, key_value) =
        reader.query_and_rest(&at("attention.in_proj_weight"), ndarray::Array1::from(probe), bias, key_value_bias)?;
    let mut linear =
        |name: &str, inputs: usize, outputs: usize| reader.linear(&[(at(name), Bias::Required)], inputs, outputs, None);
    let projection = linear("attention.out_proj", width, width)?;
    let mlp = Mlp {
        fc1: linear("mlp.fc1", width, mlp)?,
        fc2: linear("mlp.fc2", mlp, width)?,
        activation: config.activation,
        gated: false,
    };
    let norm = reader.layer_norm(&at("layernorm"), width, config.layer_norm_eps)?;
    Ok(AttentionPool { query, key_value, projection, norm, mlp })
}
