//! Models in a form that other programs have given them: what it is, by their config or by the names of their tensors, and what makes them readable.

use super::json::Json;
use super::names::{holds, telltale};
use super::tensors::{Source, Tensors};
use super::{CONFIG_FILE, WEIGHTS_FILE, supported};
use crate::error::{Error, ErrorKind, Result};
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
    ("preprocessor.patchifier.", ML_AIM),
];
const PEFT: &str = "PEFT";
const BITSANDBYTES: &str = "bitsandbytes";
const OPEN_CLIP: &str = "open_clip";
const TORCHVISION: &str = "torchvision";
const JAX: &str = "JAX";
/// Apple's own code of AIMv2.
const ML_AIM: &str = "ml-aim";

const MERGE: &str = "a LoRA adapter (or another of PEFT's) is not merged, or came alone. Load it with its model in PEFT, call \
    `merge_and_unload()` and save what that returns";
const QUANTISE: &str =
    "its format is not read. Take the checkpoint that it was made from, and make that smaller with `vitscope quantize`";
const BY_TIMM: &str = "`timm.models.save_for_hf(timm.create_model(NAME, True, pretrained_cfg_overlay={'file': FILE}), FOLDER, \
    safe_serialization=True)`";
const WITH_CONFIG: &str = "take the `open_clip_config.json` that it was published with for its config";
const BY_NAMES: &str = "take timm's model of the same training, or give the tensors timm's names: conv_proj → patch_embed.proj, \
    class_token → cls_token, encoder.pos_embedding → pos_embed, encoder.layers.encoder_layer_N → blocks.N, ln_1 → norm1, ln_2 → norm2, \
    self_attention.in_proj_ → attn.qkv., self_attention.out_proj → attn.proj, mlp.0 → mlp.fc1, mlp.3 → mlp.fc2, encoder.ln → norm, \
    heads.head → head";

/// Refuses what only looks like a model that is read.
pub(super) fn refuse(config: &Json, tensors: &Tensors) -> Result<()> {
    let names = tensors.names();
    // (With its config open_clip's model is read.)
    let mut marks = MARKS.iter().filter(|(_, program)| *program != OPEN_CLIP || config.get("model_cfg").is_none());
    let found = marks.find_map(|(mark, program)| Some((*program, names.iter().find(|name| holds(name, mark))?)));
    let (program, evidence) = match (found, quantised_by(config)?) {
        // (Adapters may be beside quantised weights.)
        (Some((program, name)), None) | (Some((program @ PEFT, name)), _) => (program, tensors.in_file(name)),
        (_, Some(program)) => (program, CONFIG_FILE.into()),
        (None, None) => return Ok(()),
    };
    let (made, way, remedy) = match program {
        PEFT => ("written", "", MERGE),
        OPEN_CLIP => ("written", "", WITH_CONFIG),
        ML_AIM | JAX => ("written", "let timm convert it: ", BY_TIMM),
        TORCHVISION => ("written", "", BY_NAMES),
        _ => ("quantised", "", QUANTISE),
    };
    Err(tensors.invalid(format!("it was {made} by {program}, as `{evidence}` shows: {way}{remedy}.")))
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

/// What the tensors are called, where the config names no family that is read.
pub(super) fn called(tensors: &Tensors) -> String {
    let names = tensors.names();
    telltale(&names)
        .map(|name| format!(", and the tensors are called like `{}`", tensors.in_file(name)))
        .unwrap_or_default()
}

/// What to do where the config says nothing at all.
pub(super) fn remedy(tensors: &Tensors) -> String {
    match telltale(&tensors.names()) {
        Some(name) if holds(name, "blocks.") => format!("Let timm convert the weights: {BY_TIMM}."),
        _ => format!("Fetch the config.json that they were published with. {}", supported()),
    }
}

/// The error of weights that came without a `config.json`.
pub fn without_config(source: &dyn Source) -> Error {
    let problem = || -> Result<String> {
        let tensors = Tensors::open(WEIGHTS_FILE, source)?;
        refuse(&Json::parse(CONFIG_FILE, "{}")?, &tensors)?;
        Ok(format!("there is none beside the weights{}. {}", called(&tensors), remedy(&tensors)))
    };
    problem().map_or_else(|error| error, |problem| ErrorKind::InvalidConfig(problem).into())
}
