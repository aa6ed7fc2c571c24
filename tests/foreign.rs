//! What other programs make of a model is named, with the remedy that fits.

mod common;

use common::edit::{edited, load, refused, renamed, rewritten, with_tensor};
use common::named;
use safetensors::tensor::Dtype;
use serde_json::{Value, json};
use vitscope::checkpoint::{Values, without_config, write};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const HF: &str = "hf_vit";
const LAYER: &str = "vit.encoder.layer.0.attention.attention.query";

#[test]
fn weights_that_other_programs_quantised() {
    let weights = named(HF).weights;
    for (key, value, program) in [
        ("quantization_config", json!({"quant_method": "bitsandbytes", "load_in_8bit": true}), "bitsandbytes"),
        ("quantization_config", json!({"load_in_4bit": true, "load_in_8bit": false}), "bitsandbytes"),
        ("quantization_config", json!({"quant_method": "gptq", "bits": 4}), "GPTQ"),
        ("quantization_config", json!({"quant_method": "awq", "bits": 4}), "AWQ"),
        ("quantization_config", json!({"quant_method": "quanto", "weights": "int8"}), "quanto"),
        ("quantization_config", json!({"quant_method": "torchao"}), "torchao"),
        ("quantization_config", json!({"quant_method": "compressed-tensors"}), "compressed-tensors"),
        ("quantization_config", json!({"quant_method": "hqq"}), "HQQ"),
        ("quantization_config", json!({"quant_method": "something-new"}), "something-new"),
        ("quantization_config", json!({"group_size": 64, "bits": 4}), "MLX"),
        ("quantization", json!({"group_size": 64, "bits": 4}), "MLX"),
    ] {
        let config = edited(HF, json!({key: value}));
        refused(load(&config, weights), "invalid-weights", &[program, "vitscope quantize"]);
    }
    // Where the config is silent the tensors tell.
    for (names, program) in [
        (&[".SCB"][..], "bitsandbytes"),
        (&[".weight.absmax", ".weight.quant_map"], "bitsandbytes"),
        (&[".weight.quant_state.bitsandbytes__nf4"], "bitsandbytes"),
        (&[".qweight", ".qzeros", ".scales", ".g_idx"], "GPTQ"),
        (&[".qweight", ".qzeros", ".scales"], "AWQ"),
        (&[".weight._data", ".weight._scale"], "quanto"),
        (&[".scales", ".biases"], "MLX"),
        (&[".weight_packed", ".weight_scale", ".weight_shape"], "compressed-tensors"),
        (&[".W_q"], "HQQ"),
    ] {
        let mut quantised =
            rewritten(weights, |tensors| tensors.get_mut(&[LAYER, ".weight"].concat()).unwrap().0 = Dtype::I32);
        for name in names {
            quantised = with_tensor(&quantised, &[LAYER, name].concat(), &[4]);
        }
        refused(load(named(HF).config, &quantised), "invalid-weights", &[program, "vitscope quantize"]);
    }
    // What says that nothing was quantised is no reason to refuse.
    for value in [json!({}), json!({"quant_method": "bitsandbytes", "load_in_8bit": false, "load_in_4bit": false})] {
        assert!(load(&edited(HF, json!({"quantization_config": value})), weights).is_ok());
    }
}

#[test]
fn adapters_alone_or_not_merged() {
    let config = named(HF).config;
    let weights = named(HF).weights;
    let lora = |name: &str| with_tensor(weights, &[LAYER, name].concat(), &[4, 36]);
    for name in [
        ".lora_A.default.weight",
        ".lora_B.weight",
        ".lora_magnitude_vector.default",
        ".base_layer.bias",
        ".hada_w1_a",
        ".ia3_l.default",
    ] {
        refused(load(config, &lora(name)), "invalid-weights", &["adapter", "LoRA", "merge_and_unload()", name]);
        let peft = renamed(&lora(name), |name| ["base_model.model.", name].concat());
        refused(load(config, &peft), "invalid-weights", &["merge_and_unload()", "`base_model.model.vit."]);
    }
    let alone = rewritten(&lora(".lora_A.weight"), |tensors| tensors.retain(|name, _| name.contains("lora")));
    refused(load(config, &alone), "invalid-weights", &["adapter", "alone", "merge_and_unload()"]);
}

