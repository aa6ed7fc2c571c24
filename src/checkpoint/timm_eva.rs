//! timm's `Eva` module: ViTs that know where their patches are by how queries and keys are turned.
//!
//! Four lines of models under four names, and EVA that has learned positions alone, one class of timm's: what a name stands for beside what tensors show is a [`Variant`].

use super::blocks::{BlockNames, Blocks, Qkv, Windowed, add_frequencies};
use super::json::Json;
use super::reader::{Bias, Reader};
use super::tensors::Tensors;
use super::timm::{self, Architecture, Class, LAYER_NORM_EPS};
use super::{Family, processors};
use crate::error::Result;
use crate::kernels::rotate::Pairs;
use crate::model::{
    Activation, Block, Config, Coordinates, Frequencies, Interpolation, Pooling, Positions, Rotary, Weights,
};
use serde_json::Value;

pub(super) const DINOV3: Family = Family {
    name: "DINOv3 (timm)",
    models: "`vit_*_dinov3`, `vit_*_dinov3_qkvb`, `vit_*_lingbot`, with a head or without",
    recognises: |config| timm::is_named(config, &["vit_"], &["_dinov3", "_lingbot"]),
    config: read_config,
    blocks: |_, reader| Blocks::new(timm::BLOCKS, block_names(reader)),
    weights: read_weights,
    ignores: |_| false,
    processor: &processors::VIT,
    any_size: false,
};

pub(super) const EVA: Family = Family {
    name: "EVA (timm)",
    models: "`eva_giant_*`, `_clip_` too",
    recognises: |config| timm::is_named(config, &["eva_giant"], &[]),
    ..DINOV3
};

pub(super) const EVA02: Family = Family {
    name: "EVA-02 (timm)",
    models: "`eva02_*` but the enormous one, whose norms come behind the branches",
    recognises: |config| timm::is_named(config, &["eva02_"], &[]),
    ..DINOV3
};

pub(super) const ROPE: Family = Family {
    name: "ROPE-ViT (timm)",
    models: "`vit_*_rope_*`: axial and `mixed`, with learned positions besides (`ape`), `reg1_gap` and `reg4_gap`",
    recognises: |config| timm::is_named(config, &["vit_"], &["_rope"]),
    ..DINOV3
};

pub(super) const PE: Family = Family {
    name: "Perception Encoder (timm)",
    models: "`vit_pe_core_*`, `vit_pe_spatial_*`, `vit_pe_lang_*`",
    recognises: |config| timm::is_named(config, &["vit_pe_"], &[]),
    ..DINOV3
};

/// What `Eva` takes beside what all classes take.
const CLASS: Class = Class {
    reads: &[
        "attn_pool_mlp_ratio",
        "attn_pool_num_heads",
        "attn_type",
        "ref_feat_shape",
        "rope_grid_indexing",
        "rope_grid_offset",
        "rope_jitter_coords",
        "rope_rescale_coords",
        "rope_rotate_half",
        "rope_shift_coords",
        "rope_temperature",
        "rope_type",
        "swiglu_align_to",
        "swiglu_mlp",
        "use_rot_pos_emb",
    ],
    defaults: &[("attn_only_layer_scale", "false"), ("gated_attn", "false"), ("use_post_norm", "false")],
    shown: &[
        ("init_values", &["blocks.0.gamma_1"]),
        ("qkv_bias", &["blocks.0.attn.qkv.bias", "blocks.0.attn.q_bias", "blocks.0.attn.q_proj.bias"]),
        ("qkv_fused", &["blocks.0.attn.qkv.weight"]),
        ("scale_attn_inner", &["blocks.0.attn.norm.weight"]),
        ("scale_mlp", &["blocks.0.mlp.norm.weight"]),
        ("use_post_transformer_norm", &["norm.weight"]),
        ("use_pre_transformer_norm", &["norm_pre.weight"]),
    ],
    telltales: &[(".attn.gate.", "gated attention")],
    pools: true,
    ratio_is_read: true,
};

