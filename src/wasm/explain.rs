//! Explanations that need the model.

use super::Engine;
use super::js::{Bell, Float32Array, Result, pause};
use super::views::{answer, check_length, parse_query};
use crate::error::{Error, ErrorKind};
use crate::explain::{Attribution, Curve, Dropping, GradientMethod, Occlusion};
use ndarray::{Array2, Array3};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
impl Engine {
    /// Logits `[n · classes]` of hidden states `[n, T, D]`, T being `tokens`: those of this size, or of another.
    #[wasm_bindgen(js_name = logitLens)]
    pub fn logit_lens(&mut self, hidden_states: &Float32Array, tokens: usize) -> Result<Float32Array> {
        let config = self.classifier.config();
        config.check_tokens(tokens)?;
        let width = config.hidden_size;
        let count = hidden_states.len()? / (tokens * width);
        check_length("hiddenStates", hidden_states, &[count, tokens, width])?;
        let states = Array3::from_shape_vec((count, tokens, width), copied(hidden_states)?).expect("checked");
        answer(self.classifier.logit_lens(states.view())?.into_raw_vec_and_offset().0)
    }

    /// The target's logit at each patch of a layer's tokens `[T, D]`, T being `count`.
    #[wasm_bindgen(js_name = patchLens)]
    pub fn patch_lens(&self, tokens: &Float32Array, count: usize, target: usize) -> Result<Float32Array> {
        let config = self.classifier.config();
        config.check_tokens(count)?;
        let shape = [count, config.hidden_size];
        check_length("tokens", tokens, &shape)?;
        let target = self.classifier.class(target)?;
        let tokens = Array2::from_shape_vec(shape, copied(tokens)?).expect("checked");
        answer(self.classifier.patch_lens(tokens.view())?.column(target).to_vec())
    }

    /// What speaks for a class, the likeliest unless told, by its gradients: `chefer`, `gradient-rollout` or `grad-cam`. `layer` is Grad-CAM's,
    /// the last unless told, `discard` the rollout's.
    pub fn attribute(
        &mut self,
        pixel_values: &Float32Array,
        method: &str,
        target: Option<usize>,
        layer: Option<usize>,
        query: Option<String>,
        discard: f64,
    ) -> Result<Work> {
        let layers = self.classifier.config().layers;
        let query = parse_query(query, self.classifier.default_query())?;
        let method = match method {
            "chefer" => GradientMethod::Chefer { query },
            "gradient-rollout" => GradientMethod::GradientRollout { query, discard },
            "grad-cam" => GradientMethod::GradCam { layer: layer.unwrap_or(layers - 1) },
            _ => {
                let known = "Use `chefer`, `gradient-rollout` or `grad-cam`";
                return Err(
                    Error::from(ErrorKind::InvalidArgument(format!("method `{method}` is unknown. {known}."))).into()
                );
            }
        };
        let attribution = self.classifier.attribution(target, method)?;
        self.work(pixel_values, Kind::Gradients(attribution))
    }

    /// `[N · N]`.
    pub fn positions(&self) -> Result<Float32Array> {
        answer(self.classifier.position_similarity()?.into_raw_vec_and_offset().0)
    }

    /// `[count · 3 · P_h · P_w]`.
    pub fn filters(&self, count: usize) -> Result<Float32Array> {
        answer(self.classifier.filters(count)?.into_raw_vec_and_offset().0)
    }

    /// Occlusion for a class, or for the likeliest one.
    pub fn occlusion(
        &self,
        pixel_values: &Float32Array,
        target: Option<usize>,
        window: Option<usize>,
        stride: Option<usize>,
    ) -> Result<Work> {
        let occlusion = self.classifier.occlusion(window, stride)?;
        let dropping = self.classifier.dropping(occlusion.seen(), target, None)?;
        self.drop(pixel_values, dropping, Some(occlusion))
    }

