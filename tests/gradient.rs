//! The backward pass against central differences of the forward pass, on every tiny model that has classes, and on all with classes given.

mod common;

use common::{FIXTURES, Fixture, cosine, named, relative_error, some_classes};
use ndarray::{Array1, Array2, Array3, ArrayView2, ArrayView3, Axis, s};
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

    /// With classes given in place of its own, if it has any.
    fn with_classes(self, precision: Precision) -> Self {
        let vit = self.vit.with_classes(&some_classes(self.vit.config.feature_size()), precision).unwrap();
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

impl Gradients {
    fn hidden_state(&self, depth: usize) -> ArrayView2<'_, f32> {
        self.hidden_states.iter().find(|(shown, _)| *shown == depth).unwrap().1.view()
    }
}

fn with_classes() -> impl Iterator<Item = &'static Fixture> {
    FIXTURES.iter().filter(|fixture| fixture.result() == "logits")
}

/// The recorded input, less bright: at that itself a ReLU of `hf_vit_relu` is about to switch, and there is no derivative.
fn pixels_of(fixture: &Fixture) -> Vec<f32> {
    fixture.expected("pixel_values").iter().map(|x| 0.9 * x).collect()
}

fn inner(a: ArrayView2<f32>, b: ArrayView2<f64>) -> f32 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * b).sum::<f64>() as f32
}

/// The chain rule at every depth: how a logit moves with the pixels is the inner product of its gradient by a stream with how that stream moves.
///
/// Both derivatives are five-point differences over ±0.008 a pixel, 8 (f(h/2) − f(−h/2)) − (f(h) − f(−h)), which leave errors of fifth order. What
/// remains is f32, whose rounding is 1e-4 of so small a difference. A term that is missing or twice there moves the product by
/// a percent at least.
#[test]
fn gradients_equal_finite_differences() {
    const STEP: f32 = 0.008;
    let mut compared = 0;
    let own = with_classes().map(|fixture| (fixture, Model::new(fixture, Precision::F32)));
    let given = FIXTURES.iter().map(|fixture| {
        let model = Model::new(fixture, Precision::F32);
        (fixture, model.with_classes(Precision::F32))
    });
    for (fixture, mut model) in own.chain(given) {
        let pixels = pixels_of(fixture);
        let (logits, trace) = model.run(&pixels);
        let gradients: Vec<_> = (0..logits.len()).map(|target| model.gradients(&trace, target, 0)).collect();

        let mut rng = fastrand::Rng::with_seed(1);
        let direction: Vec<f32> = pixels.iter().map(|_| if rng.bool() { STEP } else { -STEP }).collect();
        let mut moved = Array1::<f64>::zeros(logits.len());
        let mut streams_moved = Array3::<f64>::zeros(trace.hidden_states.dim());
        for (weight, place) in [(8.0, 0.5), (-8.0, -0.5), (-1.0, 1.0), (1.0, -1.0)] {
            let pixels: Vec<f32> = pixels.iter().zip(&direction).map(|(x, d)| x + place * d).collect();
            let (logits, trace) = model.run(&pixels);
            moved.scaled_add(weight, &Array1::from_vec(logits).mapv(f64::from));
            streams_moved.scaled_add(weight, &trace.hidden_states.mapv(f64::from));
        }
        let expected: Vec<f32> = moved.iter().map(|x| *x as f32).collect();
        for (depth, moved) in streams_moved.outer_iter().enumerate() {
            let ours: Vec<f32> =
                gradients.iter().map(|gradients| inner(gradients.hidden_state(depth), moved)).collect();
            let error = relative_error(&ours, &expected);
            assert!(error < 5e-4, "{} at depth {depth}: relative error {error:e}", fixture.name);
            compared += 1;
        }
    }
    assert!(compared > 300);
}

