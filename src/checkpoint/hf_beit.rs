//! Hugging Face BEiT and data2vec-vision: a ViT that knows where its patches are by what is added to their scores.

use super::blocks::{BlockNames, Qkv, add_biases, read_blocks};
use super::hf::{self, Usual};
use super::interpolate::Interpolation;
use super::json::Json;
use super::reader::{Bias, Reader};
use super::tensors::Tensors;
use super::{Family, pixels};
use crate::error::Result;
use crate::model::{Config, Embeddings, Pooling, Weights};
use ndarray::{Array1, Array2};

pub(super) const FAMILY: Family = Family {
    name: "BEiT (Hugging Face)",
    models: "`BeitForImageClassification`, `Data2VecVisionForImageClassification`: relative position bias a block or shared, mean or class-token pooling; `BeitModel`, `Data2VecVisionModel`",
    recognises: |config| matches!(config.optional_str("model_type"), Some("beit" | "data2vec-vision")),
    config: read_config,
    weights: read_weights,
    // The indices follow from the grid; `lm_head` predicts visual words.
    ignores: |name| {
        name.ends_with("embeddings.mask_token")
            || name.ends_with("relative_position_index")
            || name.starts_with("lm_head.")
    },
    processor: &pixels::BEIT,
    any_size: true,
};

const USUAL: Usual = Usual { layer_norm_eps: 1e-12, hidden_act: "gelu", sizes: None };

const PREFIXES: &[&str] = &["beit.", "data2vec_vision.", ""];

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
const TABLES: [&str; 2] = [
    "attention.attention.relative_position_bias.relative_position_bias_table",
    "relative_position_bias.relative_position_bias_table",
];
const SHARED_TABLES: [&str; 2] = [
    "encoder.relative_position_bias.relative_position_bias_table",
    "shared_position_bias.relative_position_bias_table",
];

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let mut config = hf::read_config(json, FAMILY.name, json.optional_str("model_type").unwrap_or("beit"), &USUAL)?;
    if json.optional_bool("use_mean_pooling")?.unwrap_or(true) {
        config.pooling = Pooling::Mean;
    }
    hf::read_labels(&mut config, json, tensors, "classifier.weight")?;
    Ok(config)
}

fn read_weights(config: &Config, reader: &mut Reader) -> Result<Weights> {
    let (width, eps) = (config.hidden_size, config.layer_norm_eps);
    let prefix = hf::prefix(|name| reader.has(name), PREFIXES, "embeddings.cls_token");
    let at = |name: &str| format!("{prefix}{name}");

    let mut rows = reader.array2(&at("embeddings.cls_token"), &[1, 1, width], width)?;
    let mut positions = None;
    let name = at("embeddings.position_embeddings");
    if reader.has(&name) {
        let (first, patches) = reader.positions(&name, (&[1], 1, width), config.grid(), Interpolation::Bicubic)?;
        rows += &Array1::from(first.into_raw_vec_and_offset().0);
        positions = Some(patches);
    }
    let projection = at("embeddings.patch_embeddings.projection");
    let embeddings = Embeddings {
        patch_projection: reader.patch_projection(&projection, width, config.patch_size, Bias::Required)?,
        prefix: rows,
        positions,
        norm: None,
    };

    let (path, names) = hf::blocks(reader, prefix);
    let names = if names.projection == V5.projection { V5 } else { V4 };
    let mut blocks = read_blocks(config, reader, &path, &names)?;
    let shared = read_table(config, reader, SHARED_TABLES.map(at))?;
    add_biases(config, &mut blocks, shared, |i| {
        read_table(config, reader, TABLES.map(|name| format!("{path}.{i}.{name}")))
    })?;

    let mean = config.pooling == Pooling::Mean;
    let mut norm = |name: &str, wanted: bool| match reader.has(&format!("{name}.weight")) || wanted {
        true => reader.layer_norm(name, width, eps).map(Some),
        false => Ok(None),
    };
    // Mean pooling comes before its norm. Models made to predict visual words have theirs outside, and encoders may have none at all.
    let has_head = config.classes() > 0;
    let pooler = if mean { norm(&at("pooler.layernorm"), has_head)? } else { None };
    let last = match (mean, prefix) {
        (false, _) => norm(&at("layernorm"), true)?,
        (true, "") => None,
        (true, _) => norm("layernorm", false)?,
    };
    Ok(Weights {
        embeddings,
        blocks,
        norm: last,
        fc_norm: pooler,
        pool: None,
        projection: None,
        heads: hf::read_heads(config, reader)?,
    })
}

fn read_table(config: &Config, reader: &mut Reader, names: [String; 2]) -> Result<Option<Array2<f32>>> {
    let Some(name) = names.into_iter().find(|name| reader.has(name)) else { return Ok(None) };
    reader.relative_bias(&name, config.heads, config.grid(), Interpolation::Bilinear).map(Some)
}
