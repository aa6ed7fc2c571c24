//! Models with stages and windows give PyTorch's numbers, layer by layer: transformers and timm on seeded tiny models.

mod common;

use common::{Fixture, STAGED, argmax, cosine, relative_error};
use ndarray::{Array3, ArrayView2, ArrayViewMut3};
use vitscope::checkpoint::quantize;
use vitscope::model::{Config, Precision, Sink};
use vitscope::quant::Bits;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const TOLERANCE: f32 = 1e-4;

/// Every layer's attention `[windows · heads, n, n]` and every depth's stream.
struct Seen {
    attentions: Vec<Array3<f32>>,
    hidden_states: Vec<Vec<f32>>,
}

impl Seen {
    fn new(config: &Config, expected: &dyn Fn(usize) -> usize) -> Self {
        let shape = |layer: usize| {
            let stage = config.of_stage(config.stage_of(layer)[0]);
            let n = match config.window(layer) {
                Some(window) => window.size.iter().product(),
                None => stage.tokens(),
            };
            // (How many windows there are is the library's to say.)
            Array3::zeros((expected(layer) / (n * n), n, n))
        };
        Self { attentions: (0..config.layers).map(shape).collect(), hidden_states: Vec::new() }
    }
}

impl Sink for Seen {
    fn attention(&mut self, layer: usize) -> Option<ArrayViewMut3<'_, f32>> {
        Some(self.attentions[layer].view_mut())
    }

    fn hidden_state(&mut self, _depth: usize, stream: ArrayView2<'_, f32>) {
        self.hidden_states.push(stream.iter().copied().collect());
    }
}

/// At the native size, and at another where one was recorded.
#[test]
fn results_attentions_and_hidden_states_equal_pytorch() {
    for fixture in STAGED {
        for size in [None].into_iter().chain(fixture.other_size().map(Some)) {
            let prefix = if size.is_some() { "other/" } else { "" };
            let expected = |what: &str| fixture.expected(&[prefix, what].concat());
            let mut model = fixture.load_at(size, None).unwrap();
            let mut seen = Seen::new(model.config(), &|layer| expected(&format!("attentions.{layer}")).len());
            let logits = model.watch(&expected("pixel_values"), &mut seen).unwrap().to_vec();
            let close = |what: &str, ours: &[f32]| {
                let error = relative_error(ours, &expected(what));
                assert!(error < TOLERANCE, "{} {prefix}{what}: relative error {error:e}", fixture.name);
            };
            for (depth, stream) in seen.hidden_states.iter().enumerate() {
                close(&format!("hidden_states.{depth}"), stream);
            }
            for (layer, attention) in seen.attentions.iter().enumerate() {
                close(&format!("attentions.{layer}"), attention.as_slice().unwrap());
            }
            assert_eq!(seen.hidden_states.len(), model.config().layers + 1);
            let ours = if fixture.result() == "logits" { logits } else { model.features().to_vec() };
            close(fixture.result(), &ours);
            assert_eq!(fixture.run(&mut model, &expected("pixel_values")), ours, "{}: recording changes", fixture.name);
        }
    }
}

/// In 8 bits, quantised while loading or before.
#[test]
fn int8_stays_close_to_f32_and_files_give_the_same_bits() {
    for fixture in STAGED {
        let pixels = fixture.expected("pixel_values");
        let ours = fixture.run(&mut fixture.load(Some("int8")).unwrap(), &pixels);
        let expected = fixture.expected(fixture.result());
        let cosine = cosine(&ours, &expected);
        assert!(cosine > 0.99, "{}: cosine {cosine}", fixture.name);
        if fixture.result() == "logits" {
            assert_eq!(argmax(&ours), argmax(&expected), "{}", fixture.name);
        }
        let file = quantize(fixture.files(), &*fixture.source(), Bits::Eight, &mut |_| ()).unwrap();
        let small = Fixture { weights: file.leak(), ..*fixture };
        let mut model = small.load(None).unwrap();
        assert_eq!(model.precision(), Precision::Int8);
        assert_eq!(small.run(&mut model, &pixels), ours, "{}", fixture.name);
    }
}
