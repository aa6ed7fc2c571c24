//! Encoder blocks, whatever their tensors are called: every family names the same parts.

use super::convolutions::Kernel;
use super::equalise::equalise;
use super::reader::{Bias, Reader};
use crate::error::{Error, Result};
use crate::model::{
    Activation, Attention, AttentionPool, Block, Config, Convolution, Equalised, Frequencies, Interpolation,
    LearnedGrid, Linear, Mlp, Neck, RelativeBias, Rotary, Transition, WindowRule,
};
use std::sync::Arc;

/// Where the tensors of a block are, relative to the block.
#[derive(Clone, Copy)]
pub(super) struct BlockNames {
    pub norm1: &'static str,
    pub qkv: Qkv,
    /// LayerNorms of queries and keys, where the file has them.
    pub qk_norm: Option<[&'static str; 2]>,
    pub projection: &'static str,
    /// Norms before the projection and before fc2, where the file has them.
    pub inner_norms: Option<[&'static str; 2]>,
    pub norm2: &'static str,
    /// One matrix, or a gate and what it gates.
    pub fc1: &'static [&'static str],
    pub fc2: &'static str,
    /// Of the projection and of the MLP.
    pub bias: Bias,
    /// LayerScale after attention and after the MLP, where the file has it.
    pub scales: Option<[&'static str; 2]>,
    pub windowed: Windowed,
}

/// What attention within windows has of its own.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Windowed {
    No,
    /// Relative positions in a table, under one of these names (Swin).
    Table(&'static [&'static str]),
    /// Scores are cosines times e^scale, relative positions are computed by an MLP, and norms come after attention and MLP (Swin v2).
    Continuous {
        scale: &'static str,
        mlp: &'static str,
    },
    /// Relative positions in tables of rows and of columns, where layers see all too (SAM).
    Decomposed,
}

