//! What happens inside a block, and how a patch becomes a token.

use super::Engine;
use super::explain::copied;
use super::js::{Float32Array, Object, Result};
use super::views::answer;
use crate::error;
use crate::explain::{self, Query};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
export interface EngineHead {
  token: number; q: Float32Array; k: Float32Array; v: Float32Array; bias?: Float32Array; unturnedQ?: Float32Array; unturnedK?: Float32Array;
  scores: Float32Array; attention: Float32Array; context: Float32Array;
}
export interface EngineMlp { token: number; before: Float32Array; gate?: Float32Array; hidden: Float32Array; }
export interface EngineNorms { stream: Float32Array; norm1: Float32Array; attention: Float32Array; between: Float32Array; norm2: Float32Array; mlp: Float32Array; }
export interface EnginePatch { pixels: Float32Array; projected: Float32Array; position?: Float32Array; token: Float32Array; }
"#;

#[wasm_bindgen]
extern "C" {
    /// What a token asks in a head.
    #[wasm_bindgen(typescript_type = "EngineHead")]
    pub type EngineHead;
    /// What an MLP makes of a token.
    #[wasm_bindgen(typescript_type = "EngineMlp")]
    pub type EngineMlp;
    /// Lengths of vectors.
    #[wasm_bindgen(typescript_type = "EngineNorms")]
    pub type EngineNorms;
    /// How a patch becomes a token.
    #[wasm_bindgen(typescript_type = "EnginePatch")]
    pub type EnginePatch;
}

/// A block, and the stream `[T, D]` that it read.
#[wasm_bindgen]
pub struct Block {
    layer: usize,
    stream: Vec<f32>,
    grid: [usize; 2],
    positions: bool,
    without: Vec<usize>,
}

#[wasm_bindgen]
impl Engine {
    /// Block `layer`, which read `stream` at a grid of so many patches, with rotary and relative positions or not, and `without` the context of some heads.
    pub fn block(
        &self,
        stream: &Float32Array,
        layer: usize,
        rows: usize,
        cols: usize,
        positions: bool,
        without: Vec<u32>,
    ) -> Result<Block> {
        let without = without.into_iter().map(|head| head as usize).collect();
        Ok(Block { layer, stream: copied(stream)?, grid: [rows, cols], positions, without })
    }

    /// How the patch in this row and column becomes a token.
    #[wasm_bindgen(js_name = patchEmbedding)]
    pub fn patch_embedding(&self, pixel_values: &Float32Array, row: usize, column: usize) -> Result<EnginePatch> {
        let patch = self.classifier.patch_inside(&copied(pixel_values)?, [row, column])?;
        let parts = [
            ("pixels", Some(&*patch.pixels)),
            ("projected", Some(&patch.projected)),
            ("position", patch.position.as_deref()),
            ("token", Some(&patch.token)),
        ];
        Ok(object(&parts)?.unchecked_into())
    }

    /// `[n · 3 · P_h · P_w]`, of these outputs.
    #[wasm_bindgen(js_name = filtersOf)]
    pub fn filters_of(&self, outputs: Vec<u32>) -> Result<Float32Array> {
        let outputs: Vec<_> = outputs.into_iter().map(|output| output as usize).collect();
        answer(self.classifier.filters_of(&outputs)?.into_raw_vec_and_offset().0)
    }
}

#[wasm_bindgen]
impl Block {
    /// What a token asks in a head, the class token or the middle patch unless told.
    pub fn head(&self, engine: &Engine, head: usize, query: Option<String>) -> Result<EngineHead> {
        let (token, seen) = engine.classifier.head_inside(self.inside(), head, parse(query)?)?;
        let unturned = |i: usize| seen.unturned.as_ref().map(|unturned| &*unturned[i]);
        let result = object(&[
            ("q", Some(&seen.q)),
            ("k", Some(&seen.k)),
            ("v", Some(&seen.v)),
            ("bias", seen.bias.as_deref()),
            ("unturnedQ", unturned(0)),
            ("unturnedK", unturned(1)),
            ("scores", Some(&seen.scores)),
            ("attention", Some(&seen.attention)),
            ("context", Some(&seen.context)),
        ])?;
        result.put("token", &JsValue::from(token))?;
        Ok(result.unchecked_into())
    }

    /// What the MLP makes of a token, the same unless told.
    pub fn mlp(&self, engine: &Engine, query: Option<String>) -> Result<EngineMlp> {
        let (token, seen) = engine.classifier.mlp_inside(self.inside(), parse(query)?)?;
        let result =
            object(&[("before", Some(&seen.before)), ("gate", seen.gate.as_deref()), ("hidden", Some(&seen.hidden))])?;
        result.put("token", &JsValue::from(token))?;
        Ok(result.unchecked_into())
    }

    /// The value `[rows · cols]` of a hidden unit at each patch.
    pub fn unit(&self, engine: &Engine, unit: usize) -> Result<Float32Array> {
        answer(engine.classifier.unit(self.inside(), unit)?)
    }

    /// How long the vectors of all tokens are, `[T]` each.
    pub fn norms(&self, engine: &Engine) -> Result<EngineNorms> {
        let seen = engine.classifier.norms(self.inside())?;
        let result = object(&[
            ("stream", Some(&seen.stream)),
            ("norm1", Some(&seen.norm1)),
            ("attention", Some(&seen.attention)),
            ("between", Some(&seen.between)),
            ("norm2", Some(&seen.norm2)),
            ("mlp", Some(&seen.mlp)),
        ])?;
        Ok(result.unchecked_into())
    }
}

impl Block {
    fn inside(&self) -> explain::Inside<'_> {
        let Self { layer, stream, grid, positions, without } = self;
        explain::Inside { layer: *layer, stream, grid: *grid, positions: *positions, without }
    }
}

fn parse(query: Option<String>) -> error::Result<Option<Query>> {
    query.map(|query| query.parse()).transpose()
}

/// A plain object of arrays, those that there are.
fn object(parts: &[(&str, Option<&[f32]>)]) -> Result<Object> {
    let result = Object::of(&serde_json::Map::new())?;
    for (key, values) in parts {
        if let Some(values) = values {
            result.put(key, &Float32Array::of(values)?.into())?;
        }
    }
    Ok(result)
}
