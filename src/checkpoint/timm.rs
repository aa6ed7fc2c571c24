//! What the `config.json` of timm models have in common.

use super::json::{Json, as_pair, as_usize};
use super::reader::Reader;
use super::tensors::Tensors;
use super::{numbered_labels, unsupported};
use crate::error::Result;
use crate::model::{Activation, Config, LayerNorm, Pooling, Prefix, Scores};
use serde_json::Value;

/// timm passes this to every LayerNorm but CLIP's; its config does not record it.
pub(super) const LAYER_NORM_EPS: f32 = 1e-6;

/// The config of a model, and the arguments it was built with beside what its architecture's name stands for.
pub(super) struct Architecture<'a> {
    pub json: &'a Json,
    pub name: &'a str,
    args: Option<Json>,
}

/// Arguments that are honoured by reading shapes, or that only matter in training.
const KNOWN_ARGS: &[&str] = &[
    "attn_drop_rate",
    "class_token",
    "depth",
    "drop_path_rate",
    "drop_rate",
    "dynamic_img_pad",
    "dynamic_img_size",
    "embed_dim",
    "fc_norm",
    "fix_init",
    "global_pool",
    "head_init_scale",
    "img_size",
    "in_chans",
    "init_values",
    "mlp_ratio",
    "no_embed_class",
    "num_classes",
    "num_heads",
    "patch_drop_rate",
    "patch_size",
    "pos_drop_rate",
    "pre_norm",
    "proj_drop_rate",
    "qk_norm",
    "qkv_bias",
    "reg_tokens",
    "use_abs_pos_emb",
    "use_fc_norm",
    "use_rel_pos_bias",
    "use_shared_rel_pos_bias",
    "weight_init",
];

/// Arguments that change nothing as long as they are off.
const OFF_ARGS: &[&str] = &["pool_include_prefix", "scale_attn_norm", "scale_mlp", "scale_mlp_norm", "swiglu_mlp"];

/// What tensors of an attention-pool head are called.
pub(super) const ATTENTION_POOL: &str = "attn_pool.";

/// Tensors of what the families here don't have, with what they mean. Any other surplus tensor is refused too; these can say why.
const TELLTALES: &[(&str, &str)] = &[
    (ATTENTION_POOL, "an attention-pool head"),
    ("patch_embed.backbone.", "a convolutional stem"),
    ("patch_embed.norm.", "a norm in its patch embedding"),
    ("rope", "rotary positions"),
    (".attn.norm.", "a norm within attention"),
    (".mlp.norm.", "a norm within the MLP"),
    (".attn.gate.", "gated attention"),
    (".lambda_", "differential attention"),
    (".attns.", "parallel attention"),
    (".in_proj.", "parallel blocks"),
];

impl<'a> Architecture<'a> {
    pub fn new(json: &'a Json, tensors: &Tensors) -> Result<Self> {
        let name = json.optional_str("architecture").unwrap_or_default();
        let own = Self { json, name, args: json.object("model_args") };
        for (key, value) in own.args.iter().flat_map(|args| args.keys().filter_map(|key| Some((key, args.get(key)?)))) {
            let off = *value == Value::Bool(false) && OFF_ARGS.contains(&key);
            if !(KNOWN_ARGS.contains(&key) || off || matches!(key, "act_layer" | "norm_layer" | "pos_embed")) {
                return Err(own.refuse(&format!("`model_args` sets `{key}`, which this version does not run")));
            }
        }
        let names = tensors.names();
        // (A model that doesn't pool by attention drops what its checkpoint has for it.)
        let pools = own.stated_pooling() == Some("map");
        for (mark, meaning) in TELLTALES.iter().filter(|(mark, _)| pools || *mark != ATTENTION_POOL) {
            if let Some(name) = names.iter().find(|name| name.contains(mark)) {
                return Err(own.refuse(&format!("tensor `{name}` belongs to {meaning}")));
            }
        }
        if let Some(norm) = own.arg("norm_layer").filter(|norm| norm.as_str() != Some("layernorm")) {
            return Err(own.refuse(&format!("`model_args` sets `norm_layer` to {norm}, and only LayerNorm is run")));
        }
        Ok(own)
    }

