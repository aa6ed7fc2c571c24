//! Classes given as directions in the space of features, at any time: what a model without a head answers with, or one in place of its own.

use super::config::{Config, Pooling, Precision};
use super::linear::{Linear, Matrix};
use super::scores::Scores;
use super::vit::Vit;
use crate::alloc::reserve;
use crate::error::{ErrorKind, Result, shown};
use crate::kernels::gemm_i8::MAX_K;
use ndarray::ArrayView2;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Classes, each by what an image's features are compared with: the features of a text, or the mean of those of some pictures.
#[derive(Clone, Debug)]
pub struct Classes {
    /// A name for each.
    pub labels: Vec<String>,
    /// `[C, features]`; only their directions count.
    pub embeddings: Vec<f32>,
    /// What cosines are multiplied by; none for the model's own, and 1 where it has none.
    pub scale: Option<f32>,
    /// What is added then; none for the model's own, and 0 where it has none.
    pub bias: Option<f32>,
}

/// What becomes of a cosine: logit = scale · cosine + bias.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Similarity {
    /// e^logit_scale.
    pub scale: f32,
    /// logit_bias.
    pub bias: f32,
}

/// What becomes of them: the head that reads features.
pub(super) struct ClassHead {
    /// Features of length 1 → logits.
    pub linear: Linear,
    /// What is in its weights.
    pub similarity: Similarity,
}

impl Classes {
    /// Whether these are directions in a space of `features` dimensions, and numbers.
    pub fn check(&self, features: usize) -> Result<()> {
        let (classes, values) = (self.labels.len(), self.embeddings.len());
        if !(1..=MAX_K).contains(&classes) {
            return invalid(format!("there are {classes} classes; there must be 1 to {MAX_K}."));
        }
        if values != classes * features {
            return invalid(format!(
                "embeddings have {values} values, where {classes} classes of {features} features take {}.",
                classes * features
            ));
        }
        for (label, row) in self.labels.iter().zip(self.embeddings.chunks_exact(features)) {
            if let Some(value) = row.iter().find(|value| !value.is_finite()) {
                return invalid(format!("the embedding of `{label}` contains {}. Give numbers.", shown(*value)));
            }
            if row.iter().all(|value| *value == 0.0) {
                return invalid(format!("the embedding of `{label}` is all zeros, which has no direction."));
            }
        }
        let [scale, bias] = [self.scale.unwrap_or(1.0), self.bias.unwrap_or(0.0)];
        if !(scale.is_finite() && scale > 0.0) {
            return invalid(format!(
                "scale is {}; it must be a number above 0, which cosines are multiplied by.",
                shown(scale)
            ));
        }
        if !bias.is_finite() {
            return invalid(format!("bias is {}; it must be a number, which is added to every logit.", shown(bias)));
        }
        Ok(())
    }

    /// Whether every class has a name of its own. (Files of texts are known to repeat some.)
    pub fn check_names(&self) -> Result<()> {
        let mut seen = BTreeSet::<String>::new(); // (as there are others)
        for (index, label) in self.labels.iter().enumerate() {
            if label.trim().is_empty() {
                return invalid(format!("class {index} has no name. Give each one."));
            }
            if !seen.insert(label.clone()) {
                return invalid(format!("two classes are called `{label}`. Give each a name of its own."));
            }
        }
        Ok(())
    }
}

impl Vit {
    /// The same model with these classes in place of its own, or of none: it has the same weights, not a copy.
    pub fn with_classes(&self, classes: &Classes, precision: Precision) -> Result<Self> {
        let features = self.config.feature_size();
        if self.config.pooling == Pooling::Map {
            return Err(ErrorKind::InvalidArgument(
                "this model's features are a map, which is no direction to compare with classes.".into(),
            )
            .into());
        }
        classes.check(features)?;
        let usual = self.similarity.unwrap_or(Similarity { scale: 1.0, bias: 0.0 });
        let similarity =
            Similarity { scale: classes.scale.unwrap_or(usual.scale), bias: classes.bias.unwrap_or(usual.bias) };

        let mut rows = reserve("classes", &[classes.embeddings.len()])?;
        for row in classes.embeddings.chunks_exact(features) {
            let length = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            rows.extend(row.iter().map(|x| (f64::from(*x) / length * f64::from(similarity.scale)) as f32));
        }
        let rows = ArrayView2::from_shape((classes.labels.len(), features), &rows).expect("checked");
        let linear = Linear::new(Matrix::floats(rows, precision)?, &vec![similarity.bias; classes.labels.len()]);
        let config = Config {
            labels: classes.labels.as_slice().into(),
            named: true,
            zero_shot: true,
            scores: Scores::Softmax, // they compete
            ..self.config.clone()
        };
        Ok(Self {
            config,
            weights: Arc::clone(&self.weights),
            places: Arc::clone(&self.places),
            similarity: self.similarity,
            classes: Some(Arc::new(ClassHead { linear, similarity })),
        })
    }
}

fn invalid(problem: String) -> Result<()> {
    Err(ErrorKind::InvalidArgument(problem).into())
}
