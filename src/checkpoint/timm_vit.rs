//! timm's `VisionTransformer`: `vit_*`, `deit_*`, `deit3_*`, `beit3_*` and `eva_large_*` models, and FlexiViT's and RADIO's, which are the same but for
//! how positions are resampled.

use super::blocks::{BlockNames, Blocks, Qkv, Windowed};
use super::json::Json;
use super::reader::{Bias, Reader};
use super::tensors::Tensors;
use super::timm::{self, ATTENTION_POOL, Architecture, LAYER_NORM_EPS};
use super::{Family, hf, processors};
use crate::error::Result;
use crate::model::{Activation, Block, Config, Interpolation, Pooling, Weights};

pub(super) const FAMILY: Family = Family {
    name: "ViT (timm)",
    models: "`vit_*` (augreg, in21k, `_gap_`, `_reg4_`, `_map_`, `_clip_`, `_dinov2`, `_siglip_`, `_siglip_gap_`, `_intern300m_`, dino, mae, …), `deit_*`, distilled too, `deit3_*`, `eva_large_*`; with a head or without; as transformers saves them too (`timm_wrapper`)",
    recognises: |config| timm::is_named(config, &["vit_", "deit_", "deit3_", "eva_large_", "test_vit"], &[]),
    config: read_config,
    blocks: |_, reader| {
        // Files of DeiT III from before timm's LayerScale have its names.
        let scales = if reader.has("blocks.0.gamma_1") { Some(["gamma_1", "gamma_2"]) } else { BLOCK.scales };
        Blocks::new(timm::BLOCKS, BlockNames { scales, ..BLOCK })
    },
    weights: |config, reader, blocks| read_weights(config, reader, blocks, Interpolation::BicubicAntialias),
    ignores: |_| false,
    processor: &processors::VIT,
    any_size: false,
};

pub(super) const FLEXIVIT: Family = Family {
    name: "FlexiViT (timm)",
    models: "`flexivit_*`",
    recognises: |config| timm::is_named(config, &["flexivit_"], &[]),
    weights: |config, reader, blocks| read_weights(config, reader, blocks, Interpolation::Bilinear),
    ..FAMILY
};

pub(super) const BEIT3: Family = Family {
    name: "BEiT-3 (timm)",
    models: "`beit3_*`: the image encoder, with a head or without",
    recognises: |config| timm::is_named(config, &["beit3_"], &[]),
    ..FAMILY
};

pub(super) const RADIO: Family = Family {
    name: "RADIO (timm)",
    models: "C-RADIO: `vit_large_*_radio_v3`, `vit_giant_*_radio_v3`, `vit_*_radio_v4`",
    recognises: |config| timm::is_named(config, &["vit_"], &["_radio_"]),
    weights: |config, reader, blocks| read_weights(config, reader, blocks, Interpolation::Bilinear),
    ..FAMILY
};

/// Two of RADIO's, at whose other sizes the outermost positions stay in the corners.
pub(super) const RADIO_V3: Family = Family {
    name: "RADIO v3 base and huge (timm)",
    models: "C-RADIO: `vit_base_*_radio_v3`, `vit_huge_*_radio_v3`",
    recognises: |config| timm::is_named(config, &["vit_base_", "vit_huge_"], &["_radio_v3"]),
    weights: |config, reader, blocks| read_weights(config, reader, blocks, Interpolation::BilinearCorners),
    ..FAMILY
};

