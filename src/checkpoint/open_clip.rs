//! open_clip's image encoders: of its own ViT, and of timm's by timm's name. Both are given a config with pixels in timm's form, as timm wrote the pipeline
//! of both.
//!
//! | `vision_cfg` | what it does |
//! | --- | --- |
//! | `width`, `layers`, `head_width` (64), `mlp_ratio` (4) | D = width, heads = ⌊D / head_width⌋, MLP = ⌊D · mlp_ratio⌋ |
//! | `no_ln_pre` (CLIPA) | no norm before the blocks; LayerNorm's ε is 1e-5, or `norm_kwargs.eps` |
//! | `pool_type` `tok` | the class token of `ln_post` |
//! | `pool_type` `avg` | the mean of the patches of `ln_post`; with `final_ln_after_pool` `ln_post` of the mean |
//! | `ls_init_value` | LayerScale, `ls_1.gamma` and `ls_2.gamma` |
//! | `attentional_pool` (CoCa) | another head: refused |
//! | `layers` as a list | a ResNet: refused |
//! | `timm_model_name` | timm's model within `visual.trunk.`; without `timm_proj`, or with `none`, nothing comes behind it, and its own head is what projects |
//!
//! GELU is by erf, or `quick_gelu` where the model's config says so. `proj` is `[D, E]`, an input a row, and has no bias. Positions of another size are
//! resampled as in timm.

use super::alias::Found;
use super::blocks::{BlockNames, Blocks, Qkv, Windowed};
use super::hf::{self, Usual};
use super::json::{Json, text_of};
use super::reader::{Bias, Reader, add, matrix};
use super::tensors::Tensors;
use super::text::{LOGIT_BIAS, LOGIT_SCALE};
use super::{Family, processors, unsupported};
use crate::error::Result;
use crate::model::{Block, Config, Embeddings, Interpolation, Pooling, Weights};
use serde_json::Value;

pub(super) const FAMILY: Family = Family {
    name: "CLIP (open_clip)",
    models: "`open_clip_config.json` with `open_clip_model.safetensors`: the image encoder, open_clip's own or timm's; zero-shot with text features",
    recognises: |config| is_own(config) && !norms_after_pool(config),
    config: read_config,
    blocks: |_, _| Blocks::new("visual.transformer.resblocks.", BLOCK),
    weights: |config, reader, blocks| read_weights(config, reader, blocks, false),
    ignores: |name| matches!(name, LOGIT_SCALE | LOGIT_BIAS),
    processor: &processors::CLIP,
    any_size: false,
};

/// The same where `ln_post` follows pooling.
pub(super) const CLIPA: Family = Family {
    name: "CLIPA (open_clip)",
    models: "the same with `final_ln_after_pool`",
    recognises: |config| is_own(config) && norms_after_pool(config),
    weights: |config, reader, blocks| read_weights(config, reader, blocks, true),
    ..FAMILY
};

fn is_own(config: &Json) -> bool {
    config.get("vision_cfg").is_some() && config.get("architecture").is_none()
}

fn norms_after_pool(config: &Json) -> bool {
    vision(config).get("final_ln_after_pool") == Some(&Value::Bool(true))
}

fn vision(config: &Json) -> Json {
    config.object("vision_cfg").unwrap_or_else(|| config.empty())
}

/// What the names of other parts begin with.
const OTHERS: &[&str] =
    &["text", "token_embedding.", "transformer.", "ln_final.", "positional_embedding", "attn_mask", "cls_emb"];

const BLOCK: BlockNames = BlockNames {
    norm1: "ln_1",
    qkv: Qkv::Packed { weight: "attn.in_proj_weight", bias: "attn.in_proj_bias" },
    qk_norm: None,
    projection: "attn.out_proj",
    inner_norms: None,
    norm2: "ln_2",
    fc1: &["mlp.c_fc"],
    fc2: "mlp.c_proj",
    bias: Bias::Required,
    scales: Some(["ls_1.gamma", "ls_2.gamma"]),
    windowed: Windowed::No,
};

/// Keys of `vision_cfg` that may only have these values, as JSON.
const PLAIN: &[(&str, &[&str])] = &[
    ("attentional_pool", OFF),
    ("qk_norm", OFF),
    ("scaled_cosine_attn", OFF),
    ("scale_heads", OFF),
    ("scale_attn_inner", OFF),
    ("scale_attn", OFF),
    ("scale_fc", OFF),
    ("act_kwargs", &["{}"]),
    ("pool_type", &["\"tok\"", "\"avg\""]),
    ("timm_proj", &["\"\"", "\"none\""]),
];
const OFF: &[&str] = &["false"];

