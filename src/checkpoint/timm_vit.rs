//! timm's plain `vit_*` models.

use super::json::{Json, as_pair, as_usize};
use super::reader::{Bias, Reader};
use super::tensors::Tensors;
use super::{Family, numbered_labels, unsupported};
use crate::error::Result;
use crate::model::{Attention, Block, Config, Embeddings, Mlp, Pooling, Weights};
use ndarray::Array1;

pub(super) const FAMILY: Family = Family {
    name: "ViT (timm)",
    recognises: |config| config.optional_str("architecture").is_some_and(|name| name.starts_with("vit_")),
    config: read_config,
    weights: read_weights,
    ignores: |_| false,
};

/// timm passes this to every LayerNorm of the models accepted here; its config does not record it.
const LAYER_NORM_EPS: f32 = 1e-6;

/// Keys of `model_args` that are honoured, most of them by reading shapes; any other could change the arithmetic.
const KNOWN_ARGS: &[&str] = &[
    "class_token",
    "depth",
    "embed_dim",
    "global_pool",
    "img_size",
    "in_chans",
    "mlp_ratio",
    "num_classes",
    "num_heads",
    "patch_size",
    "qkv_bias",
];

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let architecture = json.optional_str("architecture").unwrap_or_default();
    check_architecture(architecture)?;
    let args = json.object("model_args");
    let arg = |key: &str| args.as_ref().and_then(|args| args.get(key));
    if let Some(key) = args.iter().flat_map(Json::keys).find(|key| !KNOWN_ARGS.contains(key)) {
        return Err(unsupported(architecture, &format!("`model_args` sets `{key}`, which this version does not run")));
    }

    let projection = tensors.shape("patch_embed.proj.weight")?;
    let &[hidden_size, channels, patch_height, patch_width] = projection else {
        return Err(json.problem(format!("`patch_embed.proj.weight` has shape {projection:?}, not four dimensions.")));
    };
    if channels != 3 {
        return Err(unsupported(architecture, &format!("it takes {channels} channels, and only RGB is run")));
    }
    let pretrained = json.object("pretrained_cfg");
    let input_size =
        pretrained.as_ref().and_then(|cfg| cfg.get("input_size")).and_then(|size| match size.as_array()?.as_slice() {
            [_, height, width] => Some([as_usize(height)?, as_usize(width)?]),
            _ => None,
        });
    let image_size = arg("img_size").and_then(as_pair).or(input_size);

    let mlp_size = tensors.shape("blocks.0.mlp.fc1.weight")?.first().copied().unwrap_or(0);
    let classes = tensors.shape("head.weight")?.first().copied().unwrap_or(0);
    Ok(Config {
        family: FAMILY.name,
        image_size: image_size.ok_or_else(|| json.missing("pretrained_cfg.input_size"))?,
        patch_size: [patch_height, patch_width],
        hidden_size,
        layers: (0..).take_while(|i| tensors.has(&format!("blocks.{i}.norm1.weight"))).count(),
        heads: arg("num_heads").and_then(as_usize).unwrap_or_else(|| usual_heads(hidden_size)),
        mlp_size,
        layer_norm_eps: LAYER_NORM_EPS,
        class_token: tensors.has("cls_token"),
        pooling: pooling(json, architecture)?,
        labels: labels(json, classes)?,
    })
}

/// Accepts `vit_SIZE_patchP_…` where nothing in the rest of the name changes the arithmetic.
fn check_architecture(name: &str) -> Result<()> {
    let bare = name.split('.').next().unwrap_or_default();
    let parts: Vec<_> = bare.split('_').collect();
    let known = |part: &&str| part.bytes().all(|b| b.is_ascii_digit()) || matches!(*part, "gap" | "miil");
    match parts.as_slice() {
        ["vit", _, patch, rest @ ..] if patch.starts_with("patch") => match rest.iter().find(|part| !known(part)) {
            None => Ok(()),
            Some(part) => {
                Err(unsupported(name, &format!("`{part}` in its name marks a variant this version does not run")))
            }
        },
        _ => Err(unsupported(name, "its name is not of the form vit_SIZE_patchP_…")),
    }
}

/// Heads of timm's published sizes: 64 wide, but 16 for the four largest.
fn usual_heads(width: usize) -> usize {
    if matches!(width, 1152 | 1280 | 1408 | 1664) { 16 } else { width / 64 }
}

fn pooling(json: &Json, architecture: &str) -> Result<Pooling> {
    let args = json.object("model_args");
    let stated = args.as_ref().and_then(|args| args.optional_str("global_pool")).or(json.optional_str("global_pool"));
    match stated.unwrap_or("token") {
        "token" => Ok(Pooling::Cls),
        "avg" => Ok(Pooling::Mean),
        other => {
            Err(unsupported(architecture, &format!("`global_pool` is `{other}`, and only `token` and `avg` are run")))
        }
    }
}

/// `label_names`, one a class; numbers where the file has none.
fn labels(json: &Json, classes: usize) -> Result<Vec<String>> {
    let names = json.typed("label_names", "an array of strings", |value| {
        value.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    })?;
    match names {
        None => Ok(numbered_labels(classes)),
        Some(names) if names.len() == classes => Ok(names),
        Some(names) => {
            Err(json.problem(format!("`label_names` lists {} classes, the head has {classes}.", names.len())))
        }
    }
}

fn read_weights(config: &Config, reader: &mut Reader) -> Result<Weights> {
    let (width, eps) = (config.hidden_size, config.layer_norm_eps);
    let class_token =
        if config.class_token { Some(Array1::from(reader.floats("cls_token", &[1, 1, width])?)) } else { None };
    let embeddings = Embeddings {
        patch_projection: reader.patch_projection("patch_embed.proj", width, config.patch_size)?,
        class_token,
        positions: reader.array2("pos_embed", &[1, config.tokens(), width], width)?,
    };
    let blocks = (0..config.layers).map(|i| read_block(config, reader, i)).collect::<Result<_>>()?;
    // Models that pool the mean normalise after pooling, unless they were built with fc_norm=False.
    let after_pooling = reader.has("fc_norm.weight");
    let norm = reader.layer_norm(if after_pooling { "fc_norm" } else { "norm" }, width, eps)?;
    let (norm, fc_norm) = if after_pooling { (None, Some(norm)) } else { (Some(norm), None) };
    let head = reader.linear(&["head".into()], width, config.classes(), Bias::Required)?;
    Ok(Weights { embeddings, blocks, norm, fc_norm, head })
}

fn read_block(config: &Config, reader: &mut Reader, i: usize) -> Result<Block> {
    let (width, mlp, eps) = (config.hidden_size, config.mlp_size, config.layer_norm_eps);
    let at = |name: &str| format!("blocks.{i}.{name}");
    Ok(Block {
        norm1: reader.layer_norm(&at("norm1"), width, eps)?,
        attention: Attention {
            qkv: reader.linear(&[at("attn.qkv")], width, 3 * width, Bias::Optional)?,
            projection: reader.linear(&[at("attn.proj")], width, width, Bias::Required)?,
            heads: config.heads,
        },
        norm2: reader.layer_norm(&at("norm2"), width, eps)?,
        mlp: Mlp {
            fc1: reader.linear(&[at("mlp.fc1")], width, mlp, Bias::Required)?,
            fc2: reader.linear(&[at("mlp.fc2")], mlp, width, Bias::Required)?,
        },
    })
}
