//! timm's `swin_*` and `swinv2_*` models.

use super::blocks::{BlockNames, Blocks, Qkv, Windowed};
use super::json::{Json, as_pair};
use super::names::around;
use super::reader::{Bias, Reader};
use super::swin::{self, LAYER_NORM_EPS, Sizes};
use super::tensors::Tensors;
use super::timm::{self, Architecture, Class};
use super::{Family, heads, processors};
use crate::error::Result;
use crate::model::{Activation, Block, Config, Cut, Pooling, Positions, Weights, WindowRule};
use serde_json::Value;

pub(super) const FAMILY: Family = Family {
    name: "Swin (timm)",
    models: "`swin_*` (`swin_s3_*` too), with a head or without",
    recognises: |config| timm::is_named(config, &["swin_"], &[]),
    config: |json, tensors| read_config(json, tensors, TABLE),
    blocks: |_, _| Blocks::of_stages(LAYERS, BLOCKS, BLOCK),
    weights: |config, reader, blocks| read_weights(config, reader, blocks, false),
    ignores,
    processor: &processors::VIT,
    any_size: false,
};

pub(super) const V2: Family = Family {
    name: "Swin v2 (timm)",
    models: "`swinv2_*`, with a head or without (`swinv2_cr_*` is another model)",
    recognises: |config| timm::is_named(config, &["swinv2_"], &[]) && !timm::is_named(config, &["swinv2_cr_"], &[]),
    config: |json, tensors| read_config(json, tensors, SCALE),
    blocks: |_, _| Blocks::of_stages(LAYERS, BLOCKS, CONTINUOUS),
    weights: |config, reader, blocks| read_weights(config, reader, blocks, true),
    ignores,
    processor: &processors::VIT,
    any_size: false,
};

const LAYERS: &str = "layers.";
const BLOCKS: &str = ".blocks.";

/// Of a block: whose shape shows how many heads it has.
const TABLE: (&str, usize) = ("attn.relative_position_bias_table", 1);
const SCALE: (&str, usize) = ("attn.logit_scale", 0);

/// `SwinTransformer` and `SwinTransformerV2`.
const SWIN: Class = Class {
    reads: &[
        "always_partition",
        "depths",
        "num_heads",
        "pretrained_window_sizes",
        "qkv_bias",
        "strict_img_size",
        "window_size",
    ],
    defaults: &[("head_dim", "null")],
    shown: &[],
    telltales: &[],
    pools: false,
    ratio_is_read: false,
};

const BLOCK: BlockNames = BlockNames {
    norm1: "norm1",
    qkv: Qkv::Fused("attn.qkv", Bias::Optional),
    qk_norm: None,
    projection: "attn.proj",
    inner_norms: None,
    norm2: "norm2",
    fc1: &["mlp.fc1"],
    fc2: "mlp.fc2",
    bias: Bias::Required,
    scales: None,
    windowed: Windowed::Table(&[TABLE.0]),
};

const CONTINUOUS: BlockNames = BlockNames {
    qkv: Qkv::FusedWeight { weight: "attn.qkv.weight", query_bias: "attn.q_bias", value_bias: "attn.v_bias" },
    windowed: Windowed::Continuous { scale: SCALE.0, mlp: "attn.cpb_mlp" },
    ..BLOCK
};

/// Buffers of older files, which follow from the config.
fn ignores(name: &str) -> bool {
    ["relative_position_index", "relative_coords_table", "attn_mask"].iter().any(|end| name.ends_with(end))
}

