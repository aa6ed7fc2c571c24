//! Channels many times louder than the rest, as trained ViTs have them, cost an int8 model nothing.

mod common;

use common::{cosine, relative_error};
use serde_json::json;
use std::collections::BTreeMap;
use vitscope::Classifier;
use vitscope::checkpoint::{ConfigFiles, Values, quantize, write};
use vitscope::model::Precision;
use vitscope::quant::Bits;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const WIDTH: usize = 192;
const MLP: usize = 2 * WIDTH;
const LAYERS: usize = 4;
const CLASSES: usize = 100;
const PATCH: usize = 8;
const IMAGE: usize = 40;
const INPUTS: usize = 6;

/// How many times louder.
const FACTOR: f32 = 50.0;

/// A seeded Hugging Face ViT by its tensors.
struct Model {
    config: String,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

/// Normal deviates, nearly.
fn normal(rng: &mut fastrand::Rng) -> f32 {
    (0..12).map(|_| rng.f32()).sum::<f32>() - 6.0
}

impl Model {
    fn new(activation: &str) -> Self {
        let mut rng = fastrand::Rng::with_seed(17);
        let mut tensors = BTreeMap::new();
        // `around` + a normal deviate of this size.
        let mut add = |name: String, shape: &[usize], around: f32, size: f32| {
            let values = (0..shape.iter().product()).map(|_| around + size * normal(&mut rng)).collect();
            tensors.insert(name, (shape.to_vec(), values));
        };
        let tokens = 1 + (IMAGE / PATCH).pow(2);
        add("vit.embeddings.cls_token".into(), &[1, 1, WIDTH], 0.0, 0.5);
        add("vit.embeddings.position_embeddings".into(), &[1, tokens, WIDTH], 0.0, 0.5);
        let patch = 3 * PATCH * PATCH;
        let size = 1.0 / (patch as f32).sqrt();
        add("vit.embeddings.patch_embeddings.projection.weight".into(), &[WIDTH, 3, PATCH, PATCH], 0.0, size);
        add("vit.embeddings.patch_embeddings.projection.bias".into(), &[WIDTH], 0.0, 0.1);
        let mut linear = |name: &str, outputs: usize, inputs: usize| {
            add(format!("{name}.weight"), &[outputs, inputs], 0.0, 1.0 / (inputs as f32).sqrt());
            add(format!("{name}.bias"), &[outputs], 0.0, 0.1);
        };
        linear("classifier", CLASSES, WIDTH);
        for layer in 0..LAYERS {
            let name = |part: &str| format!("vit.encoder.layer.{layer}.{part}");
            for part in ["query", "key", "value"] {
                linear(&name(&format!("attention.attention.{part}")), WIDTH, WIDTH);
            }
            linear(&name("attention.output.dense"), WIDTH, WIDTH);
            linear(&name("intermediate.dense"), MLP, WIDTH);
            linear(&name("output.dense"), WIDTH, MLP);
        }
        let mut norm = |name: String| {
            add(format!("{name}.weight"), &[WIDTH], 1.0, 0.1);
            add(format!("{name}.bias"), &[WIDTH], 0.0, 0.1);
        };
        norm("vit.layernorm".into());
        for layer in 0..LAYERS {
            norm(format!("vit.encoder.layer.{layer}.layernorm_before"));
            norm(format!("vit.encoder.layer.{layer}.layernorm_after"));
        }
        let config = json!({
            "model_type": "vit", "architectures": ["ViTForImageClassification"], "hidden_size": WIDTH, "num_hidden_layers": LAYERS,
            "num_attention_heads": 3, "intermediate_size": MLP, "hidden_act": activation, "image_size": IMAGE, "patch_size": PATCH,
        });
        Self { config: config.to_string(), tensors }
    }

    fn values(&mut self, layer: usize, part: &str) -> &mut [f32] {
        &mut self.tensors.get_mut(&format!("vit.encoder.layer.{layer}.{part}")).unwrap().1
    }

    /// Makes the first `channels` of a norm louder, and those that read them deaf to it.
    fn with_loud_norms(mut self, channels: usize) -> Self {
        for layer in 0..LAYERS {
            let readers = ["query", "key", "value"].map(|part| format!("attention.attention.{part}.weight"));
            for (norm, readers) in
                [("layernorm_before", &readers[..]), ("layernorm_after", &["intermediate.dense.weight".into()][..])]
            {
                for part in ["weight", "bias"] {
                    let values = self.values(layer, &format!("{norm}.{part}"));
                    values[..channels].iter_mut().for_each(|x| *x *= FACTOR);
                }
                readers.iter().for_each(|reader| self.quieten_columns(layer, reader, WIDTH, channels));
            }
        }
        self
    }

