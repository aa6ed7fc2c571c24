//! A model read while its file arrives.
//!
//! The header alone tells what is read: the families' own readers go through it once without data, which checks every tensor's name, shape and type, and notes
//! which are read with which block. Then blocks are read in whatever order they come, and after the last one the rest.

use super::blocks::Blocks;
use super::json::Json;
use super::pixels::Pixels;
use super::quantize::Portable;
use super::reader::{Reader, Role};
use super::tensors::{Source, TensorSummary, Tensors};
use super::text::{self, LOGIT_SCALE};
use super::{CONFIG_FILE, ConfigFiles, Family, Loaded, open};
use crate::alloc::has_room;
use crate::error::{ErrorKind, Result};
use crate::model::{Block, Config, Places, Precision, Scores, Vit};
use crate::preprocess::Preprocess;
use crate::quant::FORMAT_INT8;
use std::sync::Arc;

/// A model on its way.
pub struct Walk {
    family: &'static Family,
    config: Config,
    tensors: Tensors,
    /// Rows and columns of patches the file was made for.
    native_grid: [usize; 2],
    precision: Precision,
    /// Whether blocks are equalised, see [`super::equalise`].
    pub(super) equalises: bool,
    pixels: Pixels,
    preprocess: Preprocess,
    parameters: usize,
    /// Whether its config knows of texts.
    compares: bool,
    plan: Vec<Planned>,
    names: Blocks,
    blocks: Vec<Option<Block>>,
}

/// Where configs of both describe what reads texts.
const TEXTUAL: [&str; 2] = ["text_config", "model_cfg"];

/// A tensor that is read.
pub struct Planned {
    /// Its name, without what all names in the file begin with.
    pub name: String,
    /// Number format, as safetensors names it.
    pub dtype: String,
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Where its bytes begin in the file.
    pub begin: u64,
    /// Where they end.
    pub end: u64,
    /// The block that it is read with; without one it is of the rest.
    pub block: Option<usize>,
    pub(super) role: Role,
}

impl Walk {
    /// From the header of the weights, which is all that is read of `source`. `precision` and `image_size` are as in [`super::LoadOptions`].
    pub fn open(
        files: ConfigFiles<'_>,
        source: &dyn Source,
        precision: Option<Precision>,
        image_size: Option<[usize; 2]>,
    ) -> Result<Self> {
        let json = Json::parse(CONFIG_FILE, files.config)?;
        let (family, own, tensors) = open(&json, source)?;
        let precision = precision.unwrap_or_else(|| tensors.precision());
        let walk = Self::plan(family, &own, &files, tensors, precision, image_size)?;
        Ok(Self { compares: TEXTUAL.iter().any(|key| json.get(key).is_some()), ..walk })
    }

    fn plan(
        family: &'static Family,
        json: &Json,
        files: &ConfigFiles<'_>,
        tensors: Tensors,
        precision: Precision,
        image_size: Option<[usize; 2]>,
    ) -> Result<Self> {
        let mut config = Config { family: family.name, ..(family.config)(json, &tensors)? };
        config.scores = read_scores(json, &config)?;
        config.validate()?;
        let pixels = Pixels::new(files, json, family, config.image_size)?;
        let native_grid = config.grid();
        if let Some(size) = image_size {
            config = config.resized(size)?;
        } else {
            config.image_size = pixels.usual_size()?;
            config.validate()?;
        }
        let preprocess = pixels.steps(config.image_size, image_size.is_some())?;

        refuse_too_large(&config, precision)?;
        let mut reader = Reader::new(&tensors, None, precision, native_grid, config.rms_norm);
        let names = (family.blocks)(&config, &reader);
        let blocks = (0..config.layers).map(|i| names.read(&config, &mut reader, i)).collect::<Result<_>>()?;
        Places::new(&config, &(family.weights)(&config, &mut reader, blocks)?)?;
        text::learned(&mut reader, None)?;
        reader.refuse_unused(family)?;
        let planned = |tensor: TensorSummary| {
            let TensorSummary { name, dtype, shape, begin, end } = tensor;
            let used = reader.used().get(&name)?;
            Some(Planned { name, dtype, shape, begin, end, block: used.block, role: used.role })
        };
        let plan = tensors.summaries().into_iter().filter_map(planned).collect();
        let parameters = reader.parameters();
        Ok(Self {
            family,
            equalises: precision == Precision::Int8,
            blocks: (0..config.layers).map(|_| None).collect(),
            config,
            tensors,
            native_grid,
            precision,
            preprocess,
            pixels,
            parameters,
            compares: false,
            plan,
            names,
        })
    }

