//! How pixels are prepared: Hugging Face's `preprocessor_config.json`, or timm's `pretrained_cfg` inside `config.json`.

use super::json::{Json, as_pair, as_usize};
use super::{CONFIG_FILE, PREPROCESSOR_FILE};
use crate::error::{Error, Result};
use crate::preprocess::{CropRounding, Preprocess, Resize};
use crate::resample::Filter;
use serde_json::Value;

const HALF: [f32; 3] = [0.5; 3];
const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];
const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// What a Hugging Face image processor does where its file is silent (transformers 5.23).
pub(super) struct Processor {
    /// What its type starts with: `CLIPImageProcessor`, and `CLIPFeatureExtractor` of older files.
    name: &'static str,
    /// Whether a plain number as `size` is the shorter edge, and not both.
    shortest: bool,
    resample: usize,
    crop: bool,
    mean: [f32; 3],
    std: [f32; 3],
}

pub(super) const VIT: Processor =
    Processor { name: "ViT", shortest: false, resample: 2, crop: false, mean: HALF, std: HALF };
pub(super) const DEIT: Processor = Processor { name: "DeiT", resample: 3, crop: true, ..VIT };
pub(super) const BEIT: Processor = Processor { name: "Beit", resample: 3, ..VIT };
pub(super) const BIT: Processor = Processor { name: "Bit", ..CLIP };
pub(super) const CLIP: Processor =
    Processor { name: "CLIP", shortest: true, resample: 3, crop: true, mean: CLIP_MEAN, std: CLIP_STD };
pub(super) const SIGLIP: Processor = Processor { name: "Siglip", shortest: true, resample: 3, ..VIT };

/// What is asked of the pixels: by a preprocessor file, which wins, by timm's config, or without either by the family's usual
/// processor at the model's own size.
pub(super) enum Pixels<'a> {
    Hf(Json, &'a Processor),
    Timm(Json),
}

impl<'a> Pixels<'a> {
    pub fn new(preprocessor: Option<&str>, config_json: &Json, usual: &'a Processor) -> Result<Self> {
        let json = Json::parse(PREPROCESSOR_FILE, preprocessor.unwrap_or("{}"))?;
        if preprocessor.is_none() {
            if let Some(cfg) = config_json.object("pretrained_cfg") {
                return Ok(Self::Timm(cfg));
            }
            // Old files have its entries at their top.
            if config_json.get("architecture").is_some() {
                return Ok(Self::Timm(config_json.clone()));
            }
        }
        let kind = json.optional_str("image_processor_type").or(json.optional_str("feature_extractor_type"));
        let stated = [&VIT, &DEIT, &BEIT, &BIT, &CLIP, &SIGLIP]
            .into_iter()
            .find(|processor| kind.is_some_and(|kind| kind.starts_with(processor.name)));
        Ok(Self::Hf(json, stated.unwrap_or(usual)))
    }

    /// Height and width that a preprocessor file leaves any image with, if it says so.
    pub fn stated_size(&self, native: [usize; 2]) -> Result<Option<[usize; 2]>> {
        match self {
            Self::Hf(json, processor) => Ok(from_hf(json, processor, native)?.output_size()),
            Self::Timm(_) => Ok(None),
        }
    }

    /// The steps for a model that takes `size`, where the files were made for `native`. `resized`: whether somebody asked for that size.
    pub fn steps(&self, size: [usize; 2], native: [usize; 2], resized: bool) -> Result<Preprocess> {
        let (file, steps) = match self {
            Self::Hf(json, processor) if resized => {
                (PREPROCESSOR_FILE, for_size(from_hf(json, processor, native)?, size))
            }
            Self::Hf(json, processor) => (PREPROCESSOR_FILE, from_hf(json, processor, native)?),
            Self::Timm(json) => (CONFIG_FILE, from_timm(json, size)?),
        };
        check(file, &steps, size)?;
        Ok(steps)
    }
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
        Resize::Cover(edges) => Resize::Cover(scaled(edges)),
        Resize::Contain(edges) => Resize::Contain(scaled(edges)),
    };
    Preprocess { resize, crop: steps.crop.map(|_| size), ..steps }
}

