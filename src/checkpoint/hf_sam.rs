//! Hugging Face SAM: the image encoder, of a whole model or alone.

use super::blocks::{self, BlockNames, Blocks, Qkv, Windowed};
use super::hf::{self, Usual};
use super::hf_clip::vision_config;
use super::json::{Json, as_usize};
use super::reader::{Bias, Reader, matrix};
use super::tensors::Tensors;
use super::{Family, processors};
use crate::error::Result;
use crate::model::{Block, Config, Embeddings, Pooling, Positions, Stage, Weights, WindowRule};
use serde_json::Value;

pub(super) const FAMILY: Family = Family {
    name: "SAM (Hugging Face)",
    models: "the image encoder of `SamModel`, `SamVisionModel`: features are its map; at their own size",
    recognises: |config| matches!(config.optional_str("model_type"), Some(TYPE | "sam_vision_model")),
    config: read_config,
    blocks: |_, reader| Blocks::new([scope(reader), LAYERS].concat(), BLOCK),
    weights: read_weights,
    ignores: |name| OTHERS.iter().any(|other| name.starts_with(other)),
    processor: &processors::SAM,
    any_size: false,
};

const TYPE: &str = "sam";

const USUAL: Usual = Usual {
    layer_norm_eps: 1e-6,
    hidden_act: "gelu",
    sizes: Some([768, 3072, 12, 12, 1024, 16]),
    mlp_ratio: Some(4.0),
    head_dim: false,
};

const BLOCK: BlockNames = BlockNames {
    norm1: "layer_norm1",
    qkv: Qkv::Fused("attn.qkv", Bias::Optional),
    qk_norm: None,
    projection: "attn.proj",
    inner_norms: None,
    norm2: "layer_norm2",
    fc1: &["mlp.lin1"],
    fc2: "mlp.lin2",
    bias: Bias::Required,
    scales: None,
    windowed: Windowed::Decomposed,
};

const LAYERS: &str = "layers.";

/// What finds masks.
const OTHERS: [&str; 3] = ["prompt_encoder.", "mask_decoder.", "shared_image_embedding."];

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let own = vision_config(json)?;
    let mut config = hf::read_config(&own, TYPE, &USUAL)?;
    if let Some(width) = own.optional_usize("mlp_dim")? {
        config.mlp_size = width;
    }
    let shows = |name: &str, end: &str| !OTHERS.iter().any(|other| name.starts_with(other)) && name.ends_with(end);
    if tensors.names().iter().any(|name| shows(name, "patch_embed.projection.weight")) {
        for (key, end) in [("qkv_bias", ".attn.qkv.bias"), ("use_abs_pos", "pos_embed"), ("use_rel_pos", ".rel_pos_h")]
        {
            hf::check_shown(&own, tensors, key, Some(true), &|name| shows(name, end))?;
        }
    }
    config.positions = Positions {
        learned: own.optional_bool("use_abs_pos")?.unwrap_or(true),
        relative: own.optional_bool("use_rel_pos")?.unwrap_or(true),
        ..Positions::NONE
    };
    let indices = |value: &Value| value.as_array()?.iter().map(as_usize).collect::<Option<Vec<_>>>();
    let global = own.typed("global_attn_indexes", "whole numbers", indices)?.unwrap_or_else(|| vec![2, 5, 8, 11]);
    let window = own.optional_usize("window_size")?.unwrap_or(14);
    let windows = (window > 0).then_some(WindowRule::Some { size: [window; 2], global });
    config.prefix = Vec::new();
    config.pooling = Pooling::Map;
    Stage::windowed(&mut config, windows);
    Stage::follow(&mut config, own.optional_usize("output_channels")?.unwrap_or(256));
    Ok(config)
}

fn scope(reader: &Reader) -> &'static str {
    reader.choose(&["vision_encoder.", ""], "patch_embed.projection.weight")
}

fn read_weights(config: &Config, reader: &mut Reader, blocks: Vec<Block>) -> Result<Weights> {
    let width = config.stages[0].hidden_size;
    let scope = scope(reader);
    reader.within(scope, |reader| {
        let positions = if config.positions.learned { Some(reader.grid("pos_embed", width, None)?) } else { None };
        Ok(Weights {
            embeddings: Embeddings {
                patch_projection: reader.patch_projection(
                    "patch_embed.projection",
                    width,
                    config.patch_size,
                    Bias::Required,
                )?,
                stem: None,
                patch_norm: None,
                prefix: matrix(Vec::new(), width),
                positions,
                norm: None,
            },
            blocks,
            transitions: vec![reader.within("neck.", |reader| {
                let names = ["conv1", "layer_norm1", "conv2", "layer_norm2"];
                blocks::read_neck(reader, [width, config.hidden_size], names)
            })?],
            norm: None,
            fc_norm: None,
            pool: None,
            projection: None,
            heads: Vec::new(),
        })
    })
}
