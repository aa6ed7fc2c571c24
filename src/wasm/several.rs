//! Several images at once, in builds with threads.

use super::js::{Float32Array, Result};
use super::{Engine, EngineClassification, answer_of};
use crate::error::ErrorKind;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
impl Engine {
    /// Has a thread make another image's pass beside the one that was begun.
    pub fn also(&mut self, pixel_values: &Float32Array) -> Result<()> {
        let length = pixel_values.len()?;
        pixel_values.read(0, self.several.add(&self.classifier, length)?)
    }

    /// What number `index` of these answers.
    #[wasm_bindgen(js_name = answerBeside)]
    pub fn answer_beside(&self, index: usize, top_k: usize) -> Result<EngineClassification> {
        let none = || ErrorKind::InvalidArgument(format!("there is no image {index} beside the first."));
        let [logits, features] = self.several.answers().nth(index).ok_or_else(|| crate::error::Error::from(none()))?;
        answer_of(&self.classifier, logits, features, top_k)
    }
}
