//! From the files people have to a [`Vit`]: config, tensor names and pixels of every supported family.
//!
//! A family is one file with a `Family` in it and one line in `FAMILIES`. This folder is the only importer of `safetensors`.

mod alias;
mod blocks;
mod equalise;
mod foreign;
mod heads;
mod hf;
mod hf_aimv2;
mod hf_beit;
mod hf_blip;
mod hf_clip;
mod hf_deit;
mod hf_dinov2;
mod hf_dinov3;
mod hf_siglip;
mod hf_tipsv2;
mod hf_vit;
mod interpolate;
mod json;
mod labels;
mod names;
mod open_clip;
mod pixels;
mod processor_file;
mod processors;
mod quantize;
mod reader;
mod shards;
mod stored;
mod tensors;
mod text;
mod timm;
mod timm_aimv2;
mod timm_beit;
mod timm_eva;
mod timm_vit;

pub use foreign::without_config;
pub use quantize::{QuantizedTensor, quantize};
pub use shards::Shards;
pub use tensors::{Source, TensorSummary, Tensors, Values, write};

use crate::alloc::room;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Classes, Config, Precision, Scores, Vit, Weights};
use crate::preprocess::{Preprocess, Resize};
use json::Json;
use pixels::Pixels;
use processors::Processor;
use reader::Reader;

/// The name of the file a config comes from, for messages.
pub const CONFIG_FILE: &str = "config.json";

/// The name of the file the weights come from.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// What open_clip calls the two.
pub const OPEN_CLIP_FILES: [&str; 2] = ["open_clip_config.json", "open_clip_model.safetensors"];

/// The name of the file that lists the files of weights split over several.
pub const INDEX_FILE: &str = "model.safetensors.index.json";

/// The name of the optional file that says how to prepare pixels.
pub const PREPROCESSOR_FILE: &str = "preprocessor_config.json";

/// The name of the file that says so since transformers 5, and before it held other things.
pub const PROCESSOR_FILE: &str = "processor_config.json";

/// The name of the optional file with the classes of a zero-shot model.
pub const TEXT_FILE: &str = "text_embeddings.safetensors";

/// One naming scheme: how to recognise it, and how to read its config and its tensors.
struct Family {
    /// As people call it; listed when something else is refused.
    name: &'static str,
    /// Which models it reads, for the table of what loads.
    models: &'static str,
    /// Whether a `config.json` belongs to this family.
    recognises: fn(&Json) -> bool,
    /// The hyper-parameters, from the config and, where it is silent, from the shapes of the tensors.
    config: fn(&Json, &Tensors) -> Result<Config>,
    /// The weights. Reads every tensor the model uses.
    weights: fn(&Config, &mut Reader) -> Result<Weights>,
    /// Tensors that belong to something the classifier does not use.
    ignores: fn(&str) -> bool,
    /// How pixels are prepared where no file says so.
    processor: &'static Processor,
    /// Whether the library runs it at whatever size its processor makes, resampling positions by itself.
    any_size: bool,
}

/// Every supported family.
const FAMILIES: &[Family] = &[
    hf_vit::FAMILY,
    hf_deit::FAMILY,
    hf_dinov2::FAMILY,
    hf_dinov3::FAMILY,
    hf_tipsv2::FAMILY,
    hf_beit::FAMILY,
    hf_clip::FAMILY,
    hf_siglip::FAMILY,
    hf_siglip::NAFLEX,
    hf_aimv2::FAMILY,
    hf_aimv2::NATIVE,
    hf_blip::FAMILY,
    open_clip::FAMILY,
    open_clip::CLIPA,
    timm_eva::DINOV3,
    timm_eva::EVA02,
    timm_eva::ROPE,
    timm_eva::PE,
    timm_eva::EVA,
    timm_vit::RADIO_V3,
    timm_vit::RADIO,
    timm_vit::FAMILY,
    timm_vit::FLEXIVIT,
    timm_vit::BEIT3,
    timm_beit::FAMILY,
    timm_aimv2::FAMILY,
];

/// Name and models of every supported family.
pub fn families() -> impl Iterator<Item = (&'static str, &'static str)> {
    FAMILIES.iter().map(|family| (family.name, family.models))
}

