//! The size of a loaded model: it is then what loading it for that size gives, to the bit, over the same weights.

mod common;

use common::edit::rewritten;
use common::{FIXTURES, Fixture, named, some_classes};
use ndarray::Axis;
use std::sync::Arc;
use vitscope::Classifier;
use vitscope::checkpoint::{LoadOptions, load};
use vitscope::explain::{GradientMethod, Query, position_similarity};
use vitscope::resample::Rgba;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Sizes to run a model at: the one that was recorded, larger and not square, smaller, a rest that is no whole patch, and what can't be run.
fn sizes(fixture: &Fixture, own: [usize; 2], patch: [usize; 2]) -> Vec<[usize; 2]> {
    let [[height, width], [ph, pw]] = [own, patch];
    let wide = [height + ph, width + 3 * pw];
    let odd = [height + 2 * ph + 1, width];
    fixture
        .other_size()
        .into_iter()
        .chain([wide, odd, patch, [width + pw, height], [0, width], [ph, 1 << 20]])
        .collect()
}

fn pixels([height, width]: [usize; 2]) -> Vec<f32> {
    let mut rng = fastrand::Rng::with_seed((height * 1000 + width) as u64);
    (0..3 * height * width).map(|_| 2.0 * rng.f32() - 1.0).collect()
}

/// Everything that follows from the size: config, pixels, the part of a picture, logits, features, streams, attention.
fn assert_same(a: &mut Classifier, b: &mut Classifier, name: &str) {
    assert_eq!(a.config(), b.config(), "{name}");
    assert_eq!((a.weight_bytes(), a.processor()), (b.weight_bytes(), b.processor()), "{name}");
    let data: Vec<u8> = (0..4 * 37 * 29).map(|i| (i * i % 251) as u8).collect();
    let size = a.config().image_size;
    let [first, second] = [a, b].map(|model| {
        let picture = model.preprocess(Rgba { data: &data, width: 37, height: 29 }).map_err(|error| error.to_string());
        let region = model.region(37, 29).map_err(|error| error.to_string());
        let (logits, trace) = model.trace(&pixels(size)).unwrap();
        (picture, region, logits.to_vec(), trace.attentions, trace.hidden_states, model.features().to_vec())
    });
    assert_eq!(first, second, "{name}");
}

/// There and back, and from one size to the next: what was stored is what every size is made of. A size that load refuses is refused likewise.
#[test]
fn equals_loading_at_that_size_on_every_model() {
    let mut refused = 0;
    for fixture in FIXTURES {
        for dtype in ["f32", "int8"] {
            let mut model = fixture.load(Some(dtype)).unwrap();
            let (own, patch) = (model.config().image_size, model.config().patch_size);
            // (What depends on the size is in floats whatever the dtype.)
            let most = if dtype == "f32" { usize::MAX } else { 2 };
            for size in sizes(fixture, own, patch).into_iter().take(most).chain([own]) {
                let name = format!("{} {dtype} {size:?}", fixture.name);
                match (fixture.load_at(Some(size), Some(dtype)), model.resized(size)) {
                    (Ok(mut loaded), Ok(mut resized)) => {
                        assert_same(&mut resized, &mut loaded, &name);
                        model = resized;
                    }
                    (Err(loaded), Err(resized)) => {
                        assert_eq!(
                            (resized.code(), resized.to_string()),
                            (loaded.code(), loaded.to_string()),
                            "{name}"
                        );
                        assert_eq!(resized.code(), "invalid-argument", "{name}");
                        refused += 1;
                    }
                    (loaded, _) => panic!("{name}: load gave {:?}", loaded.err()),
                }
            }
            assert_eq!(model.config().image_size, own);
        }
    }
    assert!(refused >= 2 * FIXTURES.len(), "{refused}");
}

/// Of each kind of positions, the model that was loaded is left as it was, and nothing of its weights is copied or packed again.
#[test]
fn weights_are_shared_and_the_first_stays_as_it_was() {
    for name in
        ["hf_vit", "hf_beit", "hf_beit_shared", "timm_beit", "timm_dinov3", "timm_rope_mixed_ape", "hf_aimv2_native"]
    {
        let fixture = named(name);
        let source = fixture.source();
        let loaded = load(fixture.files(), &*source, LoadOptions::default()).unwrap();
        let [height, width] = loaded.vit.config.image_size;
        let resized = loaded.resized([2 * height, 3 * width]).unwrap();
        assert!(Arc::ptr_eq(&loaded.vit.weights, &resized.vit.weights), "{name}");
        let mut before = fixture.load(None).unwrap();
        assert_same(&mut Classifier::new(loaded).unwrap(), &mut before, name);
    }
}

