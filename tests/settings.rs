//! What a config says is obeyed, or refused by its name; what its library's class doesn't read changes nothing.

mod common;

use common::edit::{doubled, edited, load, refused, renamed, rewritten, with_tensor};
use common::{FIXTURES, Fixture, named, some_classes};
use serde_json::{Value, json};
use vitscope::checkpoint::{ConfigFiles, LoadOptions, Shards, Tensors, quantize};
use vitscope::model::Pooling;
use vitscope::quant::Bits;
use vitscope::{Classifier, Error};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// What `save_pretrained` of transformers 4 writes where a config is dumped whole, and what fine-tuning adds.
fn dump() -> Value {
    let text = r#"{
        "return_dict": true, "output_hidden_states": true, "output_attentions": true, "torchscript": false,
        "torch_dtype": "float16", "use_bfloat16": false, "tf_legacy_loss": false, "pruned_heads": {},
        "tie_word_embeddings": true, "chunk_size_feed_forward": 0, "is_encoder_decoder": false, "is_decoder": false,
        "cross_attention_hidden_size": null, "add_cross_attention": false, "tie_encoder_decoder": false,
        "max_length": 20, "min_length": 0, "do_sample": false, "early_stopping": false, "num_beams": 1,
        "num_beam_groups": 1, "diversity_penalty": 0.0, "temperature": 1.0, "top_k": 50, "top_p": 1.0,
        "typical_p": 1.0, "repetition_penalty": 1.0, "length_penalty": 1.0, "no_repeat_ngram_size": 0,
        "encoder_no_repeat_ngram_size": 0, "bad_words_ids": null, "num_return_sequences": 1,
        "output_scores": false, "return_dict_in_generate": false, "remove_invalid_values": false,
        "exponential_decay_length_penalty": null, "finetuning_task": "image-classification",
        "tokenizer_class": null, "prefix": null, "bos_token_id": null, "sep_token_id": 102,
        "task_specific_params": null, "problem_type": null, "transformers_version": "4.31.0",
        "_name_or_path": "./out", "attention_probs_dropout_prob": 0.1, "hidden_dropout_prob": 0.1,
        "initializer_range": 0.02, "drop_path_rate": 0.1, "encoder_stride": 32, "pooler_act": "relu",
        "_attn_implementation": "sdpa", "use_mask_token": true, "vocab_size": 8192, "gradient_checkpointing": true,
        "my_key": {"anything": [1, "x", null]}, "learning_rate": 1e-4, "quantization_config": null
    }"#;
    serde_json::from_str(text).unwrap()
}

/// `changes` made to a fixture's config without taking anything out.
fn with(fixture: &Fixture, changes: &Value) -> String {
    let mut config: Value = serde_json::from_str(fixture.config).unwrap();
    config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    config.to_string()
}

fn answer(fixture: &Fixture, model: Result<Classifier, Error>) -> Vec<f32> {
    let mut model = model.unwrap_or_else(|error| panic!("{}: {error}", fixture.name));
    fixture.run(&mut model, &fixture.expected("pixel_values"))
}

/// A fixture with another config, or its own, and other weights, or its own.
fn changed(fixture: &Fixture, config: &str, weights: Option<Vec<u8>>) -> Result<Classifier, Error> {
    let text = fixture.text_embeddings.map(<[u8]>::to_vec);
    let options = LoadOptions { text_embeddings: text.as_ref().map(|text| text as _), ..LoadOptions::default() };
    let files = ConfigFiles { config, preprocessor: fixture.preprocessor, processor: None };
    match weights {
        Some(weights) => Classifier::load(files, &weights, options),
        None => Classifier::load(files, &*fixture.source(), options),
    }
}

/// A config that says more than needs be, and nothing that its class reads, is the same model.
#[test]
fn full_dumps_and_unknown_keys_change_nothing() {
    for fixture in FIXTURES {
        let own = answer(fixture, fixture.load(None));
        assert_eq!(answer(fixture, changed(fixture, &with(fixture, &dump()), None)), own, "{}", fixture.name);
    }
    for (name, changes) in [
        // DINOv2 reads `mlp_ratio`, the others `intermediate_size`.
        ("hf_dinov2", json!({"intermediate_size": 4711})),
        ("hf_dinov2_swiglu", json!({"intermediate_size": 4711, "hidden_act": "relu"})),
        (
            "hf_dinov2",
            json!({"num_register_tokens": 4, "layerscale_value": 0.0, "apply_layernorm": false, "reshape_hidden_states": false, "out_features": ["stage2"], "out_indices": [2]}),
        ),
        (
            "hf_vit",
            json!({"mlp_ratio": 7, "is_decoder": true, "add_cross_attention": true, "use_mean_pooling": true, "head_dim": 9}),
        ),
        ("hf_clip", json!({"hidden_act": "mish", "projection_dim": 4711, "head_dim": 3})),
        ("hf_beit", json!({"qkv_bias": false, "head_dim": 5, "pool_scales": [1], "add_fpn": true})),
        ("hf_siglip", json!({"vision_use_head": false})),
        (
            "hf_dinov3",
            json!({"pos_embed_shift": 0.1, "pos_embed_jitter": 2.0, "pos_embed_rescale": null, "layerscale_value": 0.5, "qkv_bias": false, "mlp_ratio": 4}),
        ),
        ("hf_mae", json!({"mask_ratio": 0.9, "norm_pix_loss": true})),
        ("hf_sam_vision", json!({"intermediate_size": 4711, "mlp_ratio": 7, "num_pos_feats": 3, "scale": 1})),
    ] {
        let fixture = named(name);
        let own = answer(fixture, fixture.load(None));
        assert_eq!(answer(fixture, changed(fixture, &with(fixture, &changes), None)), own, "{name} {changes}");
    }
}