/// Types that are read as another, or of which a part is.
pub fn aliases() -> impl Iterator<Item = &'static str> {
    alias::types()
}

/// The texts of a model's JSON files.
#[derive(Clone, Copy)]
pub struct ConfigFiles<'a> {
    /// `config.json`.
    pub config: &'a str,
    /// `preprocessor_config.json`, where there is one.
    pub preprocessor: Option<&'a str>,
    /// `processor_config.json`, where there is one. An image processor nested in it wins.
    pub processor: Option<&'a str>,
}

/// What a caller may choose.
#[derive(Clone, Copy, Default)]
pub struct LoadOptions<'a> {
    /// What matrices are converted to; `None` keeps them as the file holds them.
    pub precision: Option<Precision>,
    /// Height and width of the input; `None` is what the model was made for.
    pub image_size: Option<[usize; 2]>,
    /// `text_embeddings.safetensors`: `text_embeddings` `[C, features]`, and in its metadata `labels`, a JSON array of C names. The model
    /// then answers with these classes, in place of its own if it has any.
    pub text_embeddings: Option<&'a dyn Source>,
}

impl From<Option<Precision>> for LoadOptions<'_> {
    fn from(precision: Option<Precision>) -> Self {
        Self { precision, ..Self::default() }
    }
}

/// A model read from its files.
pub struct Loaded {
    /// The model.
    pub vit: Vit,
    /// How its pixels are made.
    pub preprocess: Preprocess,
    /// The file that says so: `processor_config.json`, `preprocessor_config.json`, `config.json`, or none.
    pub processor: Option<&'static str>,
    /// How its matrices are held.
    pub precision: Precision,
    /// Learned values, biases and scales apart: as `sum(p.numel() for p in model.parameters())` counts them.
    pub parameters: usize,
}

impl Loaded {
    /// The same model with these classes in place of its own; it shares the weights.
    pub fn with_classes(&self, classes: &Classes) -> Result<Self> {
        Ok(Self {
            vit: self.vit.with_classes(classes, self.precision)?,
            preprocess: self.preprocess.clone(),
            processor: self.processor,
            precision: self.precision,
            parameters: self.parameters,
        })
    }

    /// The classes that a `text_embeddings.safetensors` has for this model.
    pub fn read_classes(&self, file: &dyn Source) -> Result<Classes> {
        text::read(file, self.vit.config.feature_size(), self.vit.similarity)
    }
}

/// Reads a model.
pub fn load<'o>(files: ConfigFiles<'_>, source: &dyn Source, options: impl Into<LoadOptions<'o>>) -> Result<Loaded> {
    let options = options.into();
    let config = Json::parse(CONFIG_FILE, files.config)?;
    let (family, config, tensors) = open(&config, source)?;
    let precision = options.precision.unwrap_or_else(|| tensors.precision());
    let equalises = precision == Precision::Int8;
    let (vit, preprocess, processor, reader) = read(family, &config, &files, &tensors, precision, equalises, &options)?;
    Ok(Loaded { vit, preprocess, processor, precision, parameters: reader.parameters() })
}

