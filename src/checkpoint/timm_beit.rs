//! timm's `beit_*` and `beitv2_*` models.

use super::blocks::{BlockNames, Blocks, Qkv, Windowed, add_tables};
use super::heads::read_heads;
use super::json::Json;
use super::reader::{Bias, Reader, add, matrix};
use super::tensors::Tensors;
use super::timm::{self, Architecture, Class, read_last_norm};
use super::{Family, processors};
use crate::error::Result;
use crate::model::{Block, Config, Embeddings, Interpolation, Pooling, Positions, Prefix, Weights};

pub(super) const FAMILY: Family = Family {
    name: "BEiT (timm)",
    models: "`beit_*`, `beitv2_*`, with a head or without",
    recognises: |config| timm::is_named(config, &["beit_", "beitv2_"], &[]),
    config: read_config,
    blocks: |_, _| Blocks::new(timm::BLOCKS, BLOCK),
    weights: read_weights,
    ignores: |name| name.ends_with("relative_position_index"),
    processor: &processors::VIT,
    any_size: false,
};

/// `Beit`.
const BEIT: Class =
    Class { reads: &[], shown: &[], telltales: &[(".mlp.norm.", "a norm within the MLP")], pools: false, ..timm::VIT };

const BLOCK: BlockNames = BlockNames {
    norm1: "norm1",
    qkv: Qkv::FusedWeight { weight: "attn.qkv.weight", query_bias: "attn.q_bias", value_bias: "attn.v_bias" },
    qk_norm: None,
    projection: "attn.proj",
    inner_norms: None,
    norm2: "norm2",
    fc1: &["mlp.fc1"],
    fc2: "mlp.fc2",
    bias: Bias::Required,
    scales: Some(["gamma_1", "gamma_2"]),
    windowed: Windowed::No,
};

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let architecture = Architecture::new(json, tensors, &BEIT)?;
    let known = |part: &str| {
        matches!(part, "beit" | "beitv2" | "base" | "large")
            || part.strip_prefix("patch").unwrap_or(part).bytes().all(|b| b.is_ascii_digit())
    };
    architecture.require_known(&architecture.parts(), &known)?;
    let mut config = architecture.config(tensors, &|width| width / 64, vec![Prefix::Class], Pooling::Mean)?;
    architecture.require_last_norm(&config, tensors)?;
    let relative = tensors.names().iter().any(|name| name.ends_with("relative_position_bias_table"));
    config.positions = Positions { learned: tensors.has("pos_embed"), relative, ..Positions::NONE };
    Ok(config)
}

fn read_weights(config: &Config, reader: &mut Reader, mut blocks: Vec<Block>) -> Result<Weights> {
    let width = config.hidden_size;
    let mut prefix = reader.floats("cls_token", &[1, 1, width])?;
    let mut positions = None;
    if reader.has("pos_embed") {
        let own = reader.positions("pos_embed", &[1], [1, width], Interpolation::BicubicAntialias)?;
        add(&mut prefix, &own.prefix);
        positions = Some(own.patches);
    }
    let tables: [&[&str]; 2] = [&["attn.relative_position_bias_table"], &["rel_pos_bias.relative_position_bias_table"]];
    add_tables(config, reader, &mut blocks, timm::BLOCKS, tables, Interpolation::Geometric)?;
    let (norm, fc_norm) = read_last_norm(config, reader)?;
    let embeddings = Embeddings {
        stem: None,
        patch_projection: reader.patch_projection("patch_embed.proj", width, config.patch_size, Bias::Required)?,
        patch_norm: None,
        prefix: matrix(prefix, width),
        positions,
        norm: None,
    };
    let heads = read_heads(config, reader, "head", ["head", "head_dist"])?;
    Ok(Weights { embeddings, blocks, transitions: Vec::new(), norm, fc_norm, pool: None, projection: None, heads })
}