const BLOCK: BlockNames = BlockNames {
    norm1: "norm1",
    qkv: Qkv::FusedWeight { weight: "attn.qkv.weight", query_bias: "attn.q_bias", value_bias: "attn.v_bias" },
    qk_norm: Some(["attn.q_norm", "attn.k_norm"]),
    projection: "attn.proj",
    inner_norms: Some(["attn.norm", "mlp.norm"]),
    norm2: "norm2",
    fc1: &["mlp.fc1"],
    fc2: "mlp.fc2",
    bias: Bias::Required,
    scales: Some(["gamma_1", "gamma_2"]),
    windowed: Windowed::No,
};

/// What a name says beside what tensors show.
struct Variant {
    pooling: Pooling,
    layer_norm_eps: f32,
    /// Where they are not 64 wide.
    heads: Option<usize>,
    /// Heads of the pooling, where they are not the blocks'.
    pool_heads: Option<usize>,
    /// Whether there are learned positions too.
    learned: bool,
    /// Whether there may be no norm behind the blocks.
    bare: bool,
    /// Whether queries and keys are turned.
    turns: bool,
    rotary: Rotary,
}

/// Parts of names that change no arithmetic which tensors don't show, or of which one is asked below.
const KNOWN_PARTS: &[&str] = &[
    "vit", "eva", "eva02", "pe", "tiny", "small", "medium", "mediumd", "betwixt", "base", "large", "giant", "gigantic",
    "huge", "7b", "plus", "dinov3", "qkvb", "lingbot", "rope", "mixed", "ape", "gap", "clip", "core", "spatial",
    "lang",
];

impl Variant {
    /// Accepts a name all of whose parts are understood.
    fn new(architecture: &Architecture) -> Result<Self> {
        let parts = architecture.parts();
        let number: &dyn Fn(&str, &str) -> Option<usize> =
            &|part, start| part.strip_prefix(start).and_then(|n| n.parse::<usize>().ok());
        architecture.require_known(&parts, &|part| {
            KNOWN_PARTS.contains(&part) || ["patch", "reg", ""].iter().any(|start| number(part, start).is_some())
        })?;
        let has: &dyn Fn(&str) -> bool = &|part| parts.contains(&part);
        let (dinov3, pe, eva) = (has("dinov3") || has("lingbot"), has("pe"), has("eva"));
        // The rotary models of Heo et al.; those that pool the mean turn as EVA-02's.
        let heo = has("rope") && !has("gap");
        // As many patches an edge as Perception Encoder's images have at the size that its name says; sixteen in the others' training.
        let stated = |start: &str| parts.iter().find_map(|part| number(part, start));
        let edge = if pe { stated("").unwrap_or(0) / stated("patch").unwrap_or(1).max(1) } else { 16 };
        let counted = Coordinates::Counted {
            offset: if pe && !has("gigantic") { 1.0 } else { 0.0 },
            reference: (!heo && !eva).then_some([edge; 2]),
        };
        let falling = Frequencies::Falling {
            temperature: if dinov3 || heo { 100.0 } else { 10_000.0 },
            columns_first: pe || heo,
        };
        Ok(Self {
            pooling: match (has("core"), has("lingbot") || has("clip") || heo) {
                (true, _) => Pooling::Attention,
                (false, true) => Pooling::Cls,
                (false, false) => Pooling::Mean,
            },
            layer_norm_eps: if dinov3 || pe { 1e-5 } else { LAYER_NORM_EPS },
            heads: match (has("7b"), has("gigantic") || eva) {
                (true, _) => Some(32),
                (false, true) => Some(16),
                (false, false) => None,
            },
            pool_heads: pe.then_some(8),
            learned: !dinov3 && (!has("rope") || has("ape")),
            bare: has("spatial") || has("lang"),
            turns: !eva,
            rotary: Rotary {
                pairs: if dinov3 { Pairs::Halves } else { Pairs::Neighbours },
                coordinates: if dinov3 { Coordinates::Centred } else { counted },
                frequencies: if has("mixed") { Frequencies::Learned } else { falling },
            },
        })
    }
}

