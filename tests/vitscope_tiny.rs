//! `vitscope-tiny`, which is small enough for every build of the tests to hold it: int8 answers as the f32 model it was made from, and its bits are pinned.

mod common;

use common::{argmax, cosine, floats};
use safetensors::SafeTensors;
use std::sync::LazyLock;
use vitscope::Classifier;
use vitscope::checkpoint::ConfigFiles;
use vitscope::model::Precision;
use vitscope::resample::Rgba;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const EXPECTED: &[u8] = include_bytes!("fixtures/vitscope_tiny/expected.safetensors");

fn load(precision: Option<Precision>) -> Classifier {
    let files = ConfigFiles {
        config: include_str!("../models/vitscope-tiny/config.json"),
        preprocessor: Some(include_str!("../models/vitscope-tiny/preprocessor_config.json")),
        processor: None,
    };
    Classifier::load(files, &include_bytes!("../models/vitscope-tiny/model.safetensors").to_vec(), precision).unwrap()
}

/// Our logits and the f32 model's (by transformers) for every image of the fixture.
type Answers = Vec<(Vec<f32>, Vec<f32>)>;

static INT8: LazyLock<Answers> = LazyLock::new(|| answers(&mut load(None)));
static F32: LazyLock<Answers> = LazyLock::new(|| answers(&mut load(Some(Precision::F32))));

fn answers(model: &mut Classifier) -> Answers {
    let file = SafeTensors::deserialize(EXPECTED).unwrap();
    let images = file.tensor("images").unwrap();
    let logits = floats(EXPECTED, "logits");
    let &[_, height, width, 3] = images.shape() else { panic!("{:?}", images.shape()) };
    let classes = model.config().classes();
    let rgb = images.data().chunks(height * width * 3);
    rgb.zip(logits.chunks(classes))
        .map(|(rgb, expected)| {
            let rgba: Vec<u8> = rgb.chunks(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
            let pixels = model.preprocess(Rgba { data: &rgba, width, height }).unwrap();
            (model.logits(&pixels).unwrap().to_vec(), expected.to_vec())
        })
        .collect()
}

#[test]
fn int8_agrees_with_the_f32_model_it_was_made_from() {
    assert_eq!(load(None).precision(), Precision::Int8);
    assert!(INT8.len() >= 24);
    for (i, (ours, expected)) in INT8.iter().enumerate() {
        let cosine = cosine(ours, expected);
        assert!(cosine >= 0.999, "image {i}: cosine {cosine}");
        // What is as good as even in f32 may fall either way.
        let lost = expected[argmax(expected)] - expected[argmax(ours)];
        assert!(lost <= 0.02, "image {i}: another answer, {lost} below in f32");
    }
}

/// The int8 file run in f32 isolates the weights' rounding from that of the activations.
#[test]
fn its_weights_restored_to_f32_agree_too() {
    for (i, (ours, expected)) in F32.iter().enumerate() {
        assert!(cosine(ours, expected) >= 0.999, "image {i}");
    }
}

/// Every backend computes the same bits, from pixels to logits: the numbers below were written by the native build.
#[test]
fn every_backend_gives_the_same_bits() {
    let digest = |answers: &Answers| {
        let bits = answers.iter().flat_map(|(ours, _)| ours).map(|logit| logit.to_bits());
        // FNV-1a.
        bits.fold(0xcbf2_9ce4_8422_2325u64, |hash, bits| {
            bits.to_le_bytes().iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
        })
    };
    assert_eq!(digest(&INT8), 15_887_800_686_212_001_542, "int8");
    // There, engines may fuse the multiply-adds of products in f32.
    if vitscope::simd::BACKEND != "relaxed" {
        assert_eq!(digest(&F32), 13_804_157_853_602_935_992, "f32");
    }
}
