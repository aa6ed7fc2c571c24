//! Classes that are given at run time: over loaded weights, in place of a model's own.

mod common;

use common::edit::{edited, rewritten, texts};
use common::{FIXTURES, Fixture, argmax, floats, named, relative_error, some_classes};
use ndarray::{Array2, Axis};
use serde_json::{Value, json};
use std::sync::Arc;
use vitscope::checkpoint::{LoadOptions, load};
use vitscope::explain::{Dropping, GradientMethod, Occlusion, Query};
use vitscope::model::{Classes, Scores, Similarity};
use vitscope::{Classifier, Error};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const LABELS: &str = r#"["a", "b"]"#;

/// The model without its texts.
fn encoder(fixture: &Fixture, dtype: &str) -> Classifier {
    Fixture { text_embeddings: None, ..*fixture }.load(Some(dtype)).unwrap()
}

fn with_texts(fixture: &Fixture, text: &[u8]) -> Result<Classifier, Error> {
    let text = text.to_vec();
    let options = LoadOptions { text_embeddings: Some(&text), ..LoadOptions::default() };
    Classifier::load(fixture.files(), &*fixture.source(), options)
}

/// What follows from two models, bit for bit: logits, lenses, relevance, occlusion.
fn assert_same(a: &mut Classifier, b: &mut Classifier, pixels: &[f32], name: &str) {
    assert_eq!(a.config(), b.config(), "{name}");
    assert_eq!(a.similarity(), b.similarity(), "{name}");
    let [first, second] = [a, b].map(|model| {
        let (logits, trace) = model.trace(pixels).unwrap();
        let logits = logits.to_vec();
        let lens = model.logit_lens(trace.hidden_states.view()).unwrap();
        let patches = model.patch_lens(trace.hidden_states.index_axis(Axis(0), 1)).unwrap();
        let chefer = model.attribute(pixels, Some(1), GradientMethod::Chefer { query: Query::Mean }).unwrap();
        (logits, lens, patches, chefer, occlusion(model, pixels))
    });
    assert_eq!(first, second, "{name}");
}

/// The scores of class 1 while windows are left out.
fn occlusion(model: &mut Classifier, pixels: &[f32]) -> Vec<f32> {
    let mut passes = Dropping::new(Occlusion::new(&model.config().into(), None, None).unwrap().seen(), Some(1));
    while model.step(pixels, &mut passes, &|| false).unwrap() {}
    passes.scores().to_vec()
}

/// logit = scale · cosine + bias in f64, of the features that the model has without these classes; its own answer and every bit of its features stay.
#[test]
fn logits_are_similarities_on_every_model() {
    for fixture in FIXTURES {
        for dtype in ["f32", "int8"] {
            let mut model = encoder(fixture, dtype);
            let pixels = fixture.expected("pixel_values");
            let (own, config) = (model.logits(&pixels).unwrap().to_vec(), model.config().clone());
            let features = model.features().to_vec();
            let classes = some_classes(features.len());

            let mut given = model.with_classes(&classes).unwrap();
            let logits = given.logits(&pixels).unwrap().to_vec();
            let expected: Vec<f32> = classes
                .embeddings
                .chunks(features.len())
                .map(|embedding| (7.0 * common::cosine(embedding, &features) - 0.5) as f32)
                .collect();
            let error = logits.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(error < 1e-5, "{} {dtype}: {logits:?} {expected:?}", fixture.name);
            assert_eq!(given.features(), features, "{} {dtype}", fixture.name);
            let now = given.config();
            assert_eq!((&now.labels[..], now.scores), (&classes.labels[..], Scores::Softmax));
            assert!(now.zero_shot && now.named);
            assert_eq!(given.similarity(), Some(Similarity { scale: 7.0, bias: -0.5 }));

            assert_eq!(*model.config(), config, "{} {dtype}", fixture.name);
            assert_eq!(model.logits(&pixels).unwrap(), own, "{} {dtype}", fixture.name);
            drop(model); // neither needs the other
            assert_eq!(given.logits(&pixels).unwrap(), logits, "{} {dtype}", fixture.name);
        }
    }
}

/// The views read the same head: a lens at the last layer says what the model says, occlusion begins with its score, and relevance is of the
/// class that is likeliest now.
#[test]
fn views_are_of_the_given_classes() {
    for fixture in FIXTURES {
        let pixels = fixture.expected("pixel_values");
        let model = encoder(fixture, "f32");
        let mut given = model.with_classes(&some_classes(model.config().feature_size())).unwrap();
        let (logits, trace) = given.trace(&pixels).unwrap();
        let logits = logits.to_vec();
        let lens = given.logit_lens(trace.hidden_states.view()).unwrap();
        assert!(relative_error(lens.outer_iter().last().unwrap().as_slice().unwrap(), &logits) < 1e-5);
        let patches = given.patch_lens(trace.hidden_states.index_axis(Axis(0), 1)).unwrap();
        assert_eq!(patches.dim(), (given.config().patches(), 3), "{}", fixture.name);
        let score = given.top(&logits, 3).unwrap().into_iter().find(|class| class.index == 1).unwrap().score;
        assert!((occlusion(&mut given, &pixels)[0] - score).abs() < 1e-6, "{}", fixture.name);
        let (target, map) = given.attribute(&pixels, None, GradientMethod::Chefer { query: Query::Mean }).unwrap();
        assert_eq!(target, argmax(&logits), "{}", fixture.name);
        assert!(map.iter().all(|x| x.is_finite()));
        assert_eq!(given.config().class_named("dish").unwrap(), Some(1));
    }
}