/// The angles, as a name has them or arguments that were given besides.
fn read_rotary(architecture: &Architecture, variant: &Variant) -> Result<Option<Rotary>> {
    let args = &architecture.args;
    if !args.optional_bool("use_rot_pos_emb")?.unwrap_or(variant.turns) {
        return Ok(None);
    }
    let number = |key: &str| args.typed(key, "a number", Value::as_f64);
    let Rotary { mut pairs, mut coordinates, mut frequencies } = variant.rotary;
    if let Some(half) = args.optional_bool("rope_rotate_half")? {
        pairs = if half { Pairs::Halves } else { Pairs::Neighbours };
    }
    let kind = match (coordinates, frequencies) {
        (Coordinates::Centred, _) => "dinov3",
        (_, Frequencies::Learned) => "mixed",
        _ => "cat",
    };
    if let Some(other) = args.text("rope_type")?.filter(|stated| *stated != kind) {
        return Err(
            architecture.refuse(&format!("`model_args` sets `rope_type` to `{other}`, and its name says `{kind}`"))
        );
    }
    let (stated_offset, stated_reference) = (number("rope_grid_offset")?, args.optional_pair("ref_feat_shape")?);
    if let (Coordinates::Counted { offset, reference }, "cat") = (&mut coordinates, kind) {
        *offset = stated_offset.unwrap_or(*offset);
        *reference = stated_reference.or(*reference);
    } else if stated_offset.is_some_and(|offset| offset != 0.0) && kind == "dinov3" {
        return Err(architecture.refuse("`model_args` sets `rope_grid_offset`, which is not run with these positions"));
    }
    let indexing = args.text("rope_grid_indexing")?;
    if let Frequencies::Falling { temperature, columns_first } = &mut frequencies {
        *temperature = number("rope_temperature")?.unwrap_or(*temperature);
        *columns_first = indexing.map_or(*columns_first, |indexing| indexing == "xy");
    } else if indexing.is_some_and(|indexing| indexing != "xy") {
        return Err(
            architecture.refuse("`model_args` sets `rope_grid_indexing`, and learned frequencies are run by `xy`")
        );
    }
    Ok(Some(Rotary { pairs, coordinates, frequencies }))
}

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let architecture = Architecture::new(json, tensors, &CLASS)?;
    let variant = Variant::new(&architecture)?;
    let heads = |width: usize| variant.heads.unwrap_or(width / 64);
    let mut config = architecture.config(tensors, &heads, timm::prefix(tensors)?, variant.pooling)?;
    if !variant.bare {
        architecture.require_last_norm(&config, tensors)?;
    }
    config.layer_norm_eps = architecture.layer_norm_eps(variant.layer_norm_eps);
    config.gated = tensors.has(GATE)
        || tensors.shape("blocks.0.mlp.fc1.weight")?.first() == Some(&config.mlp_size.saturating_mul(2));
    if architecture.args.optional_bool("swiglu_mlp")?.is_some_and(|gated| gated != config.gated) {
        return Err(architecture.json.problem(
            "`model_args.swiglu_mlp` is not what the tensors show. Check that the files belong together.".into(),
        ));
    }
    config.activation = architecture.activation(if config.gated { Activation::Silu } else { Activation::Gelu })?;
    if config.pooling == Pooling::Attention {
        let heads = architecture.args.optional_usize("attn_pool_num_heads")?.or(variant.pool_heads);
        config.pools_prefix = true;
        config.pool = Some([heads.unwrap_or(config.heads), tensors.inputs("attn_pool.mlp.fc2.weight")?]);
    }
    let (rotary, learned) = (read_rotary(&architecture, &variant)?, tensors.has("pos_embed"));
    if architecture.args.optional_bool("use_abs_pos_emb")?.unwrap_or(variant.learned) != learned {
        let (name, found) = (architecture.name, if learned { "has" } else { "lacks" });
        return Err(tensors.invalid(format!(
            "it {found} `pos_embed`, and `{name}` is otherwise. Check that the files belong together."
        )));
    }
    config.positions = Positions { learned, rotary, ..Positions::NONE };
    Ok(config)
}

/// A gate's own matrix.
const GATE: &str = "blocks.0.mlp.fc1_g.weight";

fn block_names(reader: &Reader) -> BlockNames {
    let qkv = match (reader.has("blocks.0.attn.q_proj.weight"), reader.has("blocks.0.attn.qkv.bias")) {
        (true, _) => Qkv::Split(["attn.q_proj", "attn.k_proj", "attn.v_proj"], [Bias::Optional; 3]),
        (false, true) => Qkv::Fused("attn.qkv", Bias::Required),
        (false, false) => BLOCK.qkv,
    };
    let fc1: &[&str] = if reader.has(GATE) { &["mlp.fc1_g", "mlp.fc1_x"] } else { BLOCK.fc1 };
    BlockNames { qkv, fc1, ..BLOCK }
}

