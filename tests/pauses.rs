//! Passes that are left between two blocks: whoever goes on with one gets the same bits, and whoever doesn't leaves nothing behind.

mod common;

use common::FIXTURES;
use std::cell::Cell;
use vitscope::Classifier;
use vitscope::explain::{Dropping, GradientMethod, Occlusion, Query, Trace};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn a_pass_that_pauses_after_every_block_gives_the_same_bits() {
    for fixture in FIXTURES {
        for dtype in ["f32", "int8"] {
            let mut model = fixture.load(Some(dtype)).unwrap();
            let pixels = fixture.expected("pixel_values");
            let (logits, whole) = model.trace(&pixels).unwrap();
            let logits = logits.to_vec();

            let mut trace = Trace::new(model.config()).unwrap();
            let mut pauses = 0;
            while model.advance(&pixels, &mut trace, &|| true).unwrap() {
                pauses += 1;
            }
            assert_eq!(pauses, model.config().layers - 1, "{}", fixture.name);
            assert_eq!(model.answer(), logits, "{} {dtype}", fixture.name);
            assert_eq!(trace.attentions, whole.attentions, "{} {dtype}", fixture.name);
            assert_eq!(trace.hidden_states, whole.hidden_states, "{} {dtype}", fixture.name);
        }
    }
}

#[test]
fn a_pass_that_was_left_does_not_show_in_the_next() {
    for fixture in FIXTURES {
        let mut model = fixture.load(Some("int8")).unwrap();
        let pixels = fixture.expected("pixel_values");
        if model.config().layers == 1 {
            continue; // there is nothing to leave it between
        }
        let logits = model.logits(&pixels).unwrap().to_vec();
        let others: Vec<f32> = pixels.iter().map(|x| 1.0 - x).collect();
        assert!(model.advance(&others, &mut (), &|| true).unwrap(), "{}", fixture.name);
        model.restart();
        while model.advance(&pixels, &mut (), &|| true).unwrap() {}
        assert_eq!(model.answer(), logits, "{}", fixture.name);

        assert!(model.advance(&others, &mut (), &|| true).unwrap(), "{}", fixture.name);
        assert_eq!(model.logits(&pixels).unwrap(), logits, "{}", fixture.name);
    }
}

#[test]
fn maps_that_pause_are_the_same_maps() {
    for fixture in FIXTURES.iter().filter(|fixture| fixture.result() == "logits") {
        let mut model = fixture.load(None).unwrap();
        let pixels = fixture.expected("pixel_values");
        let layers = model.config().layers;
        for method in [GradientMethod::Chefer { query: Query::Mean }, GradientMethod::GradCam { layer: 0 }] {
            let whole = model.attribute(&pixels, None, method).unwrap();
            // One that is left for good, in the middle of either pass.
            for steps in [layers - 1, 2 * layers - 2] {
                let mut left = model.attribution(None, method).unwrap();
                for _ in 0..steps {
                    assert!(model.attribute_step(&pixels, &mut left, &|| true).unwrap(), "{}", fixture.name);
                }
            }
            let mut work = model.attribution(None, method).unwrap();
            let asked = Cell::new(0);
            let pause = || {
                asked.set(asked.get() + 1);
                true
            };
            while model.attribute_step(&pixels, &mut work, &pause).unwrap() {}
            assert_eq!(asked.get(), 2 * layers - 2, "{}", fixture.name);
            assert_eq!((work.target().unwrap(), work.map()), whole, "{}", fixture.name);
        }

        let seen = Occlusion::new(&model.config().into(), None, None).unwrap().seen();
        let scores = |pause: &dyn Fn() -> bool, model: &mut Classifier| {
            let mut dropping = Dropping::new(seen.clone(), None);
            while model.step(&pixels, &mut dropping, pause).unwrap() {}
            (dropping.target(), dropping.scores().to_vec())
        };
        let whole = scores(&|| false, &mut model);
        assert_eq!(scores(&|| true, &mut model), whole, "{}", fixture.name);
        assert_eq!(whole.1.len(), seen.len());
    }
}
