//! timm's `aimv2_*` models: RMSNorm, on patches too, and a gate in each MLP.

use super::blocks::{BlockNames, Blocks, Qkv, Windowed};
use super::json::{Json, text_of};
use super::reader::{Bias, Reader};
use super::tensors::Tensors;
use super::timm::{self, ATTENTION_POOL, Architecture, Class};
use super::{Family, processors};
use crate::error::Result;
use crate::model::{Activation, Block, Config, Interpolation, Pooling, Weights};

pub(super) const FAMILY: Family = Family {
    name: "AIMv2 (timm)",
    models: "`aimv2_*`, with a head or without",
    recognises: |config| timm::is_named(config, &["aimv2_"], &[]),
    config: read_config,
    blocks: |_, _| Blocks::new(timm::BLOCKS, BLOCK),
    weights: read_weights,
    ignores: |_| false,
    processor: &processors::VIT,
    any_size: false,
};

/// `VisionTransformer` with these arguments.
const AIMV2: Class = Class {
    reads: &[],
    defaults: &[],
    shown: &[("proj_bias", &["blocks.0.attn.proj.bias"])],
    telltales: &[(ATTENTION_POOL, "an attention-pool head")],
    pools: false,
    ratio_is_read: true,
};

const BLOCK: BlockNames = BlockNames {
    norm1: "norm1",
    qkv: Qkv::Fused("attn.qkv", Bias::Optional),
    qk_norm: Some(["attn.q_norm", "attn.k_norm"]),
    projection: "attn.proj",
    inner_norms: None,
    norm2: "norm2",
    fc1: &["mlp.fc1_g", "mlp.fc1_x"],
    fc2: "mlp.fc2",
    bias: Bias::Optional,
    scales: Some(["ls1.gamma", "ls2.gamma"]),
    windowed: Windowed::No,
};

/// What follows the family in a name: a size, a patch and an image.
const SIZES: &[&str] = &["large", "huge", "1b", "3b"];

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let architecture = Architecture::new(json, tensors, &AIMV2)?;
    check_name(&architecture)?;
    if let Some(norm) = architecture.args.get("norm_layer") {
        return Err(architecture
            .refuse(&format!("`model_args` sets `norm_layer` to {}, and only its own is run", text_of(norm))));
    }
    let mut config = architecture.config(tensors, &heads, timm::prefix(tensors)?, Pooling::Mean)?;
    architecture.require_last_norm(&config, tensors)?;
    config.layer_norm_eps = 1e-5;
    config.rms_norm = true;
    config.gated = true;
    config.activation = architecture.activation(Activation::Silu)?;
    Ok(config)
}

/// Accepts a name all of whose parts are understood.
fn check_name(architecture: &Architecture) -> Result<()> {
    let number = |part: &str| part.bytes().all(|digit| digit.is_ascii_digit());
    architecture.require_known(&architecture.parts()[1..], &|part| {
        SIZES.contains(&part) || number(part.strip_prefix("patch").unwrap_or(part))
    })
}

/// Heads of timm's published sizes: 128 wide.
fn heads(width: usize) -> usize {
    width / 128
}

fn read_weights(config: &Config, reader: &mut Reader, blocks: Vec<Block>) -> Result<Weights> {
    let patch_norm = reader.layer_norm("patch_embed.norm", config.hidden_size, config.layer_norm_eps)?;
    timm::read_rest(config, reader, Interpolation::BicubicAntialias, blocks, Some(patch_norm), None)
}

#[cfg(test)]
mod tests {
    use super::super::tensors::write;
    use super::*;
    use serde_json::Value;
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
            let architecture = Architecture::new(&json, &tensors, &AIMV2).unwrap();
            let read = (FAMILY.recognises)(&json) && check_name(&architecture).is_ok();
            assert_eq!(read, expected.get("rms_norm").is_some(), "{name}");
            if read {
                let expected = &expected["rms_norm"];
                assert_eq!(heads(expected["width"].as_u64().unwrap() as usize) as u64, expected["heads"], "{name}");
                assert_eq!(expected["eps"].as_f64(), Some(1e-5), "{name}");
                assert_eq!(
                    (&expected["activation"], &expected["pooling"]),
                    (&"swiglu".into(), &"avg".into()),
                    "{name}"
                );
                accepted += 1;
            }
        }
        assert!(accepted >= 12, "{accepted}");
    }
}
