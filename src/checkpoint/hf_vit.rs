//! Hugging Face ViT: image classifiers, and encoders without a head (ViTModel, thus DINO; MAE, MSN).

use super::blocks::Blocks;
use super::hf::{self, Usual};
use super::reader::{Bias, Reader, add, matrix};
use super::{Family, processors};
use crate::error::Result;
use crate::model::{Block, Config, Embeddings, Interpolation, Pooling, Weights};

pub(super) const FAMILY: Family = Family {
    name: "ViT (Hugging Face)",
    models: "`ViTForImageClassification`, with the names of transformers 4 and 5; encoders without a head: `ViTModel` (DINO), `ViTMAEModel`, `ViTMSNModel`; `ViTMSNForImageClassification`; I-JEPA (`IJepaModel`, `IJepaForImageClassification`)",
    recognises: |config| matches!(config.optional_str("model_type"), Some("vit" | "vit_mae" | "vit_msn" | "ijepa")),
    config: |json, tensors| {
        let model_type = json.optional_str("model_type").unwrap_or("vit");
        let usual = if model_type == "vit_msn" { &MSN } else { &USUAL };
        let mut config = hf::read_config(json, model_type, usual)?;
        hf::check_qkv_bias(json, tensors)?;
        if model_type == "ijepa" {
            (config.prefix, config.pooling) = (Vec::new(), Pooling::Mean);
        }
        hf::read_labels(&mut config, json, tensors, "classifier.weight")?;
        Ok(config)
    },
    blocks: |_, reader| encoder_blocks(reader, scope(reader)),
    weights: |config, reader, blocks| {
        let scope = scope(reader);
        read_encoder(config, reader, blocks, scope)
    },
    ignores: |name| SCOPES.iter().any(|scope| is_of_pretraining(name, scope)),
    processor: &processors::VIT,
    any_size: false,
};

const SCOPES: &[&str] = &["vit.", "ijepa.", ""];

pub(super) const USUAL: Usual =
    Usual { layer_norm_eps: 1e-12, hidden_act: "gelu", sizes: None, mlp_ratio: None, head_dim: true };

const MSN: Usual = Usual { layer_norm_eps: 1e-6, ..USUAL };

/// What a ViT in `scope` was trained with and does not classify with; also DeiT's.
pub(super) fn is_of_pretraining(name: &str, scope: &str) -> bool {
    let inner = name.strip_prefix(scope).unwrap_or(name);
    inner == "embeddings.mask_token" || inner.starts_with("pooler.") || name.starts_with("decoder.")
}

fn scope(reader: &Reader) -> &'static str {
    reader.choose(SCOPES, "embeddings.position_embeddings")
}

/// What shows that there are blocks.
const BLOCKS: [&str; 2] = ["encoder.layer.0.layernorm_before.weight", "layers.0.layernorm_before.weight"];

/// The blocks of a ViT in `scope`; also of the one within DeiT.
pub(super) fn encoder_blocks(reader: &Reader, scope: &str) -> Blocks {
    // transformers 5 writes the blocks of ViTMSN outside of the scope.
    let inside = BLOCKS.iter().all(|block| !reader.has(block));
    hf::blocks(reader, if inside { scope } else { "" }, [hf::V4, hf::V5])
}

/// All else of it.
pub(super) fn read_encoder(config: &Config, reader: &mut Reader, blocks: Vec<Block>, scope: &str) -> Result<Weights> {
    let heads = hf::read_heads(config, reader)?;
    reader.within(scope, |reader| {
        let (width, tokens) = (config.hidden_size, config.prefix_tokens());
        let name = "embeddings.position_embeddings";
        let mut positions = reader.positions(name, &[1], [tokens, width], Interpolation::Bicubic)?;
        let names = ["embeddings.cls_token", "embeddings.distillation_token"];
        for (row, name) in positions.prefix.chunks_exact_mut(width).zip(names) {
            add(row, &reader.floats(name, &[1, 1, width])?);
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
