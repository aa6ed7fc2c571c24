//! Hugging Face BEiT and data2vec-vision: a ViT that knows where its patches are by what is added to their scores.

use super::blocks::{BlockNames, Qkv, add_tables};
use super::hf::{self, Usual};
use super::json::Json;
use super::names::holds;
use super::reader::{Bias, Reader, add, matrix};
use super::tensors::Tensors;
use super::{Family, processors};
use crate::error::Result;
use crate::model::{Block, Config, Embeddings, Interpolation, Pooling, Positions, Weights};

pub(super) const FAMILY: Family = Family {
    name: "BEiT (Hugging Face)",
    models: "`BeitForImageClassification`, `Data2VecVisionForImageClassification`: relative position bias a block or shared, mean or class-token pooling; `BeitModel`, `Data2VecVisionModel`",
    recognises: |config| matches!(config.optional_str("model_type"), Some("beit" | "data2vec-vision")),
    config: read_config,
    blocks: |_, reader| hf::blocks(reader, scope(reader), [V4, V5]),
    weights: read_weights,
    // The indices follow from the grid; `lm_head` predicts visual words.
    ignores: |name| {
        name.ends_with("embeddings.mask_token")
            || name.ends_with("relative_position_index")
            || name.starts_with("lm_head.")
    },
    processor: &processors::BEIT,
    any_size: true,
};

const USUAL: Usual = Usual { layer_norm_eps: 1e-12, hidden_act: "gelu", sizes: None, mlp_ratio: None, head_dim: false };

const SCOPES: &[&str] = &["beit.", "data2vec_vision.", ""];

const SCALES: Option<[&str; 2]> = Some(["lambda_1", "lambda_2"]);
const BIASES: [Bias; 3] = [Bias::Required, Bias::Absent, Bias::Required];

const V4: BlockNames = BlockNames {
    qkv: Qkv::Split(["attention.attention.query", "attention.attention.key", "attention.attention.value"], BIASES),
    scales: SCALES,
    ..hf::V4
};

const V5: BlockNames = BlockNames {
    qkv: Qkv::Split(["attention.q_proj", "attention.k_proj", "attention.v_proj"], BIASES),
    scales: SCALES,
    ..hf::V5
};

/// Where a table is, within a block and for all blocks, in files and in memory of transformers 5.
const TABLES: &[&str] = &[
    "attention.attention.relative_position_bias.relative_position_bias_table",
    "relative_position_bias.relative_position_bias_table",
];
const SHARED_TABLES: &[&str] = &[
    "encoder.relative_position_bias.relative_position_bias_table",
    "shared_position_bias.relative_position_bias_table",
];

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let mut config = hf::read_config(json, json.optional_str("model_type").unwrap_or("beit"), &USUAL)?;
    let in_block = |name: &str| holds(name, "layer.0.") || holds(name, "layers.0.");
    let is_table = |name: &str| name.ends_with("relative_position_bias_table");
    let check = |key: &str, usual: bool, shows: &dyn Fn(&str) -> bool| {
        if hf::are_ours(tensors) { hf::check_shown(json, tensors, key, Some(usual), shows) } else { Ok(()) }
    };
    check("use_absolute_position_embeddings", false, &|name| name.ends_with("embeddings.position_embeddings"))?;
    check("use_relative_position_bias", false, &|name| is_table(name) && in_block(name))?;
    check("use_shared_relative_position_bias", false, &|name| is_table(name) && !holds(name, "layer"))?;
    check("layer_scale_init_value", true, &|name| name.ends_with("lambda_1"))?;
    if json.optional_bool("use_mean_pooling")?.unwrap_or(true) {
        config.pooling = Pooling::Mean;
    }
    let on = |key: &str| Ok::<_, crate::Error>(json.optional_bool(key)?.unwrap_or(false));
    let relative = on("use_relative_position_bias")? || on("use_shared_relative_position_bias")?;
    config.positions = Positions { learned: on("use_absolute_position_embeddings")?, relative, ..Positions::NONE };
    hf::read_labels(&mut config, json, tensors, "classifier.weight")?;
    Ok(config)
}

fn scope(reader: &Reader) -> &'static str {
    reader.choose(SCOPES, "embeddings.cls_token")
}

fn read_weights(config: &Config, reader: &mut Reader, mut blocks: Vec<Block>) -> Result<Weights> {
    let (width, eps) = (config.hidden_size, config.layer_norm_eps);
    let mean = config.pooling == Pooling::Mean;
    let heads = hf::read_heads(config, reader)?;
    let scope = scope(reader);
    // Models made to predict visual words have a norm of theirs outside.
    let outside = if mean && !scope.is_empty() { reader.optional_norm("layernorm", width, eps)? } else { None };
    reader.within(scope, |reader| {
        let mut prefix = reader.floats("embeddings.cls_token", &[1, 1, width])?;
        let mut positions = None;
        let name = "embeddings.position_embeddings";
        if reader.has(name) {
            let own = reader.positions(name, &[1], [1, width], Interpolation::Bicubic)?;
            add(&mut prefix, &own.prefix);
            positions = Some(own.patches);
        }
        let at = hf::blocks(reader, "", [V4, V5]).scope;
        add_tables(config, reader, &mut blocks, &at, [TABLES, SHARED_TABLES], Interpolation::Bilinear)?;
        // Mean pooling comes before its norm; encoders may have none at all.
        let pooler = "pooler.layernorm";
        let (norm, fc_norm) = match (mean, heads.is_empty()) {
            (false, _) => (Some(reader.layer_norm("layernorm", width, eps)?), None),
            (true, true) => (outside, reader.optional_norm(pooler, width, eps)?),
            (true, false) => (None, Some(reader.layer_norm(pooler, width, eps)?)),
        };
        Ok(Weights {
            embeddings: Embeddings {
                stem: None,
                patch_projection: reader.patch_projection(hf::PATCHES, width, config.patch_size, Bias::Required)?,
                patch_norm: None,
                prefix: matrix(prefix, width),
                positions,
                norm: None,
            },
            blocks,
            transitions: Vec::new(),
            norm,
            fc_norm,
            pool: None,
            projection: None,
            heads,
        })
    })
}