fn from_hf(json: &Json, usual: &Processor, native: [usize; 2]) -> Result<Preprocess> {
    let enabled = |key: &str, default: bool| Ok::<_, Error>(json.optional_bool(key)?.unwrap_or(default));
    let resize = if enabled("do_resize", true)? { hf_resize(json, usual, native)? } else { Resize::None };
    let crop = if enabled("do_center_crop", usual.crop)? {
        Some(json.typed("crop_size", "a size", as_size)?.unwrap_or(native))
    } else {
        None
    };
    let rescale_factor =
        if enabled("do_rescale", true)? { json.optional_f32("rescale_factor")?.unwrap_or(1.0 / 255.0) } else { 1.0 };
    let (mean, std) = if enabled("do_normalize", true)? {
        let triple = |key: &str, default| Ok::<_, Error>(json.optional_triple(key)?.unwrap_or(default));
        (triple("image_mean", usual.mean)?, triple("image_std", usual.std)?)
    } else {
        ([0.0; 3], [1.0; 3])
    };
    let filter = match json.optional_usize("resample")?.unwrap_or(usual.resample) {
        2 => Filter::Bilinear,
        3 => Filter::Bicubic,
        other => return Err(json.problem(format!("`resample` {other} is not read; use 2 (bilinear) or 3 (bicubic)."))),
    };
    Ok(Preprocess { resize, filter, crop, fill: [0; 3], crop_rounding: CropRounding::Down, rescale_factor, mean, std })
}

/// `size` is a number (legacy), `{height, width}` or `{shortest_edge}`.
fn hf_resize(json: &Json, usual: &Processor, native: [usize; 2]) -> Result<Resize> {
    let shortest = json.object("size").and_then(|size| size.get("shortest_edge").and_then(as_usize));
    let number = json.get("size").filter(|_| usual.shortest).and_then(as_usize);
    if let Some(edge) = shortest.or(number) {
        return Ok(Resize::ShortestEdge(edge));
    }
    match json.typed("size", "a number, {height, width} or {shortest_edge}", as_size)? {
        Some(size) => Ok(Resize::Squash(size)),
        // Where nothing is said a model gets all of an image that it can.
        None if usual.shortest && usual.crop && native[0] == native[1] => Ok(Resize::ShortestEdge(native[0])),
        None => Ok(Resize::Squash(native)),
    }
}

/// A number, a pair, or `{height, width}`.
fn as_size(value: &Value) -> Option<[usize; 2]> {
    match value.as_object() {
        Some(size) => Some([as_usize(size.get("height")?)?, as_usize(size.get("width")?)?]),
        None => as_pair(value),
    }
}

fn from_timm(json: &Json, size: [usize; 2]) -> Result<Preprocess> {
    let crop_pct = json.typed("crop_pct", "a number", Value::as_f64)?.unwrap_or(0.875);
    if !(crop_pct > 0.0 && crop_pct.is_finite()) {
        return Err(json.problem(format!("`pretrained_cfg.crop_pct` is {crop_pct}; it must be positive.")));
    }
    let scaled = size.map(|edge| (edge as f64 / crop_pct).floor() as usize);
    let resize = match json.optional_str("crop_mode").unwrap_or("center") {
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
    let filter = match json.optional_str("interpolation").unwrap_or("bicubic") {
        "bilinear" => Filter::Bilinear,
        "bicubic" => Filter::Bicubic,
        other => {
            return Err(json.problem(format!(
                "`pretrained_cfg.interpolation` `{other}` is not read; use `bilinear` or `bicubic`."
            )));
        }
    };
    let mean = json.optional_triple("mean")?.unwrap_or(IMAGENET_MEAN);
    Ok(Preprocess {
        resize,
        filter,
        crop: Some(size),
        // Only `border` pads by design, with the mean; a crop larger than the image pads with black.
        fill: if matches!(resize, Resize::Contain(_)) {
            mean.map(|m| (255.0 * m).round_ties_even() as u8)
        } else {
            [0; 3]
        },
        crop_rounding: CropRounding::HalfEven,
        rescale_factor: 1.0 / 255.0,
        mean,
        std: json.optional_triple("std")?.unwrap_or(IMAGENET_STD),
    })
}

/// What would divide by zero, allocate without bound, or feed the model another size than it takes.
fn check(file: &'static str, steps: &Preprocess, model: [usize; 2]) -> Result<()> {
    const MAX_EDGE: usize = 1 << 14;
    let problem = |problem: String| Err(Error::InvalidPreprocessor { file, problem });
    let edges = match steps.resize {
        Resize::None => [1, 1],
        Resize::Squash(size) | Resize::Cover(size) | Resize::Contain(size) => size,
        Resize::ShortestEdge(edge) => [edge, edge],
    };
    if edges.iter().any(|edge| *edge == 0 || *edge > MAX_EDGE) {
        return problem(format!("a resize to {edges:?} makes no sense; edges must lie in 1..={MAX_EDGE}."));
    }
    if steps.std.contains(&0.0) {
        return problem("a standard deviation of 0 can't be divided by.".into());
    }
    match steps.output_size() {
        Some(size) if size != model => problem(format!(
            "it prepares images of {} × {}, but the model takes {} × {}. Check that the files belong together.",
            size[0], size[1], model[0], model[1]
        )),
        _ => Ok(()),
    }
}