/// `shows_heads`: the tensor of a block, and which of its dimensions that is.
fn read_config(json: &Json, tensors: &Tensors, shows_heads: (&str, usize)) -> Result<Config> {
    let architecture = Architecture::new(json, tensors, &SWIN)?;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    architecture.require_known(&architecture.parts(), &|part| {
        let sizes = part.strip_prefix("patch").or(part.strip_prefix("window")).unwrap_or(part);
        matches!(part, "swin" | "swinv2" | "tiny" | "small" | "base" | "large" | "s3")
            || around(sizes, "to").map_or(number(sizes), |(first, last)| number(first) && number(last))
    })?;
    let (mut config, _) = architecture.without_blocks(tensors, Vec::new(), Pooling::Mean)?;
    let args = &architecture.args;
    let name = |stage: usize, block: usize, rest: &str| format!("{LAYERS}{stage}{BLOCKS}{block}.{rest}");
    let first = |stage: usize| name(stage, 0, "norm1.weight");
    let stages = (0..swin::MOST).take_while(|stage| tensors.has(&first(*stage))).count();
    let (mut depths, mut heads) = (Vec::new(), Vec::new());
    for stage in 0..stages.max(1) {
        depths.push((0..).take_while(|block| tensors.has(&name(stage, *block, "norm1.weight"))).count());
        let shape = tensors.shape(&name(stage, 0, shows_heads.0))?;
        heads.push(shape.get(shows_heads.1).copied().unwrap_or(0));
    }
    let sizes = Sizes { embed_dim: config.hidden_size, mlp_ratio: swin::mlp_ratio(args)?, depths, heads };
    let wrong = [
        ("embed_dim", args.optional_usize("embed_dim")?.is_some_and(|stated| stated != sizes.embed_dim)),
        ("depths", swin::list(args, "depths")?.is_some_and(|stated| stated != sizes.depths)),
        ("num_heads", swin::list(args, "num_heads")?.is_some_and(|stated| stated != sizes.heads)),
        ("patch_size", args.optional_pair("patch_size")?.is_some_and(|patch| patch != config.patch_size)),
    ];
    if let Some((key, _)) = wrong.into_iter().find(|(_, wrong)| *wrong) {
        return Err(json.problem(format!(
            "`model_args.{key}` is not what the tensors show. Check that the files belong together."
        )));
    }
    let targets = windows(&architecture, stages)?;
    let trained = pretrained(&architecture, stages)?;
    let whole = args.optional_bool("always_partition")?.unwrap_or(false);
    swin::set_stages(&mut config, &sizes, &|stage| {
        let size = targets.get(stage).copied().unwrap_or_default();
        WindowRule::Shifted {
            size,
            shift: size.map(|edge| edge / 2),
            cut: if whole { Cut::Nowhere } else { Cut::Each },
            pads_first: false,
            twice_apart: false,
            trained: trained.get(stage).copied().unwrap_or(0),
        }
    });
    config.activation = architecture.activation(Activation::Gelu)?;
    config.layer_norm_eps = LAYER_NORM_EPS;
    config.positions = Positions { relative: true, ..Positions::NONE };
    Ok(config)
}

/// Rows and columns of each stage's windows, where they fit: as stated, or as the name says.
fn windows(architecture: &Architecture, stages: usize) -> Result<Vec<[usize; 2]>> {
    const KIND: &str = "a whole number, two, or one a stage";
    let stated = architecture.args.typed("window_size", KIND, |value| {
        // Two numbers are rows and columns.
        as_pair(value).map(|pair| vec![pair; stages]).or_else(|| pairs(value).filter(|list| list.len() == stages))
    })?;
    if let Some(stated) = stated {
        return Ok(stated);
    }
    let parts = architecture.parts();
    if parts.contains(&"s3") {
        let first = if parts.contains(&"small") { 14 } else { 7 };
        return Ok([first, first, 14, 7].map(|edge| [edge; 2]).to_vec());
    }
    let sizes = parts.iter().find_map(|part| part.strip_prefix("window"));
    let last = sizes.and_then(|sizes| around(sizes, "to").map_or(sizes, |(_, last)| last).parse().ok());
    Ok(vec![[last.unwrap_or(7); 2]; stages])
}

/// A list of edges, or of rows and columns.
fn pairs(value: &Value) -> Option<Vec<[usize; 2]>> {
    let mut pairs = Vec::new();
    for value in value.as_array()? {
        pairs.push(as_pair(value)?);
    }
    Some(pairs)
}

/// The window that each stage's bias was trained with, 0 where that is its own.
fn pretrained(architecture: &Architecture, stages: usize) -> Result<Vec<usize>> {
    const KIND: &str = "a list of whole numbers, one a stage";
    let stated = architecture.args.typed("pretrained_window_sizes", KIND, |value| {
        pairs(value).filter(|list| list.iter().all(|[rows, columns]| rows == columns))
    })?;
    if let Some(stated) = stated {
        return Ok(stated.into_iter().map(|[edge, _]| edge).collect());
    }
    // `window12to16`: trained with 12, the last stage with half of it, whose grid was no larger.
    let sizes = architecture.parts().into_iter().find_map(|part| around(part.strip_prefix("window")?, "to"));
    let Some(first) = sizes.and_then(|(first, _)| first.parse::<usize>().ok()) else { return Ok(Vec::new()) };
    Ok((0..stages).map(|stage| if stage + 1 == stages { first / 2 } else { first }).collect())
}

/// What the head's tensors are called: older files have it as all other models do.
fn head(has: impl Fn(&str) -> bool) -> &'static str {
    if has("head.weight") { "head" } else { "head.fc" }
}

fn read_weights(config: &Config, reader: &mut Reader, blocks: Vec<Block>, second: bool) -> Result<Weights> {
    let name = head(|name| reader.has(name));
    let heads = heads::read_heads(config, reader, name, [name; 2])?;
    // Files as they were first published merge at the end of a stage, timm's own at the beginning of the next.
    let next = usize::from(!reader.has("layers.0.downsample.reduction.weight"));
    let names = swin::Names {
        patches: "patch_embed.proj",
        patch_norm: "patch_embed.norm",
        norm: "norm",
        merges: &|stage| format!("{LAYERS}{}.downsample.", stage + next),
    };
    swin::read_weights(config, reader, (blocks, heads), None, &names, second)
}