/// Where queries, keys and values are.
#[derive(Clone, Copy)]
pub(super) enum Qkv {
    /// Three layers, each with a bias or without.
    Split([&'static str; 3], [Bias; 3]),
    /// One layer.
    Fused(&'static str, Bias),
    /// One matrix and one bias, by names of their own.
    Packed { weight: &'static str, bias: &'static str },
    /// One matrix, and biases of queries and values beside it, both or neither. Keys have none.
    FusedWeight { weight: &'static str, query_bias: &'static str, value_bias: &'static str },
}

/// Where the blocks of a file are, which are called `{scope}{number}`, and their tensors within them; where there are stages `{scope}{stage}{within}{number}`.
pub(super) struct Blocks {
    pub scope: String,
    within: Option<&'static str>,
    /// Number of the first stage.
    first: usize,
    pub names: BlockNames,
}

impl Blocks {
    pub fn new(scope: impl Into<String>, names: BlockNames) -> Self {
        Self { scope: scope.into(), within: None, first: 0, names }
    }

    /// Those of stages.
    pub fn of_stages(scope: impl Into<String>, within: &'static str, names: BlockNames) -> Self {
        Self { scope: scope.into(), within: Some(within), first: 0, names }
    }

    /// The same, the first stage being called so.
    pub fn counted_from(self, first: usize) -> Self {
        Self { first, ..self }
    }

    /// One of them.
    pub fn read(&self, config: &Config, reader: &mut Reader, i: usize) -> Result<Block> {
        let [stage, index] = config.stage_of(i);
        let path = match self.within {
            None => format!("{}{i}.", self.scope),
            Some(within) => format!("{}{}{within}{index}.", self.scope, self.first + stage),
        };
        let window = reader.native_window(config, i);
        let own = config.of_stage(stage);
        let trained = config.stages.get(stage).map_or(0, |stage| match stage.windows {
            Some(WindowRule::Shifted { trained, .. }) => trained,
            _ => 0,
        });
        reader.within_block(&path, i, |reader| {
            let mut block = read_block(&own, reader, &self.names)?;
            if self.names.windowed == Windowed::Decomposed && config.positions.relative {
                block.attention.decomposed = Some(reader.decomposed(own.head_size(), window)?);
            } else if let Some(window) = window {
                read_windowed(&own, reader, &self.names, &mut block, (window, trained))?;
            }
            Ok(block)
        })
    }
}

/// What a block has to attend within windows.
fn read_windowed(
    config: &Config,
    reader: &mut Reader,
    names: &BlockNames,
    block: &mut Block,
    (window, trained): ([usize; 2], usize),
) -> Result<()> {
    let heads = config.heads;
    match names.windowed {
        Windowed::No | Windowed::Decomposed => {}
        Windowed::Table(names) => {
            let name = names.iter().find(|name| reader.has(name)).unwrap_or(&names[0]);
            block.attention.tables = vec![Arc::new(reader.window_table(name, heads, window)?)];
        }
        Windowed::Continuous { scale, mlp } => {
            const HIDDEN: usize = 512;
            const LARGEST: f32 = 100.0;
            let scales = reader.floats(scale, &[heads, 1, 1])?;
            block.attention.cosine =
                Some(scales.iter().map(|scale| (f64::from(*scale).exp() as f32).min(LARGEST)).collect());
            let mut part = |name: &str, shape: &[usize]| reader.floats(&[mlp, name].concat(), shape);
            let (first, bias) = (part(".0.weight", &[HIDDEN, 2])?, part(".0.bias", &[HIDDEN])?);
            let second = part(".2.weight", &[heads, HIDDEN])?;
            let values = RelativeBias::continuous(window, trained, [&first, &bias, &second])?;
            let grid = RelativeBias::distances(window);
            block.attention.tables = vec![Arc::new(LearnedGrid { values: Arc::new(values), grid, how: None })];
        }
    }
    Ok(())
}

fn read_block(config: &Config, reader: &mut Reader, names: &BlockNames) -> Result<Block> {
    let (width, mlp, eps) = (config.hidden_size, config.mlp_size, config.layer_norm_eps);
    let equalised = if reader.equalises { equalise(config, reader, names)? } else { Equalised::default() };
    // y · γ is a layer with γ in its rows.
    let mut scales = [None, None];
    for (scale, name) in scales.iter_mut().zip(names.scales.iter().flatten()) {
        if reader.has(name) {
            *scale = Some(reader.floats(name, &[width])?);
        }
    }
    let [scale1, scale2] = scales;

    let qkv = match names.qkv {
        Qkv::Split(layers, biases) => {
            reader.linear(&[0, 1, 2].map(|i| (layers[i], biases[i])), width, 3 * width, None)?
        }
        Qkv::Fused(layer, bias) => reader.linear(&[(layer, bias)], width, 3 * width, None)?,
        Qkv::Packed { weight, bias } => {
            let bias = reader.floats(bias, &[3 * width])?;
            reader.linear_with_bias(weight, width, bias)?
        }
        Qkv::FusedWeight { weight, query_bias, value_bias } => {
            let mut bias = vec![0.0; 3 * width];
            if reader.has(query_bias) || reader.has(value_bias) {
                bias[..width].copy_from_slice(&reader.floats(query_bias, &[width])?);
                bias[2 * width..].copy_from_slice(&reader.floats(value_bias, &[width])?);
            }
            reader.linear_with_bias(weight, width, bias)?
        }
    };
    let mut qk_norm = None;
    if let Some([query, key]) = names.qk_norm
        && let Some(query) = reader.optional_norm(query, config.head_size(), eps)?
    {
        qk_norm = Some([query, reader.layer_norm(key, config.head_size(), eps)?]);
    }
    let mut inner = [None, None];
    for ((norm, name), width) in inner.iter_mut().zip(names.inner_norms.iter().flatten()).zip([width, mlp]) {
        *norm = reader.optional_norm(name, width, eps)?;
    }
    let [before_projection, before_fc2] = inner;
    let fc1: Vec<_> = names.fc1.iter().map(|name| (*name, names.bias)).collect();
    Ok(Block {
        post_norm: matches!(names.windowed, Windowed::Continuous { .. }),
        norm1: reader.layer_norm(names.norm1, width, eps)?,
        attention: Attention {
            qkv,
            norm: before_projection,
            projection: reader.linear(&[(names.projection, names.bias)], width, width, scale1)?,
            heads: config.heads,
            qk_norm,
            cosine: None,
            decomposed: None,
            tables: Vec::new(),
            frequencies: None,
        },
        norm2: reader.layer_norm(names.norm2, width, eps)?,
        mlp: Mlp {
            fc1: reader.linear(&fc1, width, config.mlp_outputs(), None)?,
            norm: before_fc2,
            fc2: reader.linear(&[(names.fc2, names.bias)], mlp, width, scale2)?,
            activation: config.activation,
            gated: config.gated,
        },
        equalised,
    })
}

/// What pools by attention, after its query, its keys and its values: `names` are the projection's and the norm's.
pub(super) fn read_rest_of_pool(
    config: &Config,
    reader: &mut Reader,
    query: Vec<f32>,
    key_value: Linear,
    activation: Activation,
    names: [&str; 2],
) -> Result<AttentionPool> {
    let (width, mlp) = (config.hidden_size, config.pool_mlp_size());
    let mut linear =
        |name: &str, inputs: usize, outputs: usize| reader.linear(&[(name, Bias::Required)], inputs, outputs, None);
    let projection = linear(names[0], width, width)?;
    let (fc1, fc2) = (linear("mlp.fc1", width, mlp)?, linear("mlp.fc2", mlp, width)?);
    // Without a gate, whatever the blocks have.
    let mlp = Mlp { fc1, norm: None, fc2, activation, gated: false };
    let norm = reader.layer_norm(names[1], width, config.layer_norm_eps)?;
    Ok(AttentionPool { query, key_value, projection, mlp: Some((norm, mlp)) })
}

/// Gives each block how fast its queries and keys are turned, where the model has rotary positions. `learned`: `[2, L, heads, d_k / 2]`,
/// frequencies of columns and of rows, of a model that learns them.
pub(super) fn add_frequencies(config: &Config, blocks: &mut [Block], learned: &[f32]) {
    let Some(rotary) = &config.positions.rotary else { return };
    let pairs = config.head_size() / 2;
    let (falling, count) = match rotary.frequencies {
        Frequencies::Falling { temperature, columns_first } => {
            (Rotary::falling(temperature, columns_first, pairs), pairs)
        }
        Frequencies::Learned => (Vec::new(), config.heads * pairs),
    };
    let frequencies = if falling.is_empty() { learned } else { &falling };
    let (columns, rows) = frequencies.split_at(frequencies.len() / 2);
    let mut last = None;
    let mut layers = rows.chunks_exact(count).zip(columns.chunks_exact(count));
    for block in blocks {
        // Frequencies that follow from a rule are all blocks'.
        if let Some((rows, columns)) = layers.next() {
            last = Some(Arc::new([rows.to_vec(), columns.to_vec()]));
        }
        block.attention.frequencies.clone_from(&last);
    }
}

/// Gives each block, called `{scope}{number}`, its tables of relative positions: its own, and the one `shared` by all, whose entries mean the same.
/// `names` are those under which a table may be found.
pub(super) fn add_tables(
    config: &Config,
    reader: &mut Reader,
    blocks: &mut [Block],
    scope: &str,
    [names, shared]: [&[&str]; 2],
    how: Interpolation,
) -> Result<()> {
    let table = |reader: &mut Reader, names: &[&str]| match names.iter().find(|name| reader.has(name)) {
        Some(name) => reader.relative_table(name, config.heads, how).map(|table| Some(Arc::new(table))),
        None => Ok(None),
    };
    let shared = table(reader, shared)?;
    for (i, block) in blocks.iter_mut().enumerate() {
        let own = reader.within(&format!("{scope}{i}."), |reader| table(reader, names))?;
        block.attention.tables = own.into_iter().chain(shared.clone()).collect();
    }
    Ok(())
}

/// SAM's neck from `inputs` channels to `channels`: `names` are those of a convolution at each place, of its norm, of one of 3 × 3 places and of its norm.
pub(super) fn read_neck(
    reader: &mut Reader,
    [inputs, channels]: [usize; 2],
    [conv1, norm1, conv2, norm2]: [&str; 4],
) -> Result<Transition> {
    const EPS: f32 = 1e-6;
    let mut read = |name: &str, norm: &str, inputs: usize, size: usize| {
        let layer = reader.convolution(name, Kernel { inputs, outputs: channels, size }, None)?;
        let norm = reader.layer_norm(norm, channels, EPS)?;
        Ok::<_, Error>((Convolution { layer, kernel: size, stride: 1, activation: None }, norm))
    };
    Ok(Transition::Neck(Neck { layers: [read(conv1, norm1, inputs, 1)?, read(conv2, norm2, channels, 3)?] }))
}
