//! From the files people have to a [`Vit`]: config, tensor names and pixels of every supported family.
//!
//! A family is one file with a `Family` in it and one line in `FAMILIES`. This folder is the only importer of `safetensors`.

mod alias;
mod blocks;
mod convolutions;
mod equalise;
mod foreign;
mod header;
mod heads;
mod hf;
mod hf_aimv2;
mod hf_beit;
mod hf_blip;
mod hf_clip;
mod hf_deit;
mod hf_dinov2;
mod hf_dinov3;
mod hf_mobilevit;
mod hf_sam;
mod hf_siglip;
mod hf_swin;
mod hf_tipsv2;
mod hf_vit;
mod json;
mod labels;
mod names;
mod open_clip;
mod pixels;
mod positions;
mod processor_file;
mod processors;
mod quantize;
mod reader;
mod sam;
mod shards;
mod stored;
mod swin;
mod tensors;
mod text;
mod timm;
mod timm_aimv2;
mod timm_beit;
mod timm_eva;
mod timm_sam;
mod timm_swin;
mod timm_vit;
mod walk;

pub use foreign::without_config;
pub use quantize::{Portable, QuantizedTensor, quantize};
pub use shards::Shards;
pub use tensors::{Source, TensorSummary, Tensors, Values, write};
pub use walk::{Planned, Walk};

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Block, Classes, Config, Precision, Vit, Weights};
use crate::preprocess::Preprocess;
use blocks::Blocks;
use json::Json;
use pixels::Pixels;
use processors::Processor;
use reader::Reader;
use std::sync::Arc;

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
    /// Where the blocks are, which are read one by one, in any order. Only names are there to be asked for.
    blocks: fn(&Config, &Reader) -> Blocks,
    /// The weights, the blocks being ready. Reads every other tensor the model uses.
    weights: fn(&Config, &mut Reader, Vec<Block>) -> Result<Weights>,
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
    hf_mobilevit::FAMILY,
    hf_swin::FAMILY,
    hf_swin::V2,
    hf_sam::FAMILY,
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
    timm_swin::FAMILY,
    timm_swin::V2,
    timm_sam::FAMILY,
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
    /// What says so, of any size.
    pixels: Arc<Pixels>,
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
            pixels: Arc::clone(&self.pixels),
            preprocess: self.preprocess.clone(),
            ..*self
        })
    }

    /// The same model for images of another height and width, as [`LoadOptions::image_size`] would make it; it shares the weights.
    pub fn resized(&self, image_size: [usize; 2]) -> Result<Self> {
        Ok(Self {
            vit: self.vit.resized(image_size)?,
            pixels: Arc::clone(&self.pixels),
            preprocess: self.pixels.steps(image_size, true)?,
            ..*self
        })
    }

    /// The file that says how its pixels are made: `processor_config.json`, `preprocessor_config.json`, `config.json`, or none.
    pub fn processor(&self) -> Option<&'static str> {
        self.pixels.file()
    }

    /// The classes that a `text_embeddings.safetensors` has for this model.
    pub fn read_classes(&self, file: &dyn Source) -> Result<Classes> {
        text::read(file, self.vit.config.feature_size(), self.vit.similarity)
    }
}

/// Reads a model.
pub fn load<'o>(files: ConfigFiles<'_>, source: &dyn Source, options: impl Into<LoadOptions<'o>>) -> Result<Loaded> {
    let LoadOptions { precision, image_size, text_embeddings } = options.into();
    let mut walk = Walk::open(files, source, precision, image_size)?;
    for block in 0..walk.blocks() {
        walk.read_block(block, source, None)?;
    }
    walk.finish(source, text_embeddings, None)
}

/// Checks of a `config.json` what can be told without weights: that a family reads it. (What names none, weights may tell.)
pub fn check(config: &str) -> Result<()> {
    let found = alias::find(&Json::parse(CONFIG_FILE, config)?)?;
    match (family(&found.config), name(&found.config)) {
        (None, Some(name)) => Err(unsupported(name, UNREAD)),
        _ => Ok(()),
    }
}

/// The family of a model, its config and its tensors: those of the encoder, where it is part of something larger.
fn open(whole: &Json, source: &dyn Source) -> Result<(&'static Family, Json, Tensors)> {
    let found = alias::find(whole)?;
    let tensors = Tensors::open(WEIGHTS_FILE, source).map(|tensors| tensors.part(&found));
    let config = found.config;
    match (family(&config), name(&config), tensors) {
        (Some(family), _, tensors) => {
            let tensors = tensors?;
            foreign::refuse(whole, &tensors)?;
            Ok((family, config, tensors))
        }
        (None, None, Ok(tensors)) => {
            foreign::refuse(whole, &tensors)?;
            let (remedy, evidence) = (foreign::remedy(&tensors), UNREAD.to_owned() + &foreign::called(&tensors));
            Err(ErrorKind::UnsupportedArchitecture { name: "unknown".into(), evidence, remedy }.into())
        }
        (None, name, tensors) => {
            let called = tensors.map(|tensors| foreign::called(&tensors)).unwrap_or_default();
            Err(unsupported(name.unwrap_or("unknown"), &(UNREAD.to_owned() + &called)))
        }
    }
}

const UNREAD: &str = "config.json names no family this version reads";

/// The family that reads a config.
fn family(config: &Json) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| (family.recognises)(config))
}

/// What a config calls its model.
fn name(config: &Json) -> Option<&str> {
    config.optional_str("architecture").or(config.optional_str("model_type"))
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