/// The whole model, checked, the file that says how its pixels are made, and the reader that knows which tensors it used.
fn read<'t>(
    family: &Family,
    config_json: &Json,
    files: &ConfigFiles<'_>,
    tensors: &'t Tensors<'t>,
    precision: Precision,
    equalises: bool,
    options: &LoadOptions<'_>,
) -> Result<(Vit, Preprocess, Option<&'static str>, Reader<'t>)> {
    let mut config = Config { family: family.name, ..(family.config)(config_json, tensors)? };
    let similarity = text::learned(tensors, config.max_logit_scale)?;
    let features = if tensors.projects { config.classes() } else { config.feature_size() };
    let classes = options.text_embeddings.map(|source| text::read(source, features, similarity)).transpose()?;
    config.scores = read_scores(config_json, &config)?;
    config.validate()?;
    let (native, native_grid) = (config.image_size, config.grid());

    let pixels = Pixels::new(files, config_json, family.processor)?;
    let usual = if family.any_size { pixels.stated_size()? } else { None };
    config.image_size = options.image_size.or(usual).unwrap_or(native);
    config.validate().map_err(|error| blame(error, options.image_size))?;
    let mut preprocess = pixels.steps(config.image_size, native, options.image_size.is_some())?;
    if family.any_size && preprocess.output_size().is_none() {
        // The library takes pictures as they come (AIMv2 native). One that has not the size that is run is made to cover it.
        let size = config.image_size;
        (preprocess.resize, preprocess.crop) = (Resize::Cover(size), Some(size));
    }

    // What can't be held is refused before any of it is read: the matrices of the blocks, which are nearly all.
    let columns = 4 * config.hidden_size + config.mlp_outputs() + config.mlp_size;
    let bytes = if precision == Precision::F32 { size_of::<f32>() } else { 1 };
    room("the model", &[config.layers, config.hidden_size, columns, bytes])?;

    let mut reader = Reader::new(tensors, precision, equalises, native_grid, config.rms_norm);
    let mut weights = (family.weights)(&config, &mut reader)?;
    reader.refuse_unused(family)?;
    if tensors.projects {
        weights.projection = weights.heads.pop();
        config.projection_size = weights.projection.as_ref().map(|_| config.classes());
        config.labels.clear();
    }
    if classes.is_some() {
        weights.heads.clear();
    }
    let learned = Vit::new(config, weights, similarity);
    let vit = classes.map(|classes| learned.with_classes(&classes, precision)).unwrap_or(Ok(learned))?;
    Ok((vit, preprocess, pixels.file(), reader))
}

/// What logits become, as transformers' pipeline for image classification decides it.
fn read_scores(json: &Json, config: &Config) -> Result<Scores> {
    const KINDS: &str = "`single_label_classification`, `multi_label_classification` or `regression`";
    let stated = json.typed("problem_type", KINDS, |value| match value.as_str()? {
        "regression" => Some(Some(Scores::Raw)),
        "multi_label_classification" => Some(Some(Scores::Sigmoid)),
        "single_label_classification" => Some(None),
        _ => None,
    })?;
    let usual = if config.classes() == 1 { Scores::Sigmoid } else { Scores::Softmax };
    Ok(stated.flatten().unwrap_or(usual))
}

/// What a config makes no sense with where a caller chose the size is the caller's doing.
fn blame(error: Error, image_size: Option<[usize; 2]>) -> Error {
    match (error.kind(), image_size) {
        (ErrorKind::InvalidConfig(problem), Some([height, width])) => {
            ErrorKind::InvalidArgument(format!("an image size of {height} × {width} can't be run: {problem}")).into()
        }
        _ => error,
    }
}

/// The family of a model, its config and its tensors: those of the encoder, where it is part of something larger.
fn open<'s>(whole: &Json, source: &'s dyn Source) -> Result<(&'static Family, Json, Tensors<'s>)> {
    let found = alias::find(whole)?;
    let tensors = Tensors::open(WEIGHTS_FILE, source).map(|tensors| tensors.part(&found));
    let config = found.config;
    match FAMILIES.iter().find(|family| (family.recognises)(&config)) {
        Some(family) => {
            let tensors = tensors?;
            foreign::refuse(whole, &tensors)?;
            Ok((family, config, tensors))
        }
        None => {
            let name = config.optional_str("architecture").or(config.optional_str("model_type"));
            let evidence = |tensors: Option<&Tensors>| {
                "config.json names no family this version reads".to_owned()
                    + &tensors.map(foreign::called).unwrap_or_default()
            };
            match (name, tensors) {
                (None, Ok(tensors)) => {
                    foreign::refuse(whole, &tensors)?;
                    let remedy = foreign::remedy(&tensors);
                    Err(ErrorKind::UnsupportedArchitecture {
                        name: "unknown".into(),
                        evidence: evidence(Some(&tensors)),
                        remedy,
                    }
                    .into())
                }
                (name, tensors) => Err(unsupported(name.unwrap_or("unknown"), &evidence(tensors.ok().as_ref()))),
            }
        }
    }
}

/// A refusal that says what would have been accepted.
fn unsupported(name: &str, evidence: &str) -> Error {
    ErrorKind::UnsupportedArchitecture { name: name.into(), evidence: evidence.into(), remedy: supported() }.into()
}

/// What is accepted.
fn supported() -> String {
    let names: Vec<_> = FAMILIES.iter().map(|family| family.name).collect();
    format!("Supported: {}.", names.join(", "))
}
