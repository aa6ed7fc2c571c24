//! What happens inside a block and to a patch is what PyTorch's own modules compute there (`tests/fixtures/inside.py`), and in the checkpoint's own scale.

mod common;

use common::edit::rewritten;
use common::{FIXTURES, Fixture, floats, named, relative_error};
use ndarray::{Axis, s};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::str::FromStr;
use vitscope::Classifier;
use vitscope::checkpoint::LoadOptions;
use vitscope::explain::{Inside, Query, Shape, Trace};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const TOLERANCE: f32 = 1e-4;

macro_rules! references {
    ($($name:literal)*) => {
        &[$(($name, include_bytes!(concat!("fixtures/", $name, "/inside.safetensors")))),*]
    };
}

/// Fixtures with what PyTorch computes inside.
const REFERENCES: &[(&str, &[u8])] = references!(
    "hf_aimv2_native" "hf_beit" "hf_beit_shared" "hf_clip" "hf_deit" "hf_dinov2_reg" "hf_dinov2_swiglu" "hf_dinov3" "hf_dinov3_gated" "hf_siglip" "hf_vit"
    "hf_vit_relu" "timm_aimv2" "timm_aimv2_cls" "timm_beit" "timm_beit3" "timm_deit_distilled" "timm_dinov2_swiglu" "timm_dinov3_plus" "timm_eva02"
    "timm_eva02_clip" "timm_gap" "timm_pe_core" "timm_qk_norm" "timm_rope_mixed_ape" "timm_siglip" "timm_vit"
);

/// A model that has seen an image.
struct Seen {
    model: Classifier,
    pixels: Vec<f32>,
    trace: Trace,
}

impl Seen {
    fn new(mut model: Classifier, pixels: Vec<f32>) -> Self {
        let (_, trace) = model.trace(&pixels).unwrap();
        Self { model, pixels, trace }
    }

    fn of(fixture: &Fixture) -> Self {
        Self::new(fixture.load(Some("f32")).unwrap(), fixture.expected("pixel_values"))
    }

    /// What is looked into: a block with all that takes part.
    fn inside(&self, layer: usize) -> Inside<'_> {
        let stream = self.trace.hidden_states.index_axis(Axis(0), layer).to_slice().unwrap();
        Inside { layer, stream, grid: self.model.config().grid(), positions: true, without: &[] }
    }

    /// The part of a view, as the fixtures name it: `query scores layer=1 head=0 query=cls`; nothing where the model has none such.
    fn show(&self, name: &str) -> Option<Vec<f32>> {
        let mut words = name.split(' ');
        let (view, part) = (words.next().unwrap(), words.next().unwrap());
        let options: BTreeMap<_, _> = name.split(' ').filter_map(|word| word.split_once('=')).collect();
        let query = options.get("query").map(|query| query.parse::<Query>().unwrap());
        let whole = |key: &str| options.get(key).map(|number| usize::from_str(number).unwrap());
        let inside = whole("layer").map(|layer| self.inside(layer));
        match view {
            "query" => {
                let (_, seen) = self.model.head_inside(inside?, whole("head")?, query).unwrap();
                let [q, k] = seen.unturned.map_or([None, None], |unturned| unturned.map(Some));
                match part {
                    "q" => Some(seen.q),
                    "k" => Some(seen.k),
                    "v" => Some(seen.v),
                    "bias" => seen.bias,
                    "unturned-q" => q,
                    "unturned-k" => k,
                    "scores" => Some(seen.scores),
                    "attention" => Some(seen.attention),
                    "context" => Some(seen.context),
                    other => panic!("nothing is called {other}"),
                }
            }
            "mlp" => {
                let (_, seen) = self.model.mlp_inside(inside?, query).unwrap();
                match part {
                    "before" => Some(seen.before),
                    "gate" => seen.gate,
                    "hidden" => Some(seen.hidden),
                    other => panic!("nothing is called {other}"),
                }
            }
            "unit" => Some(self.model.unit(inside?, whole("unit")?).unwrap()),
            "norms" => {
                let seen = self.model.norms(inside?).unwrap();
                match part {
                    "stream" => Some(seen.stream),
                    "norm1" => Some(seen.norm1),
                    "attention" => Some(seen.attention),
                    "between" => Some(seen.between),
                    "norm2" => Some(seen.norm2),
                    "mlp" => Some(seen.mlp),
                    other => panic!("nothing is called {other}"),
                }
            }
            "patch" => {
                let (row, column) = options["at"].split_once(',').unwrap();
                let at = [row, column].map(|place| place.parse().unwrap());
                let seen = self.model.patch_inside(&self.pixels, at).unwrap();
                match part {
                    "pixels" => Some(seen.pixels),
                    "projected" => Some(seen.projected),
                    "position" => seen.position,
                    "token" => Some(seen.token),
                    other => panic!("nothing is called {other}"),
                }
            }
            other => panic!("nothing is called {other}"),
        }
    }
}

