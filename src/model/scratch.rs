//! Every buffer of a forward pass, allocated once.

use super::activations::Activations;
use super::config::{Config, Precision};
use super::intervention::Intervention;
use crate::alloc::{matrix, zeros};
use crate::error::{ErrorKind, Result};
use crate::kernels::attention::{AttendScratch, PackedHead};
use crate::parallel;
use ndarray::Array2;
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
    /// `[T, D]` the residual stream.
    pub(super) stream: Array2<f32>,
    /// `[T, 3 D]` queries, keys and values, each heads × d_k wide.
    pub(super) qkv: Array2<f32>,
    /// `[heads]` keys and values, packed.
    pub(super) heads: Vec<PackedHead>,
    /// `[heads]` of the pooling, where they are not as those of the blocks.
    pub(super) pool_heads: Vec<PackedHead>,
    /// `[D]` or `[2 D]` what is read of the stream.
    pub(super) pooled: Vec<f32>,
    /// What the head of the model reads: the same, projected where a model does that.
    pub(super) features: Vec<f32>,
    /// `[C]`.
    pub(super) logits: Vec<f32>,
    /// One a thread.
    pub(super) workers: Workers,
}

/// Something of its own for each thread.
pub(super) struct PerThread<T>(Vec<Mutex<T>>);

/// The buffers of each thread.
pub(super) type Workers = PerThread<Worker>;

/// Buffers for a block of up to B tokens, MLP width M, patches of P values.
pub(super) struct Worker {
    /// Up to `[B, max(D, M, P, features)]` what a linear layer reads.
    pub activations: Activations,
    /// `[B, T]` attention of the head at work, where nobody records it.
    pub attention: Array2<f32>,
    /// What attention needs besides.
    pub attend: AttendScratch,
    /// `[B, D]` what the heads gathered.
    pub context: Vec<f32>,
    /// `[B, M]`, or `[B, 2 M]` of a gated one: inside the MLP.
    pub hidden: Vec<f32>,
}

impl Scratch {
    /// All buffers a model of this shape needs.
    pub fn new(config: &Config, precision: Precision) -> Result<Self> {
        Self::for_tokens(config, precision, config.tokens(), None)
    }

    /// For a model that sees only these patches (row-major numbers): it runs on fewer tokens, as if the others did not exist.
    pub fn seeing(config: &Config, precision: Precision, patches: Vec<usize>) -> Result<Self> {
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
        Self::for_tokens(config, precision, config.prefix_tokens() + patches.len(), Some(patches))
    }

    /// For reading streams of so many tokens, which the model had at another size.
    pub fn reading(config: &Config, precision: Precision, tokens: usize) -> Result<Self> {
        config.check_tokens(tokens)?;
        Self::for_tokens(config, precision, tokens, None)
    }

    fn for_tokens(config: &Config, precision: Precision, tokens: usize, seen: Option<Vec<usize>>) -> Result<Self> {
        let width = config.hidden_size;
        let heads = |[count, tokens]: [usize; 2]| {
            let head = |_| match precision {
                Precision::F32 => PackedHead::f32(tokens, width / count),
                Precision::Int8 => PackedHead::int8(tokens, width / count),
            };
            (0..count).map(head).collect::<Result<Vec<_>>>()
        };
        let pool_heads = config.own_pool_heads(tokens).map(heads).transpose()?.unwrap_or_default();
        Ok(Self {
            depth: None,
            seen,
            intervention: Intervention::default(),
            precision,
            stream: matrix("the residual stream", tokens, width)?,
            qkv: matrix("queries, keys and values", tokens, 3 * width)?,
            heads: heads([config.heads, tokens])?,
            pool_heads,
            pooled: zeros("the pooled tokens", &[config.pooled_size()])?,
            features: zeros("features", &[config.feature_size()])?,
            logits: zeros("logits", &[config.classes()])?,
            workers: PerThread::new(|| Worker::new(config, precision, tokens))?,
        })
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

    /// The image's features after a forward pass.
    pub fn features(&self) -> &[f32] {
        &self.features
    }
}

impl Worker {
    fn new(config: &Config, precision: Precision, tokens: usize) -> Result<Self> {
        let width = config.hidden_size;
        let block = parallel::BLOCK_ROWS.min(tokens);
        let read = [config.pooled_size(), config.feature_size(), config.mlp_size, config.pool_mlp_size()];
        let read = read.into_iter().max().unwrap_or(0);
        let quantized = match precision {
            Precision::F32 => 0,
            Precision::Int8 => read,
        };
        Ok(Self {
            activations: Activations::new(block, read.max(config.patch_values()), quantized)?,
            attention: matrix("attention", block, tokens)?,
            attend: AttendScratch::new(block, tokens, config.head_size().max(width / config.pool_heads()))?,
            context: zeros("the attention's output", &[block, width])?,
            hidden: zeros("the MLP's hidden layer", &[block, config.mlp_outputs().max(config.pool_mlp_size())])?,
        })
    }
}

#[cfg(test)]
impl Worker {
    /// For what needs nothing else.
    pub fn holding(activations: Activations) -> Self {
        let attend = AttendScratch::new(1, 1, 1).expect("it is small");
        Self { activations, attention: Array2::zeros((1, 1)), attend, context: Vec::new(), hidden: Vec::new() }
    }
}

impl<T> PerThread<T> {
    /// One that `make` makes for each thread.
    pub fn new(make: impl Fn() -> Result<T>) -> Result<Self> {
        let each = (0..parallel::threads()).map(|_| Ok(Mutex::new(make()?)));
        Ok(Self(each.collect::<Result<_>>()?))
    }

    /// That of the calling thread. Each is taken by one thread at a time; the lock says so to the compiler.
    pub fn own(&self) -> MutexGuard<'_, T> {
        let own = &self.0[parallel::thread_index() % self.0.len()];
        own.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