/// What a class reads and is not run, what is of another type, and what the tensors contradict.
#[test]
fn settings_that_change_the_answer_are_refused_by_name() {
    for (name, key, value, code) in [
        ("hf_vit", "qkv_bias", json!("no"), "invalid-config"),
        ("hf_vit", "qkv_bias", json!(false), "invalid-config"),
        ("hf_vit_gelu_new", "qkv_bias", json!(true), "invalid-config"),
        ("hf_vit", "hidden_act", json!(5), "invalid-config"),
        ("hf_vit", "hidden_act", json!("mish"), "unsupported-architecture"),
        ("hf_vit", "num_channels", json!(4), "unsupported-architecture"),
        ("hf_vit", "head_dim", json!(8), "unsupported-architecture"),
        ("hf_deit", "pruned_heads", json!({"0": [1]}), "unsupported-architecture"),
        ("hf_vit", "per_layer_config", json!({"1": {"hidden_act": "relu"}}), "unsupported-architecture"),
        ("hf_dinov2", "mlp_ratio", json!("4"), "invalid-config"),
        ("hf_dinov2_reg", "num_register_tokens", json!(true), "invalid-config"),
        ("hf_dinov2", "use_swiglu_ffn", json!(1), "invalid-config"),
        ("hf_dinov3", "query_bias", json!(false), "invalid-config"),
        ("hf_dinov3", "key_bias", json!(true), "invalid-config"),
        ("hf_dinov3", "use_gated_mlp", json!(true), "invalid-config"),
        ("hf_dinov3_gated", "mlp_bias", json!(true), "invalid-config"),
        ("hf_dinov3_gated", "proj_bias", json!(true), "invalid-config"),
        ("hf_dinov3", "rope_theta", json!("100"), "invalid-config"),
        ("hf_beit", "use_relative_position_bias", json!(false), "invalid-config"),
        ("hf_beit", "use_absolute_position_embeddings", json!(true), "invalid-config"),
        ("hf_beit", "use_shared_relative_position_bias", json!(true), "invalid-config"),
        ("hf_beit", "layer_scale_init_value", json!(0), "invalid-config"),
        ("hf_beit_shared", "use_shared_relative_position_bias", json!(false), "invalid-config"),
        ("hf_beit_shared", "layer_scale_init_value", json!(0.1), "invalid-config"),
        ("hf_data2vec", "use_mean_pooling", json!("mean"), "invalid-config"),
        ("hf_clip", "vision_config", json!("vit"), "invalid-config"),
        ("hf_clip", "vision_config_dict", json!([]), "invalid-config"),
        ("hf_siglip_vision", "vision_use_head", json!(false), "invalid-config"),
        ("hf_aimv2_native", "qkv_bias", json!(false), "invalid-config"),
        ("hf_aimv2_native", "mlp_bias", json!(false), "invalid-config"),
        ("hf_aimv2_native", "use_head", json!(false), "invalid-config"),
        ("hf_aimv2_native", "rms_norm_eps", json!("1e-5"), "invalid-config"),
        ("hf_aimv2_headless", "qkv_bias", json!(true), "invalid-config"),
        ("hf_aimv2_headless", "use_head", json!(true), "invalid-config"),
        ("hf_aimv2_headless", "is_native", json!("yes"), "invalid-config"),
        ("hf_aimv2_zero_shot", "max_logit_scale", json!("100"), "invalid-config"),
        ("hf_sam_vision", "qkv_bias", json!(true), "invalid-config"),
        ("hf_sam_vision", "use_abs_pos", json!(true), "invalid-config"),
        ("hf_sam_vision", "use_rel_pos", json!(false), "invalid-config"),
        ("hf_sam_vision", "window_size", json!("14"), "invalid-config"),
        ("hf_sam_vision", "global_attn_indexes", json!([1.5]), "invalid-config"),
        ("hf_sam_vision", "output_channels", json!("256"), "invalid-config"),
        ("hf_sam_vision", "mlp_dim", json!(-1), "invalid-config"),
        ("timm_vit", "global_pool", json!(1), "invalid-config"),
        ("timm_vit", "model_args", json!([]), "invalid-config"),
        ("timm_vit", "pretrained_cfg", json!(5), "invalid-config"),
    ] {
        let fixture = named(name);
        let mut config: Value = serde_json::from_str(fixture.config).unwrap();
        if name == "timm_vit" {
            config["model_args"].as_object_mut().unwrap().remove("global_pool");
        }
        config[key] = value;
        refused(changed(fixture, &config.to_string(), None), code, &[key]);
    }
    // Silence is the library's default: BEiT without relative positions, and with LayerScale.
    for (name, key) in [("hf_beit", "use_relative_position_bias"), ("hf_beit_shared", "layer_scale_init_value")] {
        refused(
            load(&edited(name, json!({key: Value::Null})), named(name).weights),
            "invalid-config",
            &[key, "default"],
        );
    }
    for (name, key) in [("hf_dinov3_gated", "key_bias"), ("hf_dinov3_gated", "use_gated_mlp")] {
        let silent = edited(name, json!({key: Value::Null}));
        refused(load(&silent, named(name).weights), "invalid-config", &[key, "default"]);
    }
    let cold = edited("hf_dinov3", json!({"rope_theta": 0}));
    refused(load(&cold, named("hf_dinov3").weights), "invalid-config", &["rotary", "temperature"]);
    let odd = edited("hf_dinov3", json!({"num_attention_heads": 8}));
    refused(load(&odd, named("hf_dinov3").weights), "invalid-config", &["rotary", "multiple of 4"]);
    // AIMv2's positions are computed, or those of one size.
    let learned = edited("hf_aimv2_native", json!({"is_native": false}));
    refused(load(&learned, named("hf_aimv2_native").weights), "missing-tensor", &["position_embedding"]);
    let native = edited("hf_aimv2_headless", json!({"is_native": true}));
    refused(load(&native, named("hf_aimv2_headless").weights), "unexpected-tensor", &["position_embedding"]);
    for name in ["hf_aimv2_headless", "hf_aimv2_zero_shot"] {
        refused(named(name).load_at(Some([8, 16]), None), "invalid-argument", &["8 × 16", "own size"]);
    }
    let odd = edited("hf_aimv2_native", json!({"hidden_size": 18}));
    refused(load(&odd, named("hf_aimv2_native").weights), "invalid-config", &["sinusoidal", "multiple of 4"]);
    let headless = rewritten(named("hf_aimv2_zero_shot").weights, |tensors| {
        tensors.retain(|name, _| !name.starts_with("vision_model.head."));
    });
    let mut config: Value = serde_json::from_str(named("hf_aimv2_zero_shot").config).unwrap();
    config["vision_config"]["use_head"] = json!(false);
    refused(load(&config.to_string(), &headless), "unsupported-architecture", &["use_head", "visual_projection"]);
    for (name, norm) in [
        ("timm_aimv2", "norm.weight"),
        ("timm_aimv2", "patch_embed.norm.weight"),
        ("hf_aimv2_native", "rms_norm.weight"),
    ] {
        let bare = rewritten(named(name).weights, |tensors| drop(tensors.remove(norm)));
        refused(load(named(name).config, &bare), "missing-tensor", &[norm]);
    }
    let unscaled =
        rewritten(named("hf_dinov2").weights, |tensors| tensors.retain(|name, _| !name.contains("layer_scale")));
    refused(load(named("hf_dinov2").config, &unscaled), "missing-tensor", &["layer_scale1.lambda1"]);
}

