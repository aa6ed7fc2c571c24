//! A plain ViT gives the same answer by whatever name it goes and within whatever it lies.

mod common;

use common::edit::{edited, load, refused, renamed, rewritten, with_tensor};
use common::{named, relative_error};
use safetensors::tensor::Dtype;
use serde_json::{Value, json};
use vitscope::checkpoint::{ConfigFiles, aliases, quantize};
use vitscope::quant::Bits;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// `model_type`; the fixture that it may be made of; where in its config the encoder's lies, if it does; what comes before the names of the encoder's tensors; other tensors.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const CASES: &[Case] = &[
    ("metaclip_2", "hf_clip", "", "", &["text_model.embeddings.token_embedding.weight", "text_projection.weight"]),
    ("metaclip_2_vision_model", "hf_clip_vision", "", "", &[]),
    ("chinese_clip", "hf_clip_vision", "vision_config", "", &["text_model.pooler.dense.weight", "logit_scale"]),
    ("chinese_clip_vision_model", "hf_clip_vision", "", "", &[]),
    ("altclip", "hf_altclip", "vision_config", "", &["text_model.roberta.pooler.dense.weight"]),
    ("altclip", "hf_clip_vision", "vision_config", "", &[]),
    ("altclip_vision_model", "hf_clip_vision", "", "", &[]),
    ("clipseg", "hf_clip_vision", "vision_config", "clip.", &["decoder.reduces.0.weight", "clip.logit_scale"]),
    ("clipseg_vision_model", "hf_clip_vision", "", "", &[]),
    ("owlvit", "hf_clip_vision", "vision_config", "owlvit.", &["box_head.dense0.weight", "layer_norm.bias"]),
    ("owlvit_vision_model", "hf_clip_vision", "", "", &[]),
    ("owlv2", "hf_clip_vision", "vision_config", "owlv2.", &["objectness_head.dense0.weight", "class_head.x"]),
    ("owlv2_vision_model", "hf_clip_vision", "", "", &[]),
    ("git", "hf_clip_vision", "vision_config", "git.image_encoder.", &["git.encoder.layer.0.x", "output.weight"]),
    ("git_vision_model", "hf_clip_vision", "", "", &[]),
    (
        "kosmos-2",
        "hf_clip_vision",
        "vision_config",
        "vision_model.",
        &["text_model.model.x", "image_to_text_projection.latent_query"],
    ),
    ("kosmos_2_vision_model", "hf_clip_vision", "", "model.", &[]),
    ("vision-encoder-decoder", "hf_vit_model", "encoder", "encoder.", &["decoder.model.x", "enc_to_dec_proj.bias"]),
    (
        "vision-text-dual-encoder",
        "hf_vit_model",
        "vision_config",
        "vision_model.",
        &["text_model.x", "visual_projection.weight"],
    ),
    ("dpt", "hf_vit_model", "", "dpt.", &["neck.convs.0.weight", "head.head.0.weight", "auxiliary_head.x"]),
    ("depth_anything", "hf_dinov2_model", "backbone_config", "backbone.", &["neck.x", "head.conv1.weight"]),
    ("prompt_depth_anything", "hf_dinov2_model", "backbone_config", "backbone.", &["neck.x", "head.conv1.weight"]),
    ("zoedepth", "hf_zoedepth", "backbone_config", "", &[]),
    (
        "flava",
        "hf_vit_model",
        "image_config",
        "image_model.",
        &["text_model.x", "logit_scale", "image_projection.bias"],
    ),
    ("flava", "hf_vit_model", "image_config", "flava.image_model.", &["flava.multimodal_model.x", "itm_head.x"]),
    ("flava_image_model", "hf_vit_model", "", "", &[]),
    ("blip", "hf_blip", "vision_config", "", &["text_encoder.x", "itm_head.weight"]),
    (
        "llava",
        "hf_clip_vision",
        "vision_config",
        "vision_tower.",
        &["language_model.lm_head.weight", "multi_modal_projector.x"],
    ),
    ("llava", "hf_clip_vision", "vision_config", "model.vision_tower.", &["model.language_model.x", "lm_head.weight"]),
    ("llava_next", "hf_clip_vision", "vision_config", "vision_tower.", &["image_newline", "language_model.x"]),
    ("llava_next_video", "hf_clip_vision", "vision_config", "model.vision_tower.", &["model.image_newline"]),
    ("llava_onevision", "hf_siglip_vision", "vision_config", "vision_tower.vision_model.", &["image_newline"]),
    ("vipllava", "hf_clip_vision", "vision_config", "vision_tower.", &["multi_modal_projector.x"]),
    ("paligemma", "hf_paligemma", "vision_config", "", &[]),
    ("paligemma", "hf_siglip_vision", "vision_config", "model.vision_tower.", &["model.language_model.x"]),
    ("gemma3", "hf_siglip_vision", "vision_config", "vision_tower.vision_model.", &["language_model.model.x"]),
    (
        "shieldgemma2",
        "hf_siglip_vision",
        "vision_config",
        "model.model.vision_tower.",
        &["model.model.language_model.x"],
    ),
    ("aya_vision", "hf_siglip_vision", "vision_config", "vision_tower.", &["multi_modal_projector.layernorm.bias"]),
    ("cohere2_vision", "hf_siglip_vision", "vision_config", "model.vision_tower.", &["model.language_model.x"]),
    ("lfm2_vl", "hf_siglip2", "vision_config", "model.vision_tower.", &["model.multi_modal_projector.layer_norm.bias"]),
    ("deepseek_vl", "hf_siglip_vision", "vision_config", "model.vision_model.", &["model.aligner.linear1.weight"]),
    (
        "video_llava",
        "hf_clip_vision",
        "vision_config",
        "image_tower.",
        &["video_tower.embeddings.x", "language_model.x"],
    ),
    ("colpali", "hf_paligemma", "vlm_config", "vlm.", &["embedding_proj_layer.weight"]),
    ("blip-2", "hf_blip", "vision_config", "", &["query_tokens", "qformer.layernorm.bias", "language_projection.bias"]),
    ("instructblip", "hf_blip", "vision_config", "", &["qformer.embeddings.layernorm.bias", "language_model.x"]),
    ("chmv2", "hf_dinov3", "backbone_config", "backbone.", &["neck.x", "head.x"]),
    ("tipsv2", "hf_tipsv2", "vision_config", "vision_encoder.", &["text_encoder.ln_final.bias", "temperature"]),
    (
        "tipsv2_dpt",
        "hf_tipsv2",
        "backbone_config",
        "vision_encoder.",
        &["depth_head.convs.0.weight", "normals_head.x", "segmentation_head.x"],
    ),
];

