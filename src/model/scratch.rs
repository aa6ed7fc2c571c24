//! Every buffer of a forward pass, allocated once.

use super::activations::Activations;
use super::config::{Config, Pooling, Precision};
use super::intervention::Intervention;
use super::mobile::{MapSizes, Maps};
use crate::alloc::{filled, matrix, zeros};
use crate::error::{ErrorKind, Result};
use crate::kernels::TILE_COLUMNS;
use crate::kernels::attention::{AttendScratch, PackedHead};
use crate::kernels::gemm_f32::{BLOCK_INPUTS, Sums, no_sums};
use crate::parallel::{self, BLOCK_ROWS, TOKEN_ROWS};
use ndarray::{Array2, ArrayView2};
use std::sync::{Mutex, MutexGuard};

/// Buffers for T tokens of width D.
pub struct Scratch {
    /// Blocks that are behind the stream, where a forward pass is under way.
    pub(super) depth: Option<usize>,
    /// Which patches the model sees, if not all.
    pub(super) seen: Option<Vec<usize>>,
    /// What the forward pass that is under way, or the next, is told to do otherwise.
    pub(super) intervention: Intervention,
    /// How the model's matrices are held.
    pub(super) precision: Precision,
    /// One of each stage: a plain ViT has one.
    pub(super) stages: Vec<StageScratch>,
    /// `[heads]` of the pooling, where they are not as those of the blocks.
    pub(super) pool_heads: Vec<PackedHead>,
    /// `[D]` or `[2 D]` what is read of the stream.
    pub(super) pooled: Vec<f32>,
    /// What the head of the model reads: the same, projected where a model does that.
    pub(super) features: Vec<f32>,
    /// `[C]`.
    pub(super) logits: Vec<f32>,
    /// Between stages, where there are maps.
    pub(super) maps: Maps,
    /// One a thread.
    pub(super) workers: Workers,
}

/// Buffers for a stage of T tokens of width D.
pub(super) struct StageScratch {
    /// `[T, D]` the residual stream.
    pub stream: Array2<f32>,
    /// `[T, 3 D]` queries, keys and values, each heads × d_k wide; in a stage with windows one row more, of padding.
    pub qkv: Array2<f32>,
    /// `[heads]` keys and values, packed, where tokens attend to all.
    pub heads: Vec<PackedHead>,
    /// `[windows, heads, n, d_k]` what the heads of each window gathered.
    pub context: Vec<f32>,
}

/// Something of its own for each thread.
pub(super) struct PerThread<T>(Vec<Mutex<T>>);

/// The buffers of each thread.
pub(super) type Workers = PerThread<Worker>;

/// Buffers for a block of up to B tokens, of which b are done at a time where that takes much, MLP width M, patches of P values.
pub(super) struct Worker {
    /// Up to `[B, max(D, M, P, features)]` what a linear layer reads.
    pub activations: Activations,
    /// `[b, T]` attention of the head at work, where nobody records it.
    pub attention: Array2<f32>,
    /// What attention needs besides.
    pub attend: AttendScratch,
    /// For each stage, if it has windows.
    pub windows: Vec<Option<WindowScratch>>,
    /// `[B, D]` what the heads gathered.
    pub context: Vec<f32>,
    /// Inside the MLP: `[B, slice]`, or `[b, M]`, twice that of a gated one; `[B, D]` what a norm follows.
    pub hidden: Vec<f32>,
    /// `[D / 8, B]` what the MLP's second layer makes of slices of its input.
    pub sums: Vec<Sums>,
    /// `[4 D]`, where there are stages: neighbours that become one.
    pub merged: Vec<f32>,
}

/// Buffers for a head of a window of n slots.
pub(super) struct WindowScratch {
    /// `[n, d_k]` each: queries, keys and values.
    pub qkv: [Array2<f32>; 3],
    /// Keys and values, packed.
    pub head: PackedHead,
}

impl Scratch {
    /// All buffers a model of this shape needs.
    pub fn new(config: &Config, precision: Precision) -> Result<Self> {
        let stages: Vec<_> = (0..config.stage_count()).map(|stage| StageShape::new(config, stage)).collect();
        let mut scratch = Self::of_stages(config, precision, &stages, None)?;
        scratch.maps = Maps::new(config)?;
        Ok(scratch)
    }

    /// For a model that sees only these patches (row-major numbers): it runs on fewer tokens, as if the others did not exist.
    pub fn seeing(config: &Config, precision: Precision, patches: Vec<usize>) -> Result<Self> {
        if config.is_staged() {
            let why = "each of its tokens has a place in a grid that can't be empty.";
            return Err(ErrorKind::UnsupportedView { view: "leaving patches out", why }.into());
        }
        if let Some(patch) = patches.iter().find(|patch| **patch >= config.patches()) {
            return Err(ErrorKind::InvalidArgument(format!(
                "there is no patch {patch}: the image has {}.",
                config.patches()
            ))
            .into());
        }
        if patches.len() < config.fewest_patches() {
            return Err(ErrorKind::InvalidArgument(
                "this model pools its patches, and must see at least one of them.".into(),
            )
            .into());
        }
        let tokens = config.prefix_tokens() + patches.len();
        Self::of_stages(config, precision, &[StageShape::plain(config, tokens)], Some(patches))
    }

