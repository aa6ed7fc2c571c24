//! The WebAssembly boundary: plain objects and typed arrays out, errors with a `code`.
//!
//! `pkg/` wraps this into the public API; nothing else should depend on it.

mod explain;
mod recorder;
#[cfg(feature = "threads")]
pub mod threads;
mod views;

use crate::alloc::zeros;
use crate::checkpoint::{ConfigFiles, LoadOptions, Shards, Source};
use crate::classifier::Classifier;
use crate::error::{Error, Result};
use crate::model::{Config, Pooling, Precision, Prefix, Sink};
use crate::resample::Rgba;
use js_sys::{Float32Array, Object, Reflect, Uint8Array, Uint8ClampedArray};
use recorder::Recorder;
use serde::Serialize;
use wasm_bindgen::prelude::*;
use web_sys::ImageData;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
export interface EngineConfig {
  family: string; imageSize: [number, number]; patchSize: [number, number]; grid: [number, number];
  tokens: number; prefixTokens: number; prefix: ('class' | 'distillation' | 'register')[]; hiddenSize: number; layers: number; heads: number; mlpSize: number;
  numClasses: number; labels: string[]; numFeatures: number; zeroShot: boolean;
  pooling: 'cls' | 'mean' | 'cls-mean' | 'cls-distillation' | 'attention'; dtype: 'f32' | 'int8'; parameters: number;
}
export interface EngineRegion { x: number; y: number; width: number; height: number; }
export interface EngineClassification { top: { index: number; label: string; score: number }[]; logits: Float32Array; features: Float32Array; }
export interface EngineTrace extends EngineClassification {
  layers: number; heads: number; tokens: number; prefixTokens: number; prefix: ('class' | 'distillation' | 'register')[];
  grid: [number, number]; patchSize: [number, number]; hiddenSize: number; attentions: Float32Array; hiddenStates: Float32Array;
}
export interface EngineAttribution { target: number; data: Float32Array; }
"#;

#[wasm_bindgen]
extern "C" {
    /// Shape of the model.
    #[wasm_bindgen(typescript_type = "EngineConfig")]
    pub type EngineConfig;
    /// Rectangle in source pixels.
    #[wasm_bindgen(typescript_type = "EngineRegion")]
    pub type EngineRegion;
    /// An answer.
    #[wasm_bindgen(typescript_type = "EngineClassification")]
    pub type EngineClassification;
    /// An answer with the attention behind it.
    #[wasm_bindgen(typescript_type = "EngineTrace")]
    pub type EngineTrace;
    /// A class and the map of what speaks for it.
    #[wasm_bindgen(typescript_type = "EngineAttribution")]
    pub type EngineAttribution;
}

/// Sends panics to the console with their message and place; the trap itself only says "unreachable".
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}

/// A model ready to run.
#[wasm_bindgen]
pub struct Engine {
    classifier: Classifier,
    /// What is classified, kept so that its memory is taken once.
    pixel_values: Vec<f32>,
    /// Made for the first trace.
    recorder: Option<Recorder>,
}

#[wasm_bindgen]
impl Engine {
    /// Loads a model. `config` and `preprocessor` are the texts of the two JSON files; `weights` the bytes of `model.safetensors`, or of
    /// all files of a split checkpoint, and `names` what these are called; `text` the bytes of `text_embeddings.safetensors`. `dtype` is
    /// `f32` or `int8`, and nothing keeps the file's own; `size` is height and width of the input, and nothing keeps the model's own.
    /// Tensors are read one at a time, straight from the given arrays.
    pub fn load(
        config: &str,
        preprocessor: Option<String>,
        names: Vec<String>,
        weights: Vec<Uint8Array>,
        text: Option<Uint8Array>,
        dtype: Option<String>,
        size: Option<Vec<u32>>,
    ) -> std::result::Result<Engine, JsValue> {
        let load = || {
            let text = text.map(JsBytes);
            let image_size = match size.as_deref() {
                Some([height, width]) => Some([*height as usize, *width as usize]),
                _ => None,
            };
            let options = LoadOptions {
                precision: dtype.as_deref().map(str::parse::<Precision>).transpose()?,
                image_size,
                text_embeddings: text.as_ref().map(|text| text as &dyn Source),
            };
            let files = ConfigFiles { config, preprocessor: preprocessor.as_deref() };
            let mut weights: Vec<_> = weights.into_iter().map(JsBytes).collect();
            match weights.pop() {
                Some(whole) if weights.is_empty() => Classifier::load(files, &whole, options),
                last => {
                    let shards = Shards::new(names.into_iter().zip(weights.into_iter().chain(last)).collect())?;
                    Classifier::load(files, &shards, options)
                }
            }
        };
        Ok(Self { classifier: load().map_err(js_error)?, pixel_values: Vec::new(), recorder: None })
    }

    /// Whether the checkpoint named none of its classes.
    #[wasm_bindgen(getter)]
    pub fn unnamed(&self) -> bool {
        !self.classifier.config().named
    }

    /// Names the classes, one a line, if there are as many.
    #[wasm_bindgen(js_name = nameClasses)]
    pub fn name_classes(&mut self, names: &str) {
        let names: Vec<_> = names.lines().collect();
        self.classifier.name_classes(names.into_iter());
    }

    /// What the model is.
    #[wasm_bindgen(getter)]
    pub fn config(&self) -> EngineConfig {
        plain_object(&ConfigView::new(&self.classifier)).unchecked_into()
    }

    /// Bytes of the packed weights in wasm memory.
    #[wasm_bindgen(getter, js_name = weightBytes)]
    pub fn weight_bytes(&self) -> usize {
        self.classifier.weight_bytes()
    }

