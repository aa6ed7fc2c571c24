//! What Swin models have in common, whoever wrote their files (Liu et al., 2021 and 2022).

use super::json::Json;
use super::reader::{Bias, Reader, matrix};
use crate::error::Result;
use crate::model::{Block, Config, Embeddings, LearnedGrid, Linear, Merge, Stage, Transition, Weights, WindowRule};

/// ε of the norms that no config speaks of: of patches, and where they are merged.
pub(super) const LAYER_NORM_EPS: f32 = 1e-5;

/// More stages than any model has.
pub(super) const MOST: usize = 8;

/// A list of whole numbers, one a stage.
pub(super) fn list(json: &Json, key: &str) -> Result<Option<Vec<usize>>> {
    json.list(key, "a list of whole numbers, one a stage", 1..=MOST)
}

/// What each stage has.
pub(super) struct Sizes {
    /// Width of the first; each next one has twice that.
    pub embed_dim: usize,
    pub depths: Vec<usize>,
    pub heads: Vec<usize>,
    pub mlp_ratio: f64,
}

/// Makes `config` the one of these stages, whose windows are as `rule` says of each by number.
pub(super) fn set_stages(config: &mut Config, sizes: &Sizes, rule: &dyn Fn(usize) -> WindowRule) {
    config.stages.clear();
    for (number, (layers, heads)) in sizes.depths.iter().zip(&sizes.heads).enumerate() {
        let hidden_size = sizes.embed_dim.saturating_mul(1 << number);
        config.stages.push(Stage {
            layers: *layers,
            halves: number > 0,
            hidden_size,
            heads: *heads,
            mlp_size: (hidden_size as f64 * sizes.mlp_ratio) as usize,
            windows: Some(rule(number)),
        });
    }
    config.layers = sizes.depths.iter().fold(0, |sum, depth| sum.saturating_add(*depth));
    if let Some(last) = config.stages.last() {
        (config.hidden_size, config.heads, config.mlp_size) = (last.hidden_size, last.heads, last.mlp_size);
    }
    config.prefix.clear();
}

/// `mlp_ratio`, 4 unless told.
pub(super) fn mlp_ratio(json: &Json) -> Result<f64> {
    Ok(json.optional_f64("mlp_ratio")?.unwrap_or(4.0))
}

/// What tensors beside the blocks are called.
pub(super) struct Names<'a> {
    pub patches: &'a str,
    pub patch_norm: &'a str,
    pub norm: &'a str,
    /// Where those are that lead from each stage to the next.
    pub merges: &'a dyn Fn(usize) -> String,
}

/// All else; where patches are merged the norm comes after in `second`, Swin v2.
pub(super) fn read_weights(
    config: &Config,
    reader: &mut Reader,
    (blocks, heads): (Vec<Block>, Vec<Linear>),
    positions: Option<LearnedGrid>,
    names: &Names,
    second: bool,
) -> Result<Weights> {
    let Some(first) = config.stages.first() else { return Err(reader.tensors.invalid("it has no stages.".into())) };
    let width = first.hidden_size;
    let embeddings = Embeddings {
        stem: None,
        patch_projection: reader.patch_projection(names.patches, width, config.patch_size, Bias::Required)?,
        patch_norm: Some(reader.layer_norm(names.patch_norm, width, LAYER_NORM_EPS)?),
        prefix: matrix(Vec::new(), width),
        positions,
        norm: None,
    };
    let mut transitions = Vec::with_capacity(config.stages.len());
    for (number, pair) in config.stages.windows(2).enumerate() {
        let (inputs, outputs) = (4 * pair[0].hidden_size, pair[1].hidden_size);
        transitions.push(reader.within(&(names.merges)(number), |reader| {
            let norm = reader.layer_norm("norm", if second { outputs } else { inputs }, LAYER_NORM_EPS)?;
            let reduction = reader.linear(&[("reduction", Bias::Absent)], inputs, outputs, None)?;
            Ok(Transition::Merge(Merge { norm, post_norm: second, reduction }))
        })?);
    }
    let norm = Some(reader.layer_norm(names.norm, config.hidden_size, config.layer_norm_eps)?);
    Ok(Weights { embeddings, blocks, transitions, norm, fc_norm: None, pool: None, projection: None, heads })
}
