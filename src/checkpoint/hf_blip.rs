//! Hugging Face BLIP: the image encoder.

use super::blocks::{BlockNames, Blocks, Qkv};
use super::hf::{self, Usual};
use super::json::Json;
use super::reader::{Bias, Reader, add, matrix};
use super::{Family, hf_clip, processors};
use crate::error::Result;
use crate::model::{Block, Config, Embeddings, Interpolation, Weights};

pub(super) const FAMILY: Family = Family {
    name: "BLIP (Hugging Face)",
    models: "the image encoder of `BlipModel`, `BlipForConditionalGeneration`, `BlipForQuestionAnswering`, `BlipForImageTextRetrieval`, of BLIP-2 and of InstructBLIP; `BlipVisionModel`, `Blip2VisionModel`",
    recognises: |config| config.optional_str("model_type") == Some("blip_vision_model") || is_second(config),
    config: |json, _| {
        let usual = if is_second(json) { &SECOND } else { &USUAL };
        hf::read_config(json, "blip_vision_model", usual)
    },
    blocks: |_, reader| Blocks::new([scope(reader), "encoder.layers."].concat(), BLOCK),
    weights: read_weights,
    ignores: |_| false,
    processor: &processors::BLIP,
    any_size: false,
};

const USUAL: Usual = Usual {
    layer_norm_eps: 1e-5,
    hidden_act: "gelu",
    sizes: Some([768, 3072, 12, 12, 384, 16]),
    mlp_ratio: None,
    head_dim: false,
};

/// BLIP-2, and InstructBLIP.
const SECOND: Usual = Usual { layer_norm_eps: 1e-6, sizes: Some([1408, 6144, 39, 16, 224, 14]), ..USUAL };

fn is_second(config: &Json) -> bool {
    matches!(config.optional_str("model_type"), Some("blip_2_vision_model" | "instructblip_vision_model"))
}

const BLOCK: BlockNames = BlockNames {
    qkv: Qkv::Fused("self_attn.qkv", Bias::Optional),
    projection: "self_attn.projection",
    ..hf_clip::BLOCK
};

fn scope(reader: &Reader) -> &'static str {
    reader.choose(&["vision_model.", ""], "embeddings.class_embedding")
}

fn read_weights(config: &Config, reader: &mut Reader, blocks: Vec<Block>) -> Result<Weights> {
    let (width, eps) = (config.hidden_size, config.layer_norm_eps);
    let scope = scope(reader);
    reader.within(scope, |reader| {
        let name = "embeddings.position_embedding";
        let mut positions = reader.positions(name, &[1], [1, width], Interpolation::Bicubic)?;
        add(&mut positions.prefix, &reader.floats("embeddings.class_embedding", &[1, 1, width])?);
        let patches = "embeddings.patch_embedding";
        Ok(Weights {
            embeddings: Embeddings {
                stem: None,
                patch_projection: reader.patch_projection(patches, width, config.patch_size, Bias::Required)?,
                patch_norm: None,
                prefix: matrix(positions.prefix, width),
                positions: Some(positions.patches),
                norm: None,
            },
            blocks,
            transitions: Vec::new(),
            norm: Some(reader.layer_norm("post_layernorm", width, eps)?),
            fc_norm: None,
            pool: None,
            projection: None,
            heads: Vec::new(),
        })
    })
}
