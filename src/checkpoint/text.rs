//! Classes given as text features: what a model that compares images with texts (CLIP, SigLIP) answers with.

use super::TEXT_FILE;
use super::json::read;
use super::reader::Reader;
use super::tensors::{Source, Tensors};
use crate::error::{ErrorKind, Result};
use crate::model::{Config, Linear};
use serde_json::Value;

/// The tensor of features in the file.
const FEATURES: &str = "text_embeddings";

/// Learned temperature, as its logarithm, and SigLIP's bias: in the model, or beside the features.
pub(super) const LOGIT_SCALE: &str = "logit_scale";
pub(super) const LOGIT_BIAS: &str = "logit_bias";

/// A class a row.
pub(super) struct TextEmbeddings {
    /// `[C, features]`, each of length e^logit_scale.
    weights: Vec<f32>,
    features: usize,
    /// `[C]`.
    bias: Vec<f32>,
}

impl TextEmbeddings {
    /// Reads the file, and makes its classes those of a model without a head.
    pub fn read(source: &dyn Source, model: &Tensors, config: &mut Config) -> Result<Self> {
        if config.classes() > 0 {
            return Err(ErrorKind::InvalidArgument(format!(
                "{TEXT_FILE} is for models without a head, but this one has {} classes of its own. Take the file away.",
                config.classes()
            ))
            .into());
        }
        let file = Tensors::open(TEXT_FILE, source)?;
        let classes = file.shape(FEATURES)?.first().copied().unwrap_or(0);
        let shape = [classes, config.feature_size()];
        let mut weights = file.floats(FEATURES, &shape)?;

        let scalar = |name: &str| {
            [model, &file].into_iter().find(|tensors| tensors.has(name)).map(|tensors| tensors.scalar(name))
        };
        let mut scale = scalar(LOGIT_SCALE).transpose()?.ok_or_else(|| {
            file.invalid(format!(
                "tensor `{LOGIT_SCALE}` is neither here nor in the model. Add it: e to its power scales similarities."
            ))
        })?;
        if let Some(most) = config.max_logit_scale {
            scale = scale.max(0.0).min(most.ln());
        }
        let bias = scalar(LOGIT_BIAS).transpose()?.unwrap_or(0.0);
        for row in weights.chunks_exact_mut(shape[1].max(1)) {
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            let factor = scale.exp() / length.max(f32::MIN_POSITIVE);
            row.iter_mut().for_each(|x| *x *= factor);
        }

        let labels: Option<Value> = file.note("labels").and_then(|text| read(text).ok());
        let names = labels.as_ref().and_then(Value::as_array).filter(|names| names.len() == classes);
        let labels: Option<Vec<_>> =
            names.and_then(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect());
        let labels = labels.ok_or_else(|| {
            file.invalid(format!("its metadata should hold `labels`, a JSON array of {classes} names."))
        })?;
        config.zero_shot = true;
        config.named = true;
        config.labels = labels;
        Ok(Self { weights, features: shape[1], bias: vec![bias; classes] })
    }

    /// logits = e^logit_scale · features · textᵀ + logit_bias, both features being of length 1.
    pub fn head(&self, reader: &Reader) -> Result<Linear> {
        reader.head_of(&self.weights, self.features, &self.bias)
    }
}
