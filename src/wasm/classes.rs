//! Classes that are given to a loaded model: another engine over the same weights.

use super::js::{Float32Array, Result, Uint8Array};
use super::{Engine, File};
use crate::model::Classes;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
impl Engine {
    /// A class a label, by embeddings `[classes · features]`. Without `scale` and `bias` it is the model's own, where it has them.
    #[wasm_bindgen(js_name = withClasses)]
    pub fn with_classes(
        &self,
        labels: Vec<String>,
        embeddings: &Float32Array,
        scale: Option<f32>,
        bias: Option<f32>,
    ) -> Result<Engine> {
        let embeddings = embeddings.to_vec("embeddings")?;
        Ok(self.classifier.with_classes(&Classes { labels, embeddings, scale, bias })?.into())
    }

    /// The classes of a `text_embeddings.safetensors`.
    #[wasm_bindgen(js_name = withTextEmbeddings)]
    pub fn with_text_embeddings(&self, bytes: Uint8Array) -> Result<Engine> {
        let made = File::read(|thrown| Ok(self.classifier.with_text_embeddings(&File::whole(bytes, thrown)?)?))?;
        Ok(made.into())
    }
}
