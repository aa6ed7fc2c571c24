//! Hugging Face ViT: image classifiers, and encoders without a head (ViTModel, thus DINO; MAE, MSN).

use super::hf::{self, Usual};
use super::interpolate::Interpolation;
use super::reader::{Bias, Reader};
use super::{Family, pixels};
use crate::error::Result;
use crate::model::{Config, Embeddings, Weights};

pub(super) const FAMILY: Family = Family {
    name: "ViT (Hugging Face)",
    models: "`ViTForImageClassification`, with the names of transformers 4 and 5; encoders without a head: `ViTModel` (DINO), `ViTMAEModel`, `ViTMSNModel`",
    recognises: |config| matches!(config.optional_str("model_type"), Some("vit" | "vit_mae" | "vit_msn")),
    config: |json, tensors| {
        let mut config = hf::read_config(json, FAMILY.name, json.optional_str("model_type").unwrap_or("vit"), &USUAL)?;
        hf::read_labels(&mut config, json, tensors, "classifier.weight")?;
        Ok(config)
    },
    weights: read_weights,
    ignores: |name| {
        let inner = name.strip_prefix("vit.").unwrap_or(name);
        inner == "embeddings.mask_token" || inner.starts_with("pooler.") || name.starts_with("decoder.")
    },
    processor: &pixels::VIT,
    any_size: false,
};

pub(super) const USUAL: Usual = Usual { layer_norm_eps: 1e-12, hidden_act: "gelu", sizes: None };

fn read_weights(config: &Config, reader: &mut Reader) -> Result<Weights> {
    let prefix = hf::prefix(|name| reader.has(name), &["vit.", ""], "embeddings.cls_token");
    read_encoder(config, reader, prefix)
}

/// A ViT under `prefix`; also the one within DeiT.
pub(super) fn read_encoder(config: &Config, reader: &mut Reader, prefix: &str) -> Result<Weights> {
    let (width, grid) = (config.hidden_size, config.grid());
    let at = |name: &str| format!("{prefix}{name}");
    let tokens = config.prefix_tokens();
    let (mut rows, positions) =
        reader.positions(&at("embeddings.position_embeddings"), (&[1], tokens, width), grid, Interpolation::Bicubic)?;
    for (mut row, name) in rows.rows_mut().into_iter().zip(["cls_token", "distillation_token"]) {
        row += &ndarray::Array1::from(reader.floats(&at(&format!("embeddings.{name}")), &[1, 1, width])?);
    }
    let projection = at("embeddings.patch_embeddings.projection");
    let (blocks, names) = hf::blocks(reader, prefix);
    Ok(Weights {
        embeddings: Embeddings {
            patch_projection: reader.patch_projection(&projection, width, config.patch_size, Bias::Required)?,
            prefix: rows,
            positions: Some(positions),
            norm: None,
        },
        blocks: super::blocks::read_blocks(config, reader, &blocks, &names)?,
        norm: Some(reader.layer_norm(&at("layernorm"), width, config.layer_norm_eps)?),
        fc_norm: None,
        pool: None,
        projection: None,
        heads: hf::read_heads(config, reader)?,
    })
}