/// What a file of texts does at load, it does later, and so do its numbers without a file.
#[test]
fn a_file_is_the_same_at_load_and_later() {
    for name in ["hf_clip_zero_shot", "hf_siglip_zero_shot", "hf_aimv2_zero_shot"] {
        let fixture = named(name);
        let (file, pixels) = (fixture.text_embeddings.unwrap().to_vec(), fixture.expected("pixel_values"));
        for dtype in ["f32", "int8"] {
            let mut loaded = fixture.load(Some(dtype)).unwrap();
            let encoder = encoder(fixture, dtype);
            assert_eq!((encoder.config().classes(), encoder.similarity()), (0, None));
            assert_same(&mut encoder.with_text_embeddings(&file).unwrap(), &mut loaded, &pixels, name);
            let labels = loaded.config().labels.to_vec();
            let classes = Classes { labels, embeddings: floats(&file, "text_embeddings"), scale: None, bias: None };
            assert_same(&mut encoder.with_classes(&classes).unwrap(), &mut loaded, &pixels, name);
        }
    }
}

#[test]
fn the_models_scale_is_the_usual_one() {
    let similarity = |name: &str, [scale, bias]: [Option<f32>; 2]| {
        let model = encoder(named(name), "f32");
        let classes = Classes { scale, bias, ..some_classes(model.config().feature_size()) };
        let given = model.with_classes(&classes).unwrap();
        // Of classes upon classes the model is still the one below.
        let again = given.with_classes(&Classes { scale: None, bias: None, ..classes }).unwrap();
        let Similarity { scale, bias } = given.similarity().unwrap();
        ([scale, bias], again.similarity().unwrap().scale)
    };
    let learned = |name: &str, tensor: &str| floats(named(name).weights, tensor)[0];
    let siglip = learned("hf_siglip_zero_shot", "logit_scale").exp();
    assert_eq!(
        similarity("hf_siglip_zero_shot", [None; 2]),
        ([siglip, learned("hf_siglip_zero_shot", "logit_bias")], siglip)
    );
    assert_eq!(similarity("hf_siglip_zero_shot", [Some(2.0), Some(1.0)]), ([2.0, 1.0], siglip));
    // Bounded, as AIMv2's config has it, unless somebody asks for more.
    assert!((similarity("hf_aimv2_zero_shot", [None; 2]).0[0] - 3.0).abs() < 1e-6);
    assert_eq!(similarity("hf_aimv2_zero_shot", [Some(50.0), None]).0, [50.0, 0.0]);
    assert_eq!(similarity("hf_vit", [None; 2]), ([1.0, 0.0], 1.0));
}

/// Weights exist once.
#[test]
fn weights_are_shared() {
    let fixture = named("hf_vit");
    let model = load(fixture.files(), &*fixture.source(), None).unwrap();
    let given = model.with_classes(&some_classes(36)).unwrap();
    assert!(Arc::ptr_eq(&model.vit.weights, &given.vit.weights));
    let bytes = given.vit.bytes() - model.vit.bytes();
    assert!((1..1500).contains(&bytes), "three rows of 36 features take {bytes} bytes");
}

