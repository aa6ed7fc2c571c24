//! The facade: load a model, classify an image, trace it.

use crate::checkpoint::{self, ConfigFiles, LoadOptions, Loaded, Source};
use crate::error::{Error, Result};
use crate::explain::Trace;
use crate::kernels::softmax::softmax_in_place;
use crate::model::{Config, GradientSink, Precision, Scratch, Sink};
use crate::preprocess::Region;
use crate::resample::Rgba;
use ndarray::ArrayView3;

/// A loaded model with the memory to run it.
pub struct Classifier {
    loaded: Loaded,
    scratch: Scratch,
}

/// One class of an answer.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Prediction {
    /// Index of the class.
    pub index: usize,
    /// Its name.
    pub label: String,
    /// Its softmax probability.
    pub score: f32,
}

impl Classifier {
    /// Reads a model; see [`checkpoint::load`].
    pub fn load<'o>(files: ConfigFiles<'_>, weights: &dyn Source, options: impl Into<LoadOptions<'o>>) -> Result<Self> {
        let loaded = checkpoint::load(files, weights, options)?;
        let scratch = Scratch::new(&loaded.vit.config, loaded.precision)?;
        Ok(Self { loaded, scratch })
    }

    /// What the model is.
    pub fn config(&self) -> &Config {
        &self.loaded.vit.config
    }

    /// How its matrices are held.
    pub fn precision(&self) -> Precision {
        self.loaded.precision
    }

    /// Learned values.
    pub fn parameters(&self) -> usize {
        self.loaded.parameters
    }

    /// Bytes that the weights take in memory.
    pub fn weight_bytes(&self) -> usize {
        self.loaded.vit.weights.bytes()
    }

    /// Normalised `pixel_values` `[3, H, W]` of an image.
    pub fn preprocess(&self, image: Rgba<'_>) -> Result<Vec<f32>> {
        self.loaded.preprocess.apply(image, self.config().image_size)
    }

    /// The part of a `width × height` image that the model sees, patch by patch.
    pub fn region(&self, width: usize, height: usize) -> Result<Region> {
        let config = self.config();
        let mut region = self.loaded.preprocess.region(width, height)?;
        let seen =
            |axis: usize| (config.grid()[axis] * config.patch_size[axis]) as f64 / config.image_size[axis] as f64;
        region.height *= seen(0);
        region.width *= seen(1);
        Ok(region)
    }

    /// Logits `[C]` of `pixel_values` `[3, H, W]`.
    pub fn logits(&mut self, pixel_values: &[f32]) -> Result<&[f32]> {
        self.watch(pixel_values, &mut ())
    }

    /// The features behind the last logits: what the head read, or all there is of a model without one.
    pub fn features(&self) -> &[f32] {
        self.scratch.features()
    }

    /// Names the classes of a model whose checkpoint didn't, if there are as many.
    pub fn name_classes<'n>(&mut self, names: impl ExactSizeIterator<Item = &'n str>) {
        let config = &mut self.loaded.vit.config;
        if !config.named && names.len() == config.classes() {
            (config.labels, config.named) = (names.map(str::to_owned).collect(), true);
        }
    }

    /// Logits, while `sink` watches.
    pub fn watch(&mut self, pixel_values: &[f32], sink: &mut dyn Sink) -> Result<&[f32]> {
        self.loaded.vit.forward(pixel_values, &mut self.scratch, sink)
    }

    /// Logits, and everything the forward pass shows on its way.
    pub fn trace(&mut self, pixel_values: &[f32]) -> Result<(&[f32], Trace)> {
        let mut trace = Trace::new(&self.loaded.vit.config)?;
        let logits = self.watch(pixel_values, &mut trace)?;
        Ok((logits, trace))
    }

    /// The backward pass of logit `target` down to block `down_to`, from the hidden states `[L + 1, T, D]` of a pass, while `sink` watches.
    pub fn backward(
        &self,
        hidden_states: ArrayView3<f32>,
        target: usize,
        down_to: usize,
        sink: &mut dyn GradientSink,
    ) -> Result<()> {
        self.loaded.vit.backward(hidden_states, target, down_to, sink)
    }

    /// The `k` most probable classes of `logits`, best first; equal scores in the order of their index.
    pub fn top(&self, logits: &[f32], k: usize) -> Result<Vec<Prediction>> {
        let labels = &self.config().labels;
        if k == 0 {
            return Err(Error::InvalidArgument("topK must be at least 1.".into()));
        }
        let mut scores = logits.to_vec();
        softmax_in_place(&mut scores);
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let prediction = |index: usize| Prediction { index, label: labels[index].clone(), score: scores[index] };
        Ok(order.into_iter().take(k).map(prediction).collect())
    }
}
