//! Explanations of models of stages and windows give what PyTorch computes (`tests/fixtures/explain_stages.py`), gradients by autograd; what means nothing there
//! is refused in so many words.

mod common;

use common::{Fixture, STAGED, floats, named, relative_error, some_classes};
use ndarray::{Array1, Array2, Array3, Axis};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::str::FromStr;
use vitscope::Classifier;
use vitscope::explain::{Curve, Dropping, GradientMethod, Inside, Query};
use vitscope::model::Intervention;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const TOLERANCE: f32 = 1e-4;

macro_rules! explained {
    ($($name:literal),*) => {
        &[$(($name, include_bytes!(concat!("fixtures/", $name, "/explain.safetensors")))),*]
    };
}

/// Models with classes, and what PyTorch shows of them.
const EXPLAINED: &[(&str, &[u8])] =
    explained!["hf_mobilevit", "hf_swin", "hf_swin_positions", "hf_swinv2", "timm_sam_224", "timm_swin", "timm_swinv2"];

/// A model, and one of its recorded inputs.
struct Seen {
    fixture: &'static Fixture,
    model: Classifier,
    /// Before the names of what was recorded.
    of: &'static str,
}

impl Seen {
    fn expected(&self, name: &str) -> Vec<f32> {
        self.fixture.expected(&[self.of, name].concat())
    }

    fn pixels(&self) -> Vec<f32> {
        self.expected("pixel_values")
    }

    /// The stream behind a layer.
    fn tokens(&self, layer: usize) -> Array2<f32> {
        let config = self.model.config();
        let own = config.of_stage(config.stage_of(layer)[0]);
        let tokens = self.expected(&format!("hidden_states.{}", layer + 1));
        Array2::from_shape_vec((own.tokens(), own.hidden_size), tokens).unwrap()
    }

    fn show(&mut self, view: &str) -> Vec<f32> {
        let mut words = view.split(' ');
        let method = words.next().unwrap();
        let options: BTreeMap<_, _> = words.map(|word| word.split_once('=').unwrap_or((word, ""))).collect();
        fn get<T: FromStr<Err: std::fmt::Debug>>(options: &BTreeMap<&str, &str>, key: &str) -> T {
            options[key].parse().unwrap()
        }
        let pixels = self.pixels();
        match method {
            "grad-cam" => self.grad_cam(get(&options, "target")),
            "logit-lens" => {
                let streams: Vec<_> = self.model.config().layers_read().map(|layer| self.tokens(layer)).collect();
                let (tokens, width) = streams[0].dim();
                let values = streams.iter().flatten().copied().collect();
                let streams = Array3::from_shape_vec((streams.len(), tokens, width), values).unwrap();
                self.model.logit_lens(streams.view()).unwrap().into_raw_vec_and_offset().0
            }
            "patch-lens" => {
                let logits = self.model.patch_lens(self.tokens(get(&options, "layer")).view()).unwrap();
                logits.column(get(&options, "target")).to_vec()
            }
            "occlusion" => {
                let (window, stride) = (get(&options, "window"), get(&options, "stride"));
                let occlusion = self.model.occlusion(Some(window), Some(stride)).unwrap();
                occlusion.map(&self.make_all(occlusion.seen(), get(&options, "target"), None))
            }
            "deletion" | "insertion" => {
                let target = get(&options, "target");
                let config = self.model.config();
                let (map, grid) = match options["map"] {
                    "grad-cam" => (self.grad_cam(target), None),
                    _ => {
                        let grid = config.of_stage(0).grid();
                        let length = |token: ndarray::ArrayView1<f32>| token.dot(&token).sqrt();
                        (self.tokens(0).rows().into_iter().map(length).collect(), Some(grid))
                    }
                };
                let fewest = self.model.config().fewest_patches();
                let seen = method.parse::<Curve>().unwrap().seen(&map, get(&options, "steps"), fewest).unwrap();
                self.make_all(seen, target, grid)
            }
            "pass" => {
                let patches = self.model.config().patches();
                let heads = options.get("without-heads").into_iter().flat_map(|heads| heads.split(','));
                let pair = |head: &str| [0, 1].map(|i| head.split('.').nth(i).unwrap().parse().unwrap());
                let told = Intervention {
                    without_heads: heads.map(pair).collect(),
                    without_positions: options.contains_key("without-positions"),
                    order: options.contains_key("order").then(|| (0..patches).rev().collect()),
                };
                self.model.restart();
                self.model.intervene(told).unwrap();
                while self.model.advance(&pixels, &mut (), &|| false).unwrap() {}
                self.model.answer().to_vec()
            }
            other => panic!("nothing is called {other}"),
        }
    }

