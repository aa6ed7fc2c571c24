//! Classes given as text features: what a model that compares images with texts (CLIP, SigLIP) answers with.

use super::TEXT_FILE;
use super::reader::Reader;
use super::tensors::{Source, Tensors};
use crate::error::{Error, Result};
use crate::model::{Config, Linear};
use ndarray::{Array2, Axis};

/// The tensor of features in the file.
const FEATURES: &str = "text_embeddings";

/// Learned temperature, as its logarithm, and SigLIP's bias: in the model, or beside the features.
const LOGIT_SCALE: &str = "logit_scale";
const LOGIT_BIAS: &str = "logit_bias";

/// A class a row.
pub(super) struct TextEmbeddings {
    /// `[C, features]`, each of length e^logit_scale.
    weights: Array2<f32>,
    bias: f32,
    labels: Vec<String>,
}

impl TextEmbeddings {
    pub fn read(source: &dyn Source, model: &Tensors) -> Result<Self> {
        let file = Tensors::open(TEXT_FILE, source)?;
        let &[classes, width] = file.shape(FEATURES)? else {
            return Err(file.invalid(format!("tensor `{FEATURES}` must have two dimensions, [classes, features].")));
        };
        let mut weights = Array2::from_shape_vec((classes, width), file.floats(FEATURES, &[classes, width])?)
            .expect("shape was checked");

        let scalar = |name: &str| {
            [model, &file].into_iter().find(|tensors| tensors.has(name)).map(|tensors| tensors.scalar(name))
        };
        let scale = scalar(LOGIT_SCALE).transpose()?.ok_or_else(|| {
            file.invalid(format!(
                "tensor `{LOGIT_SCALE}` is neither here nor in the model. Add it: e to its power scales similarities."
            ))
        })?;
        let bias = scalar(LOGIT_BIAS).transpose()?.unwrap_or(0.0);
        for mut row in weights.axis_iter_mut(Axis(0)) {
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            row *= scale.exp() / length.max(f32::MIN_POSITIVE);
        }

        let labels: Option<Vec<String>> = file.note("labels").and_then(|text| serde_json::from_str(text).ok());
        let labels = labels.filter(|labels| labels.len() == classes).ok_or_else(|| {
            file.invalid(format!("its metadata should hold `labels`, a JSON array of {classes} names."))
        })?;
        Ok(Self { weights, bias, labels })
    }

    /// Makes these the classes of a model without a head.
    pub fn become_classes_of(&self, config: &mut Config) -> Result<()> {
        if config.classes() > 0 {
            return Err(Error::InvalidArgument(format!(
                "{TEXT_FILE} is for models without a head, but this one has {} classes of its own. Take the file away.",
                config.classes()
            )));
        }
        if self.weights.ncols() != config.feature_size() {
            return Err(Error::TensorShape {
                file: TEXT_FILE.into(),
                name: FEATURES.into(),
                found: self.weights.shape().into(),
                expected: vec![self.weights.nrows(), config.feature_size()],
            });
        }
        config.zero_shot = true;
        config.named = true;
        config.labels.clone_from(&self.labels);
        Ok(())
    }

    /// logits = e^logit_scale · features · textᵀ + logit_bias, both features being of length 1.
    pub fn head(&self, reader: &Reader) -> Result<Linear> {
        reader.head_of(self.weights.view(), &vec![self.bias; self.labels.len()])
    }
}
