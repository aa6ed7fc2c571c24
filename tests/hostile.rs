//! Nothing a file can hold makes the loader panic, allocate without bound or answer something unclear.

mod common;

use common::edit::{Stored, edited, file, load, refused, reheaded, rewritten, texts};
use common::{FIXTURES, STAGED, named};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vitscope::Classifier;
use vitscope::checkpoint::{ConfigFiles, LoadOptions, Shards, Source, Values, quantize, write};
use vitscope::model::Scores;
use vitscope::quant::Bits;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// The HF and the timm fixture.
const HF: &str = "hf_vit";
const TIMM: &str = "timm_vit";

/// More than any address space has, by its config alone: the weights are of another size, of which nobody gets to know.
#[test]
fn what_cannot_be_held_is_refused_before_it_is_read() {
    let sizes = json!({"num_hidden_layers": 100_000, "hidden_size": 65_536, "num_attention_heads": 16, "intermediate_size": 131_071});
    refused(
        load(&edited(HF, sizes), named(HF).weights),
        "out-of-memory",
        &["the model's weights take", "smaller model"],
    );
}

#[test]
fn damaged_containers() {
    let config = named(HF).config;
    let whole = named(HF).weights;
    let truncated = &whole[..whole.len() - 1];
    let longer = [whole, b"x"].concat();
    let huge_header = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    let files: &[(&[u8], &str)] = &[
        (b"", "0 bytes"),
        (b"1234567", "7 bytes"),
        (truncated, "truncated"),
        (&whole[..100], "truncated"),
        (&longer, "longer than its header says"),
        (&huge_header, "truncated"),
        (&file("not json", b""), "header is damaged"),
        (&file("[]", b""), "header is damaged"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a", "git lfs pull"),
        (b"PK\x03\x04\x00\x00\x00\x00\x00archive/data.pkl", "pickle"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "pickle"),
        (b"GGUF\x03\x00\x00\x00", "GGUF"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"<!doctype html><title>404</title>", "HTML"),
        (b"<html><title>404</title></html>", "HTML"),
    ];
    for (bytes, part) in files {
        refused(load(config, bytes), "invalid-weights", &["model.safetensors", part]);
    }
}

#[test]
fn headers_that_lie() {
    let config = named(HF).config;
    let headers = [
        json!({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 400]}}),
        json!({"a": {"dtype": "F32", "shape": [u64::MAX, u64::MAX], "data_offsets": [0, 4]}}),
        json!({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}),
        json!({"a": {"dtype": "F31", "shape": [1], "data_offsets": [0, 4]}}),
        json!({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}),
        json!({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "b": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}),
    ];
    for header in headers {
        refused(load(config, &file(&header.to_string(), &[0; 4])), "invalid-weights", &["header is damaged"]);
    }
}

#[test]
fn tensors_missing_misshapen_unexpected_or_of_another_type() {
    let config = named(HF).config;
    let name = "vit.encoder.layer.1.output.dense.weight";

    let renamed = reheaded(HF, |header| {
        let tensor = header.as_object_mut().unwrap().remove(name).unwrap();
        header["vit.encoder.layer.1.something.weight"] = tensor;
    });
    refused(load(config, &renamed), "missing-tensor", &[name, "model.safetensors"]);

    let flattened = reheaded(HF, |header| {
        let size: u64 = header[name]["shape"].as_array().unwrap().iter().map(|d| d.as_u64().unwrap()).product();
        header[name]["shape"] = json!([size]);
    });
    refused(load(config, &flattened), "tensor-shape", &[name, "[1836]", "[36, 51]"]);

    let retyped = reheaded(HF, |header| header[name]["dtype"] = json!("I32"));
    refused(load(config, &retyped), "tensor-dtype", &[name, "I32"]);

    let extra = reheaded(HF, |header| {
        let end = header.as_object().unwrap().values().filter_map(|t| t["data_offsets"][1].as_u64()).max().unwrap();
        header["vit.encoder.layer.0.lora.weight"] = json!({"dtype": "F32", "shape": [0], "data_offsets": [end, end]});
    });
    refused(load(config, &extra), "unexpected-tensor", &["lora.weight"]);

    // What belongs to another use of the same backbone is left alone.
    let pooler = reheaded(HF, |header| {
        let end = header.as_object().unwrap().values().filter_map(|t| t["data_offsets"][1].as_u64()).max().unwrap();
        header["vit.pooler.dense.weight"] = json!({"dtype": "F32", "shape": [0], "data_offsets": [end, end]});
    });
    assert!(load(config, &pooler).is_ok());
}

