//! What the file of a Hugging Face image processor says.

use super::json::{Json, as_pair, as_usize};
use super::processors::{Own, Processor};
use crate::error::{Error, Result};
use crate::preprocess::{CropRounding, Preprocess, Resize};
use crate::resample::Filter;
use serde_json::Value;

/// The steps of a file. An explicit null is none of the class's default: a switch is off, and any other value is missing.
pub(super) fn steps(json: &Json, processor: &Processor) -> Result<Preprocess> {
    let own = processor.own;
    refuse_unknown_switches(json, own)?;
    let on = |key: &str, usual: bool| match is_null(json, key) {
        true => Ok(false),
        false => json.optional_bool(key).map(|stated| stated.unwrap_or(usual)),
    };

    let mut resize = Resize::None;
    let mut filter = Filter::ALL[processor.resample];
    if on("do_resize", true)? || own == Own::Llava {
        resize = size(json, processor, &on)?;
        let numbered = |value: &Value| Filter::ALL.get(as_usize(value)?).copied();
        filter = value(json, "resample", "0 to 5, the number of one of Pillow's filters", numbered)?.unwrap_or(filter);
    }
    let mut crop = None;
    if on("do_center_crop", processor.crop)? && !matches!(own, Own::Segformer | Own::Dpt) {
        let usual = Some([processor.crop_size; 2]).filter(|size| *size != [0; 2]);
        crop = value(json, "crop_size", "a number or {height, width}", as_size)?.or(usual);
        crop.ok_or_else(|| json.missing("crop_size"))?;
    }
    match own {
        _ if resize == Resize::None => {}
        Own::ConvNext => (resize, crop) = convnext(json, resize, crop)?,
        Own::PoolFormer => resize = poolformer(json, resize)?,
        Own::Levit => resize = shortest(resize, |edge| 256.0 / 224.0 * edge),
        Own::Llava => resize = squashed(resize),
        Own::Siglip2 => {
            let number = |key: &str, usual| json.optional_usize(key).map(|stated| stated.unwrap_or(usual));
            resize =
                Resize::Squash([number("patch_size", 16)?.saturating_mul(number("max_num_patches", 256)?.isqrt()); 2]);
        }
        Own::Dpt => resize = dpt(json, resize, &on)?,
        _ => {}
    }

    let rescales = on("do_rescale", true)?;
    let mut rescale_factor = 1.0;
    if rescales {
        rescale_factor = value(json, "rescale_factor", "a number", as_finite)?.unwrap_or(1.0 / 255.0);
    }
    let normalises = on("do_normalize", own != Own::MobileVit)? && own != Own::MobileVit;
    let triple = |key: &str, usual| Ok::<_, Error>(value(json, key, "a number or three", as_triple)?.unwrap_or(usual));
    let (mut mean, mut std) = match normalises {
        true => (triple("image_mean", processor.mean)?, triple("image_std", processor.std)?),
        false => ([0.0; 3], [1.0; 3]),
    };
    if own == Own::EfficientNet {
        if rescales && on("rescale_offset", false)? {
            mean = mean.map(|mean| mean + 1.0);
        }
        if on("include_top", true)? {
            let again = triple("image_std", processor.std)?;
            std = [0, 1, 2].map(|i| std[i] * again[i]);
        }
    }
    let floats = own == Own::DinoV3 && rescales;
    if floats && resize != Resize::None && !matches!(filter, Filter::Bilinear | Filter::Bicubic) {
        return Err(json.problem("`resample` of a DINOv3 processor should be 2 (bilinear) or 3 (bicubic).".into()));
    }
    let pads = on("do_pad", own == Own::Sam)?;
    let steps = Preprocess {
        resize,
        filter,
        crop,
        fill: [0; 3],
        crop_rounding: if own == Own::DinoV3 { CropRounding::TowardsZero } else { CropRounding::Down },
        floats,
        rescale_factor,
        mean,
        std,
        bgr: own == Own::MobileVit && on("do_flip_channel_order", true)?,
        pad: None,
    };
    // (Without a size it pads to the largest image of a batch.)
    let padded = json.typed("pad_size", "a number or {height, width}", as_size)?;
    if own == Own::Sam {
        let usual = (!is_null(json, "pad_size")).then_some([1024; 2]);
        return Ok(Preprocess { pad: padded.or(usual).filter(|_| pads), ..steps });
    }
    if pads && padded.is_some() && padded != steps.output_size() {
        return Err(json.problem(
            "`pad_size` pads behind the other steps, which is not followed here; resize or crop to the size instead."
                .into(),
        ));
    }
    Ok(steps)
}

