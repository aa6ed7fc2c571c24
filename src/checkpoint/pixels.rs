//! How pixels are prepared: by a processor's file of Hugging Face, by timm's `pretrained_cfg` inside `config.json`, or as is usual for the
//! family.

use super::json::Json;
use super::processor_file::{self, as_triple, crop_pct};
use super::processors::{self, IMAGENET_MEAN, IMAGENET_STD, Processor};
use super::{CONFIG_FILE, ConfigFiles, Family, PREPROCESSOR_FILE, PROCESSOR_FILE};
use crate::error::{Error, ErrorKind, Result};
use crate::preprocess::{CropRounding, Preprocess, Resize};
use crate::resample::Filter;
use serde_json::Value;

/// What is asked of the pixels, at any size.
pub(super) struct Pixels {
    stated: Stated,
    /// Height and width that the files were made for.
    native: [usize; 2],
    /// As in [`Family`].
    any_size: bool,
}

/// By whom: by a processor's file, which wins, by timm's config, or without either by the family's usual processor at the model's own size.
enum Stated {
    Hf(Json, &'static Processor),
    Timm(Json),
    Usual(&'static Processor),
}

impl Pixels {
    pub fn new(files: &ConfigFiles<'_>, config_json: &Json, family: &Family, native: [usize; 2]) -> Result<Self> {
        let stated = Stated::new(files, config_json, family.processor)?;
        Ok(Self { stated, native, any_size: family.any_size })
    }

    /// The file that says so, if one does.
    pub fn file(&self) -> Option<&'static str> {
        match &self.stated {
            Stated::Hf(json, _) | Stated::Timm(json) => Some(json.file),
            Stated::Usual(_) => None,
        }
    }

    /// Height and width where nobody asks for others: what a processor's file leaves any image with, if the library follows that, or else the model's own.
    pub fn usual_size(&self) -> Result<[usize; 2]> {
        match &self.stated {
            Stated::Hf(json, processor) if self.any_size => {
                Ok(processor_file::steps(json, processor)?.output_size().unwrap_or(self.native))
            }
            _ => Ok(self.native),
        }
    }

    /// The steps for a model that takes `size`. `asked`: whether somebody asked for that.
    pub fn steps(&self, size: [usize; 2], asked: bool) -> Result<Preprocess> {
        let steps = match &self.stated {
            Stated::Hf(json, processor) => processor_file::steps(json, processor)?,
            Stated::Usual(processor) => processors::usual_steps(processor, self.native),
            Stated::Timm(json) => from_timm(json, size)?,
        };
        let follows = asked && !matches!(self.stated, Stated::Timm(_));
        let mut steps = if follows { for_size(steps, size) } else { steps };
        check(self.file().unwrap_or(CONFIG_FILE), &steps, size)?;
        if self.any_size && steps.output_size().is_none() {
            // The library takes pictures as they come (AIMv2 native). One that has not the size that is run is made to cover it.
            (steps.resize, steps.crop) = (Resize::Cover(size), Some(size));
        }
        Ok(steps)
    }
}

impl Stated {
    fn new(files: &ConfigFiles<'_>, config_json: &Json, usual: &'static Processor) -> Result<Self> {
        let json = match processor_json(files)? {
            Some(json) => match processors::stated(&json, usual)? {
                Some(processor) => return Ok(Self::Hf(json, processor)),
                None => Some(json),
            },
            None => None,
        };
        // Old files of timm have the entries of `pretrained_cfg` at their top.
        let whole = || config_json.get("architecture").map(|_| config_json.clone());
        match (config_json.object("pretrained_cfg").or_else(whole), json) {
            (Some(cfg), _) => Ok(Self::Timm(cfg)),
            (None, None) => Ok(Self::Usual(usual)),
            (None, Some(json)) => {
                Err(json.problem("its type reads `pretrained_cfg` of config.json, which has none.".into()))
            }
        }
    }
}

/// What is nested in `processor_config.json` (transformers 5), or else `preprocessor_config.json`.
fn processor_json(files: &ConfigFiles<'_>) -> Result<Option<Json>> {
    if let Some(text) = files.processor {
        let whole = Json::parse(PROCESSOR_FILE, text)?;
        whole.typed("image_processor", "an object", Value::as_object)?;
        if let Some(nested) = whole.object("image_processor") {
            return Ok(Some(nested));
        }
    }
    files.preprocessor.map(|text| Json::parse(PREPROCESSOR_FILE, text)).transpose()
}

/// The same steps for another size: a crop takes as much of the image as it did.
fn for_size(steps: Preprocess, size: [usize; 2]) -> Preprocess {
    let before = steps.output_size().unwrap_or(size);
    let scaled = |edges: [usize; 2]| {
        [0, 1].map(|i| (edges[i] as f64 * size[i] as f64 / before[i].max(1) as f64).round_ties_even() as usize)
    };
    let resize = match steps.resize {
        Resize::None => Resize::None,
        Resize::Squash(edges) => Resize::Squash(scaled(edges)),
        Resize::ShortestEdge(edge) if size[0] == size[1] => Resize::ShortestEdge(scaled([edge, edge])[0]),
        Resize::ShortestEdge(edge) => Resize::Cover(scaled([edge, edge])),
        Resize::LongestEdge(edge) => Resize::LongestEdge(scaled([edge, edge]).into_iter().min().unwrap_or(edge)),
        Resize::Cover(edges) => Resize::Cover(scaled(edges)),
        Resize::Contain(edges) => Resize::Contain(scaled(edges)),
        Resize::Least { multiple, .. } => Resize::Least { size, multiple },
    };
    Preprocess { resize, crop: steps.crop.map(|_| size), pad: steps.pad.map(|_| size), ..steps }
}

/// What timm calls Pillow's filters, in the order of their numbers.
const INTERPOLATIONS: [&str; Filter::ALL.len()] = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];