/// What logits become hangs on it, so it is read as the library reads it or not at all.
#[test]
fn problem_types() {
    let scores = |change: Value| load(&edited(HF, change), named(HF).weights).map(|model| model.config().scores);
    for (kind, expected) in [
        (json!("single_label_classification"), Scores::Softmax),
        (json!("multi_label_classification"), Scores::Sigmoid),
        (json!("regression"), Scores::Raw),
    ] {
        assert_eq!(scores(json!({"problem_type": kind})).unwrap(), expected, "{kind}");
    }
    assert_eq!(scores(json!({})).unwrap(), Scores::Softmax);
    for kind in [json!("multi_label"), json!("Regression"), json!(""), json!(2), json!(false), json!(["regression"])] {
        let loaded = load(&edited(HF, json!({"problem_type": kind})), named(HF).weights);
        refused(loaded, "invalid-config", &["problem_type", &kind.to_string(), "multi_label_classification"]);
    }
    let null = named(HF).config.replacen('{', r#"{"problem_type": null, "#, 1);
    assert_eq!(load(&null, named(HF).weights).unwrap().config().scores, Scores::Softmax);
    // Where classes are texts, they compete.
    let fixture = named("hf_clip_zero_shot");
    assert_eq!(fixture.load(None).unwrap().config().scores, Scores::Softmax);
}

#[test]
fn values_that_are_not_numbers() {
    let mut weights = named(HF).weights.to_vec();
    let end = weights.len();
    weights[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    refused(load(named(HF).config, &weights), "invalid-weights", &["NaN", "tensor `"]);
}

#[test]
fn configs_that_are_broken_or_disagree_with_the_tensors() {
    let weights = named(HF).weights;
    for text in ["", "{", "null", "[1]", "\"vit\""] {
        refused(load(text, weights), "invalid-config", &["config.json"]);
    }
    let invalid = [
        (json!({"hidden_size": null}), "hidden_size"),
        (json!({"hidden_size": "36"}), "hidden_size"),
        (json!({"hidden_size": -36}), "hidden_size"),
        (json!({"num_attention_heads": 5}), "5 heads"),
        (json!({"num_attention_heads": 0}), "heads"),
        (json!({"patch_size": 0}), "patch"),
        (json!({"patch_size": 25}), "patch"),
        (json!({"image_size": 1_000_000}), "image"),
        (json!({"image_size": [24, 24, 24]}), "image_size"),
        (json!({"num_hidden_layers": 0}), "layers"),
        (json!({"num_hidden_layers": u64::MAX}), "layers"),
        (json!({"intermediate_size": 1u64 << 40}), "MLP"),
        (json!({"id2label": {}}), "classes"),
        (json!({"id2label": {"0": "a", "2": "c"}}), "2 classes"),
        (json!({"id2label": "a, b"}), "id2label"),
        (json!({"layer_norm_eps": -1.0}), "epsilon"),
    ];
    for (changes, part) in invalid {
        refused(load(&edited(HF, changes), weights), "invalid-config", &["config.json", part]);
    }
    let disagreeing = [
        json!({"hidden_size": 40}),
        json!({"intermediate_size": 52}),
        json!({"image_size": 30}),
        json!({"id2label": {"0": "only one"}}),
    ];
    for changes in disagreeing {
        refused(load(&edited(HF, changes), weights), "tensor-shape", &["belong together"]);
    }
    refused(load(&edited(HF, json!({"num_hidden_layers": 4})), weights), "missing-tensor", &["layer.3"]);
    refused(load(&edited(HF, json!({"num_hidden_layers": 2})), weights), "unexpected-tensor", &["layer.2"]);
}

#[test]
fn architectures_that_are_not_run_are_refused_by_name() {
    let weights = named(HF).weights;
    for (changes, name) in [
        (json!({"model_type": "levit"}), "levit"),
        (json!({"model_type": null}), "unknown"),
        (json!({"hidden_act": "mish"}), "mish"),
        (json!({"num_channels": 1}), "num_channels"),
    ] {
        refused(
            load(&edited(HF, changes), weights),
            "unsupported-architecture",
            &[name, "ViT (Hugging Face)", "ViT (timm)"],
        );
    }
    // A plain ViT by the name of one whose positions are rotary, which has none learned.
    let rotary = edited(TIMM, json!({"architecture": "vit_base_patch16_rope_224"}));
    refused(load(&rotary, named(TIMM).weights), "invalid-weights", &["pos_embed", "rope", "belong together"]);
    for (changes, name) in [
        (json!({"architecture": "resnet50"}), "resnet50"),
        (json!({"architecture": "vit_base_patch16_rope_sw_224"}), "sw"),
        (json!({"architecture": "eva02_enormous_patch14_clip_224"}), "enormous"),
        (json!({"architecture": "vit_base_patch16_sapiens2"}), "sapiens2"),
        (json!({"architecture": "aimv2_giant_patch14_224"}), "giant"),
        (json!({"architecture": "vit_base_patch16_rpn_224.sw_in1k"}), "rpn"),
        (json!({"architecture": "vit_pwee_patch16_reg1_gap_256.sbb_in1k"}), "pwee"),
        (json!({"architecture": "vit_small_r26_s32_224"}), "vit_small_r26_s32_224"),
        (json!({"global_pool": "prr", "model_args": null}), "prr"),
        (json!({"model_args": {"act_layer": "mish"}}), "act_layer"),
        (json!({"model_args": {"norm_layer": "rmsnorm"}}), "norm_layer"),
    ] {
        refused(load(&edited(TIMM, changes), named(TIMM).weights), "unsupported-architecture", &[name]);
    }
}

/// Window attention, norms behind branches, hybrid stems and whatever else the libraries have: by name, with what gave it away.
#[test]
fn architectures_of_the_libraries_that_are_no_plain_vit() {
    let refused_ones: Value = serde_json::from_str(include_str!("fixtures/refused.json")).unwrap();
    for model in refused_ones.as_array().unwrap() {
        let tensors = model["tensors"].as_object().unwrap().iter().map(|(name, shape)| {
            let shape: Vec<usize> =
                shape.as_array().unwrap().iter().map(|dim| dim.as_u64().unwrap() as usize).collect();
            let values = Values::F32(vec![0.5; shape.iter().product()]);
            (name.clone(), shape, values)
        });
        let weights = write(tensors.collect(), None).unwrap();
        let name = model["name"].as_str().unwrap();
        refused(load(&model["config"].to_string(), &weights), "unsupported-architecture", &[name, "Supported: ViT"]);
    }
}

#[test]
fn image_sizes_that_make_no_sense() {
    for (size, part) in
        [([0, 24], "height"), ([24, 5], "smaller than a patch"), ([usize::MAX; 2], "height"), ([1 << 14; 2], "tokens")]
    {
        refused(named(HF).load_at(Some(size), None), "invalid-argument", &["image size", part]);
    }
}

#[test]
fn text_features_that_do_not_fit() {
    let clip = named("hf_clip_zero_shot");
    let load = |(name, shape, value): (&str, Vec<usize>, f32), labels: &str| {
        let text = texts(&[(name, &shape, &vec![value; shape.iter().product()])], labels);
        let options = LoadOptions { text_embeddings: Some(&text), ..LoadOptions::default() };
        Classifier::load(clip.files(), &clip.weights.to_vec(), options)
    };
    let width = clip.load(None).unwrap().features().len();
    let ok = || ("text_embeddings", vec![2, width], 0.1);
    assert!(load(ok(), r#"["a", "b"]"#).is_ok());
    refused(load(("other", vec![2, width], 0.1), r#"["a", "b"]"#), "missing-tensor", &["text_embeddings"]);
    refused(load(("text_embeddings", vec![2, width + 1], 0.1), r#"["a", "b"]"#), "tensor-shape", &["text_embeddings"]);
    refused(load(("text_embeddings", vec![width], 0.1), r#"["a"]"#), "tensor-shape", &["text_embeddings"]);
    refused(load(ok(), r#"["a"]"#), "invalid-weights", &["labels", "2 names"]);
    refused(load(ok(), "a, b"), "invalid-weights", &["labels"]);
    refused(load(("text_embeddings", vec![2, width], 0.0), r#"["a", "b"]"#), "invalid-weights", &["`a`", "all zeros"]);
    refused(load(("text_embeddings", vec![2, width], f32::NAN), r#"["a", "b"]"#), "invalid-weights", &["NaN"]);
}

/// As in tests/node/download.test.mjs.
const FOREIGN_NAMES: &[&str] = &[
    "",
    ".",
    "..",
    "../secret",
    "a/b",
    "/etc/passwd",
    "//host/file",
    "\\\\host\\file",
    "..\\secret",
    "https://host/file",
    "https:file",
    "data:,x",
    "blob:x",
    "C:file",
    "%2e%2e%2fsecret",
    "..%2Fsecret",
    "%2E%2E",
    "a%5cb",
];

#[test]
fn split_weights_that_do_not_belong_together() {
    let fixture = named("hf_vit_sharded");
    let shards = |which: &[usize]| {
        let file = |i: &usize| (fixture.shards[*i].0.to_owned(), fixture.shards[*i].1.to_vec());
        Shards::new(which.iter().map(file).collect())
    };
    let load = |which: &[usize]| Classifier::load(fixture.files(), &shards(which)?, None);
    assert!(load(&[2, 0, 1]).is_ok(), "order does not matter");
    refused(load(&[0, 1]), "missing-tensor", &["model.safetensors"]);
    refused(load(&[0, 1, 1, 2]), "invalid-weights", &[fixture.shards[1].0, "another file"]);
    for (index, part) in [
        ("{", "JSON"),
        ("{}", "weight_map"),
        (r#"{"weight_map": {}}"#, "weight_map"),
        (r#"{"weight_map": {"a": 1}}"#, "same folder"),
    ] {
        let error = Shards::<Vec<u8>>::files(index, "").unwrap_err();
        assert!(
            error.to_string().contains("model.safetensors.index.json") && error.to_string().contains(part),
            "{error}"
        );
    }
    // By a path, a scheme, a host, or what a server may take for a path: a file's name leads out of its folder by none of them.
    for name in FOREIGN_NAMES {
        let error =
            Shards::<Vec<u8>>::files(&json!({"weight_map": {"a": "own", "b": name}}).to_string(), "").unwrap_err();
        assert!(error.to_string().contains("same folder"), "{name}: {error}");
    }
    let index = r#"{"metadata": {}, "weight_map": {"a": "y", "b": "x", "c": "y"}}"#;
    assert_eq!(Shards::<Vec<u8>>::files(index, "").unwrap(), ["x", "y"]);
}

/// The refusal of a file that says how pixels are made: it names that file.
#[track_caller]
fn processor_refused(json: &str, parts: &[&str]) {
    let fixture = named(HF);
    let nested = format!(r#"{{"image_processor": {json}, "processor_class": "ViTProcessor"}}"#);
    for (preprocessor, processor, file) in
        [(Some(json), None, "preprocessor_config.json"), (Some("no"), Some(nested.as_str()), "processor_config.json")]
    {
        let files = ConfigFiles { config: fixture.config, preprocessor, processor };
        let result = Classifier::load(files, &fixture.weights.to_vec(), None);
        refused(result, "invalid-preprocessor", &[&[format!("{file}: ").as_str()], parts].concat());
    }
}

#[test]
fn preprocessors_that_make_no_sense() {
    for (text, part) in [
        ("{", "JSON"),
        (r#"{"size": {"height": 0, "width": 24}, "do_center_crop": true, "crop_size": 24}"#, "resize"),
        (r#"{"size": {"height": 32, "width": 32}}"#, "32 × 32"),
        (r#"{"size": {"longest_edge": 24}}"#, "size"),
        (r#"{"size": {"shortest_edge": 24, "longest_edge": 32}}"#, "size"),
        (r#"{"size": {"max_height": 24, "max_width": 24}}"#, "size"),
        (r#"{"size": 24.0}"#, "size"),
        (r#"{"size": null}"#, "`size` is null"),
        (r#"{"size": 24, "do_center_crop": true}"#, "`crop_size` is missing"),
        (r#"{"size": 24, "do_center_crop": true, "crop_size": {"shortest_edge": 24}}"#, "crop_size"),
        (r#"{"size": 24, "do_resize": "yes"}"#, "do_resize"),
        (r#"{"size": 24, "image_std": [1, 0, 1]}"#, "deviation"),
        (r#"{"size": 24, "image_std": 0}"#, "deviation"),
        (r#"{"size": 24, "image_std": 1e-60}"#, "deviation"),
        (r#"{"size": 24, "image_std": null}"#, "`image_std` is null"),
        (r#"{"size": 24, "image_mean": [1, 0]}"#, "image_mean"),
        (r#"{"size": 24, "image_mean": [1, 0, 1e39]}"#, "image_mean"),
        (r#"{"size": 24, "image_mean": "ImageNet"}"#, "image_mean"),
        (r#"{"size": 24, "rescale_factor": 1e39}"#, "rescale_factor"),
        (r#"{"size": 24, "rescale_factor": null}"#, "`rescale_factor` is null"),
        (r#"{"size": 24, "resample": 6}"#, "resample"),
        (r#"{"size": 24, "resample": "bicubic"}"#, "resample"),
        (r#"{"size": 24, "resample": null}"#, "`resample` is null"),
        (r#"{"size": 24, "do_pad": true, "pad_size": 32}"#, "pad_size"),
        (r#"{"image_processor_type": "SamImageProcessor", "size": 24}"#, "longest_edge"),
        (r#"{"image_processor_type": "SamImageProcessor", "size": {"longest_edge": 0}, "pad_size": 24}"#, "resize"),
        (r#"{"image_processor_type": "SamImageProcessor", "pad_size": 32}"#, "32 × 32"),
        (r#"{"size": {"longest_edge": 24}}"#, "size"),
        (r#"{"size": 24, "do_thumbnail": true}"#, "do_thumbnail"),
        (r#"{"size": 24, "do_flip_channel_order": true}"#, "do_flip_channel_order"),
        (r#"{"size": 18446744073709551615}"#, "resize"),
    ] {
        if text == "{" {
            let files = ConfigFiles { config: named(HF).config, preprocessor: Some(text), processor: None };
            let result = Classifier::load(files, &named(HF).weights.to_vec(), None);
            refused(result, "invalid-preprocessor", &["preprocessor_config.json", part]);
        } else {
            processor_refused(text, &[part]);
        }
    }
}

/// As Python writes them.
#[test]
fn pixels_are_not_scaled_by_what_is_no_number() {
    for key in ["image_mean", "image_std", "rescale_factor"] {
        // (Of a number past what floats hold the parser says that the file is wrong.)
        for (value, part) in [("NaN", key), ("-Infinity", key), ("1e999", "number out of range")] {
            processor_refused(&format!(r#"{{"size": 24, "{key}": {value}}}"#), &[part]);
        }
    }
}

/// Classes whose steps are not followed, and what single ones can ask for that a ViT can't take.
#[test]
fn processors_that_are_not_followed_are_refused_by_name() {
    for kind in [
        "ViTHybridImageProcessor",
        "PerceiverFeatureExtractor",
        "Owlv2ImageProcessor",
        "LayoutLMv3ImageProcessor",
        "VivitImageProcessor",
        "ViT",
        "clipimageprocessor",
    ] {
        processor_refused(&format!(r#"{{"image_processor_type": "{kind}", "size": 24}}"#), &[kind, "ConvNext"]);
        processor_refused(&format!(r#"{{"feature_extractor_type": "{kind}", "size": 24}}"#), &[kind, "ConvNext"]);
    }
    processor_refused(r#"{"image_processor_type": 3}"#, &["image_processor_type"]);
    processor_refused(r#"{"image_processor_type": "TimmWrapperImageProcessor"}"#, &["pretrained_cfg"]);
    processor_refused(r#"{"auto_map": {"AutoImageProcessor": "mine.Mine"}, "size": 24}"#, &["auto_map"]);
    for (kind, keys, part) in [
        ("ConvNext", r#""size": 24, "crop_pct": null"#, "`crop_pct` is null"),
        ("ConvNext", r#""size": 24, "crop_pct": 0"#, "crop_pct"),
        ("ConvNext", r#""size": 24, "crop_pct": -1"#, "crop_pct"),
        ("ConvNext", r#""size": {"height": 24, "width": 24}"#, "size"),
        ("ConvNext", r#""size": 26, "do_center_crop": true, "crop_size": 24"#, "do_center_crop"),
        ("PoolFormer", r#""size": 24, "crop_pct": "all""#, "crop_pct"),
        ("PoolFormer", r#""size": 24, "crop_pct": 1e-300, "crop_size": 24"#, "resize"),
        ("DPT", r#""size": 24, "keep_aspect_ratio": true, "ensure_multiple_of": 0"#, "ensure_multiple_of"),
        ("DPT", r#""size": 24, "keep_aspect_ratio": true, "do_pad": true, "size_divisor": 32"#, "size_divisor"),
        ("DPT", r#""size": 24, "ensure_multiple_of": 14"#, "ensure_multiple_of"),
        ("DPT", r#""size": 24, "ensure_multiple_of": 0"#, "ensure_multiple_of"),
        ("DPT", r#""size": 24, "do_pad": true, "size_divisor": 32"#, "size_divisor"),
        ("DPT", r#""size": {"shortest_edge": 24}"#, "size"),
        ("EfficientNet", r#""size": 24, "image_std": [1e-30, 1, 1]"#, "deviation"),
        ("DINOv3ViT", r#""size": {"height": 24, "width": 24}, "resample": 1"#, "resample"),
        ("Levit", r#""size": 24, "do_flip_channel_order": true"#, "do_flip_channel_order"),
    ] {
        processor_refused(&format!(r#"{{"image_processor_type": "{kind}ImageProcessor", {keys}}}"#), &[part]);
    }
    // Without a size it is the class's own, whatever the model's.
    for (kind, size) in [("DeiT", 224), ("Blip", 384), ("OwlViT", 768), ("MobileViT", 256)] {
        let edges = format!("{size} × {size}");
        processor_refused(&format!(r#"{{"image_processor_type": "{kind}ImageProcessor"}}"#), &[&edges, "24 × 24"]);
    }
}

/// Which of the files says how pixels are made, and that a `processor_config.json` from before transformers 5 says nothing of it.
#[test]
fn the_file_that_wins_is_told() {
    let fixture = named(HF);
    let ours = r#"{"size": 24, "do_normalize": false}"#;
    let nested = format!(r#"{{"image_processor": {ours}}}"#);
    let load = |preprocessor, processor| {
        let files = ConfigFiles { config: fixture.config, preprocessor, processor };
        Classifier::load(files, &fixture.weights.to_vec(), None)
    };
    let legacy = r#"{"processor_class": "CLIPProcessor", "size": 7, "image_processor": null}"#;
    for (preprocessor, processor, file) in [
        (None, None, None),
        (Some(ours), None, Some("preprocessor_config.json")),
        (Some(ours), Some(legacy), Some("preprocessor_config.json")),
        (None, Some(legacy), None),
        (None, Some(nested.as_str()), Some("processor_config.json")),
        (Some(r#"{"size": 7}"#), Some(nested.as_str()), Some("processor_config.json")),
    ] {
        assert_eq!(load(preprocessor, processor).unwrap().processor(), file, "{preprocessor:?} {processor:?}");
    }
    refused(load(Some(ours), Some("{")), "invalid-preprocessor", &["processor_config.json: ", "JSON"]);
    refused(
        load(Some(ours), Some(r#"{"image_processor": "CLIP"}"#)),
        "invalid-preprocessor",
        &["processor_config.json: ", "image_processor"],
    );
    assert_eq!(named(TIMM).load(None).unwrap().processor(), Some("config.json"));
}

/// timm's names of filters and modes; what it takes for nothing said is its default.
#[test]
fn pixels_by_timm_that_make_no_sense() {
    let timm = named(TIMM);
    let with = |changes: Value| {
        let mut config: Value = serde_json::from_str(timm.config).unwrap();
        for (key, value) in changes.as_object().unwrap() {
            config["pretrained_cfg"][key] = value.clone();
        }
        load(&config.to_string(), timm.weights)
    };
    for (changes, part) in [
        (json!({"interpolation": "random"}), "random"),
        (json!({"crop_mode": "fill"}), "fill"),
        (json!({"crop_pct": -0.5}), "crop_pct"),
        (json!({"interpolation": 3}), "interpolation"),
        (json!({"crop_mode": ["center"]}), "crop_mode"),
        (json!({"mean": [0.5, 0.5]}), "mean"),
        (json!({"std": [0.5, 0.5, "1"]}), "std"),
    ] {
        refused(with(changes), "invalid-config", &["config.json", part]);
    }
    refused(with(json!({"std": [0.5, 0, 0.5]})), "invalid-preprocessor", &["config.json", "deviation"]);
    assert!(with(json!({"interpolation": "", "crop_mode": null, "crop_pct": 0, "mean": null, "std": 0.5})).is_ok());
}

#[test]
fn quantised_files_of_another_version_or_without_scales() {
    let fixture = named(HF);
    let whole = quantize(fixture.files(), &fixture.weights.to_vec(), Bits::Eight, &mut |_| ()).unwrap();
    assert!(Classifier::load(fixture.files(), &whole, None).is_ok());
    // The header is text: same-length edits keep it valid.
    let edit = |from: &str, to: &str| {
        let position = whole.windows(from.len()).position(|window| window == from.as_bytes()).expect("in the header");
        let mut edited = whole.clone();
        edited[position..position + to.len()].copy_from_slice(to.as_bytes());
        edited
    };
    let newer = edit("vitscope-int8/1", "vitscope-int8/9");
    refused(Classifier::load(fixture.files(), &newer, None), "invalid-weights", &["vitscope-int8/9"]);
    let scaleless = edit("classifier.weight_scale", "classifier.weight_scala");
    refused(Classifier::load(fixture.files(), &scaleless, None), "missing-tensor", &["classifier.weight_scale"]);
}

/// What only a file of 4 bits can get wrong. Bytes without steps are somebody else's.
#[test]
fn damaged_files_of_four_bits() {
    const MATRIX: &str = "blocks.1.attn.proj.weight";
    const STEPS: &str = "blocks.1.attn.proj.weight_steps";
    const SCALE: &str = "blocks.1.attn.proj.weight_scale";

    let fixture = named(TIMM);
    let whole = quantize(fixture.files(), &fixture.weights.to_vec(), Bits::Four, &mut |_| ()).unwrap();
    let load =
        |change: fn(&mut BTreeMap<String, Stored>)| Classifier::load(fixture.files(), &rewritten(&whole, change), None);
    assert!(load(|_| ()).is_ok());
    let large_step = load(|tensors| tensors.get_mut(STEPS).unwrap().2[1] = 16);
    refused(large_step, "invalid-weights", &[STEPS, "16"]);
    let narrow = load(|tensors| {
        let (_, shape, bytes) = tensors.get_mut(MATRIX).unwrap();
        shape[1] -= 1;
        bytes.truncate(shape[0] * shape[1]);
    });
    refused(narrow, "tensor-shape", &[MATRIX]);
    refused(load(|tensors| drop(tensors.remove(STEPS))), "tensor-shape", &[MATRIX]);
    refused(load(|tensors| drop(tensors.remove(SCALE))), "missing-tensor", &[SCALE]);
}

/// Dimensions that multiply past what fits, with no data to back them.
#[test]
fn empty_tensors_with_enormous_dimensions() {
    let empty = |name: &str, shape: Vec<usize>| (name.to_string(), shape, Values::F32(vec![]));
    let weights = write(
        vec![
            empty("patch_embed.proj.weight", vec![1 << 30, 3, 0, 1 << 30]),
            empty("blocks.0.mlp.fc1.weight", vec![1 << 30, 0]),
            empty("blocks.0.mlp.fc2.weight", vec![0, 1 << 30]),
            empty("norm.weight", vec![0]),
            empty("head.weight", vec![usize::MAX >> 2, 0]),
        ],
        None,
    )
    .unwrap();
    let config =
        r#"{"architecture": "vit_tiny_patch16_224", "pretrained_cfg": {"input_size": [3, 4294967295, 4294967295]}}"#;
    refused(load(config, &weights), "invalid-config", &["config.json"]);
}

/// Random damage anywhere in the file or the config: an error or a working model, never a panic.
#[test]
fn fuzzed_files_never_panic() {
    let mut rng = fastrand::Rng::with_seed(42);
    let fixtures: Vec<_> = FIXTURES.iter().chain(STAGED).collect();
    for round in 0..4000 {
        let fixture = fixtures[rng.usize(..fixtures.len())];
        // Of split weights one file is damaged.
        let mut shards: Vec<_> =
            fixture.shards.iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())).collect();
        let damaged = rng.usize(..shards.len().max(1));
        let mut weights = shards.get(damaged).map_or(fixture.weights.to_vec(), |(_, bytes)| bytes.clone());
        let mut text = fixture.text_embeddings.map(<[u8]>::to_vec);
        let mut config = fixture.config.as_bytes().to_vec();
        let header = u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
        let damage = |bytes: &mut Vec<u8>, end: usize, rng: &mut fastrand::Rng| match rng.u8(..5) {
            0 => bytes.truncate(rng.usize(..bytes.len())),
            1 => drop(bytes.drain(rng.usize(..end / 2)..end / 2)),
            // A digit for a digit keeps JSON valid and makes its numbers lie.
            2 => {
                let digits: Vec<_> = (0..end).filter(|i| bytes[*i].is_ascii_digit()).collect();
                for _ in 0..1 + rng.usize(..3) {
                    bytes[digits[rng.usize(..digits.len())]] = rng.u8(b'0'..=b'9');
                }
            }
            _ => {
                for _ in 0..1 + rng.usize(..4) {
                    bytes[rng.usize(..end)] = rng.u8(..);
                }
            }
        };
        if rng.bool() {
            damage(&mut weights, 8 + header, &mut rng);
        } else if let Some(text) = text.as_mut().filter(|_| rng.bool()) {
            let end = text.len();
            damage(text, end, &mut rng);
        } else {
            let end = config.len();
            damage(&mut config, end, &mut rng);
        }
        let config = String::from_utf8_lossy(&config);
        let files = ConfigFiles { config: &config, preprocessor: fixture.preprocessor, processor: None };
        let text_embeddings = text.as_ref().map(|text| text as &dyn Source);
        let image_size = if rng.bool() { Some([rng.usize(..40), rng.usize(..40)]) } else { None };
        let options = LoadOptions { image_size, text_embeddings, ..LoadOptions::default() };
        let loaded = match shards.get_mut(damaged) {
            Some(shard) => {
                shard.1 = weights;
                Shards::new(shards).and_then(|shards| Classifier::load(files, &shards, options))
            }
            None => Classifier::load(files, &weights, options),
        };
        match loaded {
            Ok(mut model) => {
                let size: usize = model.config().image_size.iter().product();
                if size < 100_000 {
                    let logits = model.logits(&vec![0.1; 3 * size]).unwrap().to_vec();
                    let top = model.top(&logits, 5).unwrap();
                    assert_eq!(top.len(), model.config().classes().min(5), "round {round}");
                }
            }
            Err(error) => assert!(error.to_string().len() > 20, "round {round}: {error}"),
        }
    }
}

#[test]
fn wrong_arguments() {
    let mut model = named(HF).load(None).unwrap();
    assert_eq!(model.logits(&[0.0; 5]).unwrap_err().code(), "invalid-argument");
    assert_eq!(model.top(&[0.0; 11], 0).unwrap_err().code(), "invalid-argument");
    assert_eq!(model.top(&[0.0; 11], 99).unwrap().len(), 11);
    assert_eq!("int4".parse::<vitscope::model::Precision>().unwrap_err().code(), "invalid-argument");
    // The model is as usable as before.
    assert!(model.logits(&named(HF).expected("pixel_values")).is_ok());
}