/// A file of these tensors, all of one value.
fn of(names: &[&str]) -> Vec<u8> {
    write(names.iter().map(|name| (name.to_string(), vec![1], Values::F32(vec![0.5]))).collect(), None).unwrap()
}

#[test]
fn layouts_of_other_programs() {
    let open_clip =
        of(&["visual.class_embedding", "visual.conv1.weight", "text.token_embedding.weight", "logit_scale"]);
    let trunk = of(&["visual.trunk.blocks.0.attn.qkv.weight", "visual.trunk.patch_embed.proj.weight", "logit_scale"]);
    let torchvision = of(&["class_token", "conv_proj.weight", "encoder.layers.encoder_layer_0.ln_1.weight"]);
    let jax = of(&["Transformer/encoderblock_0/LayerNorm_0/scale", "embedding/kernel", "cls"]);
    let aim = of(&["preprocessor.patchifier.proj.weight", "trunk.blocks.0.attn.qkv.weight"]);
    let timm = of(&["blocks.0.attn.qkv.weight", "cls_token", "patch_embed.proj.weight", "mask_token"]);
    let transformers = of(&["vit.embeddings.patch_embeddings.projection.weight", "vit.embeddings.cls_token"]);
    let other = of(&["stem.bn.num_batches_tracked", "stem.bn.running_mean", "stem.conv.weight"]);
    for (weights, parts) in [
        (&open_clip, &["open_clip", "visual.conv1.weight", "open_clip_config.json"][..]),
        (&trunk, &["open_clip", "visual.trunk.", "open_clip_config.json"]),
        (&torchvision, &["torchvision", "encoder_layer_0", "patch_embed.proj", "attn.qkv"]),
        (&jax, &["JAX", "timm.create_model"]),
        (&aim, &["ml-aim", "preprocessor.patchifier.", "timm.create_model"]),
    ] {
        // With a config or without.
        refused(load(named(HF).config, weights), "invalid-weights", parts);
        refused(load(named("hf_clip").config, weights), "invalid-weights", parts);
        refused(load("{}", weights), "invalid-weights", parts);
        let error = without_config(weights).to_string();
        assert!(error.contains(parts[0]) && error.contains(parts.last().unwrap()), "{error}");
    }
    for (weights, parts) in [
        (&timm, &["timm", "save_for_hf", "blocks.0.attn.qkv.weight"][..]),
        (&transformers, &["vit.embeddings.", "Fetch the config.json"]),
        (&other, &["stem.conv.weight"]),
    ] {
        refused(load("{}", weights), "unsupported-architecture", parts);
        let error = without_config(weights);
        assert_eq!(error.code(), "invalid-config");
        parts.iter().for_each(|part| assert!(error.to_string().contains(part), "{error}"));
    }
    // A config that names an architecture is told what it is called, and not how to convert it.
    let error = load(r#"{"model_type": "resnet"}"#, &other).err().unwrap().to_string();
    assert!(
        error.contains("resnet") && error.contains("stem.conv.weight") && !error.contains("num_batches"),
        "{error}"
    );
    let error = load(r#"{"architecture": "cait_m36_384"}"#, &timm).err().unwrap().to_string();
    assert!(error.contains("cait_m36_384") && !error.contains("save_for_hf"), "{error}");
}

/// A tensor that is missing comes with the names that are there, one that is too many is one that tells something.
#[test]
fn names_that_tell_something() {
    let config = named(HF).config;
    refused(
        load(config, named("timm_vit").weights),
        "missing-tensor",
        &["`vit.encoder.layer.0.attention.attention.query.weight`", "called like `blocks.0.attn."],
    );
    refused(
        load(named("timm_vit").config, named(HF).weights),
        "missing-tensor",
        &["patch_embed.proj.weight", "called like `vit.encoder.layer.0.attention."],
    );
    let mut more = named(HF).weights.to_vec();
    for name in ["a.num_batches_tracked", "a.position_ids", "a.relative_position_index", "b.bias", "b.weight"] {
        more = with_tensor(&more, name, &[1]);
    }
    refused(load(config, &more), "unexpected-tensor", &["`b.weight`"]);
    let empty: Value = json!({});
    refused(load(config, &common::edit::file(&empty.to_string(), b"")), "missing-tensor", &["is missing. Check"]);
}
