//! The backward pass against central differences of the forward pass, on every tiny model that has classes.

mod common;

use common::{FIXTURES, Fixture, cosine, relative_error};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, s};
use vitscope::checkpoint::{LoadOptions, load};
use vitscope::explain::Trace;
use vitscope::model::{GradientSink, Precision, Scratch, Vit};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A model with its memory.
struct Model {
    vit: Vit,
    scratch: Scratch,
}

impl Model {
    fn new(fixture: &Fixture, precision: Precision) -> Self {
        let text = fixture.text_embeddings.map(<[u8]>::to_vec);
        let text_embeddings = text.as_ref().map(|text| text as _);
        let options = LoadOptions { precision: Some(precision), text_embeddings, ..LoadOptions::default() };
        let vit = load(fixture.files(), &*fixture.source(), options).unwrap().vit;
        let scratch = Scratch::new(&vit.config, precision).unwrap();
        Self { vit, scratch }
    }

    fn run(&mut self, pixels: &[f32]) -> (Vec<f32>, Trace) {
        let mut trace = Trace::new(&self.vit.config).unwrap();
        let logits = self.vit.forward(pixels, &mut self.scratch, &mut trace).unwrap().to_vec();
        (logits, trace)
    }

    fn gradients(&self, trace: &Trace, target: usize, down_to: usize) -> Gradients {
        let mut gradients = Gradients::default();
        self.vit.backward(trace.hidden_states.view(), target, down_to, &mut gradients).unwrap();
        gradients
    }
}

/// Everything a backward pass shows, in its order.
#[derive(Default)]
struct Gradients {
    hidden_states: Vec<(usize, Array2<f32>)>,
    attentions: Vec<(usize, Array3<f32>, Array3<f32>)>,
    normalised: Vec<(usize, Array2<f32>, Array2<f32>)>,
}

impl GradientSink for Gradients {
    fn hidden_state(&mut self, depth: usize, gradient: ArrayView2<'_, f32>) {
        self.hidden_states.push((depth, gradient.to_owned()));
    }

    fn attention(&mut self, layer: usize, attention: ArrayView3<'_, f32>, gradient: ArrayView3<'_, f32>) {
        self.attentions.push((layer, attention.to_owned(), gradient.to_owned()));
    }

    fn normalised(&mut self, layer: usize, tokens: ArrayView2<'_, f32>, gradient: ArrayView2<'_, f32>) {
        self.normalised.push((layer, tokens.to_owned(), gradient.to_owned()));
    }
}

fn inner(a: ArrayView2<f32>, b: ArrayView2<f32>) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[test]
fn explore() {
    for fixture in FIXTURES.iter().filter(|fixture| fixture.result() == "logits") {
        let mut model = Model::new(fixture, Precision::F32);
        let pixels = fixture.expected("pixel_values");
        let (_, trace) = model.run(&pixels);
        let layers = model.vit.config.layers;
        let gradients: Vec<_> = (0..model.vit.config.classes()).map(|c| model.gradients(&trace, c, 0)).collect();
        for step in [0.1f32, 0.03, 0.01, 0.003] {
            let mut rng = fastrand::Rng::with_seed(1);
            let direction: Vec<f32> = pixels.iter().map(|_| if rng.bool() { step } else { -step }).collect();
            let mut moved = |sign: f32| {
                let pixels: Vec<f32> = pixels.iter().zip(&direction).map(|(x, d)| x + sign * d).collect();
                model.run(&pixels)
            };
            let (above, below) = (moved(1.0), moved(-1.0));
            let expected: Vec<f32> = above.0.iter().zip(&below.0).map(|(a, b)| a - b).collect();
            let mut errors = vec![];
            for depth in 0..=layers {
                let difference = &above.1.hidden_states.slice(s![depth, .., ..]) - &below.1.hidden_states.slice(s![depth, .., ..]);
                let ours: Vec<f32> = gradients.iter().map(|g| inner(g.hidden_states[layers - depth].1.view(), difference.view()) as f32).collect();
                errors.push(relative_error(&ours, &expected));
            }
            println!("{} {step}: {:.1e?}", fixture.name, errors);
        }
    }
}
