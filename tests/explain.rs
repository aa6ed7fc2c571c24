//! Every view gives what PyTorch computes from the papers' formulas (`tests/fixtures/explain.py`), gradients by autograd.

mod common;

use common::{FIXTURES, Fixture, floats, relative_error};
use ndarray::{Array2, Array3, Axis, s};
use safetensors::SafeTensors;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use vitscope::Classifier;
use vitscope::explain::{
    self, Curve, Dropping, Fusion, GradientMethod, HeadMap, Heads, Occlusion, Query, Rolled, Rollout, Shape, Trace,
};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const TOLERANCE: f32 = 1e-4;

/// A view with its options, as the fixtures name it: `rollout head=mean discard=0.3 query=cls`.
struct View<'a> {
    method: &'a str,
    options: BTreeMap<&'a str, &'a str>,
}

impl<'a> View<'a> {
    fn parse(name: &'a str) -> Self {
        let mut words = name.split(' ');
        let method = words.next().unwrap();
        Self { method, options: words.map(|word| word.split_once('=').unwrap()).collect() }
    }

    fn get<T: FromStr<Err: std::fmt::Debug>>(&self, key: &str) -> T {
        self.optional(key).unwrap_or_else(|| panic!("{} without {key}", self.method))
    }

    fn optional<T: FromStr<Err: std::fmt::Debug>>(&self, key: &str) -> Option<T> {
        self.options.get(key).map(|text| text.parse().unwrap())
    }
}

/// A model that has seen the fixture's image.
struct Seen {
    model: Classifier,
    pixels: Vec<f32>,
    shape: Shape,
    trace: Trace,
    reference: &'static [u8],
}

impl Seen {
    fn new(fixture: &Fixture, reference: &'static [u8]) -> Self {
        let mut model = fixture.load(None).unwrap();
        let pixels = fixture.expected("pixel_values");
        let (_, trace) = model.trace(&pixels).unwrap();
        Self { shape: Shape::from(model.config()), model, pixels, trace, reference }
    }

    fn tokens(&self, layer: usize) -> Array2<f32> {
        self.trace.hidden_states.index_axis(Axis(0), layer + 1).to_owned()
    }

    fn show(&mut self, view: &View) -> Vec<f32> {
        let query = || view.get::<Query>("query");
        match view.method {
            "head" => {
                let (mass, clip) = (view.optional("mass"), view.optional("clip"));
                let map =
                    HeadMap { layer: view.get("layer"), heads: view.get::<Heads>("head"), query: query(), mass, clip };
                map.compute(&self.shape, &mut &self.trace).unwrap()
            }
            "rollout" => {
                let rollout =
                    Rollout { fusion: view.get::<Fusion>("head"), discard: view.get("discard"), query: query() };
                rollout.compute(&self.shape, &mut &self.trace).unwrap()
            }
            "gradient-rollout" => {
                let method = GradientMethod::GradientRollout { query: query(), discard: view.get("discard") };
                self.model.attribute(&self.pixels, Some(view.get("target")), method).unwrap().1
            }
            "chefer" => {
                let method = GradientMethod::Chefer { query: query() };
                self.model.attribute(&self.pixels, Some(view.get("target")), method).unwrap().1
            }
            "grad-cam" => {
                let method = GradientMethod::GradCam { layer: view.get("layer") };
                self.model.attribute(&self.pixels, Some(view.get("target")), method).unwrap().1
            }
            "logit-lens" => flat(self.model.logit_lens(self.trace.hidden_states.view()).unwrap()),
            "patch-lens" => {
                let logits = self.model.patch_lens(self.tokens(view.get("layer")).view()).unwrap();
                logits.column(view.get("target")).to_vec()
            }
            "features" => flat(explain::features(&self.shape, self.tokens(view.get("layer")).view()).unwrap()),
            "similarity" => explain::similarity(&self.shape, self.tokens(view.get("layer")).view(), query()).unwrap(),
            "distance" => flat(explain::distance(&self.shape, &mut &self.trace).unwrap()),
            "entropy" => flat(explain::entropy(&self.shape, &mut &self.trace).unwrap()),
            "positions" => flat(self.model.position_similarity().unwrap()),
            "filters" => flat(self.model.filters(view.get("count")).unwrap()),
            "occlusion" => {
                let occlusion = Occlusion::new(&self.shape, view.optional("window"), view.optional("stride")).unwrap();
                let scores = self.make_all(occlusion.seen(), view.get("target"));
                occlusion.map(&scores)
            }
            "deletion" | "insertion" => {
                let target: usize = view.get("target");
                let usual = if self.shape.default_query() == Query::Class { "cls" } else { "mean" };
                let map = format!("{} target={target} query={usual}", view.get::<String>("map"));
                let map = floats(self.reference, &map);
                let fewest = self.model.config().fewest_patches();
                let seen = view.method.parse::<Curve>().unwrap().seen(&map, view.get("steps"), fewest).unwrap();
                self.make_all(seen, target)
            }
            other => panic!("nothing is called {other}"),
        }
    }

