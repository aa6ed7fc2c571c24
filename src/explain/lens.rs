//! The logit lens: what the model would answer if it stopped after a layer (nostalgebraist, 2020). In a model of stages the head can read what layers of the last
//! one leave ([`Config::layers_read`](crate::model::Config::layers_read)); others have another width.

use super::shape::invalid;
use crate::alloc::matrix;
use crate::error::{ErrorKind, Result};
use crate::model::{Scratch, Vit};
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayView3, s};

/// Logits `[n, C]` of each of `hidden_states` `[n, T, D]`, read as the last layer's are: by the final norm, pooling and head.
pub fn logit_lens(vit: &Vit, scratch: &mut Scratch, hidden_states: ArrayView3<f32>) -> Result<Array2<f32>> {
    let classes = check(vit, hidden_states.dim().2)?;
    let mut logits = matrix("logits", hidden_states.dim().0, classes)?;
    for (stream, mut logits) in hidden_states.outer_iter().zip(logits.rows_mut()) {
        logits.assign(&ArrayView1::from(vit.read(stream, scratch)));
    }
    Ok(logits)
}

/// Logits `[N, C]` of each patch token of a layer's `tokens` `[T, D]`, in the place of everything that is pooled.
pub fn patch_lens(vit: &Vit, scratch: &Scratch, tokens: ArrayView2<f32>) -> Result<Array2<f32>> {
    check(vit, tokens.ncols())?;
    vit.read_each(tokens.slice(s![vit.config.prefix_tokens().., ..]), scratch)
}

/// The model's number of classes, if it has any, and its head can read streams of this width.
fn check(vit: &Vit, width: usize) -> Result<usize> {
    const VIEW: &str = "a lens on that layer";
    if vit.config.layers_read().is_empty() {
        let why = "its head reads what convolutions make of the last layer's tokens, and never tokens.";
        return Err(ErrorKind::UnsupportedView { view: VIEW, why }.into());
    }
    if width != vit.config.hidden_size {
        let why = "its tokens have another width than the head reads, which those of the last stage have.";
        return Err(ErrorKind::UnsupportedView { view: VIEW, why }.into());
    }
    match vit.config.classes() {
        0 => Err(invalid("this model has no classes: its features can be looked at, but not what they mean.".into())),
        classes => Ok(classes),
    }
}
