//! Encoder blocks, whatever their tensors are called: every family names the same parts.

use super::reader::{Bias, Reader};
use crate::error::Result;
use crate::model::{Attention, Block, Config, Mlp, RelativeBias};
use ndarray::Array2;
use std::sync::Arc;

/// Where the tensors of a block are, relative to the block.
#[derive(Clone, Copy)]
pub(super) struct BlockNames {
    pub norm1: &'static str,
    pub qkv: Qkv,
    /// LayerNorms of queries and keys, where the file has them.
    pub qk_norm: Option<[&'static str; 2]>,
    pub projection: &'static str,
    pub norm2: &'static str,
    /// One matrix, or a gate and what it gates.
    pub fc1: &'static [&'static str],
    pub fc2: &'static str,
    /// LayerScale after attention and after the MLP, where the file has it.
    pub scales: Option<[&'static str; 2]>,
}

/// Where queries, keys and values are.
#[derive(Clone, Copy)]
pub(super) enum Qkv {
    /// Three layers, each with a bias or without.
    Split([&'static str; 3], [Bias; 3]),
    /// One layer.
    Fused(&'static str, Bias),
    /// One matrix, and biases of queries and values beside it, both or neither. Keys have none.
    FusedWeight { weight: &'static str, query_bias: &'static str, value_bias: &'static str },
}

/// All blocks, which are called `{prefix}.{number}`.
pub(super) fn read_blocks(
    config: &Config,
    reader: &mut Reader,
    prefix: &str,
    names: &BlockNames,
) -> Result<Vec<Block>> {
    (0..config.layers).map(|i| read_block(config, reader, &format!("{prefix}.{i}"), names)).collect()
}

fn read_block(config: &Config, reader: &mut Reader, prefix: &str, names: &BlockNames) -> Result<Block> {
    let (width, eps) = (config.hidden_size, config.layer_norm_eps);
    let at = |name: &str| format!("{prefix}.{name}");
    // y · γ is a layer with γ in its rows.
    let mut scale = |which: usize| match names.scales.map(|scales| at(scales[which])) {
        Some(name) if reader.has(&name) => reader.floats(&name, &[width]).map(Some),
        _ => Ok(None),
    };
    let (scale1, scale2) = (scale(0)?, scale(1)?);

    let qkv = match names.qkv {
        Qkv::Split(layers, biases) => {
            let parts = [0, 1, 2].map(|i| (at(layers[i]), biases[i]));
            reader.linear(&parts, width, 3 * width, None)?
        }
        Qkv::Fused(layer, bias) => reader.linear(&[(at(layer), bias)], width, 3 * width, None)?,
        Qkv::FusedWeight { weight, query_bias, value_bias } => {
            let mut bias = vec![0.0; 3 * width];
            if reader.has(&at(query_bias)) || reader.has(&at(value_bias)) {
                bias[..width].copy_from_slice(&reader.floats(&at(query_bias), &[width])?);
                bias[2 * width..].copy_from_slice(&reader.floats(&at(value_bias), &[width])?);
            }
            reader.linear_with_bias(&at(weight), width, bias)?
        }
    };
    let qk_norm = match names.qk_norm.map(|names| names.map(at)) {
        Some([query, key]) if reader.has(&format!("{query}.weight")) => {
            let size = config.head_size();
            Some([reader.layer_norm(&query, size, eps)?, reader.layer_norm(&key, size, eps)?])
        }
        _ => None,
    };
    let fc1: Vec<_> = names.fc1.iter().map(|name| (at(name), Bias::Required)).collect();
    Ok(Block {
        norm1: reader.layer_norm(&at(names.norm1), width, eps)?,
        attention: Attention {
            qkv,
            projection: reader.linear(&[(at(names.projection), Bias::Required)], width, width, scale1)?,
            heads: config.heads,
            qk_norm,
            bias: None,
        },
        norm2: reader.layer_norm(&at(names.norm2), width, eps)?,
        mlp: Mlp {
            fc1: reader.linear(&fc1, width, config.mlp_outputs(), None)?,
            fc2: reader.linear(&[(at(names.fc2), Bias::Required)], config.mlp_size, width, scale2)?,
            activation: config.activation,
            gated: config.gated,
        },
    })
}

/// Gives each block its table of relative positions `[entries, heads]`: its `own`, the one `shared` by all, or the sum of both, whose
/// entries mean the same.
pub(super) fn add_biases(
    config: &Config,
    blocks: &mut [Block],
    shared: Option<Array2<f32>>,
    mut own: impl FnMut(usize) -> Result<Option<Array2<f32>>>,
) -> Result<()> {
    let bias = |table: &Array2<f32>| Arc::new(RelativeBias::new(table.view(), config.grid()));
    let common = shared.as_ref().map(bias);
    for (i, block) in blocks.iter_mut().enumerate() {
        block.attention.bias = match own(i)? {
            Some(own) => Some(bias(&shared.iter().fold(own, |own, shared| own + shared))),
            None => common.clone(),
        };
    }
    Ok(())
}
