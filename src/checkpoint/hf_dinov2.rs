//! Hugging Face DINOv2, with registers and without.

use super::blocks::{BlockNames, Blocks};
use super::hf::{self, Usual};
use super::json::Json;
use super::reader::{Bias, Reader, add, matrix};
use super::tensors::Tensors;
use super::{Family, processors};
use crate::error::Result;
use crate::model::{Block, Config, Embeddings, Interpolation, Pooling, Weights};

pub(super) const FAMILY: Family = Family {
    name: "DINOv2 (Hugging Face)",
    models: "`Dinov2ForImageClassification`, `Dinov2WithRegistersForImageClassification` (class token and mean of the patches), with MLP or SwiGLU; `Dinov2Model`, `Dinov2WithRegistersModel` and backbones",
    recognises: |config| matches!(config.optional_str("model_type"), Some("dinov2" | "dinov2_with_registers")),
    config: read_config,
    blocks: |config, reader| {
        let scope = [scope(reader), "encoder.layer."].concat();
        let names = block_names(config, |name| reader.has(&[&scope, "0.", name].concat()));
        Blocks::new(scope, names)
    },
    weights: read_weights,
    ignores: |name| name.ends_with("embeddings.mask_token"),
    processor: &processors::BIT,
    any_size: true,
};

const USUAL: Usual =
    Usual { layer_norm_eps: 1e-6, hidden_act: "gelu", sizes: None, mlp_ratio: Some(4.0), head_dim: true };

const REGISTERS: &str = "embeddings.register_tokens";

const SCOPES: &[&str] = &["dinov2.", "dinov2_with_registers.", ""];

/// transformers ≤ 4, and what 5 still writes.
const V4: BlockNames = BlockNames {
    norm1: "norm1",
    norm2: "norm2",
    fc1: &["mlp.fc1"],
    fc2: "mlp.fc2",
    scales: Some(["layer_scale1.lambda1", "layer_scale2.lambda1"]),
    ..hf::V4
};

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let model_type = json.optional_str("model_type").unwrap_or("dinov2");
    let mut config = hf::read_config(json, model_type, &USUAL)?;
    hf::check_qkv_bias(json, tensors)?;
    // Its class has LayerScale whatever the config says.
    const SCALE: &str = "encoder.layer.0.layer_scale1.lambda1";
    if !tensors.names().iter().any(|name| name.ends_with(SCALE)) {
        return Err(tensors.missing(SCALE));
    }
    hf::read_swiglu(&mut config, json)?;
    if model_type == "dinov2_with_registers" {
        hf::read_registers(&mut config, json, 4)?;
    }
    hf::read_labels(&mut config, json, tensors, "classifier.weight")?;
    if config.classes() > 0 {
        config.pooling = Pooling::ClsMean;
    }
    Ok(config)
}

fn scope(reader: &Reader) -> &'static str {
    reader.choose(SCOPES, "embeddings.cls_token")
}

fn read_weights(config: &Config, reader: &mut Reader, blocks: Vec<Block>) -> Result<Weights> {
    let heads = hf::read_heads(config, reader)?;
    let scope = scope(reader);
    reader.within(scope, |reader| {
        let (width, registers) = (config.hidden_size, config.prefix_tokens() - 1);
        // With registers the library resamples another way, and puts them in after positions were added.
        // (Its class does so with none of them too.)
        let has_registers = registers > 0 || reader.has(REGISTERS);
        let how = if has_registers { Interpolation::BicubicAntialias } else { Interpolation::Bicubic };
        let name = "embeddings.position_embeddings";
        let mut positions = reader.positions(name, &[1], [1, width], how)?;
        add(&mut positions.prefix, &reader.floats("embeddings.cls_token", &[1, 1, width])?);
        if has_registers {
            positions.prefix.extend(reader.floats(REGISTERS, &[1, registers, width])?);
        }
        Ok(Weights {
            embeddings: Embeddings {
                stem: None,
                patch_projection: reader.patch_projection(hf::PATCHES, width, config.patch_size, Bias::Required)?,
                patch_norm: None,
                prefix: matrix(positions.prefix, width),
                positions: Some(positions.patches),
                norm: None,
            },
            blocks,
            transitions: Vec::new(),
            norm: Some(reader.layer_norm("layernorm", width, config.layer_norm_eps)?),
            fc_norm: None,
            pool: None,
            projection: None,
            heads,
        })
    })
}

fn block_names(config: &Config, has: impl Fn(&str) -> bool) -> BlockNames {
    let mut names = V4;
    // What transformers 5 calls them in memory.
    if has("attention.q_proj.weight") {
        (names.qkv, names.projection) = (hf::V5.qkv, hf::V5.projection);
    }
    match config.gated {
        true if has("mlp.gate_proj.weight") => {
            (names.fc1, names.fc2) = (&["mlp.gate_proj", "mlp.up_proj"], "mlp.down_proj");
        }
        true => (names.fc1, names.fc2) = (&["mlp.weights_in"], "mlp.weights_out"),
        false => {}
    }
    names
}