const BLOCK: BlockNames = BlockNames {
    norm1: "norm1",
    qkv: Qkv::Fused("attn.qkv", Bias::Optional),
    qk_norm: Some(["attn.q_norm", "attn.k_norm"]),
    projection: "attn.proj",
    inner_norms: Some(["attn.norm", "mlp.norm"]),
    norm2: "norm2",
    fc1: &["mlp.fc1"],
    fc2: "mlp.fc2",
    bias: Bias::Required,
    scales: Some(["ls1.gamma", "ls2.gamma"]),
    windowed: Windowed::No,
};

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let architecture = Architecture::new(json, tensors, &timm::VIT)?;
    let variant = Variant::new(&architecture)?;
    let prefix = timm::prefix(tensors)?;
    let mut config = architecture.config(tensors, &|width| variant.heads(width), prefix, variant.pooling)?;
    config.activation = architecture.activation(variant.activation)?;
    config.layer_norm_eps = architecture.layer_norm_eps(variant.layer_norm_eps);
    if tensors.has("dist_token") {
        let headless = config.labels.is_empty();
        config.pooling = if headless { Pooling::ClsDistillationMean } else { Pooling::ClsDistillation };
    }
    if config.pooling == Pooling::Attention {
        config.pool = Some([config.heads, tensors.inputs("attn_pool.mlp.fc2.weight")?]);
    } else if architecture.stated_pooling()?.is_none()
        && variant.pooling != Pooling::Mean
        && let Some(name) = tensors.names().iter().find(|name| name.starts_with(ATTENTION_POOL))
    {
        // (A model that says how else it pools drops what its checkpoint has for that.)
        let name = tensors.in_file(name);
        return Err(architecture.refuse(&format!("tensor `{name}` belongs to an attention-pool head")));
    }
    config.pools_prefix = architecture.args.optional_bool("pool_include_prefix")?.unwrap_or(variant.pools_prefix);
    let (args, norms) = (&architecture.args, ["norm.weight", "fc_norm.weight"]);
    if !variant.bare && args.optional_bool("final_norm")? != Some(false) {
        architecture.require_last_norm(&config, tensors)?;
    }
    // (What an argument says of it was compared with the tensors already.)
    let usual = variant.bare.then_some(false);
    hf::check_shown(args, tensors, "final_norm", usual, &|name| norms.contains(&name))?;
    // A packed SwiGLU gives twice what its second layer reads.
    let outputs = tensors.shape("blocks.0.mlp.fc1.weight")?.first().copied().unwrap_or(0);
    if outputs == config.mlp_size.saturating_mul(2) {
        config.gated = true;
        config.activation = architecture.activation(Activation::Silu)?;
    }
    Ok(config)
}

/// What a name says beside sizes that tensors show.
struct Variant {
    activation: Activation,
    layer_norm_eps: f32,
    pooling: Pooling,
    /// Whether what is pooled takes in the tokens before the patches.
    pools_prefix: bool,
    /// Whether there is no norm behind the blocks.
    bare: bool,
    /// Sixteen heads, whatever the width.
    sixteen: bool,
    /// Width of a head otherwise.
    head_size: usize,
}

/// Sizes whose blocks are plain ones.
const SIZES: &[&str] = &[
    "tiny", "xsmall", "wee", "little", "small", "medium", "mediumd", "betwixt", "base", "large", "huge", "giant",
    "gigantic", "giantopt", "so150m", "so150m2", "so400m",
];

/// One more, of InternViT, which has no norm behind its blocks.
const INTERN: &str = "intern300m";

/// Parts of names that change no arithmetic which tensors don't show. (36x1 counts blocks.)
const KNOWN_PARTS: &[&str] =
    &["gap", "map", "miil", "clip", "quickgelu", "dinov2", "plus", "siglip", "tipsv2", "36x1", "distilled", "radio"];

impl Variant {
    /// Accepts a name all of whose parts are understood.
    fn new(architecture: &Architecture) -> Result<Self> {
        let parts = architecture.parts();
        let refuse = |problem: String| Err(architecture.refuse(&problem));
        // What timm tests itself with.
        if let ["test", rest @ ..] = parts.as_slice() {
            let usual = Self {
                activation: Activation::Gelu,
                layer_norm_eps: LAYER_NORM_EPS,
                pooling: Pooling::Cls,
                pools_prefix: false,
                bare: false,
                sixteen: false,
                head_size: 32,
            };
            return match rest {
                ["vit"] => Ok(usual),
                ["vit2"] => Ok(Self { pooling: Pooling::Mean, ..usual }),
                ["vit3"] => Ok(Self { pooling: Pooling::Attention, pools_prefix: true, ..usual }),
                _ => Err(architecture.refuse_part(rest[rest.len() - 1])),
            };
        }
        let [family, size, rest @ ..] = parts.as_slice() else {
            return refuse("its name has no size".into());
        };
        if !SIZES.contains(size) && *size != INTERN {
            return refuse(format!("`{size}` in its name is no size of a plain ViT that this version knows"));
        }
        let number = |part: &str, start: &str| {
            part.strip_prefix(start).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        };
        let known = |part: &str| {
            let generation = matches!(part, "v3" | "v4") && rest.contains(&"radio");
            KNOWN_PARTS.contains(&part) || generation || ["patch", "reg", ""].iter().any(|start| number(part, start))
        };
        architecture.require_known(rest, &known)?;
        if *family != "flexivit" && !rest.iter().any(|part| number(part, "patch")) {
            return refuse("its name is not of the form vit_SIZE_patchP_…".into());
        }
        let has = |part: &str| rest.contains(&part);
        // timm runs SigLIP with the error function, except where it was added with the second version's weights.
        let second = has("patch32")
            || has("512") && *size == "large"
            || has("patch16") && matches!(*size, "so400m" | "giantopt");
        Ok(Self {
            activation: match (has("quickgelu"), has("siglip") && second) {
                (true, _) => Activation::QuickGelu,
                (_, true) => Activation::GeluTanh,
                _ => Activation::Gelu,
            },
            layer_norm_eps: if has("clip") || *family == "beit3" { 1e-5 } else { LAYER_NORM_EPS },
            pooling: match (has("gap") || matches!(*family, "beit3" | "eva"), has("siglip") || has("map")) {
                (true, _) => Pooling::Mean,
                (false, true) => Pooling::Attention,
                (false, false) => Pooling::Cls,
            },
            pools_prefix: false,
            bare: has("radio") || *size == INTERN,
            head_size: 64,
            sixteen: *size == "giantopt"
                || (*size == "base"
                    && has("gap")
                    && has("patch16")
                    && !has("siglip")
                    && !rest.iter().any(|part| number(part, "reg"))),
        })
    }