    /// Every tensor that is read, in the order of the file.
    pub fn planned(&self) -> &[Planned] {
        &self.plan
    }

    /// Blocks there are.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Whether it compares images with texts, so that there may be some.
    pub fn compares(&self) -> bool {
        self.compares || self.plan.iter().any(|tensor| tensor.name == LOGIT_SCALE)
    }

    /// Whether matrices are quantised while they are read: then the portable form is a quantised file, else a file of the tensors that are read.
    pub fn quantises(&self) -> bool {
        self.precision == Precision::Int8 && self.tensors.precision() == Precision::F32
    }

    /// What the portable form says of its format.
    pub fn format(&self) -> Option<&str> {
        if self.quantises() { Some(FORMAT_INT8) } else { self.tensors.format() }
    }

    fn reader<'a>(&'a self, source: &'a dyn Source) -> Reader<'a> {
        let mut reader =
            Reader::new(&self.tensors, Some(source), self.precision, self.native_grid, self.config.rms_norm);
        reader.equalises = self.equalises;
        reader
    }

    /// Reads a block, all of whose tensors are in `source`; adds them to what is `portable`, where that is wanted.
    pub fn read_block(&mut self, block: usize, source: &dyn Source, portable: Option<&mut Portable>) -> Result<()> {
        let mut reader = self.reader(source);
        let read = self.names.read(&self.config, &mut reader, block)?;
        if let Some(portable) = portable {
            portable.add(&reader, source, &self.plan, Some(block))?;
        }
        self.blocks[block] = Some(read);
        Ok(())
    }

    /// Reads the rest when all blocks were read. `text_embeddings`: as in [`super::LoadOptions`].
    pub fn finish(
        mut self,
        source: &dyn Source,
        text_embeddings: Option<&dyn Source>,
        portable: Option<&mut Portable>,
    ) -> Result<Loaded> {
        let blocks = std::mem::take(&mut self.blocks).into_iter().collect::<Option<Vec<_>>>();
        let blocks = blocks.ok_or_else(|| self.tensors.invalid("not all blocks were read.".into()))?;
        let mut reader = self.reader(source);
        let mut weights = (self.family.weights)(&self.config, &mut reader, blocks)?;
        let similarity = text::learned(&mut reader, self.config.max_logit_scale)?;
        if let Some(portable) = portable {
            portable.add(&reader, source, &self.plan, None)?;
        }
        let Self { mut config, tensors, precision, pixels, preprocess, parameters, .. } = self;
        let features = if tensors.projects { config.classes() } else { config.feature_size() };
        let classes = text_embeddings.map(|source| text::read(source, features, similarity)).transpose()?;
        if tensors.projects {
            weights.projection = weights.heads.pop();
            config.projection_size = weights.projection.as_ref().map(|_| config.classes());
            config.labels = Arc::default();
        }
        if classes.is_some() {
            weights.heads.clear();
        }
        let learned = Vit::new(config, weights, similarity)?;
        let vit = classes.map(|classes| learned.with_classes(&classes, precision)).unwrap_or(Ok(learned))?;
        Ok(Loaded { vit, pixels: Arc::new(pixels), preprocess, precision, parameters })
    }
}

/// What part of a model's matrices all else of it is, about: scales, biases, positions, and a matrix while it is read.
const ALL_ELSE: u64 = 64;

/// What can't be held is refused before any of it is read: by the matrices of the blocks, which are nearly all.
fn refuse_too_large(config: &Config, precision: Precision) -> Result<()> {
    let product = |dims: [usize; 3]| dims.iter().fold(1u64, |product, dim| product.saturating_mul(*dim as u64));
    let of_stage =
        |own: Config| product([own.layers, own.hidden_size, 4 * own.hidden_size + own.mlp_outputs() + own.mlp_size]);
    let stages = (0..config.stage_count()).map(|stage| of_stage(config.of_stage(stage)));
    let values = stages.fold(0u64, u64::saturating_add);
    let bytes = values.saturating_mul(precision.bytes() as u64);
    let (form, int8) = match precision {
        Precision::Int8 => ("int8", None),
        Precision::F32 => ("f32", Some(values)),
    };
    if has_room(bytes.saturating_add(bytes / ALL_ELSE)) {
        Ok(())
    } else {
        Err(ErrorKind::ModelTooLarge { form, bytes, int8 }.into())
    }
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