#[test]
fn it_equals_pytorch() {
    let mut apart = Vec::new();
    for (name, reference) in REFERENCES {
        let seen = Seen::of(named(name));
        let tensors = SafeTensors::deserialize(reference).unwrap();
        for tensor in tensors.names() {
            let Some(own) = seen.show(tensor) else {
                apart.push(format!("{name} {tensor} is missing"));
                continue;
            };
            let error = relative_error(&own, &floats(reference, tensor));
            if error.is_nan() || error >= TOLERANCE {
                apart.push(format!("{name} {tensor}: relative error {error:e}"));
            }
        }
        // Nor is there a part that PyTorch does not have.
        for part in ["query bias", "query unturned-q", "mlp gate"] {
            let head = format!("layer={} head=0", seen.model.config().layers - 1);
            if tensors.names().iter().all(|own| !own.starts_with(part)) {
                assert!(seen.show(&format!("{part} {head}")).is_none(), "{name} {part}");
            }
        }
    }
    assert!(apart.is_empty(), "{}", apart.join("\n"));
}

/// The attention that a trace has, of every model, layer and head, by the usual query.
#[test]
fn attention_is_what_was_recorded() {
    for fixture in FIXTURES {
        let seen = Seen::of(fixture);
        let config = seen.model.config();
        for (layer, head) in (0..config.layers).flat_map(|layer| (0..config.heads).map(move |head| (layer, head))) {
            let (token, inside) = seen.model.head_inside(seen.inside(layer), head, None).unwrap();
            let recorded = seen.trace.attentions.slice(s![layer, head, token, ..]).to_vec();
            let error = relative_error(&inside.attention, &recorded);
            assert!(error < 1e-5, "{} layer {layer}, head {head}: {error:e}", fixture.name);
        }
    }
}

/// A model that takes another size by now looks at a trace as one of the trace's size does.
#[test]
fn a_trace_of_another_size_keeps_its_places() {
    const NAMES: [&str; 5] = ["hf_beit", "hf_dinov3", "timm_eva02", "timm_pe_core", "hf_clip"];
    for fixture in NAMES.map(named) {
        let other = fixture.other_size().unwrap();
        let seen = Seen::new(fixture.load_at(Some(other), None).unwrap(), fixture.expected("other/pixel_values"));
        let own = fixture.load(None).unwrap();
        let inside = seen.inside(seen.model.config().layers - 1);
        let query = Some(Query::Patch(1, 2));
        let [here, there] = [&own, &seen.model].map(|model| {
            let (token, head) = model.head_inside(inside, 1, query).unwrap();
            let lengths = model.norms(inside).unwrap().mlp;
            (token, head.scores, head.context, model.mlp_inside(inside, query).unwrap().1.hidden, lengths)
        });
        assert_eq!(here, there, "{}", fixture.name);
        assert_eq!(own.unit(inside, 1).unwrap().len(), seen.model.config().patches());
    }
}

/// As in a pass that left out positions, or heads.
#[test]
fn what_was_left_out_has_no_part() {
    for (name, turned) in [("timm_eva02", true), ("hf_beit", false), ("hf_vit", false)] {
        let seen = Seen::of(named(name));
        let all = seen.inside(0);
        let plain = Inside { positions: false, ..all };
        let [(_, with), (_, without)] = [all, plain].map(|inside| seen.model.head_inside(inside, 1, None).unwrap());
        assert_eq!(with.unturned.is_some(), turned, "{name}");
        assert!(without.unturned.is_none() && without.bias.is_none(), "{name}");
        let [q, k] = with.unturned.unwrap_or([with.q, with.k]);
        assert_eq!((without.q, without.k), (q, k), "{name}");

        // Without any head attention adds the same to every token.
        let heads: Vec<_> = (0..seen.model.config().heads).collect();
        let [some, none] = [&heads[1..], &heads].map(|without| seen.model.norms(Inside { without, ..all }).unwrap());
        let spread = |lengths: &[f32]| lengths.iter().any(|length| *length != lengths[0]);
        assert!(spread(&some.attention) && !spread(&none.attention), "{name}");
        assert_ne!(some.norm2, none.norm2, "{name}");
    }
}

