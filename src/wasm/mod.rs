//! The WebAssembly boundary: plain objects and typed arrays out, errors with a `code`.
//!
//! `pkg/` wraps this into the public API; nothing else should depend on it.

mod classes;
mod explain;
mod inside;
mod js;
mod recorder;
#[cfg(feature = "threads")]
mod several;
#[cfg(feature = "threads")]
pub mod threads;
mod views;
mod walk;

use crate::alloc::{room, zeros};
use crate::checkpoint::Source;
#[cfg(feature = "threads")]
use crate::classifier::Several;
use crate::classifier::{Classifier, Prediction};
use crate::explain::Shape;
use crate::model::{Config, Intervention, Pooling, Precision, Prefix, Scores, Similarity, Window, WindowKind};
use crate::resample::Rgba;
use js::{Bell, Float32Array, Object, Result, Uint8Array, pause};
use recorder::{Recorder, Wanted};
use serde::Serialize;
use std::cell::Cell;
use wasm_bindgen::prelude::*;
use web_sys::ImageData;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
export interface EngineConfig {
  family: string; imageSize: [number, number]; patchSize: [number, number]; grid: [number, number];
  tokens: number; prefixTokens: number; prefix: ('class' | 'distillation' | 'register')[]; hiddenSize: number; layers: number; heads: number; mlpSize: number;
  numClasses: number; labels: string[]; numFeatures: number; zeroShot: boolean; similarity: { scale: number; bias: number } | null; scores: 'softmax' | 'sigmoid' | 'none';
  pooling: 'cls' | 'mean' | 'cls-mean' | 'cls-distillation' | 'attention';
  positions: 'learned' | 'sinusoidal' | 'relative' | 'rotary' | 'learned-relative' | 'learned-rotary' | 'none'; dtype: 'f32' | 'int8'; parameters: number;
  processor: 'processor_config.json' | 'preprocessor_config.json' | 'config.json' | null; stages: EngineLayer[];
}
export interface EngineLayer {
  stage: number; grid: [number, number]; patchSize: [number, number]; hiddenSize: number; heads: number;
  window: { kind: 'tiles' | 'strided'; size: [number, number]; shift: [number, number]; padsFirst: boolean; count: number } | null;
}
export interface EngineRegion { x: number; y: number; width: number; height: number; }
export interface EngineClassification { top: { index: number; label: string; score: number }[]; logits: Float32Array; features: Float32Array; scores: 'softmax' | 'sigmoid' | 'none'; }
export interface EngineRecording {
  attentions?: Float32Array | Float32Array[]; hiddenStates?: Float32Array | Float32Array[]; rollouts?: Float32Array;
}
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
    /// What was recorded of a forward pass.
    #[wasm_bindgen(typescript_type = "EngineRecording")]
    pub type EngineRecording;
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
    recorder: Recorder,
    #[cfg(feature = "threads")]
    several: Several,
}

