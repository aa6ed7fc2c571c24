//! What the `config.json` of Hugging Face models have in common.

use super::blocks::{BlockNames, Qkv};
use super::json::Json;
use super::reader::{Bias, Reader};
use super::tensors::Tensors;
use super::{heads, numbered_labels, unsupported};
use crate::error::Result;
use crate::model::{Activation, Config, Linear, Pooling, Prefix, Scores};

/// What a model class takes where its config is silent.
pub(super) struct Usual {
    pub layer_norm_eps: f32,
    pub hidden_act: &'static str,
    /// Of configs within configs, which are written without what equals their class's own: hidden size, MLP width, layers, heads,
    /// image size, patch size.
    pub sizes: Option<[usize; 6]>,
}

/// A config with a class token, whose features are read from it. `model_type` is for messages.
pub(super) fn read_config(json: &Json, family: &'static str, model_type: &str, usual: &Usual) -> Result<Config> {
    if let Some(channels) = json.optional_usize("num_channels")?.filter(|channels| *channels != 3) {
        return Err(unsupported(model_type, &format!("`num_channels` is {channels}, and only RGB is run")));
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
    let mlp_size = match json.typed("mlp_ratio", "a number", |value| value.as_f64())? {
        Some(ratio) if json.get("intermediate_size").is_none() => (hidden_size as f64 * ratio) as usize,
        _ => size("intermediate_size", 1)?,
    };
    let act = json.optional_str("hidden_act").unwrap_or(usual.hidden_act);
    Ok(Config {
        family,
        image_size: pair("image_size", 4)?,
        patch_size: pair("patch_size", 5)?,
        hidden_size,
        layers: size("num_hidden_layers", 2)?,
        heads: size("num_attention_heads", 3)?,
        mlp_size,
        activation: activation(act).ok_or_else(|| {
            unsupported(model_type, &format!("`hidden_act` is `{act}`, which this version does not run"))
        })?,
        gated: false,
        layer_norm_eps: json.optional_f32("layer_norm_eps")?.unwrap_or(usual.layer_norm_eps),
        prefix: vec![Prefix::Class],
        pooling: Pooling::Cls,
        projection_size: None,
        zero_shot: false,
        scores: Scores::Softmax,
        labels: Vec::new(),
        named: false,
    })
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

/// The classes of the head whose weights are `head`: `id2label` in the order of its keys, numbers where nobody named them, none where
/// there is no head and no class of the config's `architectures` has one.
pub(super) fn read_labels(config: &mut Config, json: &Json, tensors: &Tensors, head: &str) -> Result<()> {
    let classifies = json.get("architectures").and_then(|names| names.as_array()).is_some_and(|names| {
        names.iter().any(|name| name.as_str().is_some_and(|name| name.contains("ForImageClassification")))
    });
    if !tensors.has(head) && !classifies {
        return Ok(());
    }
    let map = json.typed("id2label", "an object of labels", |value| value.as_object())?;
    let label = |id: usize| map?.get(&id.to_string())?.as_str().map(str::to_owned);
    let count = map.map_or(0, |map| map.len());
    let labels = (0..count)
        .map(|id| label(id).ok_or_else(|| json.problem(format!("`id2label` has no label for class {id}."))))
        .collect::<Result<Vec<_>>>()?;
    if map.is_some() && labels.is_empty() {
        return Err(json.problem("`id2label` is empty, so there are no classes.".into()));
    }
    config.named = labels.iter().enumerate().any(|(id, label)| *label != format!("LABEL_{id}"));
    config.labels =
        if config.named { labels } else { numbered_labels(tensors.shape(head)?.first().copied().unwrap_or(0)) };
    Ok(())
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
    norm2: "layernorm_after",
    fc1: &["intermediate.dense"],
    fc2: "output.dense",
    scales: None,
};

/// What transformers 5 calls them in memory; some files carry these.
pub(super) const V5: BlockNames = BlockNames {
    qkv: Qkv::Split(["attention.q_proj", "attention.k_proj", "attention.v_proj"], [Bias::Optional; 3]),
    projection: "attention.o_proj",
    fc1: &["mlp.fc1"],
    fc2: "mlp.fc2",
    ..V4
};

/// Where the blocks of a ViT, DeiT or BEiT are, and what their tensors are called.
pub(super) fn blocks(reader: &Reader) -> (&'static str, BlockNames) {
    if reader.has("layers.0.layernorm_before.weight") { ("layers.", V5) } else { ("encoder.layer.", V4) }
}

/// Where the patches' projection is, in all but CLIP and SigLIP.
pub(super) const PATCHES: &str = "embeddings.patch_embeddings.projection";