/// What equalising takes out of channels to round them well is put back: an int8 model shows what the f32 model does, but for the rounding.
#[test]
fn int8_models_show_the_checkpoints_own_scale() {
    for (name, fc1) in
        [("hf_vit_relu", "intermediate.dense."), ("hf_dinov2_swiglu", "mlp.weights_in."), ("hf_vit", "none")]
    {
        let fixture = named(name);
        let config = fixture.load(None).unwrap().config().clone();
        // The linear half of a gated MLP is the second.
        let first_of_fc1 = if config.gated { config.mlp_size } else { 0 };
        let loud = [("norm", 0), ("attention.value.", 0), (fc1, first_of_fc1)];
        let weights = with_loud_rows(fixture.weights, &loud);
        let load = |dtype: &str| {
            let options = LoadOptions { precision: Some(dtype.parse().unwrap()), ..Default::default() };
            Classifier::load(fixture.files(), &weights, options).unwrap()
        };
        let seen = Seen::new(load("f32"), fixture.expected("pixel_values"));
        let rounded = load("int8");
        for layer in 0..config.layers {
            let inside = seen.inside(layer);
            let [plain, rounded] = [&seen.model, &rounded].map(|model| {
                let (_, head) = model.head_inside(inside, 0, None).unwrap();
                let (_, mlp) = model.mlp_inside(inside, None).unwrap();
                let norms = model.norms(inside).unwrap();
                let unit = model.unit(inside, 0).unwrap();
                [head.q, head.v, head.context, mlp.before, mlp.hidden, unit, norms.norm1, norms.norm2, norms.mlp]
            });
            for (i, (rounded, plain)) in rounded.iter().zip(&plain).enumerate() {
                let error = relative_error(rounded, plain);
                assert!(error < 0.1, "{name} layer {layer}, {i}: {error}");
            }
        }
    }
}

/// A checkpoint whose tensors of such names have one row, or entry, 64 times what it was.
fn with_loud_rows(weights: &[u8], loud: &[(&str, usize)]) -> Vec<u8> {
    rewritten(weights, |tensors| {
        for (name, (_, shape, bytes)) in tensors {
            let Some((_, row)) = loud.iter().find(|(part, _)| name.contains(part)) else { continue };
            let size = bytes.len() / shape[0];
            for value in bytes[row * size..][..size].as_chunks_mut().0 {
                *value = (64.0 * f32::from_le_bytes(*value)).to_le_bytes();
            }
        }
    })
}

#[test]
fn patch_filters_are_rows_of_the_projection() {
    let seen = Seen::of(named("hf_vit"));
    let inside = seen.model.patch_inside(&seen.pixels, [2, 1]).unwrap();
    let black = seen.model.patch_inside(&vec![0.0; seen.pixels.len()], [2, 1]).unwrap();
    for (output, filter) in [3, 0, 35].into_iter().zip(seen.model.filters_of(&[3, 0, 35]).unwrap().rows()) {
        let product: f32 = filter.iter().zip(&inside.pixels).map(|(w, x)| w * x).sum();
        let error = (product + black.projected[output] - inside.projected[output]).abs();
        assert!(error < 1e-5, "output {output}: {error}");
    }
}

#[test]
fn impossible_wishes_are_typed_errors() {
    let seen = Seen::of(named("hf_siglip"));
    let shape = Shape::from(seen.model.config());
    let all = seen.inside(0);
    let [rows, columns] = shape.grid;
    let head = |inside, head, query| seen.model.head_inside(inside, head, query).err().unwrap().to_string();
    for (error, parts) in [
        (head(all, 0, Some(Query::Mean)), &["`mean`", "ROW,COL"][..]),
        (head(all, 0, Some(Query::Class)), &["no class token"]),
        (head(all, shape.heads, None), &["head 2", "has 2"]),
        (head(Inside { layer: 9, ..all }, 0, None), &["layer 9"]),
        (head(Inside { without: &[7], ..all }, 0, None), &["head 7"]),
        (head(Inside { grid: [rows, columns + 1], ..all }, 0, None), &["values", "not"]),
        (head(Inside { stream: &all.stream[1..], ..all }, 0, None), &["values", "not"]),
        (head(Inside { grid: [usize::MAX, 1], ..all }, 0, None), &["can't be run"]),
        (seen.model.unit(all, 999).err().unwrap().to_string(), &["hidden unit 999"]),
        (seen.model.patch_inside(&seen.pixels, [rows, 0]).err().unwrap().to_string(), &["no patch"]),
        (seen.model.patch_inside(&[0.0], [0, 0]).err().unwrap().to_string(), &["1 pixel values"]),
        (seen.model.filters_of(&[0, 16]).unwrap_err().to_string(), &["output 16"]),
    ] {
        for part in parts {
            assert!(error.contains(part), "`{error}` should mention `{part}`");
        }
    }
    // The patch in the middle stands for an image without a class token.
    let (token, _) = seen.model.mlp_inside(all, None).unwrap();
    assert_eq!(token, rows / 2 * columns + columns / 2);
}