/// Who follows a key.
enum Reads {
    All,
    Only(Own),
    /// It changes no pixel of a picture: transparent ones are laid over white in any case, and there are no maps of labels.
    Nobody,
}

/// The keys that are followed, and the switches that are harmless. A switch (`do_…`) that is on and not here, or another class's, is refused;
/// any other key is passed over, as a class of transformers passes over what it doesn't name.
const KEYS: &[(&str, Reads)] = &[
    ("do_resize", Reads::All),
    ("size", Reads::All),
    ("default_to_square", Reads::All),
    ("resample", Reads::All),
    ("do_center_crop", Reads::All),
    ("crop_size", Reads::All),
    ("do_rescale", Reads::All),
    ("rescale_factor", Reads::All),
    ("do_normalize", Reads::All),
    ("image_mean", Reads::All),
    ("image_std", Reads::All),
    ("do_pad", Reads::All),
    ("pad_size", Reads::All),
    ("crop_pct", Reads::Only(Own::ConvNext)),
    ("crop_pct", Reads::Only(Own::PoolFormer)),
    ("do_flip_channel_order", Reads::Only(Own::MobileVit)),
    ("rescale_offset", Reads::Only(Own::EfficientNet)),
    ("include_top", Reads::Only(Own::EfficientNet)),
    ("keep_aspect_ratio", Reads::Only(Own::Dpt)),
    ("ensure_multiple_of", Reads::Only(Own::Dpt)),
    ("size_divisor", Reads::Only(Own::Dpt)),
    ("do_convert_rgb", Reads::Nobody),
    ("do_reduce_labels", Reads::Nobody),
];

fn refuse_unknown_switches(json: &Json, own: Own) -> Result<()> {
    let known = |key: &str| {
        KEYS.iter().any(|(known, reads)| {
            *known == key
                && match reads {
                    Reads::Only(reader) => *reader == own,
                    Reads::All | Reads::Nobody => true,
                }
        })
    };
    let on = |key: &str| json.get(key).is_some_and(|value| *value != Value::Bool(false));
    match json.keys().find(|key| key.starts_with("do_") && on(key) && !known(key)) {
        None => Ok(()),
        Some(key) => Err(json.problem(format!(
            "`{key}` is on, and this version doesn't know what it does to pixels. If it does nothing to them, take it out."
        ))),
    }
}

fn is_null(json: &Json, key: &str) -> bool {
    json.get(key).is_none() && json.keys().any(|stated| stated == key)
}

/// The value under `key`, which may be absent but not null.
fn value<T>(json: &Json, key: &str, expected: &str, read: impl FnOnce(&Value) -> Option<T>) -> Result<Option<T>> {
    if is_null(json, key) {
        return Err(json.problem(format!(
            "`{key}` is null, and a step that is on needs it. State it, or take it out for its default."
        )));
    }
    json.typed(key, expected, read)
}

/// `size` is a number (legacy), two, `{height, width}` or `{shortest_edge}`; SAM's is `{longest_edge}`.
fn size(json: &Json, processor: &Processor, on: &impl Fn(&str, bool) -> Result<bool>) -> Result<Resize> {
    if processor.own == Own::Sam {
        let longest = |value: &Value| value.get("longest_edge").and_then(as_usize).map(Resize::LongestEdge);
        return Ok(value(json, "size", "{longest_edge}", longest)?.unwrap_or(processor.size));
    }
    let square = on("default_to_square", !processor.shortest)?;
    let read = |value: &Value| match value.as_object() {
        Some(edges) => {
            let stated = edges.values().filter(|edge| !edge.is_null()).count();
            match edges.get("shortest_edge").and_then(as_usize) {
                Some(edge) => (stated == 1).then_some(Resize::ShortestEdge(edge)),
                None => as_size(value).filter(|_| stated == 2).map(Resize::Squash),
            }
        }
        None if square || value.is_array() => as_pair(value).map(Resize::Squash),
        None => as_usize(value).map(Resize::ShortestEdge),
    };
    Ok(value(json, "size", "a number, {height, width} or {shortest_edge}", read)?.unwrap_or(processor.size))
}

