//! The facade: load a model, classify an image, trace it.

mod several;

pub use several::{Answer, Pass, Several};

use crate::checkpoint::{self, ConfigFiles, LoadOptions, Loaded, Source};
use crate::error::{ErrorKind, Result};
use crate::explain::{self, Attribution, Dropping, Filling, GradientMethod, Inside, Occlusion, Query, Trace};
use crate::model::{
    Classes, Config, HeadInside, Intervention, MlpInside, Norms, PatchInside, Pooling, Precision, Scratch, Similarity,
    Sink, likeliest,
};
use crate::preprocess::Region;
use crate::resample::Rgba;
use ndarray::{Array2, ArrayView2, ArrayView3};

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
    /// Its probability, or for a regression its value; see [`crate::model::Scores`].
    pub score: f32,
}

impl Classifier {
    /// Reads a model; see [`checkpoint::load`].
    pub fn load<'o>(files: ConfigFiles<'_>, weights: &dyn Source, options: impl Into<LoadOptions<'o>>) -> Result<Self> {
        Self::new(checkpoint::load(files, weights, options)?)
    }

    /// A model that was read, with memory to run it.
    pub fn new(loaded: Loaded) -> Result<Self> {
        let scratch = Scratch::new(&loaded.vit.config, loaded.precision)?;
        Ok(Self { loaded, scratch })
    }

    /// The same model, its weights shared, with these classes in place of its own: each answers by how similar the image's features are to its
    /// embedding. Nothing of this one changes.
    pub fn with_classes(&self, classes: &Classes) -> Result<Self> {
        classes.check_names()?;
        Self::new(self.loaded.with_classes(classes)?)
    }

    /// The same with the classes of a `text_embeddings.safetensors`; see [`LoadOptions::text_embeddings`].
    pub fn with_text_embeddings(&self, file: &dyn Source) -> Result<Self> {
        Self::new(self.loaded.with_classes(&self.loaded.read_classes(file)?)?)
    }

    /// The same model, its weights shared, for images of another height and width: as it would be had it been loaded for them
    /// ([`LoadOptions::image_size`]), in milliseconds. Nothing of this one changes.
    pub fn resized(&self, image_size: [usize; 2]) -> Result<Self> {
        Self::new(self.loaded.resized(image_size)?)
    }

    /// What becomes of cosines, in a model whose classes are embeddings.
    pub fn similarity(&self) -> Option<Similarity> {
        self.loaded.vit.class_similarity()
    }

    /// What the model is.
    pub fn config(&self) -> &Config {
        &self.loaded.vit.config
    }

    /// How its matrices are held.
    pub fn precision(&self) -> Precision {
        self.loaded.precision
    }

    /// The file that says how its pixels are made; without one it is as the family usually does.
    pub fn processor(&self) -> Option<&'static str> {
        self.loaded.processor()
    }

    /// Learned values.
    pub fn parameters(&self) -> usize {
        self.loaded.parameters
    }

    /// Bytes that the weights take in memory, those shared with others included.
    pub fn weight_bytes(&self) -> usize {
        self.loaded.vit.bytes()
    }

    /// Normalised `pixel_values` `[3, H, W]` of an image.
    pub fn preprocess(&self, image: Rgba<'_>) -> Result<Vec<f32>> {
        self.loaded.preprocess.apply(image, self.config().image_size)
    }

    /// The part of a `width × height` image that the model sees, patch by patch.
    pub fn region(&self, width: usize, height: usize) -> Result<Region> {
        self.region_of(0, width, height)
    }

    /// The same of a stage, whose patches may reach further.
    pub fn region_of(&self, stage: usize, width: usize, height: usize) -> Result<Region> {
        Ok(self.patched(stage, self.loaded.preprocess.region(width, height)?))
    }

    /// The part of `pixel_values` that a stage's patches cover, in their own pixels.
    pub fn region_of_values(&self, stage: usize) -> Region {
        let [height, width] = self.config().image_size.map(|edge| edge as f64);
        self.patched(stage, Region { x: 0.0, y: 0.0, width, height })
    }

    /// What a stage's patches cover of the `region` that the model sees.
    fn patched(&self, stage: usize, mut region: Region) -> Region {
        let (image, stage) = (self.config().image_size, self.config().of_stage(stage));
        let seen = |axis: usize| {
            let pixels = image[axis].max(stage.image_size[axis]);
            (stage.grid()[axis] * stage.patch_size[axis]) as f64 / pixels as f64
        };
        region.height *= seen(0);
        region.width *= seen(1);
        region
    }

    /// Logits `[C]` of `pixel_values` `[3, H, W]`.
    pub fn logits(&mut self, pixel_values: &[f32]) -> Result<&[f32]> {
        self.watch(pixel_values, &mut ())
    }

    /// The last logits `[C]`.
    pub fn answer(&self) -> &[f32] {
        self.scratch.logits()
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

    /// The next forward pass is a new one, whatever was left under way.
    pub fn restart(&mut self) {
        self.scratch.restart();
    }

    /// Tells the pass that [`Self::advance`] begins what to do otherwise, until [`Self::restart`]; all other passes are as the model is.
    pub fn intervene(&mut self, intervention: Intervention) -> Result<()> {
        self.scratch.intervene(&self.loaded.vit.config, intervention)
    }

    /// Begins a forward pass, or goes on with the one under way; see [`crate::model::Vit::advance`].
    pub fn advance(&mut self, pixel_values: &[f32], sink: &mut dyn Sink, pause: &dyn Fn() -> bool) -> Result<bool> {
        self.loaded.vit.advance(pixel_values, &mut self.scratch, sink, pause)
    }

    /// Occlusion of this model: of its patches, or of the cells of its last stage's grid.
    pub fn occlusion(&self, window: Option<usize>, stride: Option<usize>) -> Result<Occlusion> {
        Occlusion::new(&(&self.config().last_stage()).into(), window, stride)
    }

    /// Passes that see these patches. Those of a model of stages or windows are the cells of its last stage, or of the stage with `grid`, and are filled in
    /// place of being left out, with the mean that its processor subtracts, or else middle grey.
    pub fn dropping(&self, seen: Vec<Vec<usize>>, target: Option<usize>, grid: Option<[usize; 2]>) -> Result<Dropping> {
        let filling = Filling::of(self.config(), grid, self.loaded.preprocess.blank())?;
        Ok(Dropping::new(seen, target).filling(filling))
    }

    /// Makes the next pass of `dropping`, up to a pause at most; false where all were made.
    pub fn step(&mut self, pixel_values: &[f32], dropping: &mut Dropping, pause: &dyn Fn() -> bool) -> Result<bool> {
        self.class(dropping.target().unwrap_or(0))?;
        dropping.advance(&self.loaded.vit, self.loaded.precision, pixel_values, pause)
    }

    /// A class, the likeliest if none is given, and its map `[N]` by its gradients, which are of the forward pass in this model's precision, in
    /// f32.
    pub fn attribute(
        &mut self,
        pixel_values: &[f32],
        target: Option<usize>,
        method: GradientMethod,
    ) -> Result<(usize, Vec<f32>)> {
        let mut attribution = self.attribution(target, method)?;
        self.attribute_step(pixel_values, &mut attribution, &|| false)?;
        Ok((attribution.target().unwrap_or(0), attribution.map()))
    }

    /// The beginning of that.
    pub fn attribution(&mut self, target: Option<usize>, method: GradientMethod) -> Result<Attribution> {
        self.class(target.unwrap_or(0))?;
        self.restart();
        Attribution::new(&self.loaded.vit, target, method)
    }

    /// Goes on with it; see [`Attribution::advance`].
    pub fn attribute_step(
        &mut self,
        pixel_values: &[f32],
        attribution: &mut Attribution,
        pause: &dyn Fn() -> bool,
    ) -> Result<bool> {
        attribution.advance(&self.loaded.vit, pixel_values, &mut self.scratch, pause)
    }

    /// Logits `[n, C]` of `hidden_states` `[n, T, D]`, of this model at any size; see [`explain::logit_lens`].
    pub fn logit_lens(&mut self, hidden_states: ArrayView3<f32>) -> Result<Array2<f32>> {
        let mut other = self.other_scratch(hidden_states.dim().1)?;
        explain::logit_lens(&self.loaded.vit, other.as_mut().unwrap_or(&mut self.scratch), hidden_states)
    }

    /// Logits `[N, C]` of each patch of a layer's `tokens` `[T, D]`, of this model at any size; see [`explain::patch_lens`].
    pub fn patch_lens(&self, tokens: ArrayView2<f32>) -> Result<Array2<f32>> {
        let other = self.other_scratch(tokens.nrows())?;
        explain::patch_lens(&self.loaded.vit, other.as_ref().unwrap_or(&self.scratch), tokens)
    }

    /// What streams of so many tokens are read in, where they are of another size.
    fn other_scratch(&self, tokens: usize) -> Result<Option<Scratch>> {
        if tokens == self.config().last_stage().tokens() {
            return Ok(None);
        }
        Scratch::reading(self.config(), self.precision(), tokens).map(Some)
    }

    /// What happened inside a block, of this model at any size; see [`Inside::head`].
    pub fn head_inside(&self, inside: Inside, head: usize, query: Option<Query>) -> Result<(usize, HeadInside)> {
        inside.head(&self.loaded.vit, head, query)
    }

    /// The same; see [`Inside::mlp`].
    pub fn mlp_inside(&self, inside: Inside, query: Option<Query>) -> Result<(usize, MlpInside)> {
        inside.mlp(&self.loaded.vit, query)
    }

    /// `[N]`; see [`Inside::unit`].
    pub fn unit(&self, inside: Inside, unit: usize) -> Result<Vec<f32>> {
        inside.unit(&self.loaded.vit, unit)
    }

    /// See [`Inside::norms`].
    pub fn norms(&self, inside: Inside) -> Result<Norms> {
        inside.norms(&self.loaded.vit)
    }

    /// See [`explain::patch_inside`].
    pub fn patch_inside(&self, pixel_values: &[f32], patch: [usize; 2]) -> Result<PatchInside> {
        explain::patch_inside(&self.loaded.vit, pixel_values, patch)
    }

    /// `[n, 3 P_h P_w]`; see [`explain::filters_of`].
    pub fn filters_of(&self, outputs: &[usize]) -> Result<Array2<f32>> {
        explain::filters_of(&self.loaded.vit, outputs)
    }

    /// `[N, N]`; see [`explain::position_similarity`].
    pub fn position_similarity(&self) -> Result<Array2<f32>> {
        explain::position_similarity(&self.loaded.vit)
    }

    /// `[count, 3 P_h P_w]`; see [`explain::filters`].
    pub fn filters(&self, count: usize) -> Result<Array2<f32>> {
        explain::filters(&self.loaded.vit, count)
    }

    /// Whose row of a class's relevance to read if nobody says: that of what the head reads, the class token or the patches.
    pub fn default_query(&self) -> Query {
        match self.config().pooling {
            Pooling::Mean | Pooling::Attention | Pooling::Map => Query::Mean,
            Pooling::Cls | Pooling::ClsMean | Pooling::ClsDistillation | Pooling::ClsDistillationMean => Query::Class,
        }
    }

    /// `target`, if the model has it; else the likeliest class for `pixel_values`.
    pub fn target(&mut self, pixel_values: &[f32], target: Option<usize>) -> Result<usize> {
        match target {
            Some(target) => self.class(target),
            None => {
                let likeliest = likeliest(self.logits(pixel_values)?);
                self.class(likeliest)
            }
        }
    }

    /// `class`, if the model has it.
    pub fn class(&self, class: usize) -> Result<usize> {
        match self.config().classes() {
            0 => Err(ErrorKind::InvalidArgument("this model has no classes: there is none to explain.".into()).into()),
            classes if class < classes => Ok(class),
            classes => Err(ErrorKind::InvalidArgument(format!(
                "there is no class {class}: the model has {classes}, and they count from 0."
            ))
            .into()),
        }
    }

    /// The `k` classes of `logits` with the highest scores, best first; equal scores in the order of their index.
    pub fn top(&self, logits: &[f32], k: usize) -> Result<Vec<Prediction>> {
        let labels = &self.config().labels;
        if k == 0 {
            return Err(ErrorKind::InvalidArgument("topK must be at least 1.".into()).into());
        }
        let mut scores = logits.to_vec();
        self.config().scores.apply(&mut scores);
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let prediction = |index: usize| Prediction { index, label: labels[index].clone(), score: scores[index] };
        Ok(order.into_iter().take(k).map(prediction).collect())
    }
}
