//! timm's `samvit_*` models: SAM's image encoder, whose map is averaged, or the same without a neck and with a head.

use super::blocks::{BlockNames, Blocks, Qkv, Windowed};
use super::heads::read_heads;
use super::json::{Json, text_of};
use super::reader::{Bias, Reader};
use super::sam::{self, Names};
use super::tensors::Tensors;
use super::timm::{self, Architecture, Class};
use super::{Family, hf, processors};
use crate::error::Result;
use crate::model::{Activation, Block, Config, Interpolation, Pooling, Positions, Stage, Weights, WindowRule};

pub(super) const FAMILY: Family = Family {
    name: "SAM (timm)",
    models: "`samvit_*`, with a head or without: features are the mean of the map",
    recognises: |config| timm::is_named(config, &["samvit_"], &[]),
    config: read_config,
    blocks: |_, _| Blocks::new(timm::BLOCKS, BLOCK),
    weights: read_weights,
    ignores: |_| false,
    processor: &processors::VIT,
    any_size: false,
};

/// `VisionTransformerSAM`.
const SAM: Class = Class {
    reads: &["global_attn_indexes", "neck_chans", "window_size"],
    defaults: &[("use_rope", "false")],
    shown: &[("use_abs_pos", &["pos_embed"]), ("use_rel_pos", &["blocks.0.attn.rel_pos_h"])],
    telltales: &[],
    pools: false,
    ratio_is_read: false,
};

const BLOCK: BlockNames = BlockNames {
    norm1: "norm1",
    qkv: Qkv::Fused("attn.qkv", Bias::Optional),
    qk_norm: Some(["attn.q_norm", "attn.k_norm"]),
    projection: "attn.proj",
    inner_norms: None,
    norm2: "norm2",
    fc1: &["mlp.fc1"],
    fc2: "mlp.fc2",
    bias: Bias::Required,
    scales: Some(["ls1.gamma", "ls2.gamma"]),
    windowed: Windowed::Decomposed,
};

/// What follows the family in a name, the heads of it, and the layers that see all.
const SIZES: [(&str, usize, [usize; 4]); 3] =
    [("base", 12, [2, 5, 8, 11]), ("large", 16, [5, 11, 17, 23]), ("huge", 16, [7, 15, 23, 31])];

/// Rows and columns of tokens that attend to each other.
const WINDOW: usize = 14;

/// Of the neck.
const CHANNELS: usize = 256;

/// PyTorch's own, as it is nowhere else in timm's ViTs.
const LAYER_NORM_EPS: f32 = 1e-5;

/// Of a norm of maps.
const MAP_NORM_EPS: f32 = 1e-6;

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let architecture = Architecture::new(json, tensors, &SAM)?;
    let args = &architecture.args;
    let Variant { heads, global, small } = Variant::new(&architecture)?;
    if let Some(norm) = args.get("norm_layer") {
        return Err(architecture
            .refuse(&format!("`model_args` sets `norm_layer` to {}, and only its own is run", text_of(norm))));
    }
    let mut config = architecture.config(tensors, &|_| heads, Vec::new(), Pooling::Mean)?;
    config.layer_norm_eps = LAYER_NORM_EPS;
    config.activation = architecture.activation(Activation::Gelu)?;
    for (key, usual, name) in [("use_abs_pos", !small, "pos_embed"), ("use_rel_pos", true, "blocks.0.attn.rel_pos_h")] {
        hf::check_shown(args, tensors, key, Some(usual), &|own| own == name)?;
    }
    let relative = tensors.has("blocks.0.attn.rel_pos_h");
    config.positions = Positions { learned: tensors.has("pos_embed"), relative, ..Positions::NONE };
    let global = args.list("global_attn_indexes", "whole numbers", 0..=usize::MAX)?.unwrap_or(global.to_vec());
    let window = args.optional_usize("window_size")?.unwrap_or(WINDOW);
    Stage::windowed(&mut config, (window > 0).then_some(WindowRule::Some { size: [window; 2], global }));
    if tensors.has(NECK) {
        Stage::follow(&mut config, tensors.shape(NECK)?.first().copied().unwrap_or(0));
    }
    let stated = args.keys().any(|key| key == "neck_chans");
    let channels = args.optional_usize("neck_chans")?.filter(|channels| *channels > 0);
    let shown = tensors.has(NECK).then_some(config.hidden_size);
    if channels.or(if small || stated { None } else { Some(CHANNELS) }) != shown {
        return Err(json.problem(
            "`model_args.neck_chans` is not what the tensors show. Check that the files belong together.".into(),
        ));
    }
    Ok(config)
}

const NECK: &str = "neck.0.weight";

/// What a name says.
struct Variant {
    heads: usize,
    /// Layers that see all.
    global: [usize; 4],
    /// Whether it has neither positions of its own nor a neck.
    small: bool,
}

impl Variant {
    /// Of a name all of whose parts are understood.
    fn new(architecture: &Architecture) -> Result<Self> {
        let parts = architecture.parts();
        let size = parts.get(1).copied().unwrap_or_default();
        let Some((_, heads, global)) = SIZES.into_iter().find(|(name, ..)| *name == size) else {
            return Err(architecture.refuse_part(size));
        };
        architecture.require_known(&parts[2..], &|part| matches!(part, "patch16" | "224"))?;
        Ok(Self { heads, global, small: parts.contains(&"224") })
    }
}

const NAMES: Names = Names {
    patches: "patch_embed.proj",
    neck: ["neck.0", "neck.1", "neck.2", "neck.3"],
    how: Some(Interpolation::BicubicAntialias),
};

fn read_weights(config: &Config, reader: &mut Reader, blocks: Vec<Block>) -> Result<Weights> {
    let width = config.stages[0].hidden_size;
    let before = reader.optional_norm("norm_pre", width, config.layer_norm_eps)?;
    let after = if config.stage_count() > 1 { None } else { Some(reader.layer_norm("neck", width, MAP_NORM_EPS)?) };
    let heads = read_heads(config, reader, "head.fc", [""; 2])?;
    sam::read_weights(config, reader, (blocks, heads), [before, after], &NAMES)
}

#[cfg(test)]
mod tests {
    use super::super::tensors::write;
    use super::*;
    use serde_json::{Value, json};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// What timm builds for each of its names.
    const REGISTRY: &str = include_str!("../../tests/fixtures/timm_registry.json");

    /// Every name means here what it means to timm.
    #[test]
    fn names_mean_what_they_mean_to_timm() {
        let registry: Value = serde_json::from_str(REGISTRY).unwrap();
        let nothing = write(Vec::new(), None).unwrap();
        let tensors = Tensors::open("model.safetensors", &nothing).unwrap();
        let mut accepted = 0;
        for (name, expected) in registry.as_object().unwrap() {
            let json = Json::parse("config.json", &format!(r#"{{"architecture": "{name}"}}"#)).unwrap();
            assert_eq!((FAMILY.recognises)(&json), expected.get("sam").is_some(), "{name}");
            let Some(expected) = expected.get("sam") else { continue };
            let variant = Variant::new(&Architecture::new(&json, &tensors, &SAM).unwrap()).unwrap();
            let neck = (!variant.small).then_some(CHANNELS);
            let ours = json!({
                "heads": variant.heads, "global": variant.global, "window": WINDOW, "learned": !variant.small, "neck": neck,
                "activation": "gelu", "pooling": "avg", "width": expected["width"], "eps": 1e-5, "map_eps": 1e-6,
            });
            assert_eq!(ours, *expected, "{name}");
            accepted += 1;
        }
        assert_eq!(accepted, 4);
    }
}
