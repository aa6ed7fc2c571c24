//! Models in a form that other programs have given them: what it is, by their config or by the names of their tensors, and what makes them readable.

use super::json::Json;
use super::names::telltale;
use super::tensors::{Source, Tensors};
use super::{CONFIG_FILE, WEIGHTS_FILE};
use crate::error::{Error, Result};
use serde_json::Value;

/// Ends of the names of tensors that only programs which quantise write, with the program.
const QUANTISED: &[(&str, &str)] = &[
    (".SCB", BITSANDBYTES),
    (".weight_format", BITSANDBYTES),
    (".absmax", BITSANDBYTES),
    (".quant_map", BITSANDBYTES),
    ("quant_state.bitsandbytes__nf4", BITSANDBYTES),
    ("quant_state.bitsandbytes__fp4", BITSANDBYTES),
    (".g_idx", "GPTQ"),
    (".qweight", "AWQ or GPTQ"),
    (".weight._data", "quanto"),
    (".weight._scale", "quanto"),
    (".weight_qdata", "torchao"),
    (".weight_packed", "compressed-tensors"),
    (".weight_scale_inv", "FP8"),
    (".W_q", "HQQ"),
    (".codebooks", "AQLM"),
];
const BITSANDBYTES: &str = "bitsandbytes";

/// Parts of the names of tensors that PEFT adds to a model.
const ADAPTERS: &[&str] = &[
    ".lora_",
    ".base_layer.",
    ".modules_to_save.",
    ".original_module.",
    ".hada_w",
    ".lokr_w",
    ".ia3_l",
    ".oft_",
    ".boft_",
    ".vera_lambda_",
];

/// Tensors that show whose names a file has, with what makes it readable. (What each family reads is in none of these.)
const LAYOUTS: &[(&[&str], &str, &str)] = &[
    (&["visual.conv1.weight", "visual.trunk.", "visual.class_embedding"], "open_clip", BY_TIMM),
    (
        &["encoder.layers.encoder_layer_0.", "conv_proj.weight"],
        "torchvision",
        "Take timm's or transformers' ViT of the same training, or rename its tensors to timm's: conv_proj → patch_embed.proj, class_token → cls_token, \
         encoder.pos_embedding → pos_embed, encoder.layers.encoder_layer_N → blocks.N with ln_1 → norm1, self_attention.in_proj_ → attn.qkv., \
         self_attention.out_proj → attn.proj, ln_2 → norm2, mlp.linear_1 or mlp.0 → mlp.fc1, mlp.linear_2 or mlp.3 → mlp.fc2, encoder.ln → norm, \
         heads.head → head",
    ),
    (&["encoderblock_0", "/kernel"], "JAX", BY_TIMM),
    (&["blocks.0.attn.", "patch_embed.proj.weight"], TIMM, BY_TIMM),
    (
        &["embeddings.patch_embedding", "embeddings.class_embedding"],
        TRANSFORMERS,
        "Fetch the config.json that is beside it where it comes from",
    ),
];
const TIMM: &str = "timm";
const TRANSFORMERS: &str = "transformers";
const BY_TIMM: &str = "timm reads the originals of DINO, MAE, DeiT, DINOv2, CLIP and others: \
    `model = timm.create_model(NAME, pretrained=True, pretrained_cfg_overlay={'file': FILE})`, then \
    `timm.models.save_for_hf(model, FOLDER, safe_serialization=True)`";

/// Refuses what only looks like a model that is read.
pub(super) fn refuse(config: &Json, tensors: &Tensors) -> Result<()> {
    let names = tensors.names();
    let ending = |ends: &str| names.iter().any(|name| name.ends_with(ends));
    if let Some(adapter) = names.iter().find(|name| ADAPTERS.iter().any(|part| name.contains(part))) {
        let alone = names.iter().all(|name| name.contains(".lora_"));
        let what = if alone {
            "these are the tensors of a LoRA adapter alone"
        } else {
            "an adapter (LoRA or another of PEFT's) is not merged into the model"
        };
        return Err(tensors.invalid(format!(
            "{what}: there is `{}`. Load the model with the adapter in PEFT, call `merge_and_unload()` and save what it returns.",
            tensors.in_file(adapter)
        )));
    }
    let by_name = || {
        let found = QUANTISED.iter().find(|(end, _)| ending(end)).map(|(_, program)| *program);
        found.or((ending(".scales") && ending(".biases")).then_some("MLX"))
    };
    if let Some(program) = quantised_by(config)?.or_else(|| by_name().map(str::to_owned)) {
        return Err(tensors.invalid(format!(
            "its weights were quantised by {program}, whose format is not read. Take the checkpoint that was quantised, in 16 or 32 bits, and make it \
             smaller with `vitscope quantize`."
        )));
    }
    match layout(&names).filter(|(_, program, _)| !matches!(*program, TIMM | TRANSFORMERS)) {
        None => Ok(()),
        Some((name, program, remedy)) => {
            let name = tensors.in_file(name);
            Err(tensors.invalid(format!("its tensors have {program}'s names, like `{name}`. {remedy}.")))
        }
    }
}

/// The program that a config says has quantised the weights.
fn quantised_by(config: &Json) -> Result<Option<String>> {
    if config.get("quantization").is_some_and(Value::is_object) {
        return Ok(Some("MLX".into()));
    }
    let Some(quantisation) = config.object("quantization_config") else { return Ok(None) };
    // In 8 or 4 bits, or in neither.
    let bits = ["load_in_8bit", "load_in_4bit"].map(|key| quantisation.get(key).and_then(Value::as_bool));
    let method = match quantisation.text("quant_method")? {
        Some("gptq") => "GPTQ (`gptq`)",
        Some("awq") => "AWQ (`awq`)",
        Some("hqq") => "HQQ (`hqq`)",
        Some(BITSANDBYTES) | None if bits == [Some(false); 2] => return Ok(None),
        None if bits.contains(&Some(true)) => BITSANDBYTES,
        None if quantisation.get("bits").is_some() => "MLX",
        None => return Ok(None),
        Some(other) => other,
    };
    Ok(Some(method.into()))
}

/// Whose names these are: a tensor of it, the program, and what makes it readable.
fn layout(names: &[String]) -> Option<(&str, &'static str, &'static str)> {
    LAYOUTS.iter().find_map(|(marks, program, remedy)| {
        let name = marks.iter().find_map(|mark| names.iter().find(|name| name.contains(mark)))?;
        Some((name.as_str(), *program, *remedy))
    })
}

/// What the names of tensors tell where the config names no family that is read: with the way to one that does where it says nothing at all.
pub(super) fn evidence(tensors: &Tensors, says_nothing: bool) -> Option<String> {
    let names = tensors.names();
    let telling = tensors.in_file(telltale(&names)?).into_owned();
    let layout = layout(&names).filter(|_| says_nothing);
    let whose = layout.map(|(_, program, remedy)| format!(", as {program} calls them. {remedy}"));
    Some(format!("tensors are called like `{telling}`{}", whose.unwrap_or_default()))
}

/// The error of weights that came without a `config.json`.
pub fn without_config(source: &dyn Source) -> Error {
    let tensors = match Tensors::open(WEIGHTS_FILE, source) {
        Ok(tensors) => tensors,
        Err(error) => return error,
    };
    if let Err(error) = Json::parse(CONFIG_FILE, "{}").and_then(|nothing| refuse(&nothing, &tensors)) {
        return error;
    }
    let evidence = evidence(&tensors, true).map(|evidence| format!(" Their {evidence}.")).unwrap_or_default();
    Error::InvalidConfig(format!("there is none beside the weights.{evidence}"))
}
