//! What the `config.json` of Hugging Face models have in common.

use super::blocks::{BlockNames, Blocks, Qkv, Windowed};
use super::json::Json;
use super::names::holds;
use super::reader::{Bias, Reader};
use super::tensors::Tensors;
use super::{heads, labels, unsupported};
use crate::error::Result;
use crate::model::{Activation, Config, Linear, Pooling, Positions, Prefix, Scores};
use serde_json::Value;
use std::sync::Arc;

/// What a model class takes where its config is silent.
pub(super) struct Usual {
    pub layer_norm_eps: f32,
    pub hidden_act: &'static str,
    /// Of configs within configs, which are written without what equals their class's own: hidden size, MLP width, layers, heads,
    /// image size, patch size.
    pub sizes: Option<[usize; 6]>,
    /// The MLP's width as a multiple of the model's, of classes that read `mlp_ratio` in place of `intermediate_size`.
    pub mlp_ratio: Option<f64>,
    /// Whether the width of a head may be stated apart from the model's, as `head_dim`.
    pub head_dim: bool,
}

/// What every class reads and this program can't follow: it must be empty, as it is where nobody set it. What other keys these classes have is implemented,
/// or for training, for heads that don't classify, or for what a call returns; keys that a class doesn't know change nothing.
const EMPTY: &[&str] = &["pruned_heads", "per_layer_config"];

/// A config with a class token, whose features are read from it. `model_type` is for messages.
pub(super) fn read_config(json: &Json, model_type: &str, usual: &Usual) -> Result<Config> {
    if let Some(channels) = json.optional_usize("num_channels")?.filter(|channels| *channels != 3) {
        return Err(unsupported(model_type, &format!("`num_channels` is {channels}, and only RGB is run")));
    }
    let empty = |value: &Value| match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    };
    if let Some(key) = EMPTY.iter().find(|key| json.get(key).is_some_and(|value| !empty(value))) {
        return Err(unsupported(model_type, &format!("`{key}` is not empty, which this version does not run")));
    }
    let usual_size = |i: usize| usual.sizes.map(|sizes| sizes[i]);
    let size = |key: &str, i: usize| match (json.optional_usize(key)?, usual_size(i)) {
        (Some(size), _) | (None, Some(size)) => Ok(size),
        (None, None) => Err(json.missing(key)),
    };
    let pair = |key: &str, i: usize| match (json.optional_pair(key)?, usual_size(i)) {
        (Some(pair), _) => Ok(pair),
        (None, Some(size)) => Ok([size; 2]),
        (None, None) => Err(json.missing(key)),
    };
    let hidden_size = size("hidden_size", 0)?;
    let mlp_size = match usual.mlp_ratio {
        Some(ratio) => {
            let ratio = json.typed("mlp_ratio", "a number", Value::as_f64)?.unwrap_or(ratio);
            (hidden_size as f64 * ratio) as usize
        }
        None => size("intermediate_size", 1)?,
    };
    let heads = size("num_attention_heads", 3)?;
    let head_dim = if usual.head_dim { json.optional_usize("head_dim")? } else { None };
    if let Some(head_dim) = head_dim.filter(|head_dim| head_dim.saturating_mul(heads) != hidden_size) {
        let evidence = format!("`head_dim` is {head_dim}, and only heads that share the hidden size are run");
        return Err(unsupported(model_type, &evidence));
    }
    let act = json.text("hidden_act")?.unwrap_or(usual.hidden_act);
    Ok(Config {
        // (Its name is set where it was chosen.)
        family: "",
        image_size: pair("image_size", 4)?,
        patch_size: pair("patch_size", 5)?,
        pads: false,
        hidden_size,
        stages: Vec::new(),
        maps: None,
        layers: size("num_hidden_layers", 2)?,
        heads,
        mlp_size,
        activation: activation(act).ok_or_else(|| {
            unsupported(model_type, &format!("`hidden_act` is `{act}`, which this version does not run"))
        })?,
        gated: false,
        layer_norm_eps: json.optional_f32("layer_norm_eps")?.unwrap_or(usual.layer_norm_eps),
        rms_norm: false,
        positions: Positions::LEARNED,
        prefix: vec![Prefix::Class],
        pooling: Pooling::Cls,
        pool: None,
        pools_prefix: false,
        projection_size: None,
        zero_shot: false,
        max_logit_scale: None,
        scores: Scores::Softmax,
        labels: Arc::default(),
        named: false,
    })
}

/// Registers after the class token, as many as a config says.
pub(super) fn read_registers(config: &mut Config, json: &Json, usual: usize) -> Result<()> {
    let count = json.optional_usize("num_register_tokens")?.unwrap_or(usual);
    config.prefix.extend(std::iter::repeat_n(Prefix::Register, count.min(crate::kernels::gemm_i8::MAX_K)));
    Ok(())
}

/// Whether the MLP has a gate: DINOv2's largest, and TIPSv2's.
pub(super) fn read_swiglu(config: &mut Config, json: &Json) -> Result<()> {
    if json.optional_bool("use_swiglu_ffn")?.unwrap_or(false) {
        (config.gated, config.activation) = (true, Activation::Silu);
        // Two thirds of an ungated one's width, in eights: about as many weights in all.
        config.mlp_size = (config.mlp_size.saturating_mul(2) / 3).next_multiple_of(8);
    }
    Ok(())
}

