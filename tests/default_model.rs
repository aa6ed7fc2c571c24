//! The model people meet first: int8 answers as the f32 model it was made from.

mod common;

use common::{argmax, cosine, floats};
use ndarray::{Array3, s};
use safetensors::SafeTensors;
use vitscope::Classifier;
use vitscope::checkpoint::ConfigFiles;
use vitscope::explain::{Fusion, GradientMethod, HeadMap, Heads, Query, Rollout, Shape};
use vitscope::model::Precision;
use vitscope::resample::Rgba;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const EXPECTED: &[u8] = include_bytes!("fixtures/default_model/expected.safetensors");

fn load(precision: Option<Precision>) -> Classifier {
    let files = ConfigFiles {
        config: include_str!("../models/vitscope-tiny/config.json"),
        preprocessor: Some(include_str!("../models/vitscope-tiny/preprocessor_config.json")),
    };
    Classifier::load(files, &include_bytes!("../models/vitscope-tiny/model.safetensors").to_vec(), precision).unwrap()
}

/// Our logits and the f32 model's (by transformers) for every image of the fixture.
fn answers(model: &mut Classifier) -> Vec<(Vec<f32>, Vec<f32>)> {
    let logits = floats(EXPECTED, "logits");
    let classes = model.config().classes();
    images()
        .zip(logits.chunks(classes))
        .map(|(image, expected)| {
            let (height, width, _) = image.dim();
            let rgba = Rgba { data: image.as_slice().unwrap(), width, height };
            let pixels = model.preprocess(rgba).unwrap();
            (model.logits(&pixels).unwrap().to_vec(), expected.to_vec())
        })
        .collect()
}

/// Pictures of the model's input size, in RGBA.
fn images() -> impl Iterator<Item = Array3<u8>> {
    let file = SafeTensors::deserialize(EXPECTED).unwrap();
    let images = file.tensor("images").unwrap();
    let &[_, height, width, 3] = images.shape() else { panic!("{:?}", images.shape()) };
    let rgba = |rgb: &[u8]| rgb.chunks(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
    let images: Vec<_> = images.data().chunks(height * width * 3).map(rgba).collect();
    images.into_iter().map(move |rgba| Array3::from_shape_vec((height, width, 4), rgba).unwrap())
}

/// What an explanation says is an order: 8 bits must not change which patches matter more.
#[test]
fn int8_maps_rank_patches_as_f32_maps_do() {
    let [mut f32, mut int8] = [Some(Precision::F32), None].map(load);
    let shape = Shape::from(f32.config());
    let mut sums = [0.0; 5];
    let mut count = 0;
    // Each picture whole, and four times the part at a corner.
    for image in images() {
        let (height, width, _) = image.dim();
        let (h, w) = (height * 4 / 5, width * 4 / 5);
        let corners = [[0, 0], [0, width - w], [height - h, 0], [height - h, width - w]];
        let parts = corners.map(|[y, x]| image.slice(s![y..y + h, x..x + w, ..]).as_standard_layout().into_owned());
        for part in parts.iter().chain([&image]) {
            let (height, width, _) = part.dim();
            let rgba = Rgba { data: part.as_slice().unwrap(), width, height };
            let pixels = f32.preprocess(rgba).unwrap();
            let target = f32.target(&pixels, None).unwrap();
            let [exact, ours] = [&mut f32, &mut int8].map(|model| maps(model, &shape, &pixels, target));
            for (sum, (exact, ours)) in sums.iter_mut().zip(exact.iter().zip(&ours)) {
                *sum += spearman(exact, ours);
            }
            count += 1;
        }
    }
    assert!(count >= 100);
    let means = sums.map(|sum| sum / f64::from(count));
    assert!(means.iter().all(|mean| *mean >= 0.99), "{means:?}");
}

/// The views that a precision can change, of one class.
fn maps(model: &mut Classifier, shape: &Shape, pixels: &[f32], target: usize) -> [Vec<f32>; 5] {
    let query = Query::Class;
    let (_, trace) = model.trace(pixels).unwrap();
    let last = HeadMap { layer: shape.layers - 1, heads: Heads::All(Fusion::Mean), query, mass: None, clip: None };
    let rollout = Rollout { fusion: Fusion::Mean, discard: 0.0, query };
    let mut attribute = |method| model.attribute(pixels, target, method).unwrap();
    [
        last.compute(shape, &mut &trace).unwrap(),
        rollout.compute(shape, &mut &trace).unwrap(),
        attribute(GradientMethod::Chefer { query }),
        attribute(GradientMethod::GradientRollout { query, discard: 0.0 }),
        attribute(GradientMethod::GradCam { layer: shape.layers - 1 }),
    ]
}

/// Correlation of the ranks; equal values share the mean of theirs.
fn spearman(a: &[f32], b: &[f32]) -> f64 {
    let ranks = |values: &[f32]| -> Vec<f64> {
        let rank = |x: f32| {
            let below = values.iter().filter(|y| **y < x).count();
            let equal = values.iter().filter(|y| **y == x).count();
            below as f64 + (equal - 1) as f64 / 2.0
        };
        values.iter().map(|x| rank(*x)).collect()
    };
    let centred = |ranks: Vec<f64>| -> Vec<f64> {
        let mean = ranks.iter().sum::<f64>() / ranks.len() as f64;
        ranks.into_iter().map(|rank| rank - mean).collect()
    };
    let (a, b) = (centred(ranks(a)), centred(ranks(b)));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    match (dot(&a, &a), dot(&b, &b)) {
        (0.0, 0.0) => 1.0, // nothing speaks for the class in either
        (a_length, b_length) => dot(&a, &b) / (a_length * b_length).max(f64::MIN_POSITIVE).sqrt(),
    }
}

#[test]
fn int8_agrees_with_the_f32_model_it_was_made_from() {
    let mut model = load(None);
    assert_eq!(model.precision(), Precision::Int8);
    let answers = answers(&mut model);
    assert!(answers.len() >= 24);
    for (i, (ours, expected)) in answers.iter().enumerate() {
        let cosine = cosine(ours, expected);
        assert!(cosine >= 0.999, "image {i}: cosine {cosine}");
        assert_eq!(argmax(ours), argmax(expected), "image {i}");
    }
}

/// The int8 file run in f32 isolates the weights' rounding from that of the activations.
#[test]
fn its_weights_restored_to_f32_agree_too() {
    for (i, (ours, expected)) in answers(&mut load(Some(Precision::F32))).iter().enumerate() {
        assert!(cosine(ours, expected) >= 0.999, "image {i}");
    }
}

/// Every backend computes the same bits, from pixels to logits: the numbers below were written by the native build.
#[test]
fn every_backend_gives_the_same_bits() {
    let digest = |model: &mut Classifier| {
        let bits = answers(model).into_iter().flat_map(|(ours, _)| ours).map(f32::to_bits);
        // FNV-1a.
        bits.fold(0xcbf2_9ce4_8422_2325u64, |hash, bits| {
            bits.to_le_bytes().iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
        })
    };
    assert_eq!(digest(&mut load(None)), 9_351_752_289_487_977_059, "int8");
    // There, engines may fuse the multiply-adds of products in f32.
    if vitscope::simd::BACKEND != "relaxed" {
        assert_eq!(digest(&mut load(Some(Precision::F32))), 15_826_701_014_473_643_639, "f32");
    }
}