    fn make_all(&mut self, seen: Vec<Vec<usize>>, target: usize) -> Vec<f32> {
        let mut dropping = Dropping::new(seen, Some(target));
        while self.model.step(&self.pixels, &mut dropping, &|| false).unwrap() {}
        dropping.scores().to_vec()
    }
}

fn flat(array: Array2<f32>) -> Vec<f32> {
    array.into_raw_vec_and_offset().0
}

/// Fixtures with what PyTorch shows of them.
fn references() -> impl Iterator<Item = (&'static Fixture, &'static [u8])> {
    FIXTURES.iter().filter_map(|fixture| Some((fixture, fixture.explain?)))
}

#[test]
fn views_equal_pytorch() {
    let mut apart = Vec::new();
    for (fixture, reference) in references() {
        let mut seen = Seen::new(fixture, reference);
        for name in SafeTensors::deserialize(reference).unwrap().names() {
            let error = relative_error(&seen.show(&View::parse(name)), &floats(reference, name));
            if error.is_nan() || error >= TOLERANCE {
                apart.push(format!("{} {name}: relative error {error:e}", fixture.name));
            }
        }
    }
    assert!(apart.is_empty(), "{}", apart.join("\n"));
}

/// The fixtures hold every view, and on the three kinds of model that differ in what stands before the patches.
#[test]
fn every_view_has_a_reference() {
    const VIEWS: [&str; 15] = [
        "chefer",
        "deletion",
        "distance",
        "entropy",
        "features",
        "filters",
        "grad-cam",
        "gradient-rollout",
        "head",
        "insertion",
        "logit-lens",
        "occlusion",
        "patch-lens",
        "positions",
        "rollout",
    ];
    for wanted in ["hf_vit", "timm_deit_distilled", "hf_dinov2_reg"] {
        let (_, reference) = references().find(|(fixture, _)| fixture.name == wanted).unwrap();
        let tensors = SafeTensors::deserialize(reference).unwrap();
        let held: BTreeSet<_> = tensors.names().iter().map(|name| View::parse(name).method.to_owned()).collect();
        for view in VIEWS.iter().chain(&["similarity"]) {
            assert!(held.contains(*view), "{wanted} has no {view}");
        }
    }
}

/// A model that sees all of its patches, named one by one, gives the very bits it gives otherwise; a model that sees
/// some, whatever their order, does not depend on those that are left out.
#[test]
fn dropping_nothing_changes_nothing() {
    for fixture in FIXTURES.iter().filter(|fixture| fixture.result() == "logits") {
        for dtype in ["f32", "int8"] {
            let mut model = fixture.load(Some(dtype)).unwrap();
            let pixels = fixture.expected("pixel_values");
            let logits = model.logits(&pixels).unwrap().to_vec();
            let patches = model.config().patches();
            let score = model.top(&logits, 1).unwrap()[0].clone();
            let few: Vec<_> = (0..patches).step_by(2).collect();
            let mut dropping = Dropping::new(vec![(0..patches).collect(), few.clone()], None);
            while model.step(&pixels, &mut dropping, &|| false).unwrap() {}
            assert_eq!(dropping.target(), Some(score.index));
            let [all, some] = *dropping.scores() else { panic!() };
            assert_eq!(all, score.score, "{} {dtype}", fixture.name);

            let mut other = pixels.clone();
            blank_others(&model, &few, &mut other);
            let mut again = Dropping::new(vec![few], Some(score.index));
            while model.step(&other, &mut again, &|| false).unwrap() {}
            assert_eq!(again.scores(), [some], "{} {dtype}", fixture.name);
        }
    }
}

/// Changes the pixels of all patches but these.
fn blank_others(model: &Classifier, kept: &[usize], pixels: &mut [f32]) {
    let config = model.config();
    let ([height, width], [ph, pw], [_, columns]) = (config.image_size, config.patch_size, config.grid());
    let mut image = Array3::from_shape_vec((3, height, width), pixels.to_vec()).unwrap();
    for patch in (0..config.patches()).filter(|patch| !kept.contains(patch)) {
        let (y, x) = (patch / columns * ph, patch % columns * pw);
        image.slice_mut(s![.., y..y + ph, x..x + pw]).fill(9.0);
    }
    pixels.copy_from_slice(image.as_slice().unwrap());
}

