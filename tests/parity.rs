//! The forward pass gives PyTorch's numbers: timm and transformers on seeded tiny models.

mod common;

use common::edit::rewritten;
use common::{FIXTURES, Fixture, argmax, cosine, named, relative_error};
use ndarray::s;
use safetensors::Dtype;
use vitscope::checkpoint::{QuantizedTensor, load, quantize};
use vitscope::explain::Trace;
use vitscope::model::{Precision, Scores, Scratch, Sink};
use vitscope::quant::Bits;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// What issue after issue relies on. f32 rounding alone moves these models by less than 3e-6.
const TOLERANCE: f32 = 1e-4;

#[test]
fn f32_results_attentions_and_hidden_states_equal_pytorch() {
    for fixture in FIXTURES {
        let mut model = fixture.load(None).unwrap();
        let (_, trace) = model.trace(&fixture.expected("pixel_values")).unwrap();
        let close = |what: &str, ours: &[f32]| {
            let error = relative_error(ours, &fixture.expected(what));
            assert!(error < TOLERANCE, "{} {what}: relative error {error:e}", fixture.name);
        };
        close("hidden_states", trace.hidden_states.as_slice().unwrap());
        close("attentions", trace.attentions.as_slice().unwrap());
        close(fixture.result(), &fixture.run(&mut model, &fixture.expected("pixel_values")));
    }
}

/// What transformers' pipeline answers where that is not the softmax of the logits: labels that may hold together, a number, a single class.
#[test]
fn scores_equal_the_pipelines() {
    for (name, scores) in [
        ("hf_vit_multi_label", Scores::Sigmoid),
        ("hf_vit_regression", Scores::Raw),
        ("timm_vit_single", Scores::Sigmoid),
    ] {
        let fixture = named(name);
        let mut model = fixture.load(None).unwrap();
        assert_eq!(model.config().scores, scores, "{name}");
        let logits = model.logits(&fixture.expected("pixel_values")).unwrap().to_vec();
        let top = model.top(&logits, 9).unwrap();
        assert!(top.is_sorted_by(|a, b| a.score >= b.score), "{top:?}");
        let expected = fixture.expected("scores");
        assert_eq!(top.len(), expected.len());
        for prediction in top {
            let error = (prediction.score - expected[prediction.index]).abs();
            assert!(error < TOLERANCE, "{name}: {prediction:?}, not {}", expected[prediction.index]);
        }
    }
}

/// Positions and biases are resampled as the library does it.
#[test]
fn f32_results_at_another_size_equal_pytorch() {
    let mut compared = 0;
    for (fixture, size) in FIXTURES.iter().filter_map(|fixture| Some((fixture, fixture.other_size()?))) {
        let mut model = fixture.load_at(Some(size), None).unwrap();
        let ours = fixture.run(&mut model, &fixture.expected("other/pixel_values"));
        let error = relative_error(&ours, &fixture.expected(&format!("other/{}", fixture.result())));
        assert!(error < TOLERANCE, "{} at {size:?}: relative error {error:e}", fixture.name);
        compared += 1;
    }
    assert!(compared > 3);
}

/// Recording must watch the pass, not change it.
#[test]
fn tracing_changes_no_bit() {
    for fixture in FIXTURES {
        let pixels = fixture.expected("pixel_values");
        for dtype in ["f32", "int8"] {
            let mut model = fixture.load(Some(dtype)).unwrap();
            let plain = fixture.run(&mut model, &pixels);
            let (logits, _) = model.trace(&pixels).unwrap();
            let logits = logits.to_vec();
            let traced = if fixture.result() == "logits" { logits } else { model.features().to_vec() };
            assert_eq!(plain, traced, "{} {dtype}", fixture.name);
            assert_eq!(plain, fixture.run(&mut model, &pixels), "{} {dtype}: a second pass differs", fixture.name);
        }
    }
}

/// Looks at so many tokens.
struct Watching(usize);

impl Sink for Watching {
    fn watches(&self, _layer: usize) -> usize {
        self.0
    }
}

/// Where the answer reads the first tokens alone and nobody watches the others in the last block, that block leaves the others as they were.
#[test]
fn of_the_last_block_only_what_is_read_is_computed() {
    let mut few = 0;
    for fixture in FIXTURES {
        let vit = load(fixture.files(), &*fixture.source(), Some(Precision::F32)).unwrap().vit;
        let mut scratch = Scratch::new(&vit.config, Precision::F32).unwrap();
        let pixels = fixture.expected("pixel_values");
        let mut trace = Trace::new(&vit.config).unwrap();
        vit.forward(&pixels, &mut scratch, &mut trace).unwrap();

        let (layers, tokens) = (vit.config.layers, vit.config.tokens());
        let read = vit.config.tokens_read(tokens);
        few += usize::from(read < tokens);
        for watched in [0, 2, tokens - 1, usize::MAX] {
            vit.forward(&pixels, &mut scratch, &mut Watching(watched)).unwrap();
            for (token, stream) in scratch.stream().rows().into_iter().enumerate() {
                let depth = if token < read.max(watched) { layers } else { layers - 1 };
                let expected = trace.hidden_states.slice(s![depth, token, ..]);
                assert_eq!(stream, expected, "{} token {token} of {watched}", fixture.name);
            }
        }
    }
    assert!(few > 20, "{few}");
}

