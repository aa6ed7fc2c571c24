//! A forward pass that leaves out heads or positions, or takes its patches in another order, gives what PyTorch's models give that are told the same
//! (`tests/fixtures/interventions.py`), and no other pass knows of it.

mod common;

use common::{FIXTURES, Fixture, floats, named, relative_error};
use ndarray::{Array2, Array3, Axis, s};
use safetensors::SafeTensors;
use vitscope::Classifier;
use vitscope::explain::{GradientMethod, Query, Trace};
use vitscope::model::{Intervention, Pooling};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const TOLERANCE: f32 = 1e-4;

/// What a fixture's tensor is called by: `without-heads=0.1,1.0 order=3,0,2,1`.
fn parse(name: &str) -> Intervention {
    let mut told = Intervention::default();
    for (option, value) in name.split(' ').map(|option| option.split_once('=').unwrap_or((option, ""))) {
        let numbers = |list: &str, by| list.split(by).map(|number| number.parse().unwrap()).collect::<Vec<usize>>();
        match option {
            "without-heads" => {
                told.without_heads = value.split(',').map(|head| numbers(head, '.').try_into().unwrap()).collect();
            }
            "without-positions" => told.without_positions = true,
            "order" => told.order = Some(numbers(value, ',')),
            other => panic!("nothing is called {other}"),
        }
    }
    told
}

/// Logits or features, and the trace, of a pass that is told this.
fn tell(fixture: &Fixture, model: &mut Classifier, pixels: &[f32], told: &Intervention) -> (Vec<f32>, Trace) {
    let mut trace = Trace::new(model.config()).unwrap();
    model.restart();
    model.intervene(told.clone()).unwrap();
    while model.advance(pixels, &mut trace, &|| true).unwrap() {}
    (if fixture.result() == "logits" { model.answer() } else { model.features() }.to_vec(), trace)
}

/// A few heads, and the patches back to front.
fn something(model: &Classifier) -> Intervention {
    let config = model.config();
    let order = (0..config.patches()).rev().collect();
    Intervention { without_heads: vec![[0, 0], [config.layers - 1, 1]], without_positions: false, order: Some(order) }
}

/// The picture with patch order[i] in place i.
fn in_order(model: &Classifier, order: &[usize], pixels: &[f32]) -> Vec<f32> {
    let config = model.config();
    let ([height, width], [ph, pw], [_, columns]) = (config.image_size, config.patch_size, config.grid());
    let image = Array3::from_shape_vec((3, height, width), pixels.to_vec()).unwrap();
    let mut ordered = image.clone();
    let window = |patch: usize| (patch / columns * ph, patch % columns * pw);
    for (place, patch) in order.iter().enumerate() {
        let ((y, x), (v, u)) = (window(place), window(*patch));
        ordered.slice_mut(s![.., y..y + ph, x..x + pw]).assign(&image.slice(s![.., v..v + ph, u..u + pw]));
    }
    ordered.into_raw_vec_and_offset().0
}

#[test]
fn answers_equal_pytorch() {
    let mut apart = Vec::new();
    for fixture in FIXTURES {
        let mut model = fixture.load(None).unwrap();
        let pixels = fixture.expected("pixel_values");
        let tensors = SafeTensors::deserialize(fixture.interventions).unwrap();
        assert_eq!(tensors.len(), 4, "{}", fixture.name);
        for name in tensors.names() {
            let (answer, _) = tell(fixture, &mut model, &pixels, &parse(name));
            let error = relative_error(&answer, &floats(fixture.interventions, name));
            if error.is_nan() || error >= TOLERANCE {
                apart.push(format!("{} {name}: relative error {error:e}", fixture.name));
            }
        }
    }
    assert!(apart.is_empty(), "{}", apart.join("\n"));
}

/// To the bit, in both precisions: nothing, the order that there is, and a picture that was put in order before.
#[test]
fn what_changes_nothing_changes_no_bit() {
    for fixture in FIXTURES {
        for dtype in ["f32", "int8"] {
            let mut model = fixture.load(Some(dtype)).unwrap();
            let pixels = fixture.expected("pixel_values");
            let plain = fixture.run(&mut model, &pixels);
            let order = |order: Vec<usize>| Intervention { order: Some(order), ..Intervention::default() };
            let same = order((0..model.config().patches()).collect());
            let turned: Vec<usize> = (0..model.config().patches()).rev().collect();
            let ordered = in_order(&model, &turned, &pixels);
            for (told, pixels) in [(Intervention::default(), &pixels), (same, &pixels), (order(turned), &ordered)] {
                assert_eq!(tell(fixture, &mut model, pixels, &told).0, plain, "{} {dtype} {told:?}", fixture.name);
            }
        }
    }
}

/// Without positions a ViT sees a set of patches: it answers the same in any order, and its tokens are in that order.
#[test]
fn without_positions_no_order_matters() {
    for fixture in FIXTURES {
        let mut model = fixture.load(None).unwrap();
        let pixels = fixture.expected("pixel_values");
        let (mut told, prefix) = (something(&model), model.config().prefix_tokens());
        told.without_positions = true;
        let (ordered, of_ordered) = tell(fixture, &mut model, &pixels, &told);
        let order = told.order.take().unwrap();
        let (plain, of_plain) = tell(fixture, &mut model, &pixels, &told);
        let error = relative_error(&ordered, &plain);
        assert!(error < 1e-5, "{}: {error:e}", fixture.name);

        let last = |trace: &Trace| trace.hidden_states.outer_iter().next_back().unwrap().to_owned();
        let rows: Vec<usize> = (0..prefix).chain(order.iter().map(|patch| prefix + patch)).collect();
        let error = relative_error(&flat(last(&of_ordered)), &flat(last(&of_plain).select(Axis(0), &rows)));
        assert!(error < 1e-5, "{}: {error:e}", fixture.name);
    }
}

