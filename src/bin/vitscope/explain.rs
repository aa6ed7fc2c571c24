//! `vitscope explain`

use crate::input::Input;
use crate::output::{print, write_whole};
use crate::render::{Look, Map, render};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array2, Array3, ArrayD, IxDyn};
use ndarray_npy::WriteNpyExt;
use serde_json::json;
use std::path::Path;
use vitscope::Classifier;
use vitscope::checkpoint::{self, Values};
use vitscope::decode::Picture;
use vitscope::explain::{
    self, Curve, Dropping, Fusion, GradientMethod, HeadMap, Heads, Query, Rollout, Shape, StagedTrace,
};
use vitscope::model::{Config, Scores};

/// What can be shown.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    /// What a query attends to in a layer, in one head or in all
    Head,
    /// Attention through all layers
    Rollout,
    /// The same, weighted by the gradient of a class
    GradientRollout,
    /// Relevance for a class (Chefer et al., 2021)
    Chefer,
    /// Tokens of a block weighted by the gradient of a class
    GradCam,
    /// Logits of all classes after every layer, the embeddings first
    LogitLens,
    /// A class's logit of every patch token after a layer
    PatchLens,
    /// First three principal components of a layer's patch tokens
    Features,
    /// Cosine similarity of a token with every patch's after a layer
    Similarity,
    /// How much a class's score falls without each patch
    Occlusion,
    /// Mean attention distance in pixels, of each layer and head
    Distance,
    /// Entropy of attention in nats, of each layer and head
    Entropy,
    /// Cosine similarity of the patches' position embeddings
    Positions,
    /// Principal components of the filters of the patch embedding
    Filters,
}

#[derive(clap::Args)]
pub struct View {
    /// What to show
    #[arg(long)]
    method: Method,
    /// Number of the block, from 0; the last if not given
    #[arg(long)]
    layer: Option<usize>,
    /// Number of a head, or how all are fused: mean, max or min
    #[arg(long, default_value = "mean")]
    head: String,
    /// Whose view it is: cls, ROW,COL, mean (of all patches), distillation or register:I; if not given cls, or mean where a model doesn't have
    /// it, or for a class doesn't read it
    #[arg(long)]
    query: Option<String>,
    /// Class to explain: its label, in any case, a part of it between commas, or its index; the likeliest if not given
    #[arg(long)]
    target: Option<String>,
    /// Rollout: share of each attention matrix, its smallest elements, to leave out
    #[arg(long, default_value_t = 0.0)]
    discard: f64,
    /// Head: keep the patches that together hold this share of the attention, 0 to 1
    #[arg(long)]
    mass: Option<f32>,
    /// Head: cut what is above this percentile down to it
    #[arg(long)]
    clip: Option<f32>,
    /// Occlusion: edge of the window that is left out, in patches; an eighth of the image if not given
    #[arg(long)]
    window: Option<usize>,
    /// Occlusion: how far windows lie apart; their edge if not given
    #[arg(long)]
    stride: Option<usize>,
    /// Filters: how many
    #[arg(long, default_value_t = 28)]
    count: usize,
    /// Judge the map: take its patches away, and put them in, the first ones first, in so many steps
    #[arg(long, value_name = "STEPS")]
    curves: Option<usize>,
    #[command(flatten)]
    look: Look,
}

/// What is shown.
struct Shown {
    map: ArrayD<f32>,
    /// In words.
    text: String,
    /// The stage of whose patches it has a value each, 0 in a plain ViT, where it is of an image.
    stage: Option<usize>,
    /// Values of both signs, 0 in the middle.
    signed: bool,
    /// The class it is of, where it is of one.
    target: Option<usize>,
}

/// A class's score as patches go and come.
struct Judged {
    deletion: Vec<f32>,
    insertion: Vec<f32>,
}