    /// The same for the rows of a linear layer and the one that reads it.
    fn with_loud_rows(mut self, [layer, next]: [&str; 2], inputs: [usize; 2], channels: usize) -> Self {
        for block in 0..LAYERS {
            self.values(block, &format!("{layer}.weight"))[..channels * inputs[0]]
                .iter_mut()
                .for_each(|w| *w *= FACTOR);
            self.values(block, &format!("{layer}.bias"))[..channels].iter_mut().for_each(|b| *b *= FACTOR);
            self.quieten_columns(block, &format!("{next}.weight"), inputs[1], channels);
        }
        self
    }

    fn with_loud_values(self) -> Self {
        self.with_loud_rows(["attention.attention.value", "attention.output.dense"], [WIDTH; 2], 8)
    }

    fn quieten_columns(&mut self, layer: usize, matrix: &str, inputs: usize, channels: usize) {
        let rows = self.values(layer, matrix).chunks_exact_mut(inputs);
        rows.for_each(|row| row[..channels].iter_mut().for_each(|w| *w /= FACTOR));
    }

    fn files(&self) -> ConfigFiles<'_> {
        ConfigFiles { config: &self.config, preprocessor: None, processor: None }
    }

    fn file(&self) -> Vec<u8> {
        let tensors = self.tensors.iter();
        let tensors = tensors.map(|(name, (shape, values))| (name.clone(), shape.clone(), Values::F32(values.clone())));
        write(tensors.collect(), None).unwrap()
    }

    /// Mean cosine of the logits in int8 to those in f32.
    fn int8_cosine(&self) -> f64 {
        let file = self.file();
        let mut models = [Precision::F32, Precision::Int8]
            .map(|precision| Classifier::load(self.files(), &file, Some(precision)).unwrap());
        let mut rng = fastrand::Rng::with_seed(3);
        let mut sum = 0.0;
        for _ in 0..INPUTS {
            let pixels: Vec<f32> = (0..3 * IMAGE * IMAGE).map(|_| normal(&mut rng)).collect();
            let [f32, int8] = models.each_mut().map(|model| model.logits(&pixels).unwrap().to_vec());
            sum += cosine(&int8, &f32);
        }
        sum / INPUTS as f64
    }
}

#[test]
fn loud_channels_cost_nothing() {
    let plain = Model::new("gelu").int8_cosine();
    assert!(plain > 0.9994, "{plain}");
    let relu = Model::new("relu").with_loud_rows(["intermediate.dense", "output.dense"], [WIDTH, MLP], 8);
    let models = [
        ("1 channel of the norms", Model::new("gelu").with_loud_norms(1)),
        ("4 channels of the norms", Model::new("gelu").with_loud_norms(4)),
        ("16 channels of the norms", Model::new("gelu").with_loud_norms(16)),
        ("8 channels of the values", Model::new("gelu").with_loud_values()),
        ("both", Model::new("gelu").with_loud_norms(4).with_loud_values()),
        ("8 channels of an MLP with ReLU", relu),
    ];
    for (what, model) in models {
        let loud = model.int8_cosine();
        println!("{what}: {loud:.5}, {plain:.5} without");
        assert!(loud > plain - 2e-4, "{what}: {loud}, {plain} without");
    }
}

/// Nor has 4 bits trouble with them.
#[test]
fn four_bits_are_of_equalised_weights_too() {
    let model = Model::new("gelu").with_loud_norms(16).with_loud_values();
    let plain = Model::new("gelu");
    let error = |model: &Model| {
        let file = quantize(model.files(), &model.file(), Bits::Four, &mut |_| {}).unwrap();
        let mut models = [(model.file(), Precision::F32), (file, Precision::Int8)]
            .map(|(file, precision)| Classifier::load(model.files(), &file, Some(precision)).unwrap());
        let pixels: Vec<f32> = (0..3 * IMAGE * IMAGE).map(|i| (i as f32).sin()).collect();
        let [f32, four] = models.each_mut().map(|model| model.logits(&pixels).unwrap().to_vec());
        relative_error(&four, &f32)
    };
    assert!(error(&model) < 1.5 * error(&plain), "{}, {} without", error(&model), error(&plain));
}