/// Arguments of timm's classes at their defaults, or as the tensors are, are what is run anyway; others are refused by name.
#[test]
fn arguments_of_timm() {
    let args = |name: &str, key: &str, value: &Value| {
        let mut config: Value = serde_json::from_str(named(name).config).unwrap();
        config["model_args"][key] = value.clone();
        changed(named(name), &config.to_string(), None)
    };
    for (name, key, value) in [
        ("timm_vit", "final_norm", json!(true)),
        ("timm_vit", "proj_bias", json!(true)),
        ("timm_vit", "pool_include_prefix", json!(false)),
        ("timm_vit", "scale_attn_norm", json!(false)),
        ("timm_vit", "scale_mlp_norm", json!(false)),
        ("timm_vit", "dynamic_img_size", json!(true)),
        ("timm_vit", "dynamic_img_pad", json!(false)),
        ("timm_vit", "dynamic_img_pad", json!(true)),
        ("timm_vit", "norm_layer", json!("LayerNorm")),
        ("timm_vit", "norm_layer", Value::Null),
        ("timm_vit", "act_layer", json!("gelu")),
        ("timm_vit", "embed_norm_layer", Value::Null),
        ("timm_vit", "block_fn", Value::Null),
        ("timm_vit", "attn_layer", json!("")),
        ("timm_vit", "pos_embed", json!("learn")),
        ("timm_vit", "fc_norm", json!(false)),
        ("timm_vit", "fc_norm", Value::Null),
        ("timm_vit", "class_token", json!(true)),
        ("timm_vit", "no_embed_class", json!(false)),
        ("timm_vit", "qkv_bias", json!(true)),
        ("timm_vit", "qk_norm", json!(false)),
        ("timm_vit", "pre_norm", json!(false)),
        ("timm_vit", "reg_tokens", json!(0)),
        ("timm_vit", "init_values", Value::Null),
        ("timm_vit", "weight_init", json!("jax")),
        ("timm_vit", "drop_path_rate", json!(0.1)),
        ("timm_deit3", "init_values", json!(1e-6)),
        ("timm_deit3", "no_embed_class", json!(true)),
        ("timm_gap", "class_token", json!(false)),
        ("timm_reg_pos", "reg_tokens", json!(4)),
        ("timm_reg_gap", "no_embed_class", json!(true)),
        ("timm_beit", "use_rel_pos_bias", json!(true)),
        ("timm_beit", "use_abs_pos_emb", json!(false)),
        ("timm_beit", "scale_mlp", json!(false)),
        ("timm_beit", "swiglu_mlp", json!(false)),
        ("timm_beit", "use_fc_norm", json!(true)),
        ("timm_beit", "head_init_scale", json!(0.001)),
        ("timm_dinov3", "rope_type", json!("dinov3")),
        ("timm_dinov3", "rope_grid_offset", json!(0.0)),
        ("timm_dinov3", "rope_temperature", json!(100)),
        ("timm_dinov3", "rope_rescale_coords", json!(2.0)),
        ("timm_dinov3", "use_abs_pos_emb", json!(false)),
        ("timm_dinov3", "use_post_norm", json!(false)),
        ("timm_dinov3", "num_reg_tokens", json!(4)),
        ("timm_dinov3_plus", "swiglu_align_to", json!(8)),
        ("timm_eva02", "ref_feat_shape", json!([16, 16])),
        ("timm_eva02", "ref_feat_shape", json!(16)),
        ("timm_eva02", "qkv_fused", json!(false)),
        ("timm_eva02", "scale_mlp", json!(true)),
        ("timm_eva02", "swiglu_mlp", json!(true)),
        ("timm_eva02_clip", "scale_attn_inner", json!(true)),
        ("timm_rope", "attn_type", json!("rope")),
        ("timm_rope_mixed_ape", "rope_grid_indexing", json!("xy")),
        ("timm_pe_core", "attn_pool_num_heads", json!(8)),
        ("timm_pe_core", "use_pre_transformer_norm", json!(true)),
        ("timm_pe_lang", "use_post_transformer_norm", json!(false)),
        ("timm_aimv2", "act_layer", json!("silu")),
        ("timm_aimv2", "fc_norm", json!(false)),
        ("timm_aimv2", "mlp_ratio", json!(1.75)),
        ("timm_aimv2", "proj_bias", json!(false)),
        ("timm_aimv2_cls", "proj_bias", json!(true)),
        ("timm_vit", "pool_include_prefix", json!(true)),
        ("timm_intern", "final_norm", json!(false)),
        ("timm_radio", "final_norm", json!(false)),
        ("timm_beit3", "scale_attn_norm", json!(true)),
        ("timm_beit3", "scale_mlp_norm", json!(true)),
        ("timm_map", "pool_include_prefix", json!(false)),
        ("timm_map_prefix", "pool_include_prefix", json!(true)),
        ("timm_eva", "use_rot_pos_emb", json!(false)),
    ] {
        let own = answer(named(name), named(name).load(None));
        assert_eq!(answer(named(name), args(name, key, &value)), own, "{name} {key} {value}");
    }
    for (name, key, value) in [
        ("timm_vit", "final_norm", json!(false)),
        ("timm_vit", "proj_bias", json!(false)),
        ("timm_vit", "scale_attn_norm", json!(true)),
        ("timm_vit", "scale_mlp_norm", json!(true)),
        ("timm_vit", "pool_include_prefix", json!(1)),
        ("timm_intern", "final_norm", json!(true)),
        ("timm_beit", "final_norm", json!(false)),
        ("timm_beit", "scale_mlp", json!(true)),
        ("timm_beit3", "scale_attn_norm", json!(false)),
        ("timm_pe_core", "pool_include_prefix", json!(false)),
        ("timm_vit", "embed_norm_layer", json!("layernorm")),
        ("timm_vit", "attn_layer", json!("diff")),
        ("timm_vit", "pos_embed", json!("none")),
        ("timm_vit", "in_chans", json!(1)),
        ("timm_vit", "dynamic_img_pad", json!("yes")),
        ("timm_vit", "features_only", json!(true)),
        ("timm_vit", "fc_norm", json!(true)),
        ("timm_vit", "class_token", json!(false)),
        ("timm_vit", "class_token", json!("yes")),
        ("timm_vit", "no_embed_class", json!(true)),
        ("timm_vit", "qkv_bias", json!(false)),
        ("timm_vit_nobias", "qkv_bias", json!(true)),
        ("timm_vit", "qk_norm", json!(true)),
        ("timm_vit", "pre_norm", json!(true)),
        ("timm_vit", "reg_tokens", json!(4)),
        ("timm_vit", "init_values", json!(1e-5)),
        ("timm_vit", "depth", json!(3)),
        ("timm_vit", "embed_dim", json!(48)),
        ("timm_vit", "mlp_ratio", json!(4)),
        ("timm_vit", "num_classes", json!(0)),
        ("timm_vit", "num_heads", json!("2")),
        ("timm_vit", "patch_size", json!(16)),
        ("timm_vit", "img_size", json!("24")),
        ("timm_vit", "something_new", json!(0)),
        ("timm_deit3", "no_embed_class", json!(false)),
        ("timm_reg_pos", "reg_tokens", json!(3)),
        ("timm_beit", "use_rel_pos_bias", json!(false)),
        ("timm_beit", "use_shared_rel_pos_bias", json!(true)),
        ("timm_beit", "use_fc_norm", json!(false)),
        ("timm_dinov3", "rope_type", json!("cat")),
        ("timm_dinov3", "rope_type", json!("mrope")),
        ("timm_dinov3", "rope_grid_offset", json!(0.5)),
        ("timm_dinov3", "rope_temperature", json!("100")),
        ("timm_dinov3", "gated_attn", json!(true)),
        ("timm_dinov3", "num_kv_heads", json!(1)),
        ("timm_dinov3", "num_reg_tokens", json!(3)),
        ("timm_dinov3", "use_post_norm", json!(true)),
        ("timm_eva02", "qkv_fused", json!(true)),
        ("timm_eva02", "scale_mlp", json!(false)),
        ("timm_eva02", "swiglu_mlp", json!(false)),
        ("timm_eva02", "scale_attn_inner", json!(true)),
        ("timm_eva02", "ref_feat_shape", json!("16")),
        ("timm_rope_mixed_ape", "rope_grid_indexing", json!("ij")),
        ("timm_pe_core", "attn_pool_num_heads", json!("8")),
        ("timm_aimv2", "embed_norm_layer", json!("layernorm")),
        ("timm_aimv2", "mlp_ratio", json!(4)),
        ("timm_aimv2", "norm_layer", json!("layernorm")),
        ("timm_aimv2", "norm_layer", json!("rmsnorm")),
        ("timm_aimv2", "proj_bias", json!(true)),
        ("timm_pe_lang", "use_post_transformer_norm", json!(true)),
    ] {
        let error = args(name, key, &value).err().unwrap_or_else(|| panic!("{name} {key} {value} should be refused"));
        assert!(error.to_string().contains(key), "{error}");
        assert!(matches!(error.code(), "invalid-config" | "unsupported-architecture"), "{error}");
    }
    // Padding shows where an image has no whole patches.
    let mut config: Value = serde_json::from_str(named("timm_vit").config).unwrap();
    config["model_args"]["dynamic_img_pad"] = json!(true);
    let at = |size| {
        let options = LoadOptions { image_size: Some(size), ..LoadOptions::default() };
        let files = ConfigFiles { config: &config.to_string(), preprocessor: None, processor: None };
        Classifier::load(files, &named("timm_vit").weights.to_vec(), options)
    };
    let (mut padded, mut whole) = (at([12, 20]).unwrap(), at([12, 24]).unwrap());
    let value = |i: usize| (i as f32).sin();
    let pixels: Vec<f32> = (0..3 * 12 * 20).map(value).collect();
    let zeros = [0.0; 4];
    let extended: Vec<f32> = pixels.chunks_exact(20).flat_map(|row| row.iter().chain(&zeros)).copied().collect();
    assert_eq!(padded.logits(&pixels).unwrap(), whole.logits(&extended).unwrap());
}

