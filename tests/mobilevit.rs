//! MobileViT gives transformers' numbers: every stream and all attention within cells, at its own size and at one whose maps are resized.

mod common;

use common::{argmax, cosine, floats, relative_error};
use ndarray::{Array3, ArrayView2, ArrayViewMut3};
use safetensors::SafeTensors;
use vitscope::checkpoint::{ConfigFiles, LoadOptions, Loaded, load, quantize};
use vitscope::model::{Config, Precision, Scratch, Sink, Windows};
use vitscope::quant::Bits;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

struct Tiny {
    name: &'static str,
    config: &'static str,
    preprocessor: &'static str,
    weights: &'static [u8],
    expected: &'static [u8],
}

macro_rules! tiny {
    ($name:literal) => {
        Tiny {
            name: $name,
            config: include_str!(concat!("fixtures/", $name, "/config.json")),
            preprocessor: include_str!(concat!("fixtures/", $name, "/preprocessor_config.json")),
            weights: include_bytes!(concat!("fixtures/", $name, "/model.safetensors")),
            expected: include_bytes!(concat!("fixtures/", $name, "/expected.safetensors")),
        }
    };
}

const MODELS: [Tiny; 2] = [tiny!("hf_mobilevit"), tiny!("hf_mobilevit_model")];

impl Tiny {
    fn load(&self, precision: Precision, image_size: Option<[usize; 2]>) -> Loaded {
        self.load_from(self.weights, LoadOptions { precision: Some(precision), image_size, text_embeddings: None })
    }

    fn load_from(&self, weights: &[u8], options: LoadOptions) -> Loaded {
        let files = ConfigFiles { config: self.config, preprocessor: Some(self.preprocessor), processor: None };
        load(files, &weights.to_vec(), options).unwrap()
    }

    fn result(&self) -> &'static str {
        if SafeTensors::deserialize(self.expected).unwrap().tensor("logits").is_ok() { "logits" } else { "features" }
    }

    fn run(&self, model: &Loaded, pixels: &[f32], sink: &mut dyn Sink) -> Vec<f32> {
        let mut scratch = Scratch::new(&model.vit.config, model.precision).unwrap();
        let logits = model.vit.forward(pixels, &mut scratch, sink).unwrap().to_vec();
        if self.result() == "logits" { logits } else { scratch.features().to_vec() }
    }
}

/// What a pass shows, layer by layer.
struct Recorded {
    attentions: Vec<Array3<f32>>,
    hidden_states: Vec<Vec<f32>>,
}

impl Recorded {
    fn new(config: &Config) -> Self {
        let attention = |layer: usize| {
            let own = config.of_stage(config.stage_of(layer)[0]);
            let windows = Windows::new(own.grid(), &config.window(layer).unwrap()).unwrap();
            Array3::zeros((windows.count * own.heads, windows.n(), windows.n()))
        };
        Self { attentions: (0..config.layers).map(attention).collect(), hidden_states: Vec::new() }
    }
}

impl Sink for Recorded {
    fn attention(&mut self, layer: usize) -> Option<ArrayViewMut3<'_, f32>> {
        Some(self.attentions[layer].view_mut())
    }

    fn hidden_state(&mut self, depth: usize, stream: ArrayView2<'_, f32>) {
        assert_eq!(depth, self.hidden_states.len());
        self.hidden_states.push(stream.iter().copied().collect());
    }
}

#[test]
fn all_it_shows_equals_transformers() {
    let mut compared = 0;
    for model in &MODELS {
        for other in ["", "other/"] {
            let expected = |name: &str| floats(model.expected, &[other, name].concat());
            let file = SafeTensors::deserialize(model.expected).unwrap();
            let Ok(pixels) = file.tensor(&[other, "pixel_values"].concat()) else { continue };
            let size = [pixels.shape()[pixels.shape().len() - 2], pixels.shape()[pixels.shape().len() - 1]];
            let loaded = model.load(Precision::F32, Some(size));
            let mut recorded = Recorded::new(&loaded.vit.config);
            let result = model.run(&loaded, &expected("pixel_values"), &mut recorded);
            let close = |what: &str, ours: &[f32]| {
                let error = relative_error(ours, &expected(what));
                assert!(error < 1e-4, "{} {other}{what}: relative error {error:e}", model.name);
            };
            for (depth, stream) in recorded.hidden_states.iter().enumerate() {
                close(&format!("hidden_states.{depth}"), stream);
            }
            for (layer, attention) in recorded.attentions.iter().enumerate() {
                close(&format!("attentions.{layer}"), attention.as_slice().unwrap());
            }
            close(model.result(), &result);
            compared += 1;
        }
    }
    assert_eq!(compared, 3);
}

#[test]
fn int8_stays_close_and_files_of_it_give_the_same_bits() {
    for model in &MODELS {
        let (pixels, expected) = (floats(model.expected, "pixel_values"), floats(model.expected, model.result()));
        let directly = model.run(&model.load(Precision::Int8, None), &pixels, &mut ());
        let similarity = cosine(&directly, &expected);
        assert!(similarity > 0.99, "{}: cosine {similarity}", model.name);
        assert_eq!(argmax(&directly), argmax(&expected), "{}", model.name);
        let files = ConfigFiles { config: model.config, preprocessor: Some(model.preprocessor), processor: None };
        for (bits, least) in [(Bits::Eight, 0.99), (Bits::Four, 0.9)] {
            let file = quantize(files, &model.weights.to_vec(), bits, &mut |_| ()).unwrap();
            let loaded = model.load_from(&file, None.into());
            assert_eq!(loaded.precision, Precision::Int8);
            let ours = model.run(&loaded, &pixels, &mut ());
            let similarity = cosine(&ours, &expected);
            assert!(similarity > least, "{} in {bits:?}: cosine {similarity}", model.name);
            assert!(bits == Bits::Four || ours == directly, "{}", model.name);
        }
    }
}