    /// The parts of the architecture's name, without what tells one training of it from another.
    pub fn parts(&self) -> Vec<&'a str> {
        self.name.split('.').next().unwrap_or_default().split('_').collect()
    }

    pub fn arg(&self, key: &str) -> Option<&Value> {
        self.args.as_ref()?.get(key)
    }

    pub fn refuse(&self, evidence: &str) -> crate::Error {
        unsupported(self.name, evidence)
    }

    /// The activation that was asked for, or the architecture's usual one.
    pub fn activation(&self, usual: Activation) -> Result<Activation> {
        match self.arg("act_layer") {
            None => Ok(usual),
            Some(name) => {
                match name.as_str() {
                    Some("gelu") => Ok(Activation::Gelu),
                    Some("gelu_tanh") => Ok(Activation::GeluTanh),
                    Some("quick_gelu" | "quickgelu") => Ok(Activation::QuickGelu),
                    Some("silu" | "swish") => Ok(Activation::Silu),
                    Some("relu") => Ok(Activation::Relu),
                    _ => Err(self
                        .refuse(&format!("`model_args` sets `act_layer` to {name}, which this version does not run"))),
                }
            }
        }
    }

    /// What every family reads alike. `heads` is what the architecture's name stands for; `tokens` are those before the patches.
    pub fn config(
        &self,
        family: &'static str,
        tensors: &Tensors,
        heads: impl Fn(usize) -> usize,
        prefix: Vec<Prefix>,
        usual_pooling: Pooling,
    ) -> Result<Config> {
        let projection = tensors.shape("patch_embed.proj.weight")?;
        let &[hidden_size, channels, patch_height, patch_width] = projection else {
            return Err(self
                .json
                .problem(format!("`patch_embed.proj.weight` has shape {projection:?}, not four dimensions.")));
        };
        if channels != 3 {
            return Err(self.refuse(&format!("it takes {channels} channels, and only RGB is run")));
        }
        let classes = match tensors.has("head.weight") {
            true => tensors.shape("head.weight")?.first().copied().unwrap_or(0),
            false => 0,
        };
        Ok(Config {
            family,
            image_size: self.image_size()?,
            patch_size: [patch_height, patch_width],
            hidden_size,
            layers: (0..).take_while(|i| tensors.has(&format!("blocks.{i}.norm1.weight"))).count(),
            heads: self.arg("num_heads").and_then(as_usize).unwrap_or_else(|| heads(hidden_size)),
            mlp_size: tensors.inputs("blocks.0.mlp.fc2.weight")?,
            activation: Activation::Gelu,
            gated: false,
            layer_norm_eps: LAYER_NORM_EPS,
            prefix,
            pooling: self.pooling(usual_pooling)?,
            projection_size: None,
            zero_shot: false,
            scores: Scores::Softmax,
            labels: self.labels(classes)?,
            named: self.json.get(self.labels_key()).is_some(),
        })
    }

    fn labels_key(&self) -> &'static str {
        if self.json.get("label_names").is_some() { "label_names" } else { "labels" }
    }

    fn image_size(&self) -> Result<[usize; 2]> {
        let pretrained = self.json.object("pretrained_cfg");
        let input_size = pretrained.as_ref().unwrap_or(self.json).get("input_size").and_then(|size| {
            match size.as_array()?.as_slice() {
                [_, height, width] => Some([as_usize(height)?, as_usize(width)?]),
                _ => None,
            }
        });
        let size = self.arg("img_size").and_then(as_pair).or(input_size);
        size.ok_or_else(|| self.json.missing("pretrained_cfg.input_size"))
    }

    fn stated_pooling(&self) -> Option<&str> {
        self.arg("global_pool").and_then(Value::as_str).or(self.json.optional_str("global_pool"))
    }

    fn pooling(&self, usual: Pooling) -> Result<Pooling> {
        match self.stated_pooling() {
            None => Ok(usual),
            Some("token") => Ok(Pooling::Cls),
            Some("avg") => Ok(Pooling::Mean),
            Some(other) => Err(self.refuse(&format!("`global_pool` is `{other}`, and only `token` and `avg` are run"))),
        }
    }

    /// `label_names` (`labels` in old files), one a class; numbers where the file has none.
    fn labels(&self, classes: usize) -> Result<Vec<String>> {
        let names = self.json.typed(self.labels_key(), "an array of strings", |value| {
            value.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        })?;
        match names {
            None => Ok(numbered_labels(classes)),
            Some(names) if names.len() == classes => Ok(names),
            Some(names) => {
                let key = self.labels_key();
                Err(self.json.problem(format!("`{key}` lists {} classes, the head has {classes}.", names.len())))
            }
        }
    }
}

/// `norm`, or in its place `fc_norm`: models that pool the mean normalise after pooling, unless they were built with fc_norm=False.
pub(super) fn read_last_norm(config: &Config, reader: &mut Reader) -> Result<(Option<LayerNorm>, Option<LayerNorm>)> {
    let (width, eps) = (config.hidden_size, config.layer_norm_eps);
    match reader.optional_norm("fc_norm", width, eps)? {
        Some(norm) => Ok((None, Some(norm))),
        None => Ok((Some(reader.layer_norm("norm", width, eps)?), None)),
    }
}