/// JSON as Python's `json` writes it, and as some editors do.
#[test]
fn json_of_python() {
    let fixture = named("hf_vit");
    let own = answer(fixture, fixture.load(None));
    let text = fixture.config.trim_end().strip_suffix('}').unwrap();
    let strange = format!(
        "\u{feff}{text}, \"loss\": NaN, \"best\": [Infinity, -Infinity], \"note\": \"NaN, \\\"Infinity\\\" \\\\\", \"worst\": -Infinity}}"
    );
    assert_eq!(answer(fixture, changed(fixture, &strange, None)), own);
    for value in ["NaN", "Infinity", "-Infinity"] {
        for key in ["layer_norm_eps", "hidden_size", "image_size", "qkv_bias"] {
            let config = format!("{text}, \"{key}\": {value}}}");
            refused(changed(fixture, &config, None), "invalid-config", &[key]);
        }
    }
    for broken in ["{\"a\": NaNs}", "{\"a\": NaN", "{\"a\": \"NaN}", "{\"a\": Infinity Infinity}"] {
        refused(changed(fixture, broken, None), "invalid-config", &["JSON"]);
    }
    let preprocessor = format!("\u{feff}{{\"loss\": NaN, {}", &fixture.preprocessor.unwrap().trim_start()[1..]);
    let files = ConfigFiles { config: fixture.config, preprocessor: Some(&preprocessor), processor: None };
    assert!(Classifier::load(files, &fixture.weights.to_vec(), None).is_ok());
    let index = "\u{feff}{\"metadata\": {\"total_size\": NaN}, \"weight_map\": {\"a\": \"NaN.safetensors\"}}";
    assert_eq!(Shards::<Vec<u8>>::files(index, "").unwrap(), ["NaN.safetensors"]);
}

