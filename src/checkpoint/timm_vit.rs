//! timm's `vit_*`, `deit_*` and `deit3_*` models, and `flexivit_*`, which are the same but for how positions are resampled.

use super::blocks::{BlockNames, Qkv, read_blocks};
use super::heads::read_heads;
use super::interpolate::Interpolation;
use super::json::Json;
use super::reader::{Bias, Reader};
use super::tensors::Tensors;
use super::timm::{self, ATTENTION_POOL, Architecture, read_last_norm};
use super::{Family, processors};
use crate::error::Result;
use crate::model::{Activation, Config, Embeddings, Pooling, Weights};

pub(super) const FAMILY: Family = Family {
    name: "ViT (timm)",
    models: "`vit_*` (augreg, in21k, `_gap_`, `_reg4_`, `_clip_`, `_dinov2`, `_siglip_gap_`, dino, mae, …), `deit_*`, distilled too, `deit3_*`; with a head or without; as transformers saves them too (`timm_wrapper`)",
    recognises: |config| {
        config
            .optional_str("architecture")
            .is_some_and(|name| ["vit_", "deit_", "deit3_"].iter().any(|start| name.starts_with(start)))
    },
    config: |json, tensors| read_config(FAMILY.name, json, tensors),
    weights: |config, reader| read_weights(config, reader, Interpolation::BicubicAntialias),
    ignores: |name| name.starts_with(ATTENTION_POOL),
    processor: &processors::VIT,
    any_size: false,
};

pub(super) const FLEXIVIT: Family = Family {
    name: "FlexiViT (timm)",
    models: "`flexivit_*`",
    recognises: |config| config.optional_str("architecture").is_some_and(|name| name.starts_with("flexivit_")),
    config: |json, tensors| read_config(FLEXIVIT.name, json, tensors),
    weights: |config, reader| read_weights(config, reader, Interpolation::Bilinear),
    ..FAMILY
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
};

fn read_config(family: &'static str, json: &Json, tensors: &Tensors) -> Result<Config> {
    let architecture = Architecture::new(json, tensors, &timm::VIT)?;
    let variant = Variant::new(&architecture)?;
    let prefix = timm::prefix(tensors)?;
    let usual_pooling = if variant.mean { Pooling::Mean } else { Pooling::Cls };
    let mut config = architecture.config(family, tensors, &|width| variant.heads(width), prefix, usual_pooling)?;
    config.activation = architecture.activation(variant.activation)?;
    if variant.clip {
        config.layer_norm_eps = architecture.layer_norm_eps(1e-5);
    }
    if tensors.has("dist_token") {
        config.pooling = Pooling::ClsDistillation;
    }
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
    /// CLIP's LayerNorm has another ε.
    clip: bool,
    mean: bool,
    /// Sixteen heads, whatever the width.
    sixteen: bool,
}

/// Sizes whose blocks are plain ones.
const SIZES: &[&str] = &[
    "tiny", "xsmall", "wee", "little", "small", "medium", "mediumd", "betwixt", "base", "large", "huge", "giant",
    "gigantic", "giantopt", "so150m", "so150m2", "so400m",
];

/// Parts of names that change no arithmetic which tensors don't show. (36x1 counts blocks.)
const KNOWN_PARTS: &[&str] =
    &["gap", "miil", "clip", "quickgelu", "dinov2", "plus", "siglip", "tipsv2", "36x1", "distilled"];

impl Variant {
    /// Accepts a name all of whose parts are understood.
    fn new(architecture: &Architecture) -> Result<Self> {
        let parts = architecture.parts();
        let refuse = |problem: String| Err(architecture.refuse(&problem));
        let [family, size, rest @ ..] = parts.as_slice() else {
            return refuse("its name has no size".into());
        };
        if !SIZES.contains(size) {
            return refuse(format!("`{size}` in its name is no size of a plain ViT that this version knows"));
        }
        let number = |part: &str, start: &str| {
            part.strip_prefix(start).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        };
        let known = |part: &str| {
            KNOWN_PARTS.contains(&part) || number(part, "patch") || number(part, "reg") || number(part, "")
        };
        if let Some(part) = rest.iter().find(|part| !known(part)) {
            return refuse(format!("`{part}` in its name marks a variant this version does not run"));
        }
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
            clip: has("clip"),
            mean: has("gap"),
            sixteen: *size == "giantopt"
                || (*size == "base"
                    && has("gap")
                    && has("patch16")
                    && !has("siglip")
                    && !rest.iter().any(|part| number(part, "reg"))),
        })
    }

    /// Heads of timm's published sizes: 64 wide, but 16 for the largest.
    fn heads(&self, width: usize) -> usize {
        if self.sixteen || matches!(width, 1152 | 1280 | 1408 | 1664) { 16 } else { width / 64 }
    }
}

