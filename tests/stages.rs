//! Models of stages and windows give PyTorch's numbers: timm and transformers on seeded tiny models.

mod common;

use common::{Fixture, STAGED, argmax, cosine, named, relative_error};
use ndarray::{Array3, Array4, ArrayViewMut3, Axis, s};
use std::ops::Range;
use vitscope::Classifier;
use vitscope::checkpoint::quantize;
use vitscope::explain::StagedTrace;
use vitscope::model::{Precision, Sink};
use vitscope::quant::Bits;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const TOLERANCE: f32 = 1e-4;

/// What a model makes of the recorded input, `of` that or of the one of another size.
fn check(fixture: &Fixture, model: &mut Classifier, of: &str) {
    let expected = |name: &str| fixture.expected(&[of, name].concat());
    let mut trace = StagedTrace::new(model.config()).unwrap();
    model.watch(&expected("pixel_values"), &mut trace).unwrap();
    let close = |what: &str, ours: &[f32]| {
        let error = relative_error(ours, &expected(what));
        assert!(error < TOLERANCE, "{} {of}{what}: relative error {error:e}", fixture.name);
    };
    for (layer, attention) in trace.attentions.iter().enumerate() {
        close(&format!("attentions.{layer}"), attention.as_slice().unwrap());
    }
    for (depth, stream) in trace.hidden_states.iter().enumerate() {
        close(&format!("hidden_states.{depth}"), stream.as_slice().unwrap());
    }
    close(fixture.result(), &fixture.run(model, &expected("pixel_values")));
}

#[test]
fn f32_results_attentions_and_hidden_states_equal_pytorch() {
    for fixture in STAGED {
        check(fixture, &mut fixture.load(None).unwrap(), "");
    }
}

/// Patches, windows and merges are padded as the library does it.
#[test]
fn f32_results_at_another_size_equal_pytorch() {
    let mut compared = 0;
    for (fixture, size) in STAGED.iter().filter_map(|fixture| Some((fixture, fixture.other_size()?))) {
        check(fixture, &mut fixture.load_at(Some(size), None).unwrap(), "other/");
        compared += 1;
    }
    assert!(compared > 3);
}

/// Recording must watch the pass, not change it.
#[test]
fn watching_changes_no_bit() {
    for fixture in STAGED {
        let pixels = fixture.expected("pixel_values");
        for dtype in ["f32", "int8"] {
            let mut model = fixture.load(Some(dtype)).unwrap();
            let plain = fixture.run(&mut model, &pixels);
            let mut trace = StagedTrace::new(model.config()).unwrap();
            model.watch(&pixels, &mut trace).unwrap();
            let watched = if fixture.result() == "logits" { model.answer() } else { model.features() }.to_vec();
            assert_eq!(plain, watched, "{} {dtype}", fixture.name);
            for row in trace.attentions.iter().flat_map(|layer| layer.rows()) {
                assert!((row.sum() - 1.0).abs() < 1e-5 && row.iter().all(|p| (0.0..=1.0).contains(p)));
            }
        }
    }
}

/// Tiny random models are the hard case for int8: no redundancy to hide the rounding.
#[test]
fn int8_stays_close_to_f32_and_its_files_give_the_same_bits() {
    for fixture in STAGED {
        let pixels = fixture.expected("pixel_values");
        let ours = fixture.run(&mut fixture.load(Some("int8")).unwrap(), &pixels);
        let expected = fixture.expected(fixture.result());
        let cosine = cosine(&ours, &expected);
        assert!(cosine > 0.98, "{}: cosine {cosine}", fixture.name);
        assert_eq!(argmax(&ours), argmax(&expected), "{}", fixture.name);

        let file = quantize(fixture.files(), &*fixture.source(), Bits::Eight, &mut |_| ()).unwrap();
        let small = Fixture { weights: file.leak(), ..*fixture };
        let mut model = small.load(None).unwrap();
        assert_eq!(model.precision(), Precision::Int8);
        assert_eq!(small.run(&mut model, &pixels), ours, "{}", fixture.name);
    }
}

/// The rows of some queries, where tokens see all.
struct Few {
    queries: Vec<Range<usize>>,
    rows: Vec<Option<Array3<f32>>>,
}

impl Sink for Few {
    fn rows(&mut self, layer: usize) -> Option<(Vec<Range<usize>>, ArrayViewMut3<'_, f32>)> {
        Some((self.queries.clone(), self.rows[layer].as_mut()?.view_mut()))
    }
}

/// Whoever wants few rows of attention gets those that all rows have, and the pass is the same.
#[test]
fn rows_of_queries_are_those_of_all() {
    let mut compared = 0;
    for fixture in [named("hf_vit"), named("timm_beit")].into_iter().chain(STAGED) {
        for dtype in ["f32", "int8"] {
            let (mut model, pixels) = (fixture.load(Some(dtype)).unwrap(), fixture.expected("pixel_values"));
            let mut all = StagedTrace::new(model.config()).unwrap();
            model.watch(&pixels, &mut all).unwrap();
            let queries = vec![2..3, 0..0, 1..all.attentions.last().unwrap().dim().3];
            let row = |layer: &Array4<f32>| Array3::from_elem((layer.dim().1, queries.len(), layer.dim().3), 9.0);
            let global = |layer: usize| model.config().window(layer).is_none();
            let rows = all.attentions.iter().enumerate().map(|(i, layer)| global(i).then(|| row(layer))).collect();
            let mut some = Few { queries: queries.clone(), rows };
            let (features, before) = (|model: &Classifier| model.features().to_vec(), model.features().to_vec());
            model.watch(&pixels, &mut some).unwrap();
            assert_eq!(features(&model), before, "{} {dtype}", fixture.name);
            for (rows, all) in some.rows.iter().zip(&all.attentions) {
                let Some(rows) = rows else { continue };
                for (rows, all) in rows.outer_iter().zip(all.index_axis(Axis(0), 0).outer_iter()) {
                    for (query, row) in queries.iter().zip(rows.outer_iter()) {
                        let own = all.slice(s![query.clone(), ..]);
                        let mean = own.sum_axis(Axis(0)) / query.len().max(1) as f32;
                        assert!(row.iter().zip(&mean).all(|(a, b)| (a - b).abs() < 1e-6), "{} {dtype}", fixture.name);
                        assert!(query.len() != 1 || row == own.index_axis(Axis(0), 0), "not the same bits");
                    }
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 0);
}

/// One array has no room for layers that differ.
#[test]
fn a_trace_in_one_array_is_a_plain_vits() {
    for fixture in STAGED {
        let mut model = fixture.load(None).unwrap();
        let error = model.trace(&fixture.expected("pixel_values")).err().unwrap();
        assert_eq!(error.code(), "invalid-argument");
        assert!(error.to_string().contains("StagedTrace"), "{error}");
    }
}
