//! The whole model and its forward pass (ViT paper, equations 1 to 4).

use super::activations::Activations;
use super::attention::Attention;
use super::attention_pool::AttentionPool;
use super::block::Block;
use super::classes::{ClassHead, Similarity};
use super::config::{Config, Pooling};
use super::embed::Embeddings;
use super::linear::{Linear, Then};
use super::norm::{LayerNorm, apply};
use super::places::{BlockPlaces, Places, SharedBytes};
use super::scratch::{Scratch, StageScratch, Workers};
use super::sink::Sink;
use super::transition::Transition;
use crate::alloc::matrix;
use crate::error::{ErrorKind, Result};
use crate::kernels::rows::add_scaled;
use crate::parallel;
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayView3, ArrayViewMut1, ArrayViewMut2, Axis, s};
use std::slice;
use std::sync::Arc;

/// What a model learned.
pub struct Weights {
    /// Patch projection, prefix, positions.
    pub embeddings: Embeddings,
    /// The encoder.
    pub blocks: Vec<Block>,
    /// What leads from each stage to the next; none in a plain ViT.
    pub transitions: Vec<Transition>,
    /// After the last block, on every token that is read.
    pub norm: Option<LayerNorm>,
    /// After pooling (timm's `fc_norm`), where a model has it in place of `norm`.
    pub fc_norm: Option<LayerNorm>,
    /// What pools by attention, in a model whose pooling that is.
    pub pool: Option<AttentionPool>,
    /// From what is pooled to the space of text features, where a model has it (CLIP).
    pub projection: Option<Linear>,
    /// Features → classes; their answers are added, each reading its share of the features. None for a model without a head.
    pub heads: Vec<Linear>,
}

impl Weights {
    /// Bytes they take in memory.
    pub fn bytes(&self) -> usize {
        let Self { embeddings, blocks, transitions, norm, fc_norm, pool, projection, heads } = self;
        let norms = [norm, fc_norm].into_iter().flatten().map(LayerNorm::bytes);
        let linear = heads.iter().chain(projection).map(Linear::bytes);
        let mut shared = SharedBytes::default();
        for Attention { tables, decomposed, frequencies, .. } in blocks.iter().map(|block| &block.attention) {
            tables.iter().for_each(|table| shared.add(table, table.bytes()));
            decomposed.iter().flatten().for_each(|table| shared.add(&table.values, table.bytes()));
            let learned = |[rows, columns]: &[Vec<f32>; 2]| (rows.len() + columns.len()) * size_of::<f32>();
            frequencies.iter().for_each(|frequencies| shared.add(frequencies, learned(frequencies)));
        }
        let blocks = blocks.iter().map(Block::bytes).chain(transitions.iter().map(Transition::bytes));
        let other = embeddings.bytes() + pool.as_ref().map_or(0, AttentionPool::bytes) + shared.sum;
        other + norms.chain(linear).chain(blocks).sum::<usize>()
    }
}

/// A Vision Transformer.
pub struct Vit {
    /// What it is.
    pub config: Config,
    /// What it learned.
    pub weights: Arc<Weights>,
    /// Where the patches of its images are.
    pub places: Arc<Places>,
    /// What it learned to make of cosines of its features and those of texts, where it is for that.
    pub similarity: Option<Similarity>,
    /// What it was given in place of the heads that it learned.
    pub(super) classes: Option<Arc<ClassHead>>,
}

impl Vit {
    /// A model as it was learned.
    pub fn new(config: Config, weights: Weights, similarity: Option<Similarity>) -> Result<Self> {
        let places = Arc::new(Places::new(&config, &weights)?);
        Ok(Self { config, weights: Arc::new(weights), places, similarity, classes: None })
    }

    /// What is made of cosines with the classes that it was given, if it was given any.
    pub fn class_similarity(&self) -> Option<Similarity> {
        self.classes.as_ref().map(|classes| classes.similarity)
    }

    /// Bytes that its weights take in memory, those that it shares with others included.
    pub fn bytes(&self) -> usize {
        self.weights.bytes()
            + self.places.bytes(&self.weights)
            + self.classes.as_ref().map_or(0, |classes| classes.linear.bytes())
    }

    /// Features → classes.
    pub(super) fn heads(&self) -> &[Linear] {
        match &self.classes {
            Some(classes) => slice::from_ref(&classes.linear),
            None => &self.weights.heads,
        }
    }

