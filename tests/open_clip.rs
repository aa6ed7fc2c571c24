//! open_clip's folders: pixels as their config says, timm's models within them, and what is refused.

mod common;

use common::edit::{edited, load, refused, renamed, with_tensor};
use common::{cosine, floats, named, relative_error};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use vitscope::Classifier;
use vitscope::checkpoint::{ConfigFiles, LoadOptions, Values, quantize, write};
use vitscope::quant::Bits;
use vitscope::resample::Rgba;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const PIXELS: &[u8] = include_bytes!("fixtures/open_clip/pixels.safetensors");

const PICTURES: [(&str, &[u8]); 3] = [
    ("photo", include_bytes!("fixtures/preprocess/photo.png")),
    ("tall", include_bytes!("fixtures/preprocess/tall.png")),
    ("small", include_bytes!("fixtures/preprocess/small.png")),
];

/// Values of the fixture's config with some of `vision_cfg`'s changed; null takes one out.
fn vision(fixture: &str, changes: Value) -> String {
    let mut config: Value = serde_json::from_str(named(fixture).config).unwrap();
    config["model_cfg"]["vision_cfg"].as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    config.to_string()
}

#[test]
fn pixels_equal_open_clips() {
    let expected = SafeTensors::deserialize(PIXELS).unwrap();
    assert!(expected.len() > 20);
    for (name, tensor) in expected.iter() {
        let mut parts = name.splitn(3, '/');
        let (picture, _, steps) = (parts.next().unwrap(), parts.next(), parts.next().unwrap());
        let config = edited("open_clip", json!({"preprocess_cfg": serde_json::from_str::<Value>(steps).unwrap()}));
        let size = Some([tensor.shape()[1], tensor.shape()[2]]);
        let files = ConfigFiles { config: &config, preprocessor: None, processor: None };
        let options = LoadOptions { image_size: size, ..LoadOptions::default() };
        let model = Classifier::load(files, &named("open_clip").weights.to_vec(), options).unwrap();

        let (_, png) = PICTURES.iter().find(|(known, _)| *known == picture).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rgb).unwrap();
        let data: Vec<u8> = rgb.chunks(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
        let image = Rgba { data: &data, width: info.width as usize, height: info.height as usize };
        let error = relative_error(&model.preprocess(image).unwrap(), &floats(PIXELS, name));
        assert!(error < 1e-6, "{name}: {error:e}");
    }
}

/// Text and what compares the two are left aside, wherever the file has them, and stay out of a quantised one.
#[test]
fn text_towers_are_left_aside() {
    let fixture = named("open_clip");
    let pixels = fixture.expected("pixel_values");
    let custom = renamed(fixture.weights, |name| match name.split('.').next().unwrap() {
        "visual" | "logit_scale" => name.into(),
        _ => ["text.", name].concat(),
    });
    let custom = with_tensor(&with_tensor(&custom, "text_decoder.x", &[2]), "logit_bias", &[1]);
    let mut model = load(fixture.config, &custom).unwrap();
    assert!(relative_error(&fixture.run(&mut model, &pixels), &fixture.expected("features")) < 1e-4);
    let small = quantize(fixture.files(), &custom, Bits::Eight, &mut |_| ()).unwrap();
    let names = SafeTensors::deserialize(&small).unwrap().names().into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert!(names.iter().all(|name| name.starts_with("visual.") || name.starts_with("logit_")), "{names:?}");
    assert!(load(fixture.config, &small).is_ok());
    refused(load(fixture.config, &with_tensor(&custom, "visual.other", &[2])), "unexpected-tensor", &["visual.other"]);
}