fn read_weights(config: &Config, reader: &mut Reader, mut blocks: Vec<Block>) -> Result<Weights> {
    let frequencies = match config.positions.rotary {
        Some(Rotary { frequencies: Frequencies::Learned, .. }) => {
            reader.floats("rope.freqs", &[2, config.layers, config.heads, config.head_size() / 2])?
        }
        _ => Vec::new(),
    };
    add_frequencies(config, &mut blocks, &frequencies);
    let attends = config.pooling == Pooling::Attention;
    let pool = attends.then(|| timm::read_pool(config, reader, Activation::Gelu)).transpose()?;
    timm::read_rest(config, reader, Interpolation::BicubicAntialias, blocks, None, pool)
}

#[cfg(test)]
mod tests {
    use super::super::tensors::write;
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// What timm builds for each of its names.
    const REGISTRY: &str = include_str!("../../tests/fixtures/timm_registry.json");

    fn counted(rotary: &Value) -> Coordinates {
        let reference =
            rotary["reference"].as_array().map(|reference| [0, 1].map(|i| reference[i].as_u64().unwrap() as usize));
        Coordinates::Counted { offset: rotary["offset"].as_f64().unwrap_or(0.0), reference }
    }

    /// Every name means here what it means to timm, or is refused.
    #[test]
    fn names_mean_what_they_mean_to_timm() {
        let registry: Value = serde_json::from_str(REGISTRY).unwrap();
        let nothing = write(Vec::new(), None).unwrap();
        let tensors = Tensors::open("model.safetensors", &nothing).unwrap();
        let mut accepted = 0;
        for (name, expected) in registry.as_object().unwrap() {
            let json = Json::parse("config.json", &format!(r#"{{"architecture": "{name}"}}"#)).unwrap();
            let families = [DINOV3, EVA, EVA02, ROPE, PE].iter().filter(|family| (family.recognises)(&json)).count();
            let architecture = Architecture::new(&json, &tensors, &CLASS).unwrap();
            let variant = Variant::new(&architecture).ok().filter(|_| families == 1);
            let Some(variant) = variant else {
                assert!(expected.get("rotary").is_none(), "{name} should be read");
                continue;
            };
            let width = expected["width"].as_u64().unwrap();
            assert_eq!(variant.heads.unwrap_or(width as usize / 64) as u64, expected["heads"], "{name}");
            assert_eq!(variant.layer_norm_eps, expected["eps"].as_f64().unwrap() as f32, "{name}");
            let pooling = match variant.pooling {
                Pooling::Attention => "map",
                Pooling::Cls => "token",
                _ => "avg",
            };
            assert_eq!(pooling, expected["pooling"], "{name}");
            if pooling == "map" {
                assert_eq!(variant.pool_heads.unwrap() as u64, expected["pool_heads"], "{name}");
            }
            assert_eq!(Value::from(variant.learned), expected["learned"], "{name}");
            assert_eq!(Value::from(variant.bare), expected["bare"], "{name}");
            accepted += 1;

            assert_eq!(variant.turns, !expected["rotary"].is_null(), "{name}");
            if !variant.turns {
                continue;
            }
            let (rotary, Rotary { pairs, coordinates, frequencies }) = (&expected["rotary"], variant.rotary);
            assert_eq!(pairs == Pairs::Halves, rotary["half"], "{name}");
            let columns = rotary["indexing"] == "xy";
            match (rotary["kind"].as_str().unwrap(), frequencies) {
                ("mixed", Frequencies::Learned) => assert!(columns && coordinates == counted(rotary), "{name}"),
                (kind, Frequencies::Falling { temperature, columns_first }) => {
                    let own = if kind == "dinov3" { Coordinates::Centred } else { counted(rotary) };
                    assert_eq!((coordinates, columns_first), (own, columns), "{name}");
                    assert_eq!(rotary["temperature"], temperature, "{name}");
                }
                other => panic!("{name}: {other:?}"),
            }
        }
        assert_eq!(accepted, 59);
    }
}