    /// Logits `[C]` of `pixels` (normalised, `[3, H, W]`, row-major). `sink` may watch.
    pub fn forward<'s>(&self, pixels: &[f32], scratch: &'s mut Scratch, sink: &mut dyn Sink) -> Result<&'s [f32]> {
        scratch.restart();
        self.advance(pixels, scratch, sink, &|| false)?;
        Ok(&scratch.logits)
    }

    /// Begins that pass, or goes on with the one that is under way in `scratch`, until it is over or `pause`, asked between two blocks, says so.
    /// False where it is over; else it may be gone on with, or left for good.
    pub fn advance(
        &self,
        pixels: &[f32],
        scratch: &mut Scratch,
        sink: &mut dyn Sink,
        pause: &dyn Fn() -> bool,
    ) -> Result<bool> {
        let pixels = self.view_pixels(pixels)?;
        scratch.depth = parallel::awake(|| {
            let depth = self.encode(pixels, scratch, sink, pause);
            if depth.is_none() {
                self.pool(scratch);
            }
            depth
        });
        if scratch.depth.is_none() {
            self.answer(scratch);
        }
        Ok(scratch.depth.is_some())
    }

    /// Logits `[C]` of a residual stream `[T, D]`, as if the last block had left it.
    pub fn read<'s>(&self, stream: ArrayView2<f32>, scratch: &'s mut Scratch) -> &'s [f32] {
        scratch.last().stream.assign(&stream);
        self.pool(scratch);
        self.answer(scratch);
        &scratch.logits
    }

    /// Logits `[n, C]` of `tokens` `[n, D]`, n ≤ T, each on its own in the place of everything that is pooled.
    pub fn read_each(&self, tokens: ArrayView2<f32>, scratch: &Scratch) -> Result<Array2<f32>> {
        // A stream of this token alone: whatever is pooled of it, is it.
        let mut alone = Scratch::reading_one(&self.config, scratch.precision)?;
        let (count, config) = (tokens.nrows(), &self.config);
        let mut pooled = matrix("pooled tokens", count, config.pooled_size())?;
        for (token, mut pooled) in tokens.rows().into_iter().zip(pooled.rows_mut()) {
            alone.last().stream.rows_mut().into_iter().for_each(|mut row| row.assign(&token));
            self.pool(&mut alone);
            pooled.assign(&ArrayView1::from(&alone.pooled));
        }
        let mut features = matrix("features", count, config.feature_size())?;
        let mut logits = matrix("logits", count, config.classes())?;
        self.classify(pooled.view(), features.view_mut(), logits.view_mut(), &scratch.workers);
        Ok(logits)
    }

    /// The residual stream: embeddings, then block after block. Returns how many are behind it where there is a pause before the others.
    fn encode(
        &self,
        pixels: ArrayView3<f32>,
        scratch: &mut Scratch,
        sink: &mut dyn Sink,
        pause: &dyn Fn() -> bool,
    ) -> Option<usize> {
        let Weights { embeddings, blocks, .. } = &*self.weights;
        let somewhere = !scratch.intervention.without_positions;
        if scratch.depth.is_none() {
            let positions = self.places.positions.as_deref().filter(|_| somewhere);
            embeddings.forward(&self.config, positions, pixels, scratch);
            sink.hidden_state(0, scratch.stages[0].stream.view());
        }
        for (layer, block) in blocks.iter().enumerate().skip(scratch.depth.unwrap_or(0)) {
            let places = &self.places.blocks[layer];
            let nowhere;
            let places = if somewhere {
                places
            } else {
                nowhere = BlockPlaces { windows: places.windows.clone(), ..BlockPlaces::default() };
                &nowhere
            };
            let [stage, index] = self.config.stage_of(layer);
            if index == 0 {
                self.enter(stage, scratch);
            }
            let tokens = scratch.stages[stage].stream.nrows();
            let read = match layer + 1 == blocks.len() {
                true => self.config.tokens_read(tokens).max(sink.watches(layer)).min(tokens),
                false => tokens,
            };
            block.forward(places, scratch, [stage, layer], read, sink);
            sink.hidden_state(layer + 1, scratch.stages[stage].stream.view());
            if layer + 1 < blocks.len() && pause() {
                return Some(layer + 1);
            }
        }
        // What follows the blocks, where something does, is a stage without any.
        let last = self.config.stage_of(blocks.len() - 1)[0];
        (last + 1..self.config.stage_count()).for_each(|stage| self.enter(stage, scratch));
        None
    }

    /// The stream that a stage begins with, of the one that the stage before it left.
    fn enter(&self, stage: usize, scratch: &mut Scratch) {
        if let Some(before) = stage.checked_sub(1) {
            self.weights.transitions[before].forward(scratch, stage, self.config.grid_of(before));
        }
    }

    /// pooled = fc_norm(pool(norm(stream))), everything but pool being optional.
    fn pool(&self, scratch: &mut Scratch) {
        let Weights { norm, fc_norm, pool, .. } = &*self.weights;
        if let Some(pool) = pool {
            return pool.forward(norm, self.config.first_pooled(), scratch);
        }
        let Scratch { stages, pooled, workers, .. } = scratch;
        let Some(StageScratch { stream, .. }) = stages.last() else { return };
        if self.config.pooling == Pooling::Map {
            let channels = pooled.chunks_exact_mut(stream.nrows()).zip(stream.columns());
            return channels.for_each(|(pooled, channel)| ArrayViewMut1::from(pooled).assign(&channel));
        }
        let token = &mut workers.own().context[..stream.ncols()];
        self.average(stream.as_slice().expect("it is contiguous"), pooled, token);
        if let Some(norm) = fc_norm {
            pooled.chunks_exact_mut(token.len()).for_each(|pooled| norm.in_place(pooled, token));
        }
    }

    /// The means of the tokens that are pooled, each normalised before; `token`: `[D]`, for one of them.
    pub(super) fn average(&self, stream: &[f32], pooled: &mut [f32], token: &mut [f32]) {
        for (pooled, rows) in
            pooled.chunks_exact_mut(token.len()).zip(self.config.pooled_tokens(stream.len() / token.len()))
        {
            pooled.fill(0.0);
            for row in rows.clone() {
                apply(&self.weights.norm, &stream[row * token.len()..][..token.len()], token);
                add_scaled(pooled, 1.0, token);
            }
            pooled.iter_mut().for_each(|sum| *sum /= rows.len() as f32);
        }
    }

    /// Features and logits of what is pooled.
    fn answer(&self, scratch: &mut Scratch) {
        let Scratch { pooled, features, logits, workers, .. } = scratch;
        let pooled = ArrayView1::from(&*pooled).insert_axis(Axis(0));
        let row = |values| ArrayViewMut1::from(values).insert_axis(Axis(0));
        self.classify(pooled, row(features), row(logits), workers);
    }

    /// features = projection(pooled), if there is one; logits = heads(features); all of them a row each.
    fn classify(
        &self,
        pooled: ArrayView2<f32>,
        features: ArrayViewMut2<f32>,
        logits: ArrayViewMut2<f32>,
        workers: &Workers,
    ) {
        let (projection, heads) = (&self.weights.projection, self.heads());
        parallel::for_each_block((features, logits), pooled.nrows(), &|first, (mut features, mut logits)| {
            let activations = &mut workers.own().activations;
            let pooled = pooled.slice(s![first..first + features.nrows(), ..]);
            match projection {
                Some(projection) => read(projection, pooled, |_| 1.0, activations, Then::Store, features.view_mut()),
                None => features.assign(&pooled),
            }

            // What features are compared with is normalised in the head, so its answers are similarities.
            let features = features.view();
            let scale = |row| {
                if self.config.zero_shot {
                    1.0 / length(features.row(row).to_slice().expect("rows are contiguous"))
                } else {
                    1.0
                }
            };
            let share = features.ncols() / heads.len().max(1);
            logits.fill(0.0);
            for (head, features) in heads.iter().zip(features.axis_chunks_iter(Axis(1), share)) {
                read(head, features, scale, activations, Then::Add, logits.view_mut());
            }
        });
    }

    pub(super) fn view_pixels<'p>(&self, pixels: &'p [f32]) -> Result<ArrayView3<'p, f32>> {
        let [height, width] = self.config.image_size;
        ArrayView3::from_shape((3, height, width), pixels).map_err(|_| {
            ErrorKind::InvalidArgument(format!(
                "{} pixel values were given where the model takes 3 × {height} × {width}.",
                pixels.len()
            ))
            .into()
        })
    }
}

/// √(Σ x²), never 0.
pub(super) fn length(x: &[f32]) -> f32 {
    x.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE)
}

/// `out = layer(scale · x)`, or `out += …`; `scale` of each row.
fn read(
    layer: &Linear,
    x: ArrayView2<f32>,
    scale: impl Fn(usize) -> f32,
    activations: &mut Activations,
    then: Then,
    mut out: ArrayViewMut2<f32>,
) {
    let scaled = activations.produce(layer.precision(), x.dim().into(), &mut |row, target| {
        let scale = scale(row);
        target.iter_mut().zip(x.row(row)).for_each(|(target, x)| *target = scale * x);
    });
    layer.forward(scaled, then, out.as_slice_mut().expect("a block of rows is contiguous"));
}