/// What is computed again is what the forward pass had.
#[test]
fn attention_is_that_of_the_forward_pass() {
    for fixture in with_classes() {
        let mut model = Model::new(fixture, Precision::F32);
        let (_, trace) = model.run(&fixture.expected("pixel_values"));
        for (layer, attention, _) in model.gradients(&trace, 0, 0).attentions {
            let expected = trace.attentions.index_axis(Axis(0), layer);
            let expected = expected.slice(s![.., ..attention.dim().1, ..]);
            assert!((&attention - &expected).iter().all(|d| d.abs() < 1e-6), "{} layer {layer}", fixture.name);
        }
    }
}

/// Restored matrices and the streams of the int8 pass give the gradients of the f32 model, as far as tiny models without redundancy allow.
#[test]
fn int8_gradients_are_those_of_f32_nearly() {
    for fixture in with_classes() {
        let pixels = pixels_of(fixture);
        let [f32, int8] = [Precision::F32, Precision::Int8].map(|precision| {
            let mut model = Model::new(fixture, precision);
            let trace = model.run(&pixels).1;
            model.gradients(&trace, model.vit.config.classes().min(2) - 1, 0)
        });
        let close = |what: &str, layer: usize, ours: &[f32], expected: &[f32]| {
            let cosine = cosine(ours, expected);
            assert!(cosine > 0.99, "{} {what} {layer}: cosine {cosine}", fixture.name);
        };
        for ((layer, ours), (_, expected)) in int8.hidden_states.iter().zip(&f32.hidden_states) {
            close("hidden state", *layer, ours.as_slice().unwrap(), expected.as_slice().unwrap());
        }
        for ((layer, _, ours), (_, _, expected)) in int8.attentions.iter().zip(&f32.attentions) {
            close("attention", *layer, ours.as_slice().unwrap(), expected.as_slice().unwrap());
        }
        // Channels of an int8 model are equalised: a token's is smaller by the factor by which its gradient is larger, and what counts is their product.
        for ((layer, tokens, ours), (_, plain, expected)) in int8.normalised.iter().zip(&f32.normalised) {
            let (ours, expected) = (tokens * ours, plain * expected);
            close("normalised tokens", *layer, ours.as_slice().unwrap(), expected.as_slice().unwrap());
        }
    }
}

/// Explanations of late layers don't pay for the early ones, and get the same numbers.
#[test]
fn goes_from_the_last_block_to_the_one_asked_for() {
    let fixture = named("hf_vit");
    let mut model = Model::new(fixture, Precision::F32);
    let (_, trace) = model.run(&fixture.expected("pixel_values"));
    let (all, some) = (model.gradients(&trace, 2, 0), model.gradients(&trace, 2, 1));
    let layers = |gradients: &Gradients| gradients.attentions.iter().map(|(layer, ..)| *layer).collect::<Vec<_>>();
    let depths = |gradients: &Gradients| gradients.hidden_states.iter().map(|(depth, _)| *depth).collect::<Vec<_>>();
    assert_eq!((layers(&all), depths(&all)), (vec![2, 1, 0], vec![3, 2, 1, 0]));
    assert_eq!((layers(&some), depths(&some)), (vec![2, 1], vec![3, 2, 1]));
    assert_eq!(some.hidden_states[..], all.hidden_states[..3]);
    assert_eq!(some.attentions[..], all.attentions[..2]);
    assert_eq!(some.normalised[..], all.normalised[..2]);
}

#[test]
fn impossible_arguments_are_errors_that_say_what_is_possible() {
    let problem = |fixture: &str, target: usize, down_to: usize, cut: usize| {
        let mut model = Model::new(named(fixture), Precision::F32);
        let (_, trace) = model.run(&named(fixture).expected("pixel_values"));
        let states = trace.hidden_states.slice(s![cut.., .., ..]);
        let error = model.vit.backward(states, target, down_to, &mut Gradients::default()).unwrap_err();
        assert_eq!(error.code(), "invalid-argument");
        error.to_string()
    };
    assert!(problem("hf_vit", 11, 0, 0).contains("0..=10"));
    assert!(problem("hf_vit", 0, 3, 0).contains("0..=2"));
    assert!(problem("hf_vit", 0, 0, 1).contains("4 × 17 × 36"));
    assert!(problem("hf_vit_model", 0, 0, 0).contains("has no head"));
}
