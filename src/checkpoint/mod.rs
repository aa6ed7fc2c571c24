//! From the files people have to a [`Vit`]: config, tensor names and pixels of every supported family.
//!
//! A family is one file with a `Family` in it and one line in `FAMILIES`. This folder is the only importer of `safetensors`.

mod hf_vit;
mod json;
mod pixels;
mod quantize;
mod reader;
mod tensors;
mod timm_vit;

pub use quantize::{QuantizedTensor, quantize};
pub use tensors::{Source, TensorSummary, Tensors, Values, write};

use crate::error::{Error, Result};
use crate::model::{Config, Precision, Vit, Weights};
use crate::preprocess::Preprocess;
use json::Json;
use reader::Reader;

/// The name of the file a config comes from, for messages.
pub const CONFIG_FILE: &str = "config.json";

/// The name of the file the weights come from.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// The name of the optional file that says how to prepare pixels.
pub const PREPROCESSOR_FILE: &str = "preprocessor_config.json";

/// One naming scheme: how to recognise it, and how to read its config and its tensors.
struct Family {
    /// As people call it; listed when something else is refused.
    name: &'static str,
    /// Whether a `config.json` belongs to this family.
    recognises: fn(&Json) -> bool,
    /// The hyper-parameters, from the config and, where it is silent, from the shapes of the tensors.
    config: fn(&Json, &Tensors) -> Result<Config>,
    /// The weights. Reads every tensor the model uses.
    weights: fn(&Config, &mut Reader) -> Result<Weights>,
    /// Tensors that belong to something the classifier does not use.
    ignores: fn(&str) -> bool,
}

/// Every supported family.
const FAMILIES: &[Family] = &[hf_vit::FAMILY, timm_vit::FAMILY];

/// The texts of a model's JSON files.
#[derive(Clone, Copy)]
pub struct ConfigFiles<'a> {
    /// `config.json`.
    pub config: &'a str,
    /// `preprocessor_config.json`, where there is one.
    pub preprocessor: Option<&'a str>,
}

/// A model read from its files.
pub struct Loaded {
    /// The model.
    pub vit: Vit,
    /// How its pixels are made.
    pub preprocess: Preprocess,
    /// How its matrices are held.
    pub precision: Precision,
    /// Learned values, biases and scales apart: as `sum(p.numel() for p in model.parameters())` counts them.
    pub parameters: usize,
}

/// Reads a model. Matrices are converted to `precision` where the file holds another; `None` keeps them as they are.
pub fn load(files: ConfigFiles<'_>, source: &dyn Source, precision: Option<Precision>) -> Result<Loaded> {
    let config = Json::parse(CONFIG_FILE, files.config)?;
    let family = family(&config)?;
    let tensors = Tensors::open(WEIGHTS_FILE, source)?;
    let precision = precision.unwrap_or_else(|| tensors.precision());
    let (vit, preprocess, reader) = read(family, &config, files.preprocessor, &tensors, precision)?;
    Ok(Loaded { vit, preprocess, precision, parameters: reader.parameters() })
}

/// The whole model, checked, and the reader that knows which tensors it used.
fn read<'t>(
    family: &Family,
    config_json: &Json,
    preprocessor: Option<&str>,
    tensors: &'t Tensors<'t>,
    precision: Precision,
) -> Result<(Vit, Preprocess, Reader<'t>)> {
    let config = (family.config)(config_json, tensors)?;
    config.validate()?;
    let preprocess = pixels::preprocess(preprocessor, config_json, &config)?;
    let mut reader = Reader::new(tensors, precision);
    let weights = (family.weights)(&config, &mut reader)?;
    reader.refuse_unused(family)?;
    Ok((Vit { config, weights }, preprocess, reader))
}

fn family(config: &Json) -> Result<&'static Family> {
    FAMILIES.iter().find(|family| (family.recognises)(config)).ok_or_else(|| {
        let name = config.optional_str("model_type").or(config.optional_str("architecture"));
        unsupported(name.unwrap_or("unknown"), "config.json names no family this version reads")
    })
}

/// A refusal that says what would have been accepted.
fn unsupported(name: &str, evidence: &str) -> Error {
    let supported: Vec<_> = FAMILIES.iter().map(|family| family.name).collect();
    Error::UnsupportedArchitecture { name: name.into(), evidence: evidence.into(), supported: supported.join(", ") }
}

/// Labels for classes nobody named. The count comes from a file: one past what a config may hold is left for its check to refuse.
fn numbered_labels(classes: usize) -> Vec<String> {
    (0..classes.min(crate::kernels::gemm_i8::MAX_K + 1)).map(|i| format!("class {i}")).collect()
}