    fn grad_cam(&mut self, target: usize) -> Vec<f32> {
        let layer = self.model.config().layers - 1;
        self.model.attribute(&self.pixels(), Some(target), GradientMethod::GradCam { layer }).unwrap().1
    }

    fn make_all(&mut self, seen: Vec<Vec<usize>>, target: usize, grid: Option<[usize; 2]>) -> Vec<f32> {
        let mut dropping = self.model.dropping(seen, Some(target), grid).unwrap();
        while self.model.step(&self.pixels(), &mut dropping, &|| false).unwrap() {}
        dropping.scores().to_vec()
    }
}

#[test]
fn views_equal_pytorch() {
    let mut apart = Vec::new();
    for (name, reference) in EXPLAINED {
        let fixture = named(name);
        let mut native = Seen { fixture, model: fixture.load(None).unwrap(), of: "" };
        let mut other = Seen { model: fixture.load_at(fixture.other_size(), None).unwrap(), of: "other/", ..native };
        let tensors = SafeTensors::deserialize(reference).unwrap();
        assert!(tensors.len() >= 12);
        for view in tensors.names() {
            let ours = match view.strip_prefix("other/") {
                None => native.show(view),
                Some(view) => other.show(view),
            };
            let error = relative_error(&ours, &floats(reference, view));
            if error.is_nan() || error >= TOLERANCE {
                apart.push(format!("{name} {view}: relative error {error:e}"));
            }
        }
    }
    assert!(apart.is_empty(), "{}", apart.join("\n"));
}

/// A pass that may be left between any two blocks shows the same, and one where all is left is the model's own.
#[test]
fn pauses_change_nothing() {
    for (name, _) in EXPLAINED {
        let fixture = named(name);
        let pixels = fixture.expected("pixel_values");
        for dtype in ["f32", "int8"] {
            let mut model = fixture.load(Some(dtype)).unwrap();
            let layer = model.config().layers - 1;
            let (target, map) = model.attribute(&pixels, None, GradientMethod::GradCam { layer }).unwrap();
            let logits = model.logits(&pixels).unwrap().to_vec();
            let top = model.top(&logits, 1).unwrap()[0].clone();
            assert_eq!(target, top.index);
            let mut attribution = model.attribution(None, GradientMethod::GradCam { layer }).unwrap();
            while model.attribute_step(&pixels, &mut attribution, &|| true).unwrap() {}
            assert_eq!(attribution.map(), map, "{name} {dtype}");
            assert!(map.iter().any(|value| *value > 0.0), "{name} {dtype}");

            let occlusion = model.occlusion(None, None).unwrap();
            let run = |model: &mut Classifier, pause: bool| {
                let mut dropping = model.dropping(occlusion.seen(), None, None).unwrap();
                while model.step(&pixels, &mut dropping, &|| pause).unwrap() {}
                dropping.scores().to_vec()
            };
            let scores = run(&mut model, false);
            assert_eq!(scores[0], top.score, "{name} {dtype}");
            assert_eq!(run(&mut model, true), scores, "{name} {dtype}");
        }
    }
}

/// Of classes that were given, whose features are normalised, by central differences of what the head reads.
#[test]
fn grad_cam_of_given_classes_equals_finite_differences() {
    let fixture = named("hf_swin");
    let plain = fixture.load(None).unwrap();
    let mut model = plain.with_classes(&some_classes(plain.config().feature_size())).unwrap();
    let pixels = fixture.expected("pixel_values");
    let layer = model.config().layers - 1;
    let (target, map) = model.attribute(&pixels, Some(1), GradientMethod::GradCam { layer }).unwrap();
    let stream = Seen { fixture, model: plain, of: "" }.tokens(layer);
    let ((tokens, width), step) = (stream.dim(), 1e-2);
    let mut weights = vec![0.0; width];
    for (channel, weight) in weights.iter_mut().enumerate() {
        // A channel of all tokens at once: the mean of its gradients is a share of what that does.
        let nudged = [step, -step].map(|step| {
            let mut stream = stream.clone();
            stream.column_mut(channel).mapv_inplace(|x| x + step);
            stream
        });
        let values = nudged.iter().flatten().copied().collect();
        let streams = Array3::from_shape_vec((2, tokens, width), values).unwrap();
        let logits = model.logit_lens(streams.view()).unwrap();
        *weight = (logits[[0, target]] - logits[[1, target]]) / (2.0 * step * tokens as f32);
    }
    let expected: Vec<_> = stream.rows().into_iter().map(|x| x.dot(&Array1::from(weights.clone())).max(0.0)).collect();
    let error = relative_error(&map, &expected);
    assert!(error < 1e-2 && map.iter().any(|value| *value > 0.0), "relative error {error:e}");
}