/// Names of classes in every form that they are found in.
#[test]
fn labels() {
    let of = |fixture: &str, changes: Value| load(&edited(fixture, changes), named(fixture).weights);
    let labels = |fixture: &str, changes: Value| of(fixture, changes).unwrap().config().labels.to_vec();
    let three = "hf_vit_gelu_new";
    for (names, expected) in [
        (json!({"0": 0, "1": 11, "2": 22}), ["0", "11", "22"]),
        (json!({"0": -1, "1": 0.5, "2": 1.0}), ["-1", "0.5", "1.0"]),
        (json!({"0": true, "1": false, "2": Value::Null}), ["True", "False", "None"]),
        (json!({"00": "a", "01": "b", "02": "c"}), ["a", "b", "c"]),
        (json!({"2": "c", "001": "b", "0": "a"}), ["a", "b", "c"]),
        (json!(["a", "b", 3]), ["a", "b", "3"]),
        (json!({"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}), ["class 0", "class 1", "class 2"]),
    ] {
        assert_eq!(labels(three, json!({"id2label": names})), expected, "{names}");
    }
    // `label2id` names nothing: its class reads `id2label`, and counts where there is neither.
    assert_eq!(labels(three, json!({"id2label": Value::Null, "num_labels": 3})), ["class 0", "class 1", "class 2"]);
    assert_eq!(labels(three, json!({"id2label": Value::Null})), ["class 0", "class 1", "class 2"]);
    refused(of(three, json!({"id2label": Value::Null, "num_labels": 4})), "tensor-shape", &["classifier"]);
    refused(of(three, json!({"id2label": ["a", "b"]})), "tensor-shape", &["classifier"]);
    for names in [
        json!({"0": "a", "1": "b", "x": "c"}),
        json!({"0": "a", "1": ["b"], "2": "c"}),
        json!({"1": "b", "2": "c", "3": "d"}),
        json!(3),
    ] {
        refused(of(three, json!({"id2label": names})), "invalid-config", &["id2label"]);
    }

    let five = "timm_vit_nobias";
    assert_eq!(
        labels(five, json!({"label_names": {"0": "a", "01": "b", "2": 2, "3": "d", "4": "e"}})),
        ["a", "b", "2", "d", "e"]
    );
    assert_eq!(labels(five, json!({"label_names": {"1": "b", "4": "e"}})), ["class 0", "b", "class 2", "class 3", "e"]);
    for names in [json!({"5": "f"}), json!(["a"]), json!("a"), json!({"a": 0})] {
        refused(of(five, json!({"label_names": names})), "invalid-config", &["label_names"]);
    }
}

/// CLIP's older files have a second config of the tower, which takes the first one's place as a whole.
#[test]
fn the_older_config_of_clips_tower() {
    let fixture = named("hf_clip");
    let own = answer(fixture, fixture.load(None));
    let config: Value = serde_json::from_str(fixture.config).unwrap();
    let mut stale = config["vision_config"].clone();
    stale["hidden_size"] = json!(999);
    stale["hidden_act"] = json!("relu");
    let right = with(fixture, &json!({"vision_config": stale, "vision_config_dict": config["vision_config"]}));
    assert_eq!(answer(fixture, changed(fixture, &right, None)), own);
    let null = with(fixture, &json!({"vision_config_dict": Value::Null}));
    assert_eq!(answer(fixture, changed(fixture, &null, None)), own);
    // What it doesn't say is its class's default, whatever the first one says.
    let empty = with(fixture, &json!({"vision_config_dict": {}}));
    refused(load(&empty, fixture.weights), "tensor-shape", &["768"]);
}

/// What all names begin with comes off, in inspecting, quantising and loading alike; messages have it.
#[test]
fn names_that_other_programs_wrapped() {
    for fixture in FIXTURES.iter().filter(|fixture| fixture.shards.is_empty()) {
        let own = answer(fixture, fixture.load(None));
        for wrapping in
            ["module.", "_orig_mod.", "base_model.model.", "model.", "backbone.", "module._orig_mod.backbone.model."]
        {
            let wrapped = renamed(fixture.weights, |name| [wrapping, name].concat());
            assert_eq!(
                answer(fixture, changed(fixture, fixture.config, Some(wrapped))),
                own,
                "{wrapping}{}",
                fixture.name
            );
        }
        let wrapped = renamed(fixture.weights, |name| ["model.module.", name].concat());
        let quantized = |weights: Vec<u8>| quantize(fixture.files(), &weights, Bits::Eight, &mut |_| ()).unwrap();
        let plain = renamed(fixture.weights, str::to_owned);
        assert_eq!(quantized(wrapped), quantized(plain), "{}", fixture.name);
    }
    let config = named("hf_vit").config;
    let name = "vit.layernorm.weight";
    let missing = rewritten(named("hf_vit").weights, |tensors| drop(tensors.remove(name)));
    let missing = renamed(&missing, |name| ["module.", name].concat());
    refused(
        load(config, &missing),
        "missing-tensor",
        &["`module.vit.layernorm.weight`", "`module.vit.encoder.layer.0."],
    );
    let more =
        renamed(&with_tensor(named("hf_vit").weights, "more.weight", &[1]), |name| ["_orig_mod.", name].concat());
    refused(load(config, &more), "unexpected-tensor", &["`_orig_mod.more.weight`"]);
    // Only what all begin with.
    let some = renamed(named("hf_vit").weights, |name| {
        if name.starts_with("vit.") { ["module.", name].concat() } else { name.into() }
    });
    refused(load(config, &some), "missing-tensor", &["called like `module.vit.encoder.layer.0."]);
    let weights = renamed(named("hf_vit").weights, |name| ["module.", name].concat());
    assert!(Tensors::open("model.safetensors", &weights).unwrap().summaries().iter().any(|tensor| tensor.name == name));
}

#[test]
fn doubles() {
    for fixture in FIXTURES.iter().filter(|fixture| fixture.shards.is_empty()) {
        let own = answer(fixture, fixture.load(None));
        assert_eq!(
            answer(fixture, changed(fixture, fixture.config, Some(doubled(fixture.weights)))),
            own,
            "{}",
            fixture.name
        );
    }
    let fixture = named("timm_vit");
    let quantized = |weights: Vec<u8>| quantize(fixture.files(), &weights, Bits::Four, &mut |_| ()).unwrap();
    assert_eq!(quantized(doubled(fixture.weights)), quantized(fixture.weights.to_vec()));

    let split = named("hf_vit_sharded");
    let files = split.shards.iter().map(|(name, bytes)| {
        let wrapped = renamed(&doubled(bytes), |name| ["module.model.", name].concat());
        (name.to_string(), wrapped)
    });
    let model = Classifier::load(split.files(), &Shards::new(files.collect()).unwrap(), None);
    assert_eq!(answer(split, model), answer(split, split.load(None)));
    let summaries = doubled(fixture.weights);
    assert!(
        Tensors::open("model.safetensors", &summaries).unwrap().summaries().iter().any(|tensor| tensor.dtype == "F64")
    );
    // What f32 can't hold is damage, as in other formats.
    let huge = rewritten(&doubled(fixture.weights), |tensors| {
        tensors.get_mut("norm.bias").unwrap().2[..8].copy_from_slice(&1e300f64.to_le_bytes());
    });
    refused(load(fixture.config, &huge), "invalid-weights", &["norm.bias"]);
}

/// timm's models in transformers' clothes: what its class reads, and what only timm would.
#[test]
fn timm_within_transformers() {
    let fixture = named("timm_wrapper");
    let own = answer(fixture, fixture.load(None));
    let label = |config: &str| changed(fixture, config, None).unwrap().config().labels[1].clone();
    assert_eq!(label(fixture.config), "goldfish, Carassius auratus");
    let config: Value = serde_json::from_str(fixture.config).unwrap();
    let edit = |edit: &dyn Fn(&mut Value)| {
        let mut config = config.clone();
        edit(&mut config);
        config.to_string()
    };
    // The class builds what name and arguments say; `global_pool` beside them is for information.
    let config_alone = edit(&|config| {
        config["model_args"].as_object_mut().unwrap().remove("global_pool");
        config["global_pool"] = json!("avg");
        config["do_pooling"] = json!(false);
    });
    assert_eq!(answer(fixture, changed(fixture, &config_alone, None)), own);
    // Made by the class itself a config has nothing of timm's: positions show the size of a square.
    let square = named("timm_wrapper").weights;
    let square = rewritten(square, |tensors| {
        let (_, shape, bytes) = tensors.get_mut("timm_model.pos_embed").unwrap();
        shape[1] = 5;
        bytes.truncate(4 * 5 * 18);
    });
    let bare = edit(&|config| {
        config.as_object_mut().unwrap().remove("pretrained_cfg");
        config["model_args"].as_object_mut().unwrap().remove("img_size");
    });
    assert_eq!(load(&bare, &square).unwrap().config().image_size, [8, 8]);
    // Its names of classes, where the user gave none, and where only `id2label` has them.
    let unnamed =
        edit(&|config| config["label_names"] = json!(["LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3", "LABEL_4"]));
    assert!(!changed(fixture, &unnamed, None).unwrap().config().named);
    let other = edit(&|config| {
        config.as_object_mut().unwrap().remove("label_names");
        config["id2label"] = json!({"0": "a", "1": "b", "2": "c", "3": "d", "4": "e"});
    });
    assert_eq!(label(&other), "b");
    // Without a head it gives features, unless it says that it classifies.
    let headless = rewritten(fixture.weights, |tensors| tensors.retain(|name, _| !name.contains("head")));
    refused(load(fixture.config, &headless), "missing-tensor", &["`timm_model.head.weight`"]);
    let model = edit(&|config| config["architectures"] = json!(["TimmWrapperModel"]));
    assert_eq!(load(&model, &headless).unwrap().config().classes(), 0);
    // An attention pool that neither name nor argument speaks of is refused.
    let pooled = with_tensor(fixture.weights, "timm_model.attn_pool.latent", &[1, 1, 18]);
    let config = edit(&|config| drop(config["model_args"].as_object_mut().unwrap().remove("global_pool")));
    refused(load(&config, &pooled), "unsupported-architecture", &["attention-pool", "timm_model.attn_pool"]);
    // Whatever the model: it is timm's with another prefix.
    for name in ["timm_siglip", "timm_map", "timm_map_prefix", "timm_radio", "timm_beit3", "timm_eva", "timm_pe_core"] {
        let fixture = named(name);
        let class = if fixture.result() == "logits" { "ForImageClassification" } else { "Model" };
        let architectures = [["TimmWrapper", class].concat()];
        let config = edited(name, json!({"model_type": "timm_wrapper", "architectures": architectures}));
        let weights = renamed(fixture.weights, |name| ["timm_model.", name].concat());
        let own = answer(fixture, fixture.load(None));
        assert_eq!(answer(fixture, changed(fixture, &config, Some(weights))), own, "{name}");
    }
    let resnet = edit(&|config| config["architecture"] = json!("resnet50"));
    refused(load(&resnet, fixture.weights), "unsupported-architecture", &["resnet50"]);
}

/// What is pooled, and whether a norm comes before: by `global_pool`, else by the name; tensors that contradict it are refused.
#[test]
fn pooling_of_timm() {
    // A fixture's config under a name, with a pooling that is stated or nothing of it.
    let as_of = |fixture: &str, name: &str, pooling: Value| {
        let mut config: Value = serde_json::from_str(&edited(fixture, json!({"architecture": name}))).unwrap();
        config["global_pool"] = pooling.clone();
        config["model_args"]["global_pool"] = pooling;
        config
    };
    let run = |fixture: &'static Fixture, config: &Value| answer(fixture, load(&config.to_string(), fixture.weights));
    let (gap, siglip, intern) = (named("timm_vit_gap"), named("timm_siglip"), named("timm_intern"));
    let own = |fixture: &'static Fixture| answer(fixture, fixture.load(None));
    assert_eq!(run(gap, &as_of(gap.name, "eva_large_patch14_196", Value::Null)), own(gap));
    let name = "vit_giantopt_patch16_siglip_384.v2_webli";
    assert_eq!(run(siglip, &as_of(siglip.name, name, Value::Null)), own(siglip));
    // Another pooling sets aside what the checkpoint has for this one.
    let mean = as_of(siglip.name, name, json!("avg"));
    assert_eq!(load(&mean.to_string(), siglip.weights).unwrap().config().pooling, Pooling::Mean);
    let by_name = as_of(siglip.name, "vit_so400m_patch16_siglip_gap_256", Value::Null);
    assert_eq!(run(siglip, &by_name), run(siglip, &mean));
    // What is pooled has all its tensors, and none that is not read.
    let more = with_tensor(siglip.weights, "attn_pool.q_norm.weight", &[8]);
    refused(load(siglip.config, &more), "unexpected-tensor", &["attn_pool.q_norm.weight"]);
    for fixture in [siglip, named("timm_pe_core")] {
        let more = with_tensor(fixture.weights, "fc_norm.weight", &[16]);
        refused(load(fixture.config, &with_tensor(&more, "fc_norm.bias", &[16])), "unexpected-tensor", &["fc_norm"]);
    }
    let without = |start: &str| rewritten(siglip.weights, |tensors| tensors.retain(|name, _| !name.starts_with(start)));
    refused(load(siglip.config, &without("attn_pool.")), "missing-tensor", &["attn_pool."]);
    refused(load(siglip.config, &without("norm.")), "missing-tensor", &["norm.weight"]);
    // That there is no norm is as much a part of a name.
    let more = with_tensor(&with_tensor(intern.weights, "norm.weight", &[12]), "norm.bias", &[12]);
    refused(load(intern.config, &more), "invalid-config", &["final_norm", "norm.weight"]);
    let mut normed = as_of(intern.name, "vit_large_patch14_448", Value::Null);
    refused(load(&normed.to_string(), intern.weights), "missing-tensor", &["norm.weight"]);
    normed["model_args"]["final_norm"] = json!(false);
    assert_eq!(run(intern, &normed), own(intern));
}

/// SAM's windows, neck and positions are what the tensors are; its map is no features to compare with texts.
#[test]
fn settings_of_sam() {
    let (whole, vision) = (named("hf_sam"), named("hf_sam_vision"));
    // What tells how large a window is, and which layers have none.
    for (fixture, key, value, parts) in [
        (vision, "window_size", json!(5), ["`vision_encoder.layers.0.attn.rel_pos_h`", "9"]),
        (vision, "global_attn_indexes", json!([0]), ["`vision_encoder.layers.0.attn.rel_pos_h`", "11"]),
        (vision, "output_channels", json!(9), ["`vision_encoder.neck.conv1.weight`", "9"]),
    ] {
        refused(changed(fixture, &edited(fixture.name, json!({key: value})), None), "tensor-shape", &parts);
    }
    // Silence is the class's own default.
    let silent = edited("hf_sam_vision", json!({"qkv_bias": Value::Null}));
    refused(changed(vision, &silent, None), "invalid-config", &["qkv_bias", "default"]);
    // Of windows and layers out of reach there is nothing to say: without windows all see all.
    let global = edited("hf_sam_vision", json!({"global_attn_indexes": [0, 1]}));
    let none = edited("hf_sam_vision", json!({"window_size": 0}));
    let tables = rewritten(vision.weights, |tensors| {
        for (name, (_, shape, bytes)) in tensors.iter_mut().filter(|(name, _)| name.contains("rel_pos")) {
            assert_eq!(shape[0], 7, "{name}");
            shape[0] = 11;
            bytes.resize(11 * bytes.len() / 7, 0);
        }
    });
    let answers = [global, none].map(|config| answer(vision, changed(vision, &config, Some(tables.clone()))));
    assert_eq!(answers[0], answers[1]);
    // Its size is its own.
    refused(whole.load_at(Some([24, 24]), None), "invalid-argument", &["24 × 24", "5 × 5"]);
    let model = whole.load(None).unwrap();
    assert_eq!((model.config().pooling, model.config().feature_size()), (Pooling::Map, 8 * 5 * 5));
    let texts = some_classes(8 * 5 * 5);
    assert_eq!(model.with_classes(&texts).map(drop).unwrap_err().code(), "invalid-argument");
    // timm's name says of a neck and of positions what its arguments don't.
    let (necked, small) = (named("timm_sam"), named("timm_sam_224"));
    let named_as = |fixture: &Fixture, name: &str| edited(fixture.name, json!({"architecture": name}));
    refused(changed(necked, &named_as(necked, "samvit_base_patch16_224"), None), "invalid-config", &["use_abs_pos"]);
    refused(changed(small, &named_as(small, "samvit_base_patch16"), None), "invalid-config", &["use_abs_pos"]);
    refused(changed(small, &named_as(small, "samvit_tiny_patch16"), None), "unsupported-architecture", &["tiny"]);
    for (fixture, key, value, code) in [
        (necked, "neck_chans", json!(9), "invalid-config"),
        (small, "neck_chans", json!(12), "invalid-config"),
        (necked, "window_size", json!(4), "tensor-shape"),
        (necked, "use_rel_pos", json!(false), "invalid-config"),
        (necked, "use_rope", json!(true), "unsupported-architecture"),
        (necked, "norm_layer", json!("layernorm"), "unsupported-architecture"),
        (necked, "head_hidden_size", json!(8), "unsupported-architecture"),
    ] {
        let mut config: Value = serde_json::from_str(fixture.config).unwrap();
        config["model_args"][key] = value;
        let part = if code == "tensor-shape" { "rel_pos_h" } else { key };
        refused(changed(fixture, &config.to_string(), None), code, &[part]);
    }
}

/// What `vit.config.positions` and `inspect` say.
#[test]
fn positions_are_named() {
    for (name, positions) in [
        ("hf_vit", "learned"),
        ("hf_siglip", "learned"),
        ("hf_beit", "relative"),
        ("hf_beit_shared", "learned-relative"),
        ("timm_beit", "relative"),
        ("hf_dinov3", "rotary"),
        ("timm_dinov3", "rotary"),
        ("timm_eva02", "learned-rotary"),
        ("timm_rope", "rotary"),
        ("timm_rope_mixed_ape", "learned-rotary"),
        ("hf_aimv2_native", "sinusoidal"),
        ("hf_aimv2_headless", "learned"),
        ("hf_sam", "learned-relative"),
        ("hf_sam_vision", "relative"),
    ] {
        assert_eq!(named(name).load(None).unwrap().config().positions.name(), positions, "{name}");
    }
}