/// Features of texts make a zero-shot classifier of it: e to the power of `logit_scale` times the cosine.
#[test]
fn texts_are_compared() {
    let fixture = named("open_clip");
    let texts: Vec<f32> = (0..20).map(|i| (i as f32 * 0.7).cos()).collect();
    let file = common::edit::texts(&[("text_embeddings", &[2, 10], &texts)], r#"["a", "b"]"#);

    let options = LoadOptions { text_embeddings: Some(&file), ..LoadOptions::default() };
    let mut model = Classifier::load(fixture.files(), &fixture.weights.to_vec(), options).unwrap();
    let found = model.logits(&fixture.expected("pixel_values")).unwrap().to_vec();
    let features = fixture.expected("features");
    let scale = floats(fixture.weights, "logit_scale")[0].exp();
    let expected: Vec<_> = texts.chunks(10).map(|text| scale * cosine(text, &features) as f32).collect();
    assert!(relative_error(&found, &expected) < 1e-4, "{found:?} {expected:?}");
}

/// A ViT-B of timm's, but narrow and shallow: its name says how wide a head is.
fn timm(prefix: &str) -> Vec<u8> {
    let (width, patch, tokens, mlp, features) = (64, 4, 5, 8, 3);
    let mut shapes: Vec<(&str, Vec<usize>)> = vec![
        ("cls_token", vec![1, 1, width]),
        ("pos_embed", vec![1, tokens, width]),
        ("patch_embed.proj.weight", vec![width, 3, patch, patch]),
        ("blocks.0.attn.qkv.weight", vec![3 * width, width]),
        ("blocks.0.attn.qkv.bias", vec![3 * width]),
        ("blocks.0.attn.proj.weight", vec![width, width]),
        ("blocks.0.attn.proj.bias", vec![width]),
        ("blocks.0.mlp.fc1.weight", vec![mlp, width]),
        ("blocks.0.mlp.fc1.bias", vec![mlp]),
        ("blocks.0.mlp.fc2.weight", vec![width, mlp]),
        ("blocks.0.mlp.fc2.bias", vec![width]),
        ("head.weight", vec![features, width]),
        ("head.bias", vec![features]),
    ];
    for norm in ["norm_pre.weight", "norm_pre.bias", "blocks.0.norm1.weight", "blocks.0.norm1.bias"] {
        shapes.push((norm, vec![width]));
    }
    for norm in ["blocks.0.norm2.weight", "blocks.0.norm2.bias", "norm.weight", "norm.bias"] {
        shapes.push((norm, vec![width]));
    }
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let tensors = shapes.into_iter().map(|(name, shape)| {
        let values = (0..shape.iter().product()).map(|_| 0.3 * next()).collect();
        ([prefix, name].concat(), shape, Values::F32(values))
    });
    write(tensors.collect(), None).unwrap()
}

/// What timm's model takes for classes are the image's features here.
#[test]
fn models_of_timms() {
    let own = json!({"timm_model_name": "vit_base_patch16_clip_224", "timm_pool": "token", "timm_proj": null, "image_size": 8});
    let cfg = |vision: &Value| json!({"model_cfg": {"embed_dim": 3, "vision_cfg": vision}}).to_string();
    let plain = json!({"architecture": "vit_base_patch16_clip_224", "pretrained_cfg": {"input_size": [3, 8, 8]}});
    let mut pixels: Vec<f32> = (0..192).map(|i| (i as f32).sin()).collect();
    let expected = load(&plain.to_string(), &timm("")).unwrap().logits(&pixels).unwrap().to_vec();

    let weights = with_tensor(&with_tensor(&timm("visual.trunk."), "text.transformer.x", &[2]), "logit_scale", &[]);
    let mut model = load(&cfg(&own), &weights).unwrap();
    assert!(model.logits(&pixels).unwrap().is_empty());
    assert_eq!(model.features(), expected);
    assert_eq!((model.config().classes(), model.config().feature_size()), (0, 3));

    // As a quantised file, and where another size is asked for.
    let config = cfg(&own);
    let files = ConfigFiles { config: &config, preprocessor: None, processor: None };
    let small = quantize(files, &weights, Bits::Eight, &mut |_| ()).unwrap();
    let mut small = load(&config, &small).unwrap();
    small.logits(&pixels).unwrap();
    assert!(relative_error(small.features(), &expected) < 0.1);
    pixels.extend(pixels.clone());
    let options = LoadOptions { image_size: Some([8, 16]), ..LoadOptions::default() };
    let mut wide = Classifier::load(files, &weights, options).unwrap();
    assert!(wide.logits(&pixels).is_ok() && wide.features().len() == 3);

    let with = |key: &str, value: &str| {
        let mut own = own.clone();
        own[key] = value.into();
        load(&cfg(&own), &weights)
    };
    refused(with("timm_proj", "linear"), "unsupported-architecture", &["timm_proj`", "\"linear\""]);
    refused(with("timm_model_name", "convnext_base"), "unsupported-architecture", &["convnext_base"]);
    refused(with("timm_pool", "abs_attn"), "unsupported-architecture", &["abs_attn"]);
}

#[test]
fn what_is_not_run_is_named() {
    let weights = named("open_clip").weights;
    for (changes, parts) in [
        (json!({"layers": [3, 4, 6, 3]}), ["`vision_cfg.layers`", "[3,4,6,3]"]),
        (json!({"attentional_pool": true}), ["attentional_pool", "is true"]),
        (json!({"attentional_pool": "parallel"}), ["attentional_pool", "\"parallel\""]),
        (json!({"pool_type": "none"}), ["pool_type", "\"none\""]),
        (json!({"scaled_cosine_attn": true}), ["scaled_cosine_attn", "is true"]),
        (json!({"act_kwargs": {"approximate": "tanh"}}), ["act_kwargs", "approximate"]),
    ] {
        refused(load(&vision("open_clip", changes), weights), "unsupported-architecture", &parts);
    }
    refused(load(&vision("open_clip", json!({"head_width": 0})), weights), "invalid-config", &["heads"]);
    refused(load(r#"{"model_cfg": {"embed_dim": 4}}"#, weights), "invalid-config", &["vision_cfg"]);
    refused(load("{}", weights), "invalid-weights", &["open_clip", "open_clip_config.json"]);
}