pub fn run(mut classifier: Classifier, input: &Input, view: &View, output: &Path) -> Result<()> {
    let kind = Kind::of(output)?;
    let (pixels, picture) = input.read(&classifier)?;
    let shown = view.show(&mut classifier, &pixels)?;
    let judged = view.curves.map(|steps| view.judge(&mut classifier, &pixels, &shown, steps)).transpose()?;

    let bytes = match kind {
        Kind::Safetensors => safetensors(&shown, judged.as_ref())?,
        Kind::Npy => {
            let mut bytes = Vec::new();
            shown.map.write_npy(&mut bytes)?;
            bytes
        }
        Kind::Json => {
            let curves =
                judged.as_ref().map(|judged| json!({"deletion": judged.deletion, "insertion": judged.insertion}));
            let data = shown.map.iter().collect::<Vec<_>>();
            json!({"text": shown.text, "shape": shown.map.shape(), "data": data, "curves": curves})
                .to_string()
                .into_bytes()
        }
        Kind::Png => png(&classifier, view, &shown, picture.as_ref())?,
    };
    write_whole(output, &bytes)?;
    print(format_args!("{}: map {:?}: {}", output.display(), shown.map.shape(), shown.text))?;
    match &judged {
        // (What lies under the curve of a value says nothing, since its zero is anywhere.)
        Some(Judged { deletion, insertion }) if classifier.config().scores != Scores::Raw => print(format_args!(
            "area under deletion {:.4} (lower is better), under insertion {:.4} (higher is better)",
            explain::area(deletion),
            explain::area(insertion)
        )),
        _ => Ok(()),
    }
}

impl View {
    fn show(&self, classifier: &mut Classifier, pixels: &[f32]) -> Result<Shown> {
        let shape = Shape::from(classifier.config());
        let layer = shape.check_layer(self.layer.unwrap_or(shape.layers - 1))?;
        // Relevance is read where the head reads.
        let usual = match self.method {
            Method::Chefer | Method::GradientRollout => classifier.default_query(),
            _ => shape.default_query(),
        };
        let config = classifier.config().clone();
        let (own, [stage, _]) = (Shape::of_layer(&config, layer), config.stage_of(layer));
        let last = config.stage_count() - 1;
        let query = self.query.as_ref().map_or(Ok(usual), |query| query.parse())?;
        let fusion = || self.head.parse::<Fusion>();
        let patches = |values: Vec<f32>, text| Shown::of_patches(reshaped(values, &own.grid), text, stage);
        Ok(match self.method {
            Method::Head => {
                let map =
                    HeadMap { layer, heads: self.head.parse::<Heads>()?, query, mass: self.mass, clip: self.clip };
                let text = format!("attention of {} in layer {layer}, head {}", name(query), self.head);
                patches(map.compute(&own, &mut &traced(classifier, pixels)?)?, text)
            }
            Method::Rollout => {
                let rollout = Rollout { fusion: fusion()?, discard: self.discard, query };
                if config.is_staged() {
                    return Err(explain::no_rollout().into());
                }
                let text = format!("attention rollout of {}, {} of heads", name(query), self.head);
                patches(rollout.compute(&shape, &mut &traced(classifier, pixels)?)?, text)
            }
            Method::GradientRollout => {
                let method = GradientMethod::GradientRollout { query, discard: self.discard };
                self.by_gradient(classifier, pixels, method, "gradient rollout")?
            }
            Method::Chefer => self.by_gradient(classifier, pixels, GradientMethod::Chefer { query }, "relevance")?,
            Method::GradCam => self.by_gradient(classifier, pixels, GradientMethod::GradCam { layer }, "Grad-CAM")?,
            Method::LogitLens => {
                let (rows, text) = match config.layers_read() {
                    _ if !config.is_staged() => (0, "logits after each layer, the embeddings first".into()),
                    read => (read.start + 1, format!("logits after layers {} to {}", read.start, config.layers - 1)),
                };
                let streams = &traced(classifier, pixels)?.hidden_states[rows..];
                let (read, values) = (config.last_stage(), streams.iter().flatten().copied().collect());
                let streams = Array3::from_shape_vec((streams.len(), read.tokens(), read.hidden_size), values)?;
                Shown { signed: true, ..Shown::of_model(classifier.logit_lens(streams.view())?.into_dyn(), &text) }
            }
            Method::PatchLens => {
                let target = self.target(classifier, pixels)?;
                let trace = traced(classifier, pixels)?;
                let logits = classifier.patch_lens(trace.hidden_states[layer + 1].view())?;
                let text = format!("logit of {} at each patch after layer {layer}", class(classifier, target));
                Shown { signed: true, target: Some(target), ..patches(logits.column(target).to_vec(), text) }
            }
            Method::Features => {
                let scores = explain::features(&own, traced(classifier, pixels)?.hidden_states[layer + 1].view())?;
                let map = reshaped(scores.into_raw_vec_and_offset().0, &[own.grid[0], own.grid[1], 3]);
                let text = format!("principal components of the patches after layer {layer}");
                Shown { signed: true, ..Shown::of_patches(map, text, stage) }
            }
            Method::Similarity => {
                let trace = traced(classifier, pixels)?;
                let map = explain::similarity(&own, trace.hidden_states[layer + 1].view(), query)?;
                let text = format!("similarity of {} with each patch after layer {layer}", name(query));
                Shown { signed: true, ..patches(map, text) }
            }
            Method::Occlusion => {
                let target = self.target(classifier, pixels)?;
                let occlusion = classifier.occlusion(self.window, self.stride)?;
                let mut dropping = classifier.dropping(occlusion.seen(), Some(target), None)?;
                make_all(classifier, pixels, &mut dropping)?;
                let score = if classifier.config().scores == Scores::Raw { "value" } else { "probability" };
                let text = format!("what the {score} of {} falls without each patch", class(classifier, target));
                let map = reshaped(occlusion.map(dropping.scores()), &config.last_stage().grid());
                Shown { signed: true, target: Some(target), ..Shown::of_patches(map, text, last) }
            }
            Method::Distance => {
                let trace = &mut &traced(classifier, pixels)?;
                let map = each_layer(&config, |shape, layer| explain::distance_of(shape, layer, trace))?;
                Shown::of_model(map, "mean attention distance in pixels, [layer, head]")
            }
            Method::Entropy => {
                let trace = &mut &traced(classifier, pixels)?;
                let map = each_layer(&config, |shape, layer| explain::entropy_of(shape, layer, trace))?;
                Shown::of_model(map, "entropy of attention in nats, [layer, head]")
            }
            Method::Positions => {
                let text = "cosine similarity of position embeddings, [patch, patch]";
                Shown { signed: true, ..Shown::of_model(classifier.position_similarity()?.into_dyn(), text) }
            }
            Method::Filters => {
                let [height, width] = config.patch_size;
                let filters = classifier.filters(self.count)?.into_raw_vec_and_offset().0;
                let map = reshaped(filters, &[self.count, 3, height, width]);
                Shown { signed: true, ..Shown::of_model(map, "principal components of the patch filters") }
            }
        })
    }