#[wasm_bindgen]
impl Engine {
    /// Fails where as many bytes can't be had. Asked before texts are handed over, for which nobody checks.
    pub fn reserve(bytes: usize) -> Result<()> {
        Ok(room("the model's configuration", &[bytes])?)
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
    pub fn config(&self) -> Result<EngineConfig> {
        config_of(&self.classifier)
    }

    /// Bytes of the packed weights in wasm memory.
    #[wasm_bindgen(getter, js_name = weightBytes)]
    pub fn weight_bytes(&self) -> usize {
        self.classifier.weight_bytes()
    }

    /// `pixel_values` `[3, H, W]` of an image.
    pub fn preprocess(&self, image: &ImageData) -> Result<Float32Array> {
        let (data, width, height) = js::pixels(image)?;
        Float32Array::of(&self.classifier.preprocess(Rgba { data: &data, width, height })?)
    }

    /// The part of a `width × height` image that the model sees; without these of pixel values.
    pub fn crop(&self, width: Option<usize>, height: Option<usize>) -> Result<EngineRegion> {
        self.region(0, width.zip(height))
    }

    /// That on which maps of the last stage lie.
    #[wasm_bindgen(js_name = mapCrop)]
    pub fn map_crop(&self, width: Option<usize>, height: Option<usize>) -> Result<EngineRegion> {
        self.region(self.classifier.config().stage_count() - 1, width.zip(height))
    }

    /// Takes images of another height and width from now on; what it is then. Where that fails all stays as it was.
    pub fn resize(&mut self, height: usize, width: usize) -> Result<EngineConfig> {
        // (Both are made anew for the next pass, and are memory for this.)
        (self.pixel_values, self.recorder) = (Vec::new(), Recorder::default());
        #[cfg(feature = "threads")]
        (self.several = Several::default());
        let resized = self.classifier.resized([height, width])?;
        let config = config_of(&resized)?;
        self.classifier = resized;
        Ok(config)
    }

    /// Begins a forward pass of `pixel_values`, in place of one that is under way.
    pub fn begin(&mut self, pixel_values: &Float32Array) -> Result<()> {
        let length = pixel_values.len()?;
        if self.pixel_values.len() != length {
            self.pixel_values = zeros("pixel values", &[length])?;
        }
        pixel_values.read(0, &mut self.pixel_values)?;
        self.recorder.stop();
        #[cfg(feature = "threads")]
        self.several.restart();
        self.classifier.restart();
        Ok(())
    }

    /// Has it leave out heads (layer and number of each, one after another) and what patches know of their places, and take the patches in this order.
    pub fn intervene(&mut self, heads: Vec<u32>, without_positions: bool, order: Option<Vec<u32>>) -> Result<()> {
        let without_heads =
            heads.as_chunks().0.iter().map(|pair: &[u32; 2]| pair.map(|number| number as usize)).collect();
        let order = order.map(|order| order.into_iter().map(|patch| patch as usize).collect());
        let intervention = Intervention { without_heads, without_positions, order };
        #[cfg(feature = "threads")]
        self.several.intervene(&self.classifier, &intervention)?;
        Ok(self.classifier.intervene(intervention)?)
    }

    /// Has it recorded: of these layers, in order, every head's attention, of these queries or of all, the residual stream, or both; and of all layers the
    /// rollout by this fusion.
    pub fn record(
        &mut self,
        layers: Vec<u32>,
        attentions: bool,
        hidden_states: bool,
        queries: Option<Vec<String>>,
        fusion: Option<String>,
        discard: Option<f64>,
    ) -> Result<()> {
        let rollout = fusion.zip(discard);
        let wanted = Wanted { layers, attentions, hidden_states, queries, rollout };
        self.recorder.start(self.classifier.config(), wanted)
    }

    /// Goes on with it until it is over, then false, or the bell rings; without a bell for one block.
    pub fn step(&mut self, bell: Option<Bell>) -> Result<bool> {
        let pause = pause(bell);
        #[cfg(feature = "threads")]
        let step = self.several.advance(&mut self.classifier, &self.pixel_values, &mut self.recorder, &pause);
        #[cfg(not(feature = "threads"))]
        let step = self.classifier.advance(&self.pixel_values, &mut self.recorder, &pause);
        Ok(step?)
    }

    /// What it answers.
    pub fn answer(&self, top_k: usize) -> Result<EngineClassification> {
        answer_of(&self.classifier, self.classifier.answer(), self.classifier.features(), top_k)
    }

    /// Gives what was recorded of it to `target`.
    pub fn recorded(&mut self, target: &EngineRecording) -> Result<()> {
        self.recorder.finish(target.unchecked_ref())
    }
}

impl Engine {
    fn region(&self, stage: usize, size: Option<(usize, usize)>) -> Result<EngineRegion> {
        let region = match size {
            Some((width, height)) => self.classifier.region_of(stage, width, height)?,
            None => self.classifier.region_of_values(stage),
        };
        Ok(Object::of(&region)?.unchecked_into())
    }
}

#[inline(never)]
fn answer_of(classifier: &Classifier, logits: &[f32], features: &[f32], top_k: usize) -> Result<EngineClassification> {
    let result = Object::of(&TopView { top: classifier.top(logits, top_k)?, scores: classifier.config().scores })?;
    result.put("logits", &Float32Array::of(logits)?.into())?;
    result.put("features", &Float32Array::of(features)?.into())?;
    Ok(result.unchecked_into())
}

#[inline(never)]
fn config_of(classifier: &Classifier) -> Result<EngineConfig> {
    Ok(Object::of(&ConfigView::new(classifier))?.unchecked_into())
}

impl From<Classifier> for Engine {
    fn from(classifier: Classifier) -> Self {
        Self {
            classifier,
            pixel_values: Vec::new(),
            recorder: Recorder::default(),
            #[cfg(feature = "threads")]
            several: Several::default(),
        }
    }
}

/// A file whose bytes stay in JavaScript until they are asked for.
struct File<'a> {
    bytes: Uint8Array,
    size: Option<u64>,
    /// What JavaScript threw at the first read that failed, of which the reader learns nothing.
    thrown: &'a Cell<Option<JsValue>>,
}

impl<'a> File<'a> {
    /// All of a file.
    fn whole(bytes: Uint8Array, thrown: &'a Cell<Option<JsValue>>) -> Result<Self> {
        Ok(Self { size: Some(bytes.len()? as u64), bytes, thrown })
    }

    /// What `work` makes of files, unless JavaScript has thrown.
    fn read<T>(work: impl FnOnce(&Cell<Option<JsValue>>) -> Result<T>) -> Result<T> {
        let thrown = Cell::new(None);
        let made = work(&thrown);
        thrown.take().map_or(made, Err)
    }
}

impl Source for File<'_> {
    fn size(&self) -> Option<u64> {
        self.size
    }

    fn read(&self, offset: u64, target: &mut [u8]) {
        if let Err(thrown) = self.bytes.read(offset as usize, target) {
            self.thrown.set(Some(thrown));
        }
    }
}

#[derive(Serialize)]
struct TopView {
    top: Vec<Prediction>,
    scores: Scores,
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
    stages: Vec<LayerView>,
}

/// A layer, of any model.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LayerView {
    stage: usize,
    grid: [usize; 2],
    patch_size: [f32; 2],
    hidden_size: usize,
    heads: usize,
    window: Option<WindowView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WindowView {
    kind: WindowKind,
    size: [usize; 2],
    shift: [usize; 2],
    pads_first: bool,
    count: usize,
}

impl LayerView {
    fn new(config: &Config, layer: usize) -> Self {
        let Shape { grid, patch_size, hidden_size, heads, window, .. } = Shape::of_layer(config, layer);
        let window = window.map(|window| {
            let [count, _] = window.dim(grid);
            let Window { kind, size, shift, pads_first, .. } = window;
            WindowView { kind, size, shift, pads_first, count }
        });
        Self { stage: config.stage_of(layer)[0], grid, patch_size, hidden_size, heads, window }
    }
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
            stages: (0..config.layers).map(|layer| LayerView::new(config, layer)).collect(),
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
    similarity: Option<Similarity>,
    scores: Scores,
    pooling: Pooling,
    positions: &'a str,
    dtype: Precision,
    parameters: usize,
    processor: Option<&'a str>,
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
            similarity: classifier.similarity(),
            scores: config.scores,
            pooling: config.pooling,
            positions: config.positions.name(),
            dtype: classifier.precision(),
            parameters: classifier.parameters(),
            processor: classifier.processor(),
            shape: ShapeView::new(config),
        }
    }
}