    /// For reading streams of so many tokens, which the model had at another size.
    pub fn reading(config: &Config, precision: Precision, tokens: usize) -> Result<Self> {
        config.check_tokens(tokens)?;
        Self::of_stages(config, precision, &[StageShape::plain(config, tokens)], None)
    }

    /// For reading streams of one token, as the last block leaves them.
    pub(super) fn reading_one(config: &Config, precision: Precision) -> Result<Self> {
        Self::of_stages(config, precision, &[StageShape::plain(config, config.prefix_tokens() + 1)], None)
    }

    /// The last of `stages` is the one that is pooled.
    fn of_stages(
        config: &Config,
        precision: Precision,
        stages: &[StageShape],
        seen: Option<Vec<usize>>,
    ) -> Result<Self> {
        let tokens = stages.last().map_or(0, |last| last.tokens);
        let mut own = Vec::with_capacity(stages.len());
        for stage in stages {
            own.push(StageScratch::new(stage, precision)?);
        }
        let pool_heads = match config.own_pool_heads(tokens) {
            Some([count, tokens]) => packed_heads(precision, count, tokens, config.hidden_size / count)?,
            None => Vec::new(),
        };
        Ok(Self {
            depth: None,
            seen,
            intervention: Intervention::default(),
            precision,
            stages: own,
            pool_heads,
            pooled: zeros("the pooled tokens", &[config.pooled_size()])?,
            features: zeros("features", &[config.feature_size()])?,
            logits: zeros("logits", &[config.classes()])?,
            maps: Maps::default(),
            workers: PerThread::new(|| Worker::new(config, precision, stages))?,
        })
    }

    /// The stage whose stream is pooled.
    pub(super) fn last(&mut self) -> &mut StageScratch {
        self.stages.last_mut().expect("there is one at least")
    }
}

/// What a stage's buffers depend on.
struct StageShape {
    tokens: usize,
    width: usize,
    heads: usize,
    mlp_size: usize,
    mlp_outputs: usize,
    /// Number and slots of its windows, of the layers that have most of either.
    windows: Option<[usize; 2]>,
    /// Whether any of its layers has none.
    global: bool,
}

impl StageShape {
    /// That of a plain ViT, or of a model's last stage, where so many tokens are.
    fn plain(config: &Config, tokens: usize) -> Self {
        Self {
            tokens,
            width: config.hidden_size,
            heads: config.heads,
            mlp_size: config.mlp_size,
            mlp_outputs: config.mlp_outputs(),
            windows: None,
            global: true,
        }
    }

    fn new(config: &Config, stage: usize) -> Self {
        let grid = config.grid_of(stage);
        let mut shape = Self::plain(config, config.prefix_tokens() + grid[0] * grid[1]);
        let Some(own) = config.stages.get(stage) else { return shape };
        (shape.width, shape.heads, shape.mlp_size) = (own.hidden_size, own.heads, own.mlp_size);
        (shape.mlp_outputs, shape.global) = (if config.gated { 2 * own.mlp_size } else { own.mlp_size }, false);
        for layer in (0..config.layers).filter(|layer| config.stage_of(*layer)[0] == stage) {
            match config.window(layer) {
                None => shape.global = true,
                Some(window) => {
                    let ([count, n], most) = (window.dim(grid), shape.windows.unwrap_or_default());
                    shape.windows = Some([most[0].max(count), most[1].max(n)]);
                }
            }
        }
        shape
    }
}

impl StageScratch {
    fn new(shape: &StageShape, precision: Precision) -> Result<Self> {
        let StageShape { tokens, width, heads, .. } = *shape;
        let [count, n] = shape.windows.unwrap_or_default();
        Ok(Self {
            stream: matrix("the residual stream", tokens, width)?,
            qkv: matrix("queries, keys and values", tokens + usize::from(count > 0), 3 * width)?,
            heads: if shape.global { packed_heads(precision, heads, tokens, width / heads)? } else { Vec::new() },
            context: zeros("the attention's output", &[count, n, width])?,
        })
    }
}

fn packed_heads(precision: Precision, count: usize, tokens: usize, size: usize) -> Result<Vec<PackedHead>> {
    let mut heads = Vec::with_capacity(count);
    for _ in 0..count {
        heads.push(packed_head(precision, tokens, size)?);
    }
    Ok(heads)
}