    /// `pixel_values` `[3, H, W]` of an image; anything with `data`, `width` and `height` of an `ImageData` will do.
    pub fn preprocess(&self, image: &ImageData) -> std::result::Result<Float32Array, JsValue> {
        let (width, height) = (image.width() as usize, image.height() as usize);
        // (Its own `data()` would trap where there is no memory for it.)
        let source: Uint8ClampedArray = Reflect::get(image, &"data".into())?.unchecked_into();
        let mut data = zeros("an image", &[source.length() as usize]).map_err(js_error)?;
        source.copy_to(&mut data);
        let values = self.classifier.preprocess(Rgba { data: &data, width, height }).map_err(js_error)?;
        Ok(Float32Array::from(values.as_slice()))
    }

    /// The part of a `width × height` image that the model sees.
    pub fn crop(&self, width: usize, height: usize) -> std::result::Result<EngineRegion, JsValue> {
        Ok(plain_object(&self.classifier.region(width, height).map_err(js_error)?).unchecked_into())
    }

    /// Classifies `pixel_values`.
    pub fn classify(
        &mut self,
        pixel_values: &Float32Array,
        top_k: usize,
    ) -> std::result::Result<EngineClassification, JsValue> {
        Ok(self.run(pixel_values, top_k, &mut ()).map_err(js_error)?.unchecked_into())
    }

    /// Classifies `pixel_values` and records every head's attention and the residual stream.
    pub fn trace(&mut self, pixel_values: &Float32Array, top_k: usize) -> std::result::Result<EngineTrace, JsValue> {
        let mut recorder = match self.recorder.take() {
            Some(recorder) => recorder,
            None => Recorder::new(self.classifier.config()).map_err(js_error)?,
        };
        let result = self.run(pixel_values, top_k, &mut recorder);
        let recorded = recorder.finish();
        self.recorder = Some(recorder);

        let result = result.map_err(js_error)?;
        let config = self.classifier.config();
        Object::assign(&result, plain_object(&ShapeView::new(config)).unchecked_ref());
        set(&result, "attentions", &recorded.attentions);
        set(&result, "hiddenStates", &recorded.hidden_states);
        Ok(result.unchecked_into())
    }
}

impl Engine {
    /// `{top, logits, features}`.
    fn run(&mut self, pixel_values: &Float32Array, top_k: usize, sink: &mut dyn Sink) -> Result<Object> {
        let length = pixel_values.length() as usize;
        if self.pixel_values.len() != length {
            self.pixel_values = zeros("pixel values", &[length])?;
        }
        pixel_values.copy_to(&mut self.pixel_values);
        let logits = self.classifier.watch(&self.pixel_values, sink)?;
        let result = Object::new();
        set(&result, "logits", &Float32Array::from(logits));
        let logits = logits.to_vec();
        set(&result, "features", &Float32Array::from(self.classifier.features()));
        set(&result, "top", &plain_object(&self.classifier.top(&logits, top_k)?));
        Ok(result)
    }
}

/// Bytes that stay in JavaScript until they are asked for.
struct JsBytes(Uint8Array);

impl Source for JsBytes {
    fn len(&self) -> usize {
        self.0.length() as usize
    }

    fn read(&self, offset: usize, target: &mut [u8]) {
        let end = offset + target.len();
        self.0.subarray(offset as u32, end as u32).copy_to(target);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShapeView<'a> {
    layers: usize,
    heads: usize,
    tokens: usize,
    prefix_tokens: usize,
    prefix: &'a [Prefix],
    grid: [usize; 2],
    patch_size: [usize; 2],
    hidden_size: usize,
}

impl<'a> ShapeView<'a> {
    fn new(config: &'a Config) -> Self {
        Self {
            layers: config.layers,
            heads: config.heads,
            tokens: config.tokens(),
            prefix_tokens: config.prefix_tokens(),
            prefix: &config.prefix,
            grid: config.grid(),
            patch_size: config.patch_size,
            hidden_size: config.hidden_size,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigView<'a> {
    family: &'a str,
    image_size: [usize; 2],
    mlp_size: usize,
    num_classes: usize,
    labels: &'a [String],
    num_features: usize,
    zero_shot: bool,
    pooling: Pooling,
    dtype: Precision,
    parameters: usize,
    #[serde(flatten)]
    shape: ShapeView<'a>,
}

impl<'a> ConfigView<'a> {
    fn new(classifier: &'a Classifier) -> Self {
        let config = classifier.config();
        Self {
            family: config.family,
            image_size: config.image_size,
            mlp_size: config.mlp_size,
            num_classes: config.classes(),
            labels: &config.labels,
            num_features: config.feature_size(),
            zero_shot: config.zero_shot,
            pooling: config.pooling,
            dtype: classifier.precision(),
            parameters: classifier.parameters(),
            shape: ShapeView::new(config),
        }
    }
}

/// A small value as a plain JavaScript object.
fn plain_object(value: &impl Serialize) -> JsValue {
    let text = serde_json::to_string(value).expect("numbers and strings only");
    js_sys::JSON::parse(&text).expect("serde_json writes JSON")
}

fn set(object: &Object, key: &str, value: &JsValue) {
    Reflect::set(object, &key.into(), value).expect("a plain object takes any key");
}

/// An `Error` with a `code`, from which `pkg/` makes a `VitscopeError`.
fn js_error(error: Error) -> JsValue {
    let js = js_sys::Error::new(&error.to_string());
    set(&js, "code", &error.code().into());
    js.into()
}
