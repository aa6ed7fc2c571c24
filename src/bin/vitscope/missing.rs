//! What a folder without the files of a model has in their place, and what to do.

use anyhow::{Error, Result, anyhow};
use std::fs;
use std::path::Path;
use vitscope::checkpoint::{CONFIG_FILE, Source, WEIGHTS_FILE, without_config};

const SAVE: &str = "Load the model with the library that wrote it and save it as safetensors: in transformers, \
    `AutoModelForImageClassification.from_pretrained(FOLDER).save_pretrained(FOLDER)`";

const FROM_4: &str = "Load the model with transformers 4, `from_pretrained(FOLDER, from_tf=True)` or `from_flax=True`, and save it with `save_pretrained`";

const ADAPTER: &str = "a LoRA adapter without its model";
const MERGE: &str = "Load both with PEFT, call `merge_and_unload()` and save what it returns with `save_pretrained`";

const TIMM: &str = "Load the model with timm, which reads it: `timm.create_model(NAME, pretrained=True, \
    pretrained_cfg_overlay={'file': FILE})`, then `timm.models.save_for_hf(model, FOLDER, safe_serialization=True)`";

const OPEN_CLIP: &str = "Take open_clip_config.json and open_clip_model.safetensors together; `open_clip.push_to_hf_hub.save_for_hf` writes both";

const SOURCE: &str = "Take the checkpoint that it was made from";

/// Parts of the names of files that hold weights, what these are, and the remedy.
const FOUND: &[(&str, &str, &str)] = &[
    ("adapter_model", ADAPTER, MERGE),
    ("adapter_config", ADAPTER, MERGE),
    ("open_clip_pytorch_model.bin", "open_clip's pickle", OPEN_CLIP),
    ("open_clip_", "half of a model of open_clip", OPEN_CLIP),
    (
        "diffusion_pytorch_model",
        "a model of diffusers, which is no Vision Transformer that classifies",
        "Choose another folder",
    ),
    (".index.fp16.", "split weights of another variant", "Rename its files as those of the plain variant are called"),
    (
        ".safetensors",
        "safetensors under another name",
        "If these are the weights, rename the file to model.safetensors",
    ),
    (".bin", "PyTorch's pickle", SAVE),
    (".pt", "PyTorch's pickle", SAVE),
    (".ckpt", "PyTorch's pickle", SAVE),
    (".h5", "TensorFlow's format", FROM_4),
    (".msgpack", "Flax's format", FROM_4),
    (".npz", "JAX's format", TIMM),
    ("onnx", "ONNX, a graph and not the weights by name", SOURCE),
    (".gguf", "GGUF, llama.cpp's format", SOURCE),
    (".tflite", "TensorFlow Lite's format", SOURCE),
    (".mlpackage", "Core ML's format", SOURCE),
];

/// The error of a folder without weights.
pub fn weights(folder: &Path) -> Error {
    let instead = instead(folder)
        .unwrap_or_else(|| ". MODEL is a folder with both files, as `save_pretrained` writes it.".into());
    anyhow!("{}: there is no {WEIGHTS_FILE}{instead}", folder.display())
}

/// The error of a folder without a config, which may have weights.
pub fn config(folder: &Path, weights: Result<Box<dyn Source>>) -> Error {
    match (weights, instead(folder)) {
        (Ok(weights), _) => Error::from(without_config(&*weights)).context(folder.display().to_string()),
        (Err(_), Some(instead)) => anyhow!("{}: there is no {CONFIG_FILE}{instead}", folder.display()),
        (Err(_), None) => anyhow!(
            "{}: there is neither {CONFIG_FILE} nor {WEIGHTS_FILE}. MODEL is a folder with both.",
            folder.display()
        ),
    }
}

/// The first kind of weights in the folder that is not read.
fn instead(folder: &Path) -> Option<String> {
    let entries = fs::read_dir(folder).ok()?;
    let mut names: Vec<_> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    // What training leaves beside a model is no model.
    const OTHER: &[&str] = &["text_embeddings", "training_args", "optimizer", "scheduler", "rng_state"];
    names.retain(|name| !OTHER.iter().any(|part| name.contains(part)));
    FOUND.iter().find_map(|(part, what, remedy)| {
        let name = names.iter().find(|name| name.contains(part))?;
        Some(format!(", but there is {name}: {what}. {remedy}."))
    })
}