#[inline(never)]
fn packed_head(precision: Precision, tokens: usize, size: usize) -> Result<PackedHead> {
    match precision {
        Precision::F32 => PackedHead::f32(tokens, size),
        Precision::Int8 => PackedHead::int8(tokens, size),
    }
}

impl Scratch {
    /// Forgets a forward pass that is under way, and what it was told: the next is a new one, as the model is.
    pub fn restart(&mut self) {
        self.depth = None;
        self.intervention = Intervention::default();
    }

    /// Tells the pass that begins next what to do otherwise, until `restart`. Where the model has no such thing it is told nothing.
    pub fn intervene(&mut self, config: &Config, intervention: Intervention) -> Result<()> {
        intervention.check(config)?;
        self.intervention = intervention;
        Ok(())
    }

    /// Logits `[C]` after a forward pass.
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// The stream `[T, D]` that was pooled, after a forward pass.
    pub fn stream(&self) -> ArrayView2<'_, f32> {
        self.stages.last().expect("there is one at least").stream.view()
    }

    /// The image's features after a forward pass.
    pub fn features(&self) -> &[f32] {
        &self.features
    }
}

impl Worker {
    fn new(config: &Config, precision: Precision, stages: &[StageShape]) -> Result<Self> {
        let (mut rows, mut width, mut inside, mut read, mut keys) = (0, 0, config.pool_mlp_size(), 0, 0);
        let mut size = config.hidden_size / config.pool_heads();
        let mut windows = Vec::with_capacity(stages.len());
        for stage in stages {
            // (A window may have more slots than there are tokens.)
            let slots = stage.windows.map_or(0, |[_, n]| n);
            rows = rows.max(stage.tokens).max(slots);
            width = width.max(stage.width);
            inside = inside.max(stage.mlp_outputs).max(stage.width);
            read = read.max(stage.mlp_size).max(stage.width);
            // The tokens that one can attend to.
            keys = keys.max(slots).max(if stage.global { stage.tokens } else { 0 });
            size = size.max(stage.width / stage.heads);
            windows.push(if slots > 0 { Some(WindowScratch::new(stage, precision, slots)?) } else { None });
        }
        let maps = config.maps.as_ref();
        // (A map may have more places.)
        let [block, few] = [TOKEN_ROWS, BLOCK_ROWS].map(|most| if maps.is_some() { most } else { most.min(rows) });
        // What merges patches reads four of them, and a convolution nine places.
        let merged = if stages.len() > 1 { 9 * width } else { 0 };
        let answer = if config.pooling == Pooling::Map { 0 } else { config.pooled_size().max(config.feature_size()) };
        let read = read.max(answer).max(config.pool_mlp_size()).max(merged).max(maps.map_or(0, MapSizes::widest));
        let (quantized, sums) = match precision {
            Precision::F32 => (0, width.div_ceil(TILE_COLUMNS)),
            Precision::Int8 => (read, 0),
        };
        let hidden = (few * inside).max(block * width.max(inside.min(2 * BLOCK_INPUTS)));
        Ok(Self {
            activations: Activations::new(block, read.max(config.patch_values()), quantized)?,
            attention: matrix("attention", few, keys)?,
            attend: AttendScratch::new(few, keys, size)?,
            windows,
            context: zeros("the attention's output", &[block, width])?,
            hidden: zeros("the MLP's hidden layer", &[hidden])?,
            sums: filled("the MLP's sums", &[sums, block], no_sums())?,
            merged: zeros("neighbours", &[merged])?,
        })
    }
}

impl WindowScratch {
    fn new(stage: &StageShape, precision: Precision, n: usize) -> Result<Self> {
        let size = stage.width / stage.heads;
        let buffer = || matrix("queries, keys and values of a window", n, size);
        Ok(Self { qkv: [buffer()?, buffer()?, buffer()?], head: packed_head(precision, n, size)? })
    }
}

#[cfg(test)]
impl Worker {
    /// For what needs nothing else.
    pub fn holding(activations: Activations) -> Self {
        let attend = AttendScratch::new(1, 1, 1).expect("it is small");
        let (windows, [context, hidden, merged]) = (Vec::new(), [const { Vec::new() }; 3]);
        let (attention, sums) = (Array2::zeros((1, 1)), Vec::new());
        Self { activations, attention, attend, windows, context, hidden, sums, merged }
    }
}

impl<T> PerThread<T> {
    /// One that `make` makes for each thread.
    pub fn new(make: impl Fn() -> Result<T>) -> Result<Self> {
        let mut each = Vec::with_capacity(parallel::threads());
        for _ in 0..parallel::threads() {
            each.push(Mutex::new(make()?));
        }
        Ok(Self(each))
    }

    /// That of the calling thread. Each is taken by one thread at a time; the lock says so to the compiler.
    pub fn own(&self) -> MutexGuard<'_, T> {
        let own = &self.0[parallel::thread_index() % self.0.len()];
        own.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