/// The fixture's config as one of `model_type` has it. Types of parts are left out, as far as they go without saying.
fn config((model_type, fixture, key, ..): Case) -> String {
    let whole: Value = serde_json::from_str(named(fixture).config).unwrap();
    if key.is_empty() {
        return edited(fixture, json!({"model_type": model_type}));
    }
    let mut own = whole.get(key).unwrap_or(&whole).clone();
    own.as_object_mut().unwrap().remove("model_type");
    json!({"model_type": model_type, key: own}).to_string()
}

fn weights((_, fixture, _, prefix, others): Case) -> Vec<u8> {
    let mut weights = renamed(named(fixture).weights, |name| [prefix, name].concat());
    for other in others {
        weights = with_tensor(&weights, other, &[2]);
    }
    weights
}

#[test]
fn every_alias_is_what_it_is_read_as() {
    for model_type in aliases() {
        assert!(CASES.iter().any(|case| case.0 == model_type), "no case holds {model_type}");
    }
    for case in CASES {
        let fixture = named(case.1);
        let pixels = fixture.expected("pixel_values");
        let expected = fixture.run(&mut fixture.load(None).unwrap(), &pixels);
        let (config, weights) = (config(*case), weights(*case));
        let mut model = load(&config, &weights).unwrap_or_else(|error| panic!("{}: {error}", case.0));
        assert_eq!(fixture.run(&mut model, &pixels), expected, "{}", case.0);

        // What is quantised is the encoder alone, which the same config still opens.
        let files = ConfigFiles { config: &config, preprocessor: None, processor: None };
        let small = quantize(files, &weights, Bits::Eight, &mut |_| ()).unwrap();
        let mut again = load(&config, &small).unwrap_or_else(|error| panic!("{}, quantised: {error}", case.0));
        let mut directly = fixture.load(Some("int8")).unwrap();
        assert_eq!(fixture.run(&mut again, &pixels), fixture.run(&mut directly, &pixels), "{}, quantised", case.0);
    }
}