/// Each with its reason, by the code that programs read.
#[test]
fn what_means_nothing_of_windows_is_unsupported() {
    let fixture = named("hf_swin");
    let mut model = fixture.load(None).unwrap();
    let pixels = fixture.expected("pixel_values");
    let query = Query::Mean;
    let stream = fixture.expected("hidden_states.0");
    let inside = || Inside { layer: 0, stream: &stream, grid: [12, 12], positions: true, without: &[] };
    let mut dropping = Dropping::new(vec![vec![0]], Some(0));
    for (error, part) in [
        (model.attribution(None, GradientMethod::Chefer { query }).err().unwrap(), "chefer"),
        (
            model.attribution(None, GradientMethod::GradientRollout { query, discard: 0.0 }).err().unwrap(),
            "gradient-rollout",
        ),
        (model.attribution(None, GradientMethod::GradCam { layer: 0 }).err().unwrap(), "last layer"),
        (model.step(&pixels, &mut dropping, &|| false).unwrap_err(), "patches out"),
        (model.head_inside(inside(), 0, None).err().unwrap(), "inside"),
        (model.mlp_inside(inside(), None).err().unwrap(), "inside"),
        (model.unit(inside(), 0).unwrap_err(), "inside"),
        (model.norms(inside()).err().unwrap(), "inside"),
    ] {
        assert_eq!(error.code(), "unsupported-view", "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }

    for (error, part) in [
        (model.dropping(Vec::new(), None, Some([5, 7])).err().unwrap(), "12 × 12, 6 × 6, 3 × 3"),
        (model.intervene(Intervention { without_heads: vec![[0, 2]], ..Default::default() }).unwrap_err(), "has 2"),
        (model.position_similarity().unwrap_err(), "no position embeddings"),
        (model.filters_of(&[6]).unwrap_err(), "has 6"),
    ] {
        assert_eq!(error.code(), "invalid-argument", "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    model.restart();
    model.intervene(Intervention { without_heads: vec![[4, 3]], ..Default::default() }).unwrap();

    let fixture = named("hf_mobilevit");
    let mut model = fixture.load(None).unwrap();
    let config = model.config().clone();
    let order = Some((0..config.patches()).rev().collect());
    let own = config.of_stage(config.stage_of(config.layers - 1)[0]);
    let streams = Array3::zeros((1, own.tokens(), own.hidden_size));
    for (error, part) in [
        (model.filters(1).unwrap_err(), "convolutions read its pixels"),
        (model.filters_of(&[0]).unwrap_err(), "convolutions read its pixels"),
        (model.patch_inside(&fixture.expected("pixel_values"), [0, 0]).err().unwrap(), "convolutions read its pixels"),
        (model.intervene(Intervention { order, ..Default::default() }).unwrap_err(), "order of patches"),
        (model.logit_lens(streams.view()).unwrap_err(), "what convolutions make"),
        (model.patch_lens(streams.index_axis(Axis(0), 0)).unwrap_err(), "what convolutions make"),
    ] {
        assert_eq!(error.code(), "unsupported-view", "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

/// The last patch of another size lies half beyond the image: it becomes the token that the first block reads.
#[test]
fn a_patch_becomes_the_token_that_was_recorded() {
    // (MobileViT cuts no patches: tests/mobilevit.rs.)
    for fixture in STAGED.iter().filter(|fixture| !fixture.name.starts_with("hf_mobilevit")) {
        let config = fixture.load(None).unwrap().config().clone();
        let of = if fixture.other_size().is_some() { "other/" } else { "" };
        let model = fixture.load_at(fixture.other_size(), None).unwrap();
        let stage = model.config().of_stage(0);
        let [rows, columns] = stage.grid();
        let pixels = fixture.expected(&format!("{of}pixel_values"));
        let patch = model.patch_inside(&pixels, [rows - 1, columns - 2]).unwrap();
        let streams = fixture.expected(&format!("{of}hidden_states.0"));
        let expected = &streams[(rows * columns - 2) * stage.hidden_size..][..stage.hidden_size];
        assert!(relative_error(&patch.token, expected) < TOLERANCE, "{}", fixture.name);
        assert_eq!(model.filters(3).unwrap().ncols(), config.patch_values(), "{}", fixture.name);
    }
}