    fn by_gradient(
        &self,
        classifier: &mut Classifier,
        pixels: &[f32],
        method: GradientMethod,
        what: &str,
    ) -> Result<Shown> {
        let (grid, last) = (classifier.config().last_stage().grid(), classifier.config().stage_count() - 1);
        let (target, map) = classifier.attribute(pixels, self.named_target(classifier)?, method)?;
        let text = format!("{what} for {}", class(classifier, target));
        Ok(Shown { target: Some(target), ..Shown::of_patches(reshaped(map, &grid), text, last) })
    }

    /// The class to explain: the named one, or the likeliest.
    fn target(&self, classifier: &mut Classifier, pixels: &[f32]) -> Result<usize> {
        let named = self.named_target(classifier)?;
        Ok(classifier.target(pixels, named)?)
    }

    fn named_target(&self, classifier: &Classifier) -> Result<Option<usize>> {
        let Some(target) = &self.target else { return Ok(None) };
        let config = classifier.config();
        classifier.class(0)?; // or there is none to name
        let found = config.class_named(target)?.with_context(|| {
            format!(
                "no class is called `{target}`. `vitscope classify` shows labels; an index below {} will do too",
                config.classes()
            )
        })?;
        Ok(Some(found))
    }

    fn judge(&self, classifier: &mut Classifier, pixels: &[f32], shown: &Shown, steps: usize) -> Result<Judged> {
        if shown.stage.is_none() || shown.map.ndim() != 2 {
            bail!("only a map with a value a patch can be judged by curves.");
        }
        let target = match shown.target {
            Some(target) => target,
            None => self.target(classifier, pixels)?,
        };
        let map: Vec<f32> = shown.map.iter().copied().collect();
        let mut curve = |curve: Curve| {
            let seen = curve.seen(&map, steps, classifier.config().fewest_patches())?;
            let grid = [shown.map.shape()[0], shown.map.shape()[1]];
            let mut dropping = classifier.dropping(seen, Some(target), Some(grid))?;
            make_all(classifier, pixels, &mut dropping)?;
            anyhow::Ok(dropping.scores().to_vec())
        };
        Ok(Judged { deletion: curve(Curve::Deletion)?, insertion: curve(Curve::Insertion)? })
    }
}

