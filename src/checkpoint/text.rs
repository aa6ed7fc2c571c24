//! Classes in a file: as the features of texts, for a model that compares images with texts (CLIP, SigLIP), or as whatever else its
//! features are to be compared with.

use super::TEXT_FILE;
use super::json::read as parse;
use super::reader::Reader;
use super::tensors::{Source, Tensors};
use crate::error::{Result, shown};
use crate::model::{Classes, Precision, Similarity};
use serde_json::Value;

/// The tensor of features in the file.
const FEATURES: &str = "text_embeddings";

/// Learned temperature, as its logarithm, and SigLIP's bias: in the model, or beside the features.
pub(super) const LOGIT_SCALE: &str = "logit_scale";
pub(super) const LOGIT_BIAS: &str = "logit_bias";

/// What a model learned to make of cosines, scaled by no more than `most`. (What isn't one number is something else by that name.)
pub(super) fn learned(model: &mut Reader, most: Option<f32>) -> Result<Option<Similarity>> {
    if !model.tensors.shape(LOGIT_SCALE).is_ok_and(|shape| matches!(shape, [] | [1])) {
        return Ok(None);
    }
    let scale = model.scalar(LOGIT_SCALE)?;
    let power = most.map_or(scale, |most| scale.max(0.0).min(most.ln())).exp();
    if !power.is_normal() {
        let problem = format!("tensor `{LOGIT_SCALE}` contains {}. The checkpoint is damaged.", shown(scale));
        return Err(model.tensors.invalid(problem));
    }
    Ok(Some(Similarity { scale: power, bias: optional(model, LOGIT_BIAS)?.unwrap_or(0.0) }))
}

/// The classes of a file, for a model of so many features. What the file says of scale and bias goes before what the model learned.
pub fn read(source: &dyn Source, features: usize, learned: Option<Similarity>) -> Result<Classes> {
    let file = Tensors::open(TEXT_FILE, source)?;
    let count = file.shape(FEATURES)?.first().copied().unwrap_or(0);
    let mut reader = Reader::new(&file, Some(source), Precision::F32, [0; 2], false);
    let embeddings = reader.floats(FEATURES, &[count, features])?;
    let scale = optional(&mut reader, LOGIT_SCALE)?.map(f32::exp);
    if scale.is_none() && learned.is_none() {
        return Err(file.invalid(format!(
            "tensor `{LOGIT_SCALE}` is neither here nor in the model. Add it: e to its power scales similarities."
        )));
    }
    let bias = optional(&mut reader, LOGIT_BIAS)?;
    let labels: Option<Value> = file.note("labels").and_then(|text| parse(text).ok());
    let names = labels.as_ref().and_then(Value::as_array).filter(|names| names.len() == count);
    let labels: Option<Vec<_>> =
        names.and_then(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect());
    let labels = labels
        .ok_or_else(|| file.invalid(format!("its metadata should hold `labels`, a JSON array of {count} names.")))?;
    let classes = Classes { labels, embeddings, scale, bias };
    classes.check(features).map_err(|error| file.invalid(error.to_string()))?;
    Ok(classes)
}

fn optional(reader: &mut Reader, name: &str) -> Result<Option<f32>> {
    if reader.has(name) { reader.scalar(name).map(Some) } else { Ok(None) }
}