/// What can't be asked for is refused with the remedy, whoever asks.
#[test]
fn impossible_wishes_are_typed_errors() {
    let fixture = common::named("hf_dinov2_reg");
    let mut model = fixture.load(None).unwrap();
    let pixels = fixture.expected("pixel_values");
    let shape = Shape::from(model.config());
    let (_, trace) = model.trace(&pixels).unwrap();
    let head = |layer, heads, query, mass, clip| {
        HeadMap { layer, heads, query, mass, clip }.compute(&shape, &mut &trace).unwrap_err().to_string()
    };
    let all = Heads::All(Fusion::Mean);
    let rollout = Rollout { fusion: Fusion::Mean, discard: 1.0, query: Query::Class };
    let cam = GradientMethod::GradCam { layer: 2 };
    let mut dropping = Dropping::new(vec![vec![99]], Some(0));
    let mut nothing = Dropping::new(vec![vec![]], Some(0));
    for (error, parts) in [
        (head(2, all, Query::Class, None, None), &["layer 2", "has 2"][..]),
        (head(0, Heads::One(4), Query::Class, None, None), &["head 4", "has 4"]),
        (head(0, all, Query::Distillation, None, None), &["distillation", "mean"]),
        (head(0, all, Query::Register(3), None, None), &["register 3", "has 3"]),
        (head(0, all, Query::Patch(0, 4), None, None), &["patch 0,4", "3,3"]),
        (head(0, all, Query::Class, Some(1.5), None), &["mass", "at most 1"]),
        (head(0, all, Query::Class, None, Some(0.0)), &["clip", "at most 100"]),
        (rollout.compute(&shape, &mut &trace).unwrap_err().to_string(), &["discard", "below 1"]),
        ("left".parse::<Query>().unwrap_err().to_string(), &["`left`", "ROW,COL"]),
        ("sum".parse::<Heads>().unwrap_err().to_string(), &["`sum`", "mean"]),
        (model.attribute(&pixels, Some(5), cam).unwrap_err().to_string(), &["class 5", "has 5"]),
        (model.attribute(&pixels, Some(0), cam).unwrap_err().to_string(), &["layer 2"]),
        (model.step(&pixels, &mut dropping, &|| false).unwrap_err().to_string(), &["patch 99"]),
        (model.step(&pixels, &mut nothing, &|| false).unwrap_err().to_string(), &["at least one"]),
        (model.filters(0).unwrap_err().to_string(), &["0 filters"]),
    ] {
        for part in parts {
            assert!(error.contains(part), "`{error}` should mention `{part}`");
        }
    }
    let encoder = common::named("hf_vit_model");
    let mut model = encoder.load(None).unwrap();
    let pixels = encoder.expected("pixel_values");
    let (_, trace) = model.trace(&pixels).unwrap();
    let chefer = GradientMethod::Chefer { query: Query::Class };
    for error in [
        model.attribute(&pixels, Some(0), chefer).unwrap_err(),
        model.logit_lens(trace.hidden_states.view()).unwrap_err(),
    ] {
        assert!(error.to_string().contains("no classes"), "{error}");
    }
}

/// Rolled out layer by layer, as a forward pass brings them, is rolled out from the last one, for every query there is.
#[test]
fn rollouts_of_all_queries_are_those_of_each() {
    for (fixture, reference) in references() {
        let Seen { shape, trace, .. } = Seen::new(fixture, reference);
        let patches = (0..shape.patches()).map(|patch| Query::Patch(patch / shape.grid[1], patch % shape.grid[1]));
        let queries: Vec<_> = patches.chain([Query::Mean, shape.default_query()]).collect();
        for (fusion, discard) in [(Fusion::Mean, 0.0), (Fusion::Mean, 0.9), (Fusion::Max, 0.3), (Fusion::Min, 0.0)] {
            let mut rolled = Rolled::new(&shape, fusion, discard).unwrap();
            trace.attentions.outer_iter().for_each(|layer| rolled.add(layer));
            for query in &queries {
                let one = Rollout { fusion, discard, query: *query }.compute(&shape, &mut &trace).unwrap();
                let (tokens, first) = (shape.query_tokens(*query).unwrap(), shape.prefix.len());
                let mean = |key: usize| {
                    let values = tokens.clone().map(|token| rolled.values()[token * shape.tokens() + key]);
                    values.sum::<f32>() / tokens.len() as f32
                };
                let all: Vec<_> = (first..shape.tokens()).map(mean).collect();
                let nothing = all == one && one.iter().all(|value| *value == 0.0);
                let error = if nothing { 0.0 } else { relative_error(&all, &one) };
                assert!(error < 1e-6, "{} {fusion:?} {discard} {query:?}: {error:e}", fixture.name);
            }
        }
    }
    let (fixture, reference) = references().next().unwrap();
    let error = Rolled::new(&Seen::new(fixture, reference).shape, Fusion::Mean, 1.0).err().unwrap();
    assert!(error.to_string().contains("discard is 1"), "{error}");
}