impl Shown {
    fn of_patches(map: ArrayD<f32>, text: String, stage: usize) -> Self {
        Self { map, text, stage: Some(stage), signed: false, target: None }
    }

    fn of_model(map: ArrayD<f32>, text: &str) -> Self {
        Self { map, text: text.into(), stage: None, signed: false, target: None }
    }
}

fn reshaped(values: Vec<f32>, shape: &[usize]) -> ArrayD<f32> {
    ArrayD::from_shape_vec(IxDyn(shape), values).expect("a view has a value for each")
}

fn traced(classifier: &mut Classifier, pixels: &[f32]) -> Result<StagedTrace> {
    let mut trace = StagedTrace::new(classifier.config())?;
    classifier.watch(pixels, &mut trace)?;
    Ok(trace)
}

/// `[L, heads]` of what `measure` says of each layer `[heads]`; where another layer has more heads, no number.
fn each_layer(
    config: &Config,
    mut measure: impl FnMut(&Shape, usize) -> vitscope::Result<Vec<f32>>,
) -> Result<ArrayD<f32>> {
    let most = (0..config.layers).map(|layer| config.heads_of(layer)).max().unwrap_or(0);
    let mut map = Array2::from_elem((config.layers, most), f32::NAN);
    for (layer, mut row) in map.rows_mut().into_iter().enumerate() {
        let own = measure(&Shape::of_layer(config, layer), layer)?;
        row.iter_mut().zip(own).for_each(|(value, own)| *value = own);
    }
    Ok(map.into_dyn())
}

/// All passes, with a bar.
fn make_all(classifier: &mut Classifier, pixels: &[f32], dropping: &mut Dropping) -> Result<()> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} passes {eta} left")?;
    let bar = ProgressBar::new(dropping.passes() as u64).with_style(style);
    while classifier.step(pixels, dropping, &|| false)? {
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

fn name(query: Query) -> String {
    match query {
        Query::Class => "the class token".into(),
        Query::Distillation => "the distillation token".into(),
        Query::Register(index) => format!("register {index}"),
        Query::Patch(row, column) => format!("patch {row},{column}"),
        Query::Mean => "all patches".into(),
    }
}

fn class(classifier: &Classifier, target: usize) -> String {
    format!("class {target} ({})", classifier.config().labels[target])
}

/// What is written.
enum Kind {
    Safetensors,
    Npy,
    Json,
    Png,
}

impl Kind {
    fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("safetensors") => Ok(Self::Safetensors),
            Some("npy") => Ok(Self::Npy),
            Some("json") => Ok(Self::Json),
            Some("png") => Ok(Self::Png),
            _ => bail!("{}: the name must end in .safetensors, .npy, .json or .png.", path.display()),
        }
    }
}

fn safetensors(shown: &Shown, judged: Option<&Judged>) -> Result<Vec<u8>> {
    let values = shown.map.iter().copied().collect();
    let mut tensors = vec![("map".into(), shown.map.shape().to_vec(), Values::F32(values))];
    for (name, curve) in
        judged.iter().flat_map(|judged| [("deletion", &judged.deletion), ("insertion", &judged.insertion)])
    {
        tensors.push((name.into(), vec![curve.len()], Values::F32(curve.clone())));
    }
    Ok(checkpoint::write(tensors, None)?)
}

fn png(classifier: &Classifier, view: &View, shown: &Shown, picture: Option<&Picture>) -> Result<Vec<u8>> {
    let colours = match shown.map.ndim() {
        3 => 3,
        2 if view.method != Method::LogitLens => 1,
        _ => bail!("this is no picture: write .npy, .json or .safetensors."),
    };
    let values: Vec<f32> = shown.map.iter().copied().collect();
    let [rows, columns] = [shown.map.shape()[0], shown.map.shape()[1]];
    let map = Map { values, rows, columns, colours, signed: shown.signed };
    let under = match picture.zip(shown.stage) {
        Some((picture, stage)) => {
            let photo = picture.view();
            Some((photo, classifier.region_of(stage, photo.width, photo.height)?))
        }
        None => None,
    };
    render(&map, under, &view.look)
}