/// A number, a pair, or `{height, width}`.
fn as_size(value: &Value) -> Option<[usize; 2]> {
    match value.as_object() {
        Some(size) => Some([as_usize(size.get("height")?)?, as_usize(size.get("width")?)?]),
        None => as_pair(value),
    }
}

fn as_finite(value: &Value) -> Option<f32> {
    value.as_f64().map(|x| x as f32).filter(|x| x.is_finite())
}

/// Three numbers, or one for all three.
pub(super) fn as_triple(value: &Value) -> Option<[f32; 3]> {
    match value.as_array() {
        Some(numbers) => numbers.iter().map(as_finite).collect::<Option<Vec<_>>>()?.try_into().ok(),
        None => as_finite(value).map(|x| [x; 3]),
    }
}

fn shortest(resize: Resize, scale: impl Fn(f64) -> f64) -> Resize {
    match resize {
        Resize::ShortestEdge(edge) => Resize::ShortestEdge(scale(edge as f64) as usize),
        other => other,
    }
}

pub(super) fn crop_pct(json: &Json, usual: f64) -> Result<f64> {
    let fraction = |value: &Value| value.as_f64().filter(|fraction| *fraction > 0.0 && fraction.is_finite());
    Ok(value(json, "crop_pct", "a number above 0", fraction)?.unwrap_or(usual))
}

fn convnext(json: &Json, resize: Resize, crop: Option<[usize; 2]>) -> Result<(Resize, Option<[usize; 2]>)> {
    match resize {
        Resize::ShortestEdge(edge) if edge >= 384 => Ok((Resize::Squash([edge; 2]), crop)),
        Resize::ShortestEdge(edge) if crop.is_none_or(|crop| crop == [edge; 2]) => {
            let fraction = crop_pct(json, 0.875)?;
            Ok((shortest(resize, |edge| edge / fraction), Some([edge; 2])))
        }
        Resize::ShortestEdge(_) => Err(json.problem(
            "`do_center_crop` crops what `crop_pct` has cropped already, which is not followed here; turn it off."
                .into(),
        )),
        _ => Err(json.problem("`size` should be {shortest_edge} for a ConvNext processor.".into())),
    }
}

fn poolformer(json: &Json, resize: Resize) -> Result<Resize> {
    if is_null(json, "crop_pct") {
        return Ok(resize);
    }
    let fraction = crop_pct(json, 0.9)?;
    let scaled = |edge: usize| (edge as f64 / fraction) as usize;
    Ok(match resize {
        Resize::Squash([height, width]) if height == width => Resize::ShortestEdge(scaled(height)),
        Resize::Squash(edges) => Resize::Squash(edges.map(scaled)),
        other => shortest(other, |edge| edge / fraction),
    })
}

/// One number is both edges.
fn squashed(resize: Resize) -> Resize {
    match resize {
        Resize::ShortestEdge(edge) => Resize::Squash([edge; 2]),
        other => other,
    }
}

/// What keeps an image's shape can make of it another size than a ViT takes, which is found out when there is an image. Of what squashes, only what ends at
/// one size is followed.
fn dpt(json: &Json, resize: Resize, on: &impl Fn(&str, bool) -> Result<bool>) -> Result<Resize> {
    let Resize::Squash(edges) = resize else {
        return Err(json.problem("`size` should be {height, width} for a DPT processor.".into()));
    };
    let multiple = |key: &str| json.optional_usize(key).map(|stated| stated.unwrap_or(1));
    let (keeps, divisor) = (on("keep_aspect_ratio", false)?, multiple("ensure_multiple_of")?);
    let padded = if on("do_pad", false)? { multiple("size_divisor")? } else { 1 };
    // (What is kept in shape ends at multiples of the divisor.)
    let divides = |by: usize| match keeps {
        true => divisor.checked_rem(by) == Some(0),
        false => edges.iter().all(|edge| edge.checked_rem(by) == Some(0)),
    };
    match [("ensure_multiple_of", divisor), ("size_divisor", padded)].into_iter().find(|(_, by)| !divides(*by)) {
        Some((key, by)) => Err(json.problem(format!(
            "`{key}` {by} does not divide `size`, and getting to a multiple of it is not followed here; state a `size` that it divides."
        ))),
        None if keeps => Ok(Resize::Least { size: edges, multiple: divisor }),
        None => Ok(resize),
    }
}