/// I-JEPA's classifier, which has no class token to read: the encoder within `ijepa.`, and a head on the mean.
#[test]
fn a_head_on_the_mean_of_all_tokens() {
    let fixture = named("hf_ijepa");
    let pixels = fixture.expected("pixel_values");
    let features = fixture.run(&mut fixture.load(None).unwrap(), &pixels);
    let inner = rewritten(fixture.weights, |tensors| tensors.retain(|name, _| !name.starts_with("pooler.")));
    let weights = rewritten(&renamed(&inner, |name| ["ijepa.", name].concat()), |tensors| {
        let identity = (0..features.len().pow(2)).map(|i| f32::from(i % (features.len() + 1) == 0));
        let head = |values: Vec<f32>| values.into_iter().flat_map(f32::to_le_bytes).collect();
        tensors.insert("classifier.weight".into(), (Dtype::F32, vec![features.len(); 2], head(identity.collect())));
        tensors.insert("classifier.bias".into(), (Dtype::F32, vec![features.len()], head(vec![1.0; features.len()])));
    });
    let config = edited("hf_ijepa", json!({"architectures": ["IJepaForImageClassification"]}));
    let mut model = load(&config, &weights).unwrap();
    let expected: Vec<_> = features.iter().map(|feature| feature + 1.0).collect();
    assert!(relative_error(model.logits(&pixels).unwrap(), &expected) < 1e-6);
}

/// Classes whose tensors are the same differ in what their configs leave out.
#[test]
fn what_goes_without_saying_is_of_the_class() {
    let whole: Value = serde_json::from_str(named("hf_blip").config).unwrap();
    let mut own = whole["vision_config"].clone();
    own.as_object_mut().unwrap().retain(|key, _| !matches!(key.as_str(), "layer_norm_eps" | "model_type"));
    for (model_type, eps) in [("blip", 1e-5), ("blip-2", 1e-6), ("instructblip", 1e-6)] {
        let config = json!({"model_type": model_type, "vision_config": own}).to_string();
        let model = load(&config, named("hf_blip").weights).unwrap();
        assert_eq!(model.config().layer_norm_eps, eps, "{model_type}");
    }
}

/// A part is no classifier, whatever its config was taken from.
#[test]
fn parts_have_no_head() {
    let own = json!({"architectures": ["CLIPForImageClassification"], "id2label": {"0": "a"}});
    let mut inner: Value = serde_json::from_str(named("hf_clip_vision").config).unwrap();
    inner.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    let config = json!({"model_type": "owlvit", "vision_config": inner}).to_string();
    let model = load(&config, named("hf_clip_vision").weights).unwrap();
    assert_eq!(model.config().classes(), 0);
}

/// A part that is no plain ViT is refused by its own name, one that lacks something with the name that the file would have.
#[test]
fn parts_that_are_not_read() {
    let weights = weights(*CASES.iter().find(|case| case.0 == "owlvit").unwrap());
    let swin = json!({"model_type": "owlvit", "vision_config": {"model_type": "levit"}}).to_string();
    refused(load(&swin, &weights), "unsupported-architecture", &["levit"]);
    let mistyped = json!({"model_type": "owlvit", "vision_config": "x"}).to_string();
    refused(load(&mistyped, &weights), "invalid-config", &["vision_config", "an object"]);
    let damaged = renamed(&weights, |name| name.replace("layers.1.mlp.fc1.weight", "layers.1.mlp.fc9.weight"));
    let config = config(*CASES.iter().find(|case| case.0 == "owlvit").unwrap());
    refused(load(&config, &damaged), "missing-tensor", &["`owlvit.vision_model.encoder.layers.1.mlp.fc1.weight`"]);
}