/// Beside a model with a head the file sets that aside; its own scale goes before the model's.
#[test]
fn a_file_of_classes_fits_any_model() {
    for name in ["hf_vit", "timm_deit_distilled", "hf_siglip_zero_shot"] {
        let (fixture, pixels) = (named(name), named(name).expected("pixel_values"));
        let model = encoder(fixture, "f32");
        let classes = some_classes(model.config().feature_size());
        let shape = [3, model.config().feature_size()];
        let labels = serde_json::to_string(&classes.labels).unwrap();
        let scale = classes.scale.unwrap().ln();
        let file = texts(
            &[
                ("text_embeddings", &shape, &classes.embeddings),
                ("logit_scale", &[], &[scale]),
                ("logit_bias", &[1], &[-0.5]),
            ],
            &labels,
        );
        let classes = Classes { scale: Some(scale.exp()), ..classes };
        let mut given = model.with_classes(&classes).unwrap();
        assert_same(&mut with_texts(fixture, &file).unwrap(), &mut given, &pixels, name);
        assert_same(&mut model.with_text_embeddings(&file).unwrap(), &mut given, &pixels, name);
    }
    let refused = |tensors: &[(&str, &[usize], &[f32])], code: &str, part: &str| {
        let file = texts(tensors, LABELS);
        let model = encoder(named("hf_vit"), "f32");
        for error in [with_texts(named("hf_vit"), &file).err(), model.with_text_embeddings(&file).err()] {
            let error = error.expect("this should have been refused");
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().starts_with("text_embeddings.safetensors: "), "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
    };
    let rows = ("text_embeddings", [2, 36].as_slice(), [0.5f32; 72].as_slice());
    refused(&[rows], "invalid-weights", "`logit_scale` is neither here nor in the model");
    refused(&[rows, ("logit_scale", &[], &[1000.0])], "invalid-weights", "scale is inf");
    refused(&[("text_embeddings", &[2, 35], &[0.5; 70])], "tensor-shape", "[2, 36]");
    refused(&[("text_embeddings", &[2, 36], &[0.0; 72]), ("logit_scale", &[], &[1.0])], "invalid-weights", "all zeros");
}

/// Features are what they are, whether there are classes or not: those of two tokens are their mean where there was no head for each.
#[test]
fn distilled_models_without_heads_keep_their_features() {
    let fixture = named("timm_deit_distilled");
    let weights = rewritten(fixture.weights, |tensors| tensors.retain(|name, _| !name.starts_with("head")));
    let mut arguments: Value = serde_json::from_str::<Value>(fixture.config).unwrap()["model_args"].take();
    arguments["num_classes"] = 0.into();
    let config = edited(fixture.name, json!({"num_classes": 0, "model_args": arguments}));
    let mut model = common::edit::load(&config, &weights).unwrap();
    let pixels = fixture.expected("pixel_values");
    let (width, hidden) = (model.config().feature_size(), model.config().hidden_size);
    assert_eq!(width, hidden);
    model.logits(&pixels).unwrap();
    let mut given = model.with_classes(&some_classes(width)).unwrap();
    given.logits(&pixels).unwrap();
    assert_eq!(given.features(), model.features());
    let whole = fixture.load(None).unwrap();
    assert_eq!(whole.with_classes(&some_classes(2 * hidden)).unwrap().config().feature_size(), 2 * hidden);
}

#[test]
fn classes_that_make_no_sense() {
    let model = encoder(named("hf_vit"), "f32");
    let good = some_classes(36);
    assert!(model.with_classes(&good).is_ok());
    let refused = |change: &dyn Fn(&mut Classes), parts: &[&str]| {
        let mut classes = good.clone();
        change(&mut classes);
        let error = model.with_classes(&classes).err().expect("this should have been refused");
        assert_eq!(error.code(), "invalid-argument", "{error}");
        for part in parts {
            assert!(error.to_string().contains(part), "`{error}` should mention `{part}`");
        }
    };
    refused(&|classes| classes.embeddings.truncate(107), &["107 values", "3 classes of 36", "108"]);
    refused(&|classes| classes.embeddings.clear(), &["0 values", "108"]);
    refused(&|classes| *classes = Classes { labels: vec![], embeddings: vec![], ..classes.clone() }, &["0 classes"]);
    refused(&|classes| classes.embeddings[36..72].fill(0.0), &["`bowl, dish`", "all zeros"]);
    for value in [f32::NAN, f32::INFINITY] {
        refused(&|classes| classes.embeddings[80] = value, &["`ladle`", &value.to_string()]);
        refused(&|classes| classes.scale = Some(value), &["scale is", &value.to_string()]);
        refused(&|classes| classes.bias = Some(value), &["bias is", &value.to_string()]);
    }
    for scale in [0.0, -2.0] {
        refused(&|classes| classes.scale = Some(scale), &["scale is", "above 0"]);
    }
    refused(&|classes| classes.labels[2] = "cup".into(), &["two classes", "`cup`"]);
    for empty in ["", " \t"] {
        refused(&|classes| classes.labels[1] = empty.into(), &["class 1 has no name"]);
    }
    // Whatever the length of an embedding, its direction is what counts.
    let rows = Array2::from_shape_vec((3, 36), good.embeddings.clone()).unwrap();
    let pixels = named("hf_vit").expected("pixel_values");
    let logits = |factor: f32| {
        let embeddings = (&rows * factor).into_raw_vec_and_offset().0;
        model.with_classes(&Classes { embeddings, ..good.clone() }).unwrap().logits(&pixels).unwrap().to_vec()
    };
    for factor in [1e-36, 1e-20, 1e20, 1e37] {
        assert!(relative_error(&logits(factor), &logits(1.0)) < 1e-5, "{factor:e}");
    }
}

/// A damaged scale of the model's own is told when the model is loaded, not by answers without sense.
#[test]
fn a_damaged_scale_is_refused() {
    let fixture = named("hf_clip_zero_shot");
    for scale in [200.0f32, -200.0, f32::NAN] {
        let weights = rewritten(fixture.weights, |tensors| {
            tensors.get_mut("logit_scale").unwrap().2 = scale.to_le_bytes().to_vec();
        });
        let error = common::edit::load(fixture.config, &weights).err().unwrap();
        assert_eq!(error.code(), "invalid-weights");
        assert!(error.to_string().contains("`logit_scale`"), "{error}");
    }
}