/// By the names of transformers' `ACT2FN`.
fn activation(name: &str) -> Option<Activation> {
    match name {
        "gelu" | "gelu_python" => Some(Activation::Gelu),
        "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" | "gelu_python_tanh" => Some(Activation::GeluTanh),
        "quick_gelu" => Some(Activation::QuickGelu),
        "silu" | "swish" => Some(Activation::Silu),
        "relu" => Some(Activation::Relu),
        _ => None,
    }
}

/// Whether a class of the config's `architectures` is a classifier.
pub(super) fn is_classifier(json: &Json) -> bool {
    json.get("architectures").and_then(Value::as_array).is_some_and(|names| {
        names.iter().any(|name| name.as_str().is_some_and(|name| holds(name, "ForImageClassification")))
    })
}

/// The classes of the head whose weights are `head`: `id2label` in the order of its keys, numbers where nobody named them, none where
/// there is no head and no class of the config's `architectures` has one.
pub(super) fn read_labels(config: &mut Config, json: &Json, tensors: &Tensors, head: &str) -> Result<()> {
    if !tensors.has(head) && !is_classifier(json) {
        return Ok(());
    }
    let labels = labels::read(json, "id2label", None)?;
    if labels.as_ref().is_some_and(Vec::is_empty) {
        return Err(json.problem("`id2label` is empty, so there are no classes.".into()));
    }
    let labels = labels.unwrap_or_default();
    config.named = labels::are_names(&labels);
    config.labels = if config.named {
        labels.into()
    } else {
        // Without names a number is checked, and with neither it is the head's.
        let stated = if labels.is_empty() { json.optional_usize("num_labels")? } else { None };
        labels::numbered(stated.unwrap_or(tensors.shape(head)?.first().copied().unwrap_or(0))).into()
    };
    Ok(())
}

/// Refuses a config whose `key`, `usual` where it is silent, says otherwise than the tensors whether there is one that `shows` it. Without a usual value silence
/// is no statement.
pub(super) fn check_shown(
    json: &Json,
    tensors: &Tensors,
    key: &str,
    usual: Option<bool>,
    shows: &dyn Fn(&str) -> bool,
) -> Result<()> {
    let stated = json.typed(key, "true or false, or a number", |value| {
        value.as_bool().or_else(|| value.as_f64().map(|number| number > 0.0))
    })?;
    let found = tensors.names().into_iter().find(|name| shows(name));
    let Some(on) = stated.or(usual).filter(|on| *on != found.is_some()) else { return Ok(()) };
    let silent = if stated.is_none() { " by default" } else { "" };
    let tensors = match found {
        Some(name) => format!("the weights have `{}`", tensors.in_file(&name)),
        None => "the weights have no such tensor".into(),
    };
    let state = if on { "on" } else { "off" };
    Err(json.problem(format!("`{key}` is {state}{silent}, but {tensors}. Check that the files belong together.")))
}

/// Whether the names are transformers' at all. Of others none shows anything, and which is missing is found out later.
pub(super) fn are_ours(tensors: &Tensors) -> bool {
    tensors.names().iter().any(|name| holds(name, "embeddings."))
}

/// Refuses a config whose `qkv_bias` is not what the tensors show.
pub(super) fn check_qkv_bias(json: &Json, tensors: &Tensors) -> Result<()> {
    if !are_ours(tensors) {
        return Ok(());
    }
    check_shown(json, tensors, "qkv_bias", None, &|name| {
        name.ends_with(".query.bias") || name.ends_with(".attention.q_proj.bias")
    })
}

/// `classifier`, or DeiT's two.
pub(super) fn read_heads(config: &Config, reader: &mut Reader) -> Result<Vec<Linear>> {
    heads::read_heads(config, reader, "classifier", ["cls_classifier", "distillation_classifier"])
}

/// ViT, DeiT and BEiT as files of transformers ≤ 4 have them, and as 5 still writes them.
pub(super) const V4: BlockNames = BlockNames {
    norm1: "layernorm_before",
    qkv: Qkv::Split(
        ["attention.attention.query", "attention.attention.key", "attention.attention.value"],
        [Bias::Optional; 3],
    ),
    qk_norm: None,
    projection: "attention.output.dense",
    inner_norms: None,
    norm2: "layernorm_after",
    fc1: &["intermediate.dense"],
    fc2: "output.dense",
    bias: Bias::Required,
    scales: None,
    windowed: Windowed::No,
};

/// What transformers 5 calls them in memory; some files carry these.
pub(super) const V5: BlockNames = BlockNames {
    qkv: Qkv::Split(["attention.q_proj", "attention.k_proj", "attention.v_proj"], [Bias::Optional; 3]),
    projection: "attention.o_proj",
    fc1: &["mlp.fc1"],
    fc2: "mlp.fc2",
    ..V4
};

/// Where the blocks of a ViT, DeiT or BEiT in `scope` are, and what their tensors are called, which is one of these two.
pub(super) fn blocks(reader: &Reader, scope: &str, [v4, v5]: [BlockNames; 2]) -> Blocks {
    if reader.has(&[scope, "layers.0.layernorm_before.weight"].concat()) {
        Blocks::new([scope, "layers."].concat(), v5)
    } else {
        Blocks::new([scope, "encoder.layer."].concat(), v4)
    }
}

/// Where the patches' projection is, in all but CLIP and SigLIP.
pub(super) const PATCHES: &str = "embeddings.patch_embeddings.projection";
