//! Hugging Face Swin and Swin v2.

use super::blocks::{BlockNames, Blocks, Qkv, Windowed};
use super::hf::{self, Usual};
use super::json::Json;
use super::reader::{Bias, Reader, matrix};
use super::swin::{self, LAYER_NORM_EPS, Sizes};
use super::tensors::Tensors;
use super::{Family, processors, unsupported};
use crate::error::Result;
use crate::model::{Block, Config, Cut, Embeddings, Interpolation, Pooling, Positions, Weights, WindowRule};

pub(super) const FAMILY: Family = Family {
    name: "Swin (Hugging Face)",
    models: "`SwinForImageClassification`, `SwinModel` and backbones",
    recognises: |config| config.optional_str("model_type") == Some("swin"),
    config: read_config,
    blocks: |_, reader| {
        let (scope, v5) = ([scope(reader), LAYERS].concat(), "0.blocks.0.mlp.fc1.weight");
        let names = if reader.has(&[&scope, v5].concat()) { V5 } else { V4 };
        Blocks::of_stages(scope, BLOCKS, names)
    },
    weights: |config, reader, blocks| read_weights(config, reader, blocks, false),
    ignores,
    processor: &processors::VIT,
    any_size: true,
};

pub(super) const V2: Family = Family {
    name: "Swin v2 (Hugging Face)",
    models: "`Swinv2ForImageClassification`, `Swinv2Model` and backbones",
    recognises: |config| config.optional_str("model_type") == Some("swinv2"),
    config: read_config,
    blocks: |_, reader| Blocks::of_stages([scope(reader), LAYERS].concat(), BLOCKS, CONTINUOUS),
    weights: |config, reader, blocks| read_weights(config, reader, blocks, true),
    ignores,
    processor: &processors::VIT,
    any_size: true,
};

const LAYERS: &str = "encoder.layers.";
const BLOCKS: &str = ".blocks.";
const SCOPES: &[&str] = &["swin.", "swinv2.", ""];

const V4: BlockNames = BlockNames {
    qkv: Qkv::Split(
        ["attention.self.query", "attention.self.key", "attention.self.value"],
        [Bias::Optional, Bias::Optional, Bias::Optional],
    ),
    windowed: Windowed::Table(&["attention.self.relative_position_bias_table"]),
    ..hf::V4
};

/// What transformers 5 calls them in memory.
const V5: BlockNames = BlockNames {
    windowed: Windowed::Table(&["attention.relative_position_bias.relative_position_bias_table"]),
    ..hf::V5
};

const CONTINUOUS: BlockNames = BlockNames {
    qkv: Qkv::Split(
        ["attention.self.query", "attention.self.key", "attention.self.value"],
        [Bias::Optional, Bias::Absent, Bias::Optional],
    ),
    windowed: Windowed::Continuous {
        scale: "attention.self.logit_scale",
        mlp: "attention.self.continuous_position_bias_mlp",
    },
    ..V4
};

/// Tensors that follow from the config, or are for training.
fn ignores(name: &str) -> bool {
    ["embeddings.mask_token", "relative_position_index", "relative_coords_table"].iter().any(|end| name.ends_with(end))
}

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let model_type = json.optional_str("model_type").unwrap_or("swin");
    let second = model_type == "swinv2";
    let whole = |key: &str, usual: usize| Ok::<_, crate::Error>(json.optional_usize(key)?.unwrap_or(usual));
    let sizes = Sizes {
        embed_dim: whole("embed_dim", 96)?,
        depths: swin::list(json, "depths")?.unwrap_or_else(|| vec![2, 2, 6, 2]),
        heads: swin::list(json, "num_heads")?.unwrap_or_else(|| vec![3, 6, 12, 24]),
        mlp_ratio: swin::mlp_ratio(json)?,
    };
    if sizes.depths.len() != sizes.heads.len() {
        return Err(json.problem("`depths` and `num_heads` have no number each for every stage.".into()));
    }
    // (What a plain ViT's config would say is set by stages.)
    let usual = Usual {
        layer_norm_eps: 1e-5,
        hidden_act: "gelu",
        sizes: Some([1, 1, 1, 1, 224, 4]),
        mlp_ratio: None,
        head_dim: false,
    };
    let mut config = hf::read_config(json, model_type, &usual)?;
    let window = whole("window_size", 7)?;
    let trained = swin::list(json, "pretrained_window_sizes")?.unwrap_or_default();
    let native: Vec<usize> = config.image_size.into_iter().zip(config.patch_size).map(|(i, p)| i / p.max(1)).collect();
    swin::set_stages(&mut config, &sizes, |stage| {
        // Swin v2 is built for rows of whole patches, halved and rounded down, whatever the images are.
        let edge = if second { window.min(native[0] >> stage) } else { window };
        let shifts = !second || native[0] >> stage > edge;
        WindowRule::Shifted {
            size: [edge; 2],
            shift: [if shifts { window / 2 } else { 0 }; 2],
            cut: if second { Cut::Nowhere } else { Cut::Both },
            pads_first: true,
            twice_apart: second,
            trained: trained.get(stage).copied().unwrap_or(0),
        }
    });
    config.pads = true;
    config.pooling = Pooling::Mean;
    let absolute = json.optional_bool("use_absolute_embeddings")?.unwrap_or(false);
    if absolute && second {
        return Err(unsupported(model_type, "`use_absolute_embeddings` is on, which transformers itself does not run"));
    }
    hf::check_qkv_bias(json, tensors)?;
    config.positions = Positions { learned: absolute, relative: true, ..Positions::NONE };
    hf::read_labels(&mut config, json, tensors, "classifier.weight")?;
    Ok(config)
}

fn scope(reader: &Reader) -> &'static str {
    reader.choose(SCOPES, "embeddings.norm.weight")
}

fn read_weights(config: &Config, reader: &mut Reader, blocks: Vec<Block>, second: bool) -> Result<Weights> {
    let first = config.of_stage(0);
    let heads = hf::read_heads(config, reader)?;
    let scope = scope(reader);
    reader.within(scope, |reader| {
        let mut positions = None;
        if config.positions.learned {
            let name = "embeddings.position_embeddings";
            positions = Some(reader.positions(name, &[1], [0, first.hidden_size], Interpolation::Bicubic)?.patches);
        }
        let bias = Bias::Required;
        Ok(Weights {
            embeddings: Embeddings {
                stem: None,
                patch_projection: reader.patch_projection(hf::PATCHES, first.hidden_size, first.patch_size, bias)?,
                patch_norm: Some(reader.layer_norm("embeddings.norm", first.hidden_size, LAYER_NORM_EPS)?),
                prefix: matrix(Vec::new(), first.hidden_size),
                positions,
                norm: None,
            },
            blocks,
            transitions: swin::read_merges(config, reader, second, |stage| format!("{LAYERS}{stage}.downsample."))?,
            norm: Some(reader.layer_norm("layernorm", config.hidden_size, config.layer_norm_eps)?),
            fc_norm: None,
            pool: None,
            projection: None,
            heads,
        })
    })
}
