//! Models in a form that other programs have given them: what it is, by their config or by the names of their tensors, and what makes them readable.

use super::json::Json;
use super::names::telltale;
use super::tensors::{Source, Tensors};
use super::{CONFIG_FILE, WEIGHTS_FILE};
use crate::error::{Error, Result};
use serde_json::Value;

/// Parts of the names of tensors that only one program writes, and the program. (What each family reads has none of these.)
const MARKS: &[(&str, &str)] = &[
    (".lora_", PEFT),
    (".base_layer.", PEFT),
    (".modules_to_save.", PEFT),
    (".hada_w", PEFT),
    (".lokr_w", PEFT),
    (".ia3_l", PEFT),
    (".oft_", PEFT),
    (".boft_", PEFT),
    (".vera_lambda", PEFT),
    (".SCB", BITSANDBYTES),
    (".weight_format", BITSANDBYTES),
    (".absmax", BITSANDBYTES),
    (".quant_state.", BITSANDBYTES),
    (".g_idx", "GPTQ"),
    (".qweight", "AWQ or GPTQ"),
    (".weight._data", "quanto"),
    (".weight_qdata", "torchao"),
    (".weight_packed", "compressed-tensors"),
    (".weight_scale_inv", "FP8"),
    (".W_q", "HQQ"),
    (".codebooks", "AQLM"),
    (".biases", "MLX"),
    ("visual.conv1.", OPEN_CLIP),
    ("visual.trunk.", OPEN_CLIP),
    ("visual.class_embedding", OPEN_CLIP),
    (".encoder_layer_0.", TORCHVISION),
    ("encoderblock_0", JAX),
    ("/kernel", JAX),
];
const PEFT: &str = "PEFT";
const BITSANDBYTES: &str = "bitsandbytes";
const OPEN_CLIP: &str = "open_clip";
const TORCHVISION: &str = "torchvision";
const JAX: &str = "JAX";

const MERGE: &str = "a LoRA adapter (or another of PEFT's) is not merged, or came alone. Load it with its model in PEFT, call \
    `merge_and_unload()` and save what that returns";
const QUANTISE: &str =
    "its format is not read. Take the checkpoint that it was made from, and make that smaller with `vitscope quantize`";
const BY_TIMM: &str = "let timm convert it: `model = timm.create_model(NAME, pretrained=True, pretrained_cfg_overlay={'file': FILE})`, \
    `timm.models.save_for_hf(model, FOLDER, safe_serialization=True)`";
const FETCH: &str = "Fetch the config.json that they were published with";
const BY_NAMES: &str = "take timm's model of the same training, or give the tensors timm's names: conv_proj → patch_embed.proj, \
    class_token → cls_token, encoder.pos_embedding → pos_embed, encoder.layers.encoder_layer_N → blocks.N, ln_1 → norm1, ln_2 → norm2, \
    self_attention.in_proj_ → attn.qkv., self_attention.out_proj → attn.proj, mlp.0 → mlp.fc1, mlp.3 → mlp.fc2, encoder.ln → norm, \
    heads.head → head";

/// Refuses what only looks like a model that is read.
pub(super) fn refuse(config: &Json, tensors: &Tensors) -> Result<()> {
    let names = tensors.names();
    let found =
        MARKS.iter().find_map(|(mark, program)| Some((*program, names.iter().find(|name| name.contains(mark))?)));
    let (program, evidence) = match (found, quantised_by(config)?) {
        // (Adapters may be beside quantised weights.)
        (Some((program, name)), None) | (Some((program @ PEFT, name)), _) => (program, tensors.in_file(name)),
        (_, Some(program)) => (program, CONFIG_FILE.into()),
        (None, None) => return Ok(()),
    };
    let remedy = match program {
        PEFT => MERGE,
        OPEN_CLIP | JAX => BY_TIMM,
        TORCHVISION => BY_NAMES,
        _ => QUANTISE,
    };
    let made = if remedy == QUANTISE { "quantised" } else { "written" };
    Err(tensors.invalid(format!("it was {made} by {program}, as `{evidence}` shows: {remedy}.")))
}

/// The program that a config says has quantised the weights.
fn quantised_by(config: &Json) -> Result<Option<&str>> {
    let method = |key: &str| {
        let settings = config.get(key).and_then(Value::as_object)?;
        // In 8 bits or in 4, or in neither.
        let on = ["load_in_8bit", "load_in_4bit"].map(|key| settings.get(key).and_then(Value::as_bool));
        match settings.get("quant_method").and_then(Value::as_str) {
            Some("gptq") => Some("GPTQ"),
            Some("awq") => Some("AWQ"),
            Some("hqq") => Some("HQQ"),
            Some(BITSANDBYTES) | None if on == [Some(false); 2] => None,
            None if on.contains(&Some(true)) => Some(BITSANDBYTES),
            None if settings.contains_key("bits") => Some("MLX"),
            method => method,
        }
    };
    Ok(method("quantization_config").or_else(|| method("quantization")))
}

/// What the names of tensors tell where the config names no family that is read, and the way to one that does where it says nothing at all.
pub(super) fn evidence(tensors: &Tensors, says_nothing: bool) -> String {
    let names = tensors.names();
    let Some(telling) = telltale(&names) else { return String::new() };
    let remedy = match says_nothing {
        false => "",
        true if telling.contains("blocks.") => BY_TIMM,
        true => FETCH,
    };
    let stop = if says_nothing { ". " } else { "" };
    format!(", and the tensors are called like `{}`{stop}{remedy}", tensors.in_file(telling))
}

/// The error of weights that came without a `config.json`.
pub fn without_config(source: &dyn Source) -> Error {
    let error = || {
        let tensors = Tensors::open(WEIGHTS_FILE, source)?;
        refuse(&Json::parse(CONFIG_FILE, "{}")?, &tensors)?;
        Ok(format!("there is none beside the weights{}.", evidence(&tensors, true)))
    };
    error().map_or_else(|error| error, Error::InvalidConfig)
}
