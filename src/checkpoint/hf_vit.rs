//! Hugging Face `ViTForImageClassification`, with the names of transformers up to 4 and those of 5.

use super::json::Json;
use super::reader::{Bias, Reader};
use super::tensors::Tensors;
use super::{Family, numbered_labels, unsupported};
use crate::error::Result;
use crate::model::{Attention, Block, Config, Embeddings, Mlp, Pooling, Weights};
use ndarray::Array1;

pub(super) const FAMILY: Family = Family {
    name: "ViT (Hugging Face)",
    recognises: |config| config.optional_str("model_type") == Some("vit"),
    config: read_config,
    weights: read_weights,
    ignores: |name| name == "vit.embeddings.mask_token" || name.starts_with("vit.pooler."),
};

/// Where a block's tensors are.
struct BlockNames {
    prefix: &'static str,
    qkv: [&'static str; 3],
    projection: &'static str,
    fc1: &'static str,
    fc2: &'static str,
}

/// transformers ≤ 4, and what 5 still writes.
const V4: BlockNames = BlockNames {
    prefix: "vit.encoder.layer",
    qkv: ["attention.attention.query", "attention.attention.key", "attention.attention.value"],
    projection: "attention.output.dense",
    fc1: "intermediate.dense",
    fc2: "output.dense",
};

/// What transformers 5 calls them in memory; some files carry these.
const V5: BlockNames = BlockNames {
    prefix: "vit.layers",
    qkv: ["attention.q_proj", "attention.k_proj", "attention.v_proj"],
    projection: "attention.o_proj",
    fc1: "mlp.fc1",
    fc2: "mlp.fc2",
};

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let activation = json.optional_str("hidden_act").unwrap_or("gelu");
    if activation != "gelu" {
        return Err(unsupported("vit", &format!("`hidden_act` is `{activation}`, and only `gelu` (erf) is run")));
    }
    if let Some(channels) = json.optional_usize("num_channels")?.filter(|channels| *channels != 3) {
        return Err(unsupported("vit", &format!("`num_channels` is {channels}, and only RGB is run")));
    }
    Ok(Config {
        family: FAMILY.name,
        image_size: json.pair("image_size")?,
        patch_size: json.pair("patch_size")?,
        hidden_size: json.usize("hidden_size")?,
        layers: json.usize("num_hidden_layers")?,
        heads: json.usize("num_attention_heads")?,
        mlp_size: json.usize("intermediate_size")?,
        layer_norm_eps: json.optional_f32("layer_norm_eps")?.unwrap_or(1e-12),
        class_token: true,
        pooling: Pooling::Cls,
        labels: labels(json, tensors)?,
    })
}

/// `id2label` in the order of its keys; numbers where the file has none.
fn labels(json: &Json, tensors: &Tensors) -> Result<Vec<String>> {
    let Some(map) = json.typed("id2label", "an object of labels", |value| value.as_object())? else {
        let classes = tensors.shape("classifier.weight")?.first().copied();
        return Ok(numbered_labels(classes.unwrap_or(0)));
    };
    let label = |id: usize| map.get(&id.to_string())?.as_str().map(str::to_owned);
    (0..map.len())
        .map(|id| label(id).ok_or_else(|| json.problem(format!("`id2label` has no label for class {id}."))))
        .collect()
}

fn read_weights(config: &Config, reader: &mut Reader) -> Result<Weights> {
    let (width, eps) = (config.hidden_size, config.layer_norm_eps);
    let names = if reader.has("vit.layers.0.layernorm_before.weight") { V5 } else { V4 };

    let projection = "vit.embeddings.patch_embeddings.projection";
    let embeddings = Embeddings {
        patch_projection: reader.patch_projection(projection, width, config.patch_size)?,
        class_token: Some(Array1::from(reader.floats("vit.embeddings.cls_token", &[1, 1, width])?)),
        positions: reader.array2("vit.embeddings.position_embeddings", &[1, config.tokens(), width], width)?,
    };
    let blocks = (0..config.layers).map(|i| read_block(config, reader, &names, i)).collect::<Result<_>>()?;
    Ok(Weights {
        embeddings,
        blocks,
        norm: Some(reader.layer_norm("vit.layernorm", width, eps)?),
        fc_norm: None,
        head: reader.linear(&["classifier".into()], width, config.classes(), Bias::Required)?,
    })
}

fn read_block(config: &Config, reader: &mut Reader, names: &BlockNames, i: usize) -> Result<Block> {
    let (width, mlp, eps) = (config.hidden_size, config.mlp_size, config.layer_norm_eps);
    let at = |name: &str| format!("{}.{i}.{name}", names.prefix);
    Ok(Block {
        norm1: reader.layer_norm(&at("layernorm_before"), width, eps)?,
        attention: Attention {
            // `qkv_bias: false` models have none.
            qkv: reader.linear(&names.qkv.map(at), width, 3 * width, Bias::Optional)?,
            projection: reader.linear(&[at(names.projection)], width, width, Bias::Required)?,
            heads: config.heads,
        },
        norm2: reader.layer_norm(&at("layernorm_after"), width, eps)?,
        mlp: Mlp {
            fc1: reader.linear(&[at(names.fc1)], width, mlp, Bias::Required)?,
            fc2: reader.linear(&[at(names.fc2)], mlp, width, Bias::Required)?,
        },
    })
}