fn read_weights(config: &Config, reader: &mut Reader, how: Interpolation) -> Result<Weights> {
    let (width, eps) = (config.hidden_size, config.layer_norm_eps);
    // Files of DeiT III from before timm's LayerScale have its names.
    let scales = if reader.has("blocks.0.gamma_1") { Some(["gamma_1", "gamma_2"]) } else { BLOCK.scales };
    let blocks = read_blocks(config, reader, "blocks.", &BlockNames { scales, ..BLOCK })?;
    let (norm, fc_norm) = read_last_norm(config, reader)?;

    let (prefix, positions) = timm::read_tokens(config, reader, how)?;

    // Models with a norm before their blocks have no bias in their patches.
    let before = reader.optional_norm("norm_pre", width, eps)?;
    let bias = if before.is_some() { Bias::Optional } else { Bias::Required };
    let embeddings = Embeddings {
        patch_projection: reader.patch_projection("patch_embed.proj", width, config.patch_size, bias)?,
        patch_norm: None,
        prefix,
        positions,
        norm: before,
    };
    let heads = read_heads(config, reader, "head", ["head", "head_dist"])?;
    Ok(Weights { embeddings, blocks, norm, fc_norm, pool: None, projection: None, heads })
}

#[cfg(test)]
mod tests {
    use super::super::tensors::write;
    use super::*;
    use serde_json::Value;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// What timm builds for each of its names: `{width, heads, eps, activation}`, or `{refused: why}`.
    const REGISTRY: &str = include_str!("../../tests/fixtures/timm_registry.json");

    /// Every name means here what it means to timm, or is refused.
    #[test]
    fn names_mean_what_they_mean_to_timm() {
        let registry: Value = serde_json::from_str(REGISTRY).unwrap();
        let nothing = write(Vec::new(), None).unwrap();
        let tensors = Tensors::open("model.safetensors", &nothing).unwrap();
        let (mut accepted, mut refused) = (0, 0);
        // (Of those with rotary positions another file takes care.)
        let plain = registry.as_object().unwrap().iter().filter(|(_, expected)| expected.get("rotary").is_none());
        for (name, expected) in plain {
            let json = Json::parse("config.json", &format!(r#"{{"architecture": "{name}"}}"#)).unwrap();
            let recognised = (FAMILY.recognises)(&json) || (FLEXIVIT.recognises)(&json);
            let architecture = Architecture::new(&json, &tensors, &timm::VIT).unwrap();
            let variant = Variant::new(&architecture).ok().filter(|_| recognised);
            match (expected["width"].as_u64(), variant) {
                (Some(width), Some(variant)) => {
                    assert_eq!(variant.heads(width as usize) as u64, expected["heads"], "{name}");
                    let eps = if variant.clip { 1e-5 } else { 1e-6 };
                    assert_eq!(Some(eps), expected["eps"].as_f64(), "{name}");
                    let activation = match variant.activation {
                        Activation::Gelu => "gelu",
                        Activation::GeluTanh => "gelu_tanh",
                        Activation::QuickGelu => "quick_gelu",
                        other => panic!("{name}: {other:?}"),
                    };
                    // (That an MLP is gated its shapes tell.)
                    assert!(expected["activation"] == activation || expected["activation"] == "swiglu", "{name}");
                    accepted += 1;
                }
                (None, Some(_)) => {
                    // Attention pooling is refused by `global_pool`, a norm that is not there as a missing tensor.
                    let why = expected["refused"].as_str().unwrap();
                    assert!(matches!(why, "global_pool map" | "no final norm"), "{name}: {why}");
                }
                (Some(_), None) => {
                    // Other families, and two whose attention is differential, which the list does not look at.
                    let other = ["beit", "eva_", "test_vit", "vit_dlittle_", "vit_dwee_"];
                    assert!(other.iter().any(|start| name.starts_with(start)), "{name} should be read");
                }
                (None, None) => refused += 1,
            }
        }
        assert!(accepted > 100 && refused > 30, "{accepted}, {refused}");
    }
}
