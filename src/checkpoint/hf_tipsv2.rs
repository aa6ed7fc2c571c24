//! Hugging Face TIPSv2: the image encoder, a DINOv2 with a register and the names of its original.

use super::blocks::{BlockNames, Blocks, Qkv, Windowed};
use super::hf::{self, Usual};
use super::reader::{Bias, Reader, add, matrix};
use super::{Family, processors};
use crate::error::Result;
use crate::model::{Block, Config, Embeddings, Interpolation, Weights};

pub(super) const FAMILY: Family = Family {
    name: "TIPSv2 (Hugging Face)",
    models: "`Tipsv2Model` as an encoder, `Tipsv2VisionModel` and backbones, with MLP or SwiGLU",
    recognises: |config| config.optional_str("model_type") == Some(TYPE),
    config: |json, _| {
        let mut config = hf::read_config(json, TYPE, &USUAL)?;
        hf::read_swiglu(&mut config, json)?;
        hf::read_registers(&mut config, json, 1)?;
        Ok(config)
    },
    blocks: |config, _| Blocks::new("blocks.", if config.gated { GATED } else { BLOCK }),
    weights: read_weights,
    ignores: |name| name == "mask_token",
    processor: &processors::TIPSV2,
    any_size: true,
};

const TYPE: &str = "tipsv2_vision_model";

const USUAL: Usual = Usual {
    layer_norm_eps: 1e-6,
    hidden_act: "gelu",
    sizes: Some([768, 3072, 12, 12, 448, 14]),
    mlp_ratio: Some(4.0),
    head_dim: false,
};

/// The gate's matrix is above what it gates.
const GATED: BlockNames = BlockNames { fc1: &["mlp.w12"], fc2: "mlp.w3", ..BLOCK };

const BLOCK: BlockNames = BlockNames {
    norm1: "norm1",
    qkv: Qkv::Fused("attn.qkv", Bias::Optional),
    qk_norm: None,
    projection: "attn.proj",
    inner_norms: None,
    norm2: "norm2",
    fc1: &["mlp.c_fc"],
    fc2: "mlp.c_proj",
    bias: Bias::Required,
    scales: Some(["ls1.gamma", "ls2.gamma"]),
    windowed: Windowed::No,
};

fn read_weights(config: &Config, reader: &mut Reader, blocks: Vec<Block>) -> Result<Weights> {
    let (width, registers) = (config.hidden_size, config.prefix_tokens() - 1);
    let how = Interpolation::BilinearAntialias;
    let mut positions = reader.positions("pos_embed", &[1], [1, width], how)?;
    add(&mut positions.prefix, &reader.floats("cls_token", &[1, 1, width])?);
    // Registers come in after positions were added.
    if registers > 0 {
        positions.prefix.extend(reader.floats("register_tokens", &[1, registers, width])?);
    }
    Ok(Weights {
        embeddings: Embeddings {
            stem: None,
            patch_projection: reader.patch_projection("patch_embed.proj", width, config.patch_size, Bias::Required)?,
            patch_norm: None,
            prefix: matrix(positions.prefix, width),
            positions: Some(positions.patches),
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