/// What `preprocess_cfg` is where it is silent, and what timm would do otherwise.
const PIXELS: &str = r#"{"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711],
    "interpolation": "bicubic", "fill_color": 0, "crop_pct": 1}"#;

/// The image encoder of a config of open_clip's; nothing of any other config.
pub(super) fn find(config: &Json) -> Result<Option<Found>> {
    let Some(mut own) = config.nested("model_cfg")? else { return Ok(None) };
    let vision = own.nested("vision_cfg")?.ok_or_else(|| own.missing("vision_cfg"))?;
    for (key, plain) in PLAIN.iter().copied().chain([("layers", &[] as &[&str])]) {
        // (As a list it makes a ResNet.)
        if let Some(value) = vision.get(key).filter(|value| key != "layers" || value.is_array()) {
            let text = text_of(value);
            if !plain.contains(&&*text) {
                let evidence = ["`vision_cfg.", key, "` is ", &text, ", which this version does not run"].concat();
                return Err(unsupported("open_clip", &evidence));
            }
        }
    }
    let [height, width] = vision.optional_pair("image_size")?.unwrap_or([224; 2]);
    let mut pixels = config.nested("preprocess_cfg")?.unwrap_or_else(|| own.empty());
    let mode = match pixels.text("resize_mode")?.unwrap_or("shortest") {
        "shortest" => "center",
        "longest" => "border",
        other => other,
    };
    pixels.put("crop_mode", mode.to_owned().into());
    pixels.put("input_size", [3, height, width].map(Value::from).to_vec().into());
    let usual = Json::parse(own.file, PIXELS)?;
    for key in usual.keys() {
        pixels.fill(key, usual.get(key).cloned().unwrap_or_default());
    }
    own.put("pretrained_cfg", pixels.into());
    let mut found = Found::new(own);
    found.others = OTHERS.to_vec();
    if let Some(name) = vision.text("timm_model_name")? {
        found.config.put("architecture", name.into());
        found.config.put("global_pool", vision.get("timm_pool").cloned().unwrap_or("avg".into()));
        found.prefixes = vec!["visual.trunk."];
        found.others.push("logit_");
        found.projects = true;
    }
    Ok(Some(found))
}

const USUAL: Usual = Usual {
    layer_norm_eps: 1e-5,
    hidden_act: "gelu",
    sizes: Some([768, 0, 12, 12, 224, 16]),
    mlp_ratio: Some(4.0),
    head_dim: false,
};

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let mut own = vision(json);
    // By the names of transformers.
    let size = |key: &str, usual: usize| own.optional_usize(key).map(|stated| stated.unwrap_or(usual));
    let (width, layers, head) = (size("width", 768)?, size("layers", 12)?, size("head_width", 64)?);
    let heads = width.checked_div(head).unwrap_or(0);
    for (key, size) in [("hidden_size", width), ("num_hidden_layers", layers), ("num_attention_heads", heads)] {
        own.put(key, size.into());
    }
    if let Some(eps) = own.nested("norm_kwargs")?.and_then(|norm| norm.get("eps").cloned()) {
        own.put("layer_norm_eps", eps);
    }
    if json.optional_bool("quick_gelu")? == Some(true) {
        own.put("hidden_act", "quick_gelu".into());
    }
    let mut config = hf::read_config(&own, "open_clip", &USUAL)?;
    if own.optional_str("pool_type") == Some("avg") {
        config.pooling = Pooling::Mean;
    }
    config.projection_size = tensors.shape("visual.proj")?.last().copied();
    Ok(config)
}

fn read_weights(config: &Config, reader: &mut Reader, blocks: Vec<Block>, norms_after_pool: bool) -> Result<Weights> {
    let (width, features, eps) = (config.hidden_size, config.feature_size(), config.layer_norm_eps);
    reader.within("visual.", |reader| {
        let how = Interpolation::BicubicAntialias;
        let mut positions = reader.positions("positional_embedding", &[], [1, width], how)?;
        add(&mut positions.prefix, &reader.floats("class_embedding", &[width])?);
        let patch_projection = reader.patch_projection("conv1", width, config.patch_size, Bias::Absent)?;
        let before = reader.optional_norm("ln_pre", width, eps)?;
        let norm = Some(reader.layer_norm("ln_post", width, eps)?);
        let (norm, fc_norm) = if norms_after_pool { (None, norm) } else { (norm, None) };
        Ok(Weights {
            embeddings: Embeddings {
                stem: None,
                patch_projection,
                patch_norm: None,
                prefix: matrix(positions.prefix, width),
                positions: Some(positions.patches),
                norm: before,
            },
            blocks,
            transitions: Vec::new(),
            norm,
            fc_norm,
            pool: None,
            projection: Some(reader.transposed("proj", width, features)?),
            heads: Vec::new(),
        })
    })
}