/// A layer without any head adds the same to every token, its projection's bias: none hears of another. Its attention is recorded as it is.
#[test]
fn in_a_layer_without_heads_no_token_hears_of_another() {
    for name in ["hf_vit", "timm_beit", "timm_eva02_clip", "hf_dinov3", "hf_aimv2_native"] {
        let fixture = named(name);
        for dtype in ["f32", "int8"] {
            let mut model = fixture.load(Some(dtype)).unwrap();
            let (heads, pixels) = (model.config().heads, fixture.expected("pixel_values"));
            let all = Intervention { without_heads: (0..heads).map(|head| [0, head]).collect(), ..Default::default() };
            let (_, plain) = model.trace(&pixels).unwrap();
            let (_, muted) = tell(fixture, &mut model, &pixels, &all);
            let first = |trace: &Trace| trace.attentions.index_axis(Axis(0), 0).to_owned();
            assert_eq!(first(&muted), first(&plain), "{name} {dtype}");
            assert_ne!(muted.hidden_states, plain.hidden_states, "{name} {dtype}");

            // With the first patch's pixels changed only its own token is another behind that layer.
            let patch = model.config().prefix_tokens();
            let mut other = pixels.clone();
            other[0] += 3.0;
            let (_, changed) = tell(fixture, &mut model, &other, &all);
            let differ: Vec<usize> = (0..model.config().tokens())
                .filter(|token| {
                    muted.hidden_states.slice(s![1, *token, ..]) != changed.hidden_states.slice(s![1, *token, ..])
                })
                .collect();
            assert_eq!(differ, [patch], "{name} {dtype}");
        }
    }
}

/// Whatever the next pass is: another, a gradient's, a lens's, or one at another size; also where the pass before was left half way.
#[test]
fn no_other_pass_inherits_it() {
    for name in ["hf_vit", "hf_beit", "timm_rope_mixed_ape", "hf_siglip_zero_shot"] {
        let fixture = named(name);
        let pixels = fixture.expected("pixel_values");
        let everything = |model: &mut Classifier, disturb: &dyn Fn(&mut Classifier)| {
            let mut parts = Vec::new();
            disturb(model);
            let (logits, trace) = model.trace(&pixels).unwrap();
            parts.push(logits.to_vec());
            disturb(model);
            let method = GradientMethod::Chefer { query: Query::Mean };
            parts.push(model.attribute(&pixels, Some(1), method).unwrap().1);
            disturb(model);
            parts.push(flat(model.logit_lens(trace.hidden_states.view()).unwrap()));
            disturb(model);
            let size = model.config().image_size;
            let same_size = model.resized(size).unwrap().logits(&pixels).unwrap().to_vec();
            assert_eq!(same_size, parts[0], "{name}");
            parts
        };
        let mut model = fixture.load(None).unwrap();
        let plain = everything(&mut model, &|_| {});
        let told = Intervention { without_positions: true, ..something(&model) };
        for left_half_way in [false, true] {
            let after = everything(&mut model, &|model| {
                model.restart();
                model.intervene(told.clone()).unwrap();
                while model.advance(&pixels, &mut (), &|| true).unwrap() && !left_half_way {}
                assert!(left_half_way || model.answer() != plain[0], "{name}");
            });
            assert_eq!(after, plain, "{name}");
        }
    }
}

#[test]
fn what_is_not_there_is_a_typed_error_and_tells_nothing() {
    let fixture = named("hf_vit");
    let mut model = fixture.load(None).unwrap();
    let pixels = fixture.expected("pixel_values");
    let plain = model.logits(&pixels).unwrap().to_vec();
    let heads = |without_heads| Intervention { without_heads, ..Intervention::default() };
    let order = |order: Vec<usize>| Intervention { order: Some(order), ..Intervention::default() };
    for (told, parts) in [
        (heads(vec![[0, 0], [3, 0]]), ["layer 3", "has 3"]),
        (heads(vec![[2, 4]]), ["head 4", "has 4"]),
        (order((0..15).collect()), ["15 patches", "all 16"]),
        (order((0..17).collect()), ["17 patches", "all 16"]),
        (order((1..17).collect()), ["patch 16", "has 16"]),
        (order((0..15).chain([3]).collect()), ["patch 3 twice", "each once"]),
    ] {
        model.restart();
        let error = model.intervene(told).unwrap_err();
        assert_eq!(error.code(), "invalid-argument");
        for part in parts {
            assert!(error.to_string().contains(part), "`{error}` should mention `{part}`");
        }
        while model.advance(&pixels, &mut (), &|| false).unwrap() {}
        assert_eq!(model.answer(), plain);
    }
}

/// The fixtures hold whatever tells a model where a patch is, and every way of pooling.
#[test]
fn every_kind_of_position_has_a_reference() {
    let models: Vec<_> = FIXTURES.iter().map(|fixture| fixture.load(None).unwrap()).collect();
    for kind in ["learned", "sinusoidal", "relative", "rotary", "learned-relative", "learned-rotary"] {
        assert!(models.iter().any(|model| model.config().positions.name() == kind), "{kind}");
    }
    for pooling in [Pooling::Cls, Pooling::Mean, Pooling::ClsMean, Pooling::ClsDistillation, Pooling::Attention] {
        assert!(models.iter().any(|model| model.config().pooling == pooling), "{pooling:?}");
    }
}

fn flat(array: Array2<f32>) -> Vec<f32> {
    array.into_raw_vec_and_offset().0
}
