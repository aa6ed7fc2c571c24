//! What logits become for whoever reads the answer.

use crate::kernels::softmax::softmax_in_place;
use crate::kernels::swish::sigmoid_in_place;

/// What logits become for whoever reads the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scores {
    /// Probabilities of classes that exclude each other, which sum to 1.
    Softmax,
    /// A probability for each class by itself: several may hold together, or there is one only.
    Sigmoid,
    /// The logits as they are: numbers that the model was taught as such (regression).
    #[serde(rename = "none")]
    Raw,
}

impl Scores {
    /// `logits ← scores`.
    pub fn apply(self, logits: &mut [f32]) {
        match self {
            Self::Softmax => softmax_in_place(logits),
            Self::Sigmoid => sigmoid_in_place(logits),
            Self::Raw => {}
        }
    }
}

/// The class of the largest logit, the first of equal ones; 0 where there is none.
pub fn likeliest(logits: &[f32]) -> usize {
    (0..logits.len()).rev().max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap_or(0)
}
