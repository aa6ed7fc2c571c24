//! timm's `Eva` module: ViTs that know where their patches are by how queries and keys are turned.

use super::blocks::{BlockNames, Qkv, add_rotations, read_blocks};
use super::heads::read_heads;
use super::hf_dinov3;
use super::interpolate::Interpolation;
use super::json::Json;
use super::reader::{Bias, Reader};
use super::tensors::Tensors;
use super::timm::{self, Architecture, Class, read_last_norm};
use super::{Family, processors};
use crate::error::Result;
use crate::model::{Activation, Config, Embeddings, Pooling, Positions, Rotary, Weights};
use serde_json::Value;

pub(super) const DINOV3: Family = Family {
    name: "DINOv3 (timm)",
    models: "`vit_*_dinov3`, `vit_*_dinov3_qkvb`, `vit_*_lingbot`, with a head or without",
    recognises: |config| is_named(config, &["dinov3", "lingbot"]),
    config: |json, tensors| read_config(DINOV3.name, json, tensors),
    weights: read_weights,
    ignores: |_| false,
    processor: &processors::VIT,
    any_size: false,
};

/// What `Eva` takes beside what all classes take.
const EVA: Class = Class {
    reads: &["rope_temperature", "swiglu_align_to", "use_rot_pos_emb"],
    defaults: &[
        ("attn_only_layer_scale", "false"),
        ("attn_type", "\"eva\""),
        ("gated_attn", "false"),
        ("rope_rotate_half", "true"),
        ("rope_type", "\"dinov3\""),
        ("use_post_norm", "false"),
        ("use_pre_transformer_norm", "false"),
    ],
    shown: &[
        ("init_values", &["blocks.0.gamma_1"]),
        ("qkv_fused", &["blocks.0.attn.qkv.weight"]),
        ("qkv_bias", &["blocks.0.attn.q_bias", "blocks.0.attn.q_proj.bias"]),
        ("swiglu_mlp", &["blocks.0.mlp.fc1_g.weight"]),
        ("use_post_transformer_norm", &["norm.weight"]),
    ],
    telltales: &[
        (timm::ATTENTION_POOL, "an attention-pool head"),
        (".attn.norm.", "a norm within attention"),
        (".mlp.norm.", "a norm within the MLP"),
        (".attn.gate.", "gated attention"),
    ],
    ratio_is_read: true,
};

const BLOCK: BlockNames = BlockNames {
    norm1: "norm1",
    qkv: Qkv::FusedWeight { weight: "attn.qkv.weight", query_bias: "attn.q_bias", value_bias: "attn.v_bias" },
    qk_norm: Some(["attn.q_norm", "attn.k_norm"]),
    projection: "attn.proj",
    norm2: "norm2",
    fc1: &["mlp.fc1"],
    fc2: "mlp.fc2",
    bias: Bias::Required,
    scales: Some(["gamma_1", "gamma_2"]),
};

/// Whether a name has one of these parts.
fn is_named(config: &Json, marks: &[&str]) -> bool {
    let name = config.optional_str("architecture").and_then(|name| name.split('.').next()).unwrap_or_default();
    name.starts_with("vit_") && name.split('_').any(|part| marks.contains(&part))
}

/// What a name says beside what tensors show.
struct Variant {
    pooling: Pooling,
    layer_norm_eps: f32,
    rotary: Rotary,
}

/// Parts of names that change no arithmetic which tensors don't show.
const KNOWN_PARTS: &[&str] =
    &["vit", "tiny", "small", "base", "large", "giant", "huge", "7b", "plus", "dinov3", "qkvb", "lingbot"];

impl Variant {
    /// Accepts a name all of whose parts are understood.
    fn new(architecture: &Architecture) -> Result<Self> {
        let parts = architecture.parts();
        let patch = |part: &str| part.strip_prefix("patch").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
        if let Some(part) = parts.iter().find(|part| !(KNOWN_PARTS.contains(part) || patch(part))) {
            let problem = format!("`{part}` in its name marks a variant this version does not run");
            return Err(architecture.refuse(&problem));
        }
        let pooling = if parts.contains(&"lingbot") { Pooling::Cls } else { Pooling::Mean };
        let temperature = architecture.args.typed("rope_temperature", "a number", Value::as_f64)?.unwrap_or(100.0);
        Ok(Self { pooling, layer_norm_eps: 1e-5, rotary: hf_dinov3::rotary(temperature) })
    }
}

/// Heads of the published sizes: 64 wide, but 128 in the largest.
fn heads(width: usize) -> usize {
    if width == 4096 { 32 } else { width / 64 }
}

fn read_config(family: &'static str, json: &Json, tensors: &Tensors) -> Result<Config> {
    let architecture = Architecture::new(json, tensors, &EVA)?;
    let variant = Variant::new(&architecture)?;
    let mut config = architecture.config(family, tensors, heads, timm::prefix(tensors)?, variant.pooling)?;
    config.layer_norm_eps = architecture.layer_norm_eps(variant.layer_norm_eps);
    config.gated = tensors.has(GATE);
    config.activation = architecture.activation(if config.gated { Activation::Silu } else { Activation::Gelu })?;
    let rotary = architecture.args.optional_bool("use_rot_pos_emb")?.unwrap_or(true).then_some(variant.rotary);
    config.positions = Positions { learned: tensors.has("pos_embed"), relative: false, rotary };
    Ok(config)
}

/// A gate's own matrix.
const GATE: &str = "blocks.0.mlp.fc1_g.weight";

fn read_weights(config: &Config, reader: &mut Reader) -> Result<Weights> {
    let width = config.hidden_size;
    let fc1: &[&str] = if reader.has(GATE) { &["mlp.fc1_g", "mlp.fc1_x"] } else { BLOCK.fc1 };
    let mut blocks = read_blocks(config, reader, "blocks.", &BlockNames { fc1, ..BLOCK })?;
    add_rotations(config, &mut blocks, &[])?;
    let (norm, fc_norm) = read_last_norm(config, reader)?;
    let (prefix, positions) = timm::read_tokens(config, reader, Interpolation::BicubicAntialias)?;
    let embeddings = Embeddings {
        patch_projection: reader.patch_projection("patch_embed.proj", width, config.patch_size, Bias::Required)?,
        prefix,
        positions,
        norm: None,
    };
    let heads = read_heads(config, reader, "head", ["head", "head_dist"])?;
    Ok(Weights { embeddings, blocks, norm, fc_norm, pool: None, projection: None, heads })
}