/// Tiny random models are the hard case for int8: no redundancy to hide the rounding.
#[test]
fn int8_stays_close_to_f32() {
    for fixture in FIXTURES {
        let pixels = fixture.expected("pixel_values");
        let ours = fixture.run(&mut fixture.load(Some("int8")).unwrap(), &pixels);
        let expected = fixture.expected(fixture.result());
        let cosine = cosine(&ours, &expected);
        assert!(cosine > 0.99, "{}: cosine {cosine}", fixture.name);
        assert_eq!(argmax(&ours), argmax(&expected), "{}", fixture.name);
    }
}

/// A quantised file runs as the original does when it is quantised while loading, LayerScale and stacked matrices included.
#[test]
fn int8_files_of_every_family_give_the_same_bits() {
    for fixture in FIXTURES {
        let pixels = fixture.expected("pixel_values");
        let directly = fixture.run(&mut fixture.load(Some("int8")).unwrap(), &pixels);
        let file = quantize(fixture.files(), &*fixture.source(), Bits::Eight, &mut |_| ()).unwrap();
        let small = Fixture { weights: file.leak(), shards: &[], ..*fixture };
        let mut model = small.load(None).unwrap();
        assert_eq!(model.precision(), Precision::Int8);
        assert_eq!(small.run(&mut model, &pixels), directly, "{}", fixture.name);
    }
}

/// A matrix that 8 bits can't hold, as these of subnormal weights, stays in floats, whichever it is: with every other one, and with all, an int8 model runs.
#[test]
fn int8_models_with_matrices_in_floats_run_in_every_family() {
    for fixture in FIXTURES.iter().filter(|fixture| fixture.shards.is_empty()) {
        let pixels = fixture.expected("pixel_values");
        for (first, step) in [(0, 1), (0, 2), (1, 2)] {
            let mut changed = 0;
            let weights = rewritten(fixture.weights, |tensors| {
                let matrices =
                    tensors.values_mut().filter(|(dtype, shape, _)| *dtype == Dtype::F32 && shape.len() == 2);
                for (.., weights) in matrices.skip(first).step_by(step) {
                    weights
                        .as_chunks_mut()
                        .0
                        .iter_mut()
                        .for_each(|w| *w = (f32::from_le_bytes(*w) * 1e-38).to_le_bytes());
                    changed += 1;
                }
            });
            let mut floats = 0;
            let mut count = |tensor: &QuantizedTensor<'_>| {
                floats += usize::from(tensor.bits == Bits::ThirtyTwo && tensor.sqnr.is_some())
            };
            let int8 = quantize(fixture.files(), &weights, Bits::Eight, &mut count).unwrap();
            assert_eq!(floats > 0, changed > 0, "{}", fixture.name);
            let [f32, int8] = [(weights, Precision::F32), (int8, Precision::Int8)].map(|(weights, precision)| {
                let fixture = Fixture { weights: weights.leak(), ..*fixture };
                let mut model = fixture.load(None).unwrap();
                assert_eq!(model.precision(), precision);
                fixture.run(&mut model, &pixels)
            });
            let cosine = cosine(&f32, &int8);
            assert!(cosine > 0.99, "{}, from {first} on every {step}: cosine {cosine}", fixture.name);
        }
    }
}

/// Files of 4 bits load in every family and answer nearly as f32 does, even on random weights; quantised again they stay as they are.
#[test]
fn four_bit_files_of_every_family_stay_close_to_f32() {
    for fixture in FIXTURES {
        let pixels = fixture.expected("pixel_values");
        let mut least = Bits::ThirtyTwo;
        let file =
            quantize(fixture.files(), &*fixture.source(), Bits::Four, &mut |tensor| least = least.min(tensor.bits))
                .unwrap();
        assert_eq!(least, Bits::Four, "{}", fixture.name);
        let small = Fixture { weights: file.leak(), shards: &[], ..*fixture };
        let mut model = small.load(None).unwrap();
        assert_eq!(model.precision(), Precision::Int8);
        let cosine = cosine(&small.run(&mut model, &pixels), &fixture.expected(fixture.result()));
        assert!(cosine > 0.9, "{}: cosine {cosine}", fixture.name);
        let unchanged = quantize(fixture.files(), &small.weights.to_vec(), Bits::Eight, &mut |_| ()).unwrap();
        assert!(unchanged == small.weights, "{}", fixture.name);
    }
}

#[test]
fn every_row_of_attention_is_a_distribution() {
    for fixture in FIXTURES {
        for dtype in ["f32", "int8"] {
            let mut model = fixture.load(Some(dtype)).unwrap();
            let (_, trace) = model.trace(&fixture.expected("pixel_values")).unwrap();
            for row in trace.attentions.rows() {
                assert!((row.sum() - 1.0).abs() < 1e-5 && row.iter().all(|p| (0.0..=1.0).contains(p)));
            }
        }
    }
}