fn from_timm(json: &Json, size: [usize; 2]) -> Result<Preprocess> {
    // (timm takes its defaults for whatever is false: null, 0 and "".)
    let stated = |key: &str| json.get(key).filter(|value| value.as_f64() != Some(0.0) && value.as_str() != Some(""));
    let name = |key: &'static str, usual: &'static str| match stated(key) {
        Some(_) => json.typed(key, "a name", Value::as_str).map(|name| name.unwrap_or(usual)),
        None => Ok(usual),
    };
    let fraction = if stated("crop_pct").is_some() { crop_pct(json, 0.875)? } else { 0.875 };
    let scaled = size.map(|edge| (edge as f64 / fraction).floor() as usize);
    let resize = match name("crop_mode", "center")? {
        "squash" => Resize::Squash(scaled),
        "center" if scaled[0] == scaled[1] => Resize::ShortestEdge(scaled[0]),
        "center" => Resize::Cover(scaled),
        "border" => Resize::Contain(scaled),
        other => {
            return Err(json.problem(format!(
                "`pretrained_cfg.crop_mode` `{other}` is not read; use `center`, `squash` or `border`."
            )));
        }
    };
    let interpolation = name("interpolation", "bicubic")?;
    let Some(filter) = INTERPOLATIONS.iter().position(|known| *known == interpolation) else {
        return Err(json.problem(format!(
            "`pretrained_cfg.interpolation` `{interpolation}` is not followed; there are {}.",
            INTERPOLATIONS.join(", ")
        )));
    };
    let triple = |key: &str, usual| Ok::<_, Error>(json.typed(key, "a number or three", as_triple)?.unwrap_or(usual));
    let mean = triple("mean", IMAGENET_MEAN)?;
    Ok(Preprocess {
        resize,
        filter: Filter::ALL[filter],
        crop: Some(size),
        // Only `border` pads by design, with the mean, or what open_clip states; a crop larger than the image pads with black.
        fill: match json.optional_usize("fill_color")? {
            _ if !matches!(resize, Resize::Contain(_)) => [0; 3],
            Some(fill) => [fill.min(255) as u8; 3],
            None => mean.map(|m| (255.0 * m).round_ties_even() as u8),
        },
        crop_rounding: CropRounding::HalfEven,
        floats: false,
        rescale_factor: 1.0 / 255.0,
        mean,
        bgr: false,
        pad: None,
        std: triple("std", IMAGENET_STD)?,
    })
}

/// What would divide by zero, allocate without bound, or feed the model another size than it takes.
fn check(file: &'static str, steps: &Preprocess, model: [usize; 2]) -> Result<()> {
    const MAX_EDGE: usize = 1 << 14;
    let problem = |problem: String| Err(ErrorKind::InvalidPreprocessor { file, problem }.into());
    let edges = match steps.resize {
        Resize::None => [1, 1],
        Resize::Squash(size) | Resize::Cover(size) | Resize::Contain(size) | Resize::Least { size, .. } => size,
        Resize::ShortestEdge(edge) | Resize::LongestEdge(edge) => [edge, edge],
    };
    if edges.iter().any(|edge| *edge == 0 || *edge > MAX_EDGE) {
        return problem(format!("a resize to {edges:?} makes no sense; edges must lie in 1..={MAX_EDGE}."));
    }
    if !steps.std.iter().all(|std| std.is_normal()) {
        return problem("a standard deviation must be a number that can be divided by, and not 0.".into());
    }
    match steps.output_size() {
        Some(size) if size != model => problem(format!(
            "it prepares images of {} × {}, but the model takes {} × {}. Check that the files belong together.",
            size[0], size[1], model[0], model[1]
        )),
        _ => Ok(()),
    }
}