    /// A class's score as the patches of a map `[rows · cols]` go (`deletion`) or come (`insertion`), in so many steps. The map is of the model's grid, or of that
    /// of any of its stages.
    #[allow(clippy::too_many_arguments)] // JavaScript's side of it is one line in one place.
    pub fn curve(
        &self,
        pixel_values: &Float32Array,
        map: &Float32Array,
        kind: &str,
        rows: usize,
        cols: usize,
        target: Option<usize>,
        steps: usize,
    ) -> Result<Work> {
        let config = self.classifier.config();
        let cells = if config.is_staged() { rows.saturating_mul(cols) } else { config.patches() };
        check_length("the map", map, &[cells])?;
        let seen = kind.parse::<Curve>()?.seen(&copied(map)?, steps, config.fewest_patches())?;
        self.drop(pixel_values, self.classifier.dropping(seen, target, Some([rows, cols]))?, None)
    }
}

impl Engine {
    fn drop(&self, pixel_values: &Float32Array, dropping: Dropping, occlusion: Option<Occlusion>) -> Result<Work> {
        self.classifier.class(dropping.target().unwrap_or(0))?;
        self.work(pixel_values, Kind::Dropping(dropping, occlusion))
    }

    fn work(&self, pixel_values: &Float32Array, kind: Kind) -> Result<Work> {
        let [rows, _] = self.classifier.config().last_stage().grid();
        Ok(Work { kind, pixel_values: copied(pixel_values)?, rows })
    }
}

/// What takes several passes, made a part at a time, so that whoever waits can see it progress and stop it. Meanwhile the engine does nothing else by
/// gradients.
#[wasm_bindgen]
pub struct Work {
    kind: Kind,
    pixel_values: Vec<f32>,
    /// Of a map.
    #[wasm_bindgen(readonly)]
    pub rows: usize,
}

enum Kind {
    /// A forward and a backward pass.
    Gradients(Attribution),
    /// Forward passes that see some of the patches, and of what they are made if it is occlusion.
    Dropping(Dropping, Option<Occlusion>),
}

#[wasm_bindgen]
impl Work {
    /// All passes that are reported.
    #[wasm_bindgen(getter)]
    pub fn passes(&self) -> usize {
        match &self.kind {
            Kind::Gradients(_) => 0,
            Kind::Dropping(passes, _) => passes.passes(),
        }
    }

    /// Those of them that are made.
    #[wasm_bindgen(getter)]
    pub fn done(&self) -> usize {
        match &self.kind {
            Kind::Gradients(_) => 0,
            Kind::Dropping(passes, _) => passes.scores().len(),
        }
    }

    /// Goes on until a pass is over or the bell rings, without a bell for one block; false where all is done.
    pub fn step(&mut self, engine: &mut Engine, bell: Option<Bell>) -> Result<bool> {
        let pause = pause(bell);
        Ok(match &mut self.kind {
            Kind::Gradients(work) => engine.classifier.attribute_step(&self.pixel_values, work, &pause)?,
            Kind::Dropping(passes, _) => engine.classifier.step(&self.pixel_values, passes, &pause)?,
        })
    }

    /// Index of the class, in the end.
    #[wasm_bindgen(getter)]
    pub fn target(&self) -> usize {
        match &self.kind {
            Kind::Gradients(work) => work.target(),
            Kind::Dropping(passes, _) => passes.target(),
        }
        .unwrap_or(0)
    }

    /// A map `[rows · cols]`; a curve: the score after each step, `[steps + 1]`.
    pub fn result(&self) -> Result<Float32Array> {
        match &self.kind {
            Kind::Gradients(work) => answer(work.map()),
            Kind::Dropping(passes, Some(occlusion)) => answer(occlusion.map(passes.scores())),
            Kind::Dropping(passes, None) => Float32Array::of(passes.scores()),
        }
    }
}

pub(super) fn copied(array: &Float32Array) -> Result<Vec<f32>> {
    array.to_vec("values of a view")
}