    /// Heads of timm's published sizes: of one width, but 16 for the largest.
    fn heads(&self, width: usize) -> usize {
        if self.sixteen || matches!(width, 1152 | 1280 | 1408 | 1664) { 16 } else { width / self.head_size }
    }
}

fn read_weights(config: &Config, reader: &mut Reader, blocks: Vec<Block>, how: Interpolation) -> Result<Weights> {
    let pool = match config.pooling {
        Pooling::Attention => Some(timm::read_pool(config, reader, config.activation)?),
        _ => {
            reader.leave(ATTENTION_POOL);
            None
        }
    };
    timm::read_rest(config, reader, how, blocks, None, pool)
}

#[cfg(test)]
mod tests {
    use super::super::tensors::write;
    use super::*;
    use serde_json::Value;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// What timm builds for each of its names, or `{refused: why}`.
    const REGISTRY: &str = include_str!("../../tests/fixtures/timm_registry.json");

    /// Every name means here what it means to timm, or is refused.
    #[test]
    fn names_mean_what_they_mean_to_timm() {
        let registry: Value = serde_json::from_str(REGISTRY).unwrap();
        let nothing = write(Vec::new(), None).unwrap();
        let tensors = Tensors::open("model.safetensors", &nothing).unwrap();
        let (mut accepted, mut refused) = (0, 0);
        // (Of timm's other classes other files take care.)
        let others = |name: &str, expected: &Value| {
            expected.get("rotary").is_some() || name.starts_with("beit_") || name.starts_with("beitv2_")
        };
        for (name, expected) in registry.as_object().unwrap().iter().filter(|(name, expected)| !others(name, expected))
        {
            let json = Json::parse("config.json", &format!(r#"{{"architecture": "{name}"}}"#)).unwrap();
            let families = [RADIO_V3, RADIO, FAMILY, FLEXIVIT, BEIT3];
            let recognised = families.iter().any(|family| (family.recognises)(&json));
            let architecture = Architecture::new(&json, &tensors, &timm::VIT).unwrap();
            let variant = Variant::new(&architecture).ok().filter(|_| recognised);
            let Some(width) = expected["width"].as_u64() else {
                assert!(variant.is_none(), "{name}: {}", expected["refused"]);
                refused += 1;
                continue;
            };
            let variant = variant.unwrap_or_else(|| panic!("{name} should be read"));
            assert_eq!(variant.heads(width as usize) as u64, expected["heads"], "{name}");
            assert_eq!(variant.layer_norm_eps, expected["eps"].as_f64().unwrap() as f32, "{name}");
            let activation = match variant.activation {
                Activation::Gelu => "gelu",
                Activation::GeluTanh => "gelu_tanh",
                Activation::QuickGelu => "quick_gelu",
                other => panic!("{name}: {other:?}"),
            };
            // (That an MLP is gated its shapes tell.)
            assert!(expected["activation"] == activation || expected["activation"] == "swiglu", "{name}");
            let pooling = match variant.pooling {
                Pooling::Attention => "map",
                Pooling::Cls => "token",
                _ => "avg",
            };
            assert_eq!(pooling, expected["pooling"], "{name}");
            assert_eq!(Value::from(variant.pools_prefix), expected["pools_prefix"], "{name}");
            assert_eq!(Value::from(variant.bare), expected["bare"], "{name}");
            accepted += 1;
        }
        assert!(accepted > 150 && refused > 40, "{accepted}, {refused}");
    }
}
