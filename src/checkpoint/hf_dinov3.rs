//! Hugging Face DINOv3: a ViT with registers that knows where its patches are by how queries and keys are turned.

use super::blocks::{BlockNames, Blocks, Qkv, Windowed, add_frequencies};
use super::hf::{self, Usual};
use super::json::Json;
use super::reader::{Bias, Reader, matrix};
use super::tensors::Tensors;
use super::{Family, processors};
use crate::error::Result;
use crate::kernels::rotate::Pairs;
use crate::model::{Block, Config, Coordinates, Embeddings, Frequencies, Positions, Rotary, Weights};

pub(super) const FAMILY: Family = Family {
    name: "DINOv3 (Hugging Face)",
    models: "`DINOv3ViTModel` and backbones, with MLP or SwiGLU",
    recognises: |config| config.optional_str("model_type") == Some("dinov3_vit"),
    config: read_config,
    blocks: |config, reader| {
        let fc1: &[_] = if config.gated { &["mlp.gate_proj", "mlp.up_proj"] } else { BLOCK.fc1 };
        Blocks::new(reader.choose(BLOCKS, "0.norm1.weight"), BlockNames { fc1, ..BLOCK })
    },
    weights: read_weights,
    ignores: |name| name == "embeddings.mask_token",
    processor: &processors::DINOV3,
    any_size: true,
};

const USUAL: Usual = Usual {
    layer_norm_eps: 1e-5,
    hidden_act: "gelu",
    sizes: Some([384, 1536, 12, 6, 224, 16]),
    mlp_ratio: None,
    head_dim: false,
};

const BLOCK: BlockNames = BlockNames {
    norm1: "norm1",
    qkv: Qkv::Split(["attention.q_proj", "attention.k_proj", "attention.v_proj"], [Bias::Optional; 3]),
    qk_norm: None,
    projection: "attention.o_proj",
    inner_norms: None,
    norm2: "norm2",
    fc1: &["mlp.up_proj"],
    fc2: "mlp.down_proj",
    bias: Bias::Optional,
    scales: Some(["layer_scale1.lambda1", "layer_scale2.lambda1"]),
    windowed: Windowed::No,
};

/// Where blocks are in files, and in memory.
const BLOCKS: &[&str] = &["layer.", "model.layer."];

/// Its angles.
fn rotary(temperature: f64) -> Rotary {
    Rotary {
        pairs: Pairs::Halves,
        coordinates: Coordinates::Centred,
        frequencies: Frequencies::Falling { temperature, columns_first: false },
    }
}

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let mut config = hf::read_config(json, "dinov3_vit", &USUAL)?;
    if hf::are_ours(tensors) {
        for (key, usual, suffix) in [
            ("query_bias", true, "attention.q_proj.bias"),
            ("key_bias", false, "attention.k_proj.bias"),
            ("value_bias", true, "attention.v_proj.bias"),
            ("proj_bias", true, "attention.o_proj.bias"),
            ("mlp_bias", true, "mlp.up_proj.bias"),
            ("use_gated_mlp", false, "mlp.gate_proj.weight"),
        ] {
            hf::check_shown(json, tensors, key, Some(usual), &|name| name.ends_with(suffix))?;
        }
    }
    // Its class has LayerScale whatever the config says.
    const SCALE: &str = "layer.0.layer_scale1.lambda1";
    if !tensors.names().iter().any(|name| name.ends_with(SCALE)) {
        return Err(tensors.missing(SCALE));
    }
    config.gated = json.optional_bool("use_gated_mlp")?.unwrap_or(false);
    let theta = json.typed("rope_theta", "a number", serde_json::Value::as_f64)?.unwrap_or(100.0);
    config.positions = Positions { rotary: Some(rotary(theta)), ..Positions::NONE };
    hf::read_registers(&mut config, json, 0)?;
    Ok(config)
}

fn read_weights(config: &Config, reader: &mut Reader, mut blocks: Vec<Block>) -> Result<Weights> {
    let (width, registers) = (config.hidden_size, config.prefix_tokens() - 1);
    let mut prefix = reader.floats("embeddings.cls_token", &[1, 1, width])?;
    prefix.extend(reader.floats("embeddings.register_tokens", &[1, registers, width])?);
    add_frequencies(config, &mut blocks, &[]);
    let patches = "embeddings.patch_embeddings";
    Ok(Weights {
        embeddings: Embeddings {
            stem: None,
            patch_projection: reader.patch_projection(patches, width, config.patch_size, Bias::Required)?,
            patch_norm: None,
            prefix: matrix(prefix, width),
            positions: None,
            norm: None,
        },
        blocks,
        transitions: Vec::new(),
        norm: Some(reader.layer_norm("norm", width, config.layer_norm_eps)?),
        fc_norm: None,
        pool: None,
        projection: None,
        heads: Vec::new(),
    })
}