/// What is kept as stored is no second copy where the size is the one that it is stored for.
#[test]
fn positions_of_the_own_size_are_not_held_twice() {
    let loaded = load(named("hf_vit").files(), &*named("hf_vit").source(), LoadOptions::default()).unwrap();
    let learned = loaded.vit.weights.embeddings.positions.as_ref().unwrap();
    assert!(Arc::ptr_eq(&learned.values, loaded.vit.places.positions.as_ref().unwrap()));
    assert_eq!(loaded.vit.places.bytes(&loaded.vit.weights), 0);
    let [height, width] = loaded.vit.config.image_size;
    let resized = loaded.resized([2 * height, width]).unwrap();
    let values = 2 * learned.values.len();
    assert_eq!(resized.vit.places.bytes(&resized.vit.weights), values * size_of::<f32>());
}

/// A model that a table for all blocks and one of a block's own are added in, which no library's constructor makes.
#[test]
fn tables_of_both_kinds_are_added_at_every_size() {
    let fixture = named("timm_beit");
    let shared = "rel_pos_bias.relative_position_bias_table";
    let weights = rewritten(fixture.weights, |tensors| {
        let (dtype, shape, bytes) = tensors["blocks.0.attn.relative_position_bias_table"].clone();
        let values = bytes.as_chunks().0.iter().map(|value| 0.5 - f32::from_le_bytes(*value));
        tensors.insert(shared.into(), (dtype, shape, values.flat_map(f32::to_le_bytes).collect()));
    });
    let at = |size| {
        let options = LoadOptions { image_size: size, ..LoadOptions::default() };
        Classifier::load(fixture.files(), &weights, options).unwrap()
    };
    let model = at(None);
    let [height, width] = model.config().image_size;
    for size in [[2 * height, width], [height, width]] {
        assert_same(&mut model.resized(size).unwrap(), &mut at(Some(size)), &format!("{size:?}"));
    }
    let mut without = fixture.load(None).unwrap();
    assert_ne!(at(None).logits(&pixels([height, width])).unwrap(), without.logits(&pixels([height, width])).unwrap());
}

/// Classes that were given go with the size, and the other way round; each instance has a size of its own.
#[test]
fn classes_and_size_go_together() {
    for name in ["timm_vit", "hf_siglip_zero_shot", "hf_beit"] {
        let fixture = named(name);
        let model = fixture.load(Some("int8")).unwrap();
        let classes = some_classes(model.config().feature_size());
        let [height, width] = model.config().image_size;
        let size = [height, 2 * width];
        let given = model.with_classes(&classes).unwrap();
        let mut first = given.resized(size).unwrap();
        let mut second = model.resized(size).unwrap().with_classes(&classes).unwrap();
        assert_same(&mut first, &mut second, name);
        assert_eq!(first.similarity(), second.similarity());
        assert_eq!((model.config().image_size, given.config().image_size), ([height, width], [height, width]));
        let lens = |model: &mut Classifier| {
            model.attribute(&pixels(size), Some(1), GradientMethod::Chefer { query: Query::Mean }).unwrap()
        };
        assert_eq!(lens(&mut first), lens(&mut second), "{name}");
    }
}

/// Streams of a trace are read as they were when it was made, whatever the size is now.
#[test]
fn lenses_read_traces_of_another_size() {
    for name in ["hf_vit", "hf_siglip_zero_shot", "timm_map_prefix", "timm_gap", "hf_deit_teacher", "timm_pe_core"] {
        for dtype in ["f32", "int8"] {
            let mut model = named(name).load(Some(dtype)).unwrap();
            let size = model.config().image_size;
            let (_, trace) = model.trace(&pixels(size)).unwrap();
            let last = trace.hidden_states.index_axis(Axis(0), 2);
            let lenses = |model: &mut Classifier| {
                let patches = model.patch_lens(last).unwrap();
                (model.logit_lens(trace.hidden_states.view()).unwrap(), patches)
            };
            let before = lenses(&mut model);
            let [ph, pw] = model.config().patch_size;
            for other in [[ph, pw], [size[0] + 9 * ph, 2 * size[1]]] {
                let mut resized = model.resized(other).unwrap();
                let answer = resized.logits(&pixels(other)).unwrap().to_vec();
                assert_eq!(lenses(&mut resized), before, "{name} {dtype} {other:?}");
                assert_eq!(resized.logits(&pixels(other)).unwrap(), answer, "{name} {dtype} {other:?}");
            }
            let tokens = trace.hidden_states.slice(ndarray::s![.., ..model.config().prefix_tokens(), ..]);
            assert_eq!(model.logit_lens(tokens).unwrap_err().code(), "invalid-argument");
        }
    }
}

/// The views of positions are those of the size.
#[test]
fn similarity_of_positions_follows() {
    let loaded = load(named("hf_vit").files(), &*named("hf_vit").source(), LoadOptions::default()).unwrap();
    let [height, width] = loaded.vit.config.image_size;
    let resized = loaded.resized([2 * height, width]).unwrap();
    assert_eq!(position_similarity(&resized.vit).unwrap().nrows(), 2 * loaded.vit.config.patches());
}
