//! How pixels are prepared: Hugging Face's `preprocessor_config.json`, or timm's `pretrained_cfg` inside `config.json`.

use super::json::{Json, as_pair, as_usize};
use super::{CONFIG_FILE, PREPROCESSOR_FILE};
use crate::error::{Error, Result};
use crate::model::Config;
use crate::preprocess::{CropRounding, Preprocess, Resize};
use crate::resample::Filter;
use serde_json::Value;

/// Of images whose statistics nobody recorded; also the defaults of HF's `ViTImageProcessor` and of timm's augreg models.
const HALF: [f32; 3] = [0.5; 3];

/// timm's defaults.
const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// A preprocessor file wins over timm's config; without either, HF's defaults at the model's own size.
pub(super) fn preprocess(preprocessor: Option<&str>, config_json: &Json, config: &Config) -> Result<Preprocess> {
    let (file, steps) = match (preprocessor, config_json.object("pretrained_cfg")) {
        (Some(text), _) => (PREPROCESSOR_FILE, from_hf(&Json::parse(PREPROCESSOR_FILE, text)?, config)?),
        (None, Some(cfg)) => (CONFIG_FILE, from_timm(&cfg, config)?),
        (None, None) => (PREPROCESSOR_FILE, from_hf(&Json::parse(PREPROCESSOR_FILE, "{}")?, config)?),
    };
    check(file, &steps, config)?;
    Ok(steps)
}

fn from_hf(json: &Json, config: &Config) -> Result<Preprocess> {
    let enabled = |key: &str, default: bool| Ok::<_, Error>(json.optional_bool(key)?.unwrap_or(default));
    let resize = if enabled("do_resize", true)? { hf_resize(json, config)? } else { Resize::None };
    let crop = if enabled("do_center_crop", false)? {
        Some(json.typed("crop_size", "a size", as_size)?.unwrap_or(config.image_size))
    } else {
        None
    };
    let rescale_factor =
        if enabled("do_rescale", true)? { json.optional_f32("rescale_factor")?.unwrap_or(1.0 / 255.0) } else { 1.0 };
    let (mean, std) = if enabled("do_normalize", true)? {
        (json.optional_triple("image_mean")?.unwrap_or(HALF), json.optional_triple("image_std")?.unwrap_or(HALF))
    } else {
        ([0.0; 3], [1.0; 3])
    };
    let filter = match json.optional_usize("resample")?.unwrap_or(2) {
        2 => Filter::Bilinear,
        3 => Filter::Bicubic,
        other => return Err(json.problem(format!("`resample` {other} is not read; use 2 (bilinear) or 3 (bicubic)."))),
    };
    Ok(Preprocess { resize, filter, crop, fill: [0; 3], crop_rounding: CropRounding::Down, rescale_factor, mean, std })
}

/// `size` is a number (legacy), `{height, width}` or `{shortest_edge}`.
fn hf_resize(json: &Json, config: &Config) -> Result<Resize> {
    if let Some(edge) = json.object("size").and_then(|size| size.get("shortest_edge").and_then(as_usize)) {
        return Ok(Resize::ShortestEdge(edge));
    }
    let size = json.typed("size", "a number, {height, width} or {shortest_edge}", as_size)?;
    Ok(Resize::Squash(size.unwrap_or(config.image_size)))
}

/// A number, a pair, or `{height, width}`.
fn as_size(value: &Value) -> Option<[usize; 2]> {
    match value.as_object() {
        Some(size) => Some([as_usize(size.get("height")?)?, as_usize(size.get("width")?)?]),
        None => as_pair(value),
    }
}

fn from_timm(json: &Json, config: &Config) -> Result<Preprocess> {
    let crop_pct = json.typed("crop_pct", "a number", Value::as_f64)?.unwrap_or(0.875);
    if !(crop_pct > 0.0 && crop_pct.is_finite()) {
        return Err(json.problem(format!("`pretrained_cfg.crop_pct` is {crop_pct}; it must be positive.")));
    }
    let scaled = config.image_size.map(|edge| (edge as f64 / crop_pct).floor() as usize);
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
        crop: Some(config.image_size),
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
fn check(file: &'static str, steps: &Preprocess, config: &Config) -> Result<()> {
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
        Some(size) if size != config.image_size => problem(format!(
            "it prepares images of {} × {}, but the model takes {} × {}. Check that the files belong together.",
            size[0], size[1], config.image_size[0], config.image_size[1]
        )),
        _ => Ok(()),
    }
}
