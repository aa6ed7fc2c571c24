//! What Swin models have in common, whoever wrote their files (Liu et al., 2021 and 2022).

use super::json::{Json, as_usize};
use super::reader::{Bias, Reader};
use crate::error::Result;
use crate::model::{Config, Merge, Stage, Transition, WindowRule};
use serde_json::Value;

/// ε of the norms that no config speaks of: of patches, and where they are merged.
pub(super) const LAYER_NORM_EPS: f32 = 1e-5;

/// More stages than any model has.
pub(super) const MOST: usize = 8;

/// A list of whole numbers, one a stage.
pub(super) fn list(json: &Json, key: &str) -> Result<Option<Vec<usize>>> {
    json.typed(key, "a list of whole numbers, one a stage", |value| {
        value.as_array().filter(|list| (1..=MOST).contains(&list.len()))?.iter().map(as_usize).collect()
    })
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
pub(super) fn set_stages(config: &mut Config, sizes: &Sizes, rule: impl Fn(usize) -> WindowRule) {
    let stage = |(number, (layers, heads)): (usize, (&usize, &usize))| {
        let hidden_size = sizes.embed_dim.saturating_mul(1 << number);
        Stage {
            layers: *layers,
            halves: number > 0,
            hidden_size,
            heads: *heads,
            mlp_size: (hidden_size as f64 * sizes.mlp_ratio) as usize,
            windows: Some(rule(number)),
        }
    };
    config.stages = sizes.depths.iter().zip(&sizes.heads).enumerate().map(stage).collect();
    config.layers = sizes.depths.iter().fold(0, |sum, depth| sum.saturating_add(*depth));
    if let Some(last) = config.stages.last() {
        (config.hidden_size, config.heads, config.mlp_size) = (last.hidden_size, last.heads, last.mlp_size);
    }
    config.prefix.clear();
}

/// `mlp_ratio`, 4 unless told.
pub(super) fn mlp_ratio(json: &Json) -> Result<f64> {
    Ok(json.typed("mlp_ratio", "a number", Value::as_f64)?.unwrap_or(4.0))
}

/// What leads from each stage to the next, `at` telling where its tensors are; of Swin v2 the norm comes after.
pub(super) fn read_merges(
    config: &Config,
    reader: &mut Reader,
    post_norm: bool,
    at: impl Fn(usize) -> String,
) -> Result<Vec<Transition>> {
    let merge = |(number, pair): (usize, &[Stage])| {
        let (inputs, outputs) = (4 * pair[0].hidden_size, pair[1].hidden_size);
        reader.within(&at(number), |reader| {
            let norm = reader.layer_norm("norm", if post_norm { outputs } else { inputs }, LAYER_NORM_EPS)?;
            let reduction = reader.linear(&[("reduction", Bias::Absent)], inputs, outputs, None)?;
            Ok(Transition::Merge(Merge { norm, post_norm, reduction }))
        })
    };
    config.stages.windows(2).enumerate().map(merge).collect()
}
