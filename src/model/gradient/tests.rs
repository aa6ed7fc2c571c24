//! What a backward pass shows against finite differences of the whole model in f64, written as naively as the papers have it.

use super::GradientSink;
use crate::kernels::rotate::Pairs;
use crate::model::{
    Activation, Attention, Block, Config, Coordinates, Embeddings, Equalised, Frequencies, LayerNorm, Linear, Matrix,
    Mlp, Pooling, Positions, Prefix, Rotary, Scores, Vit, Weights,
};
use ndarray::{Array1, Array2, Array3, ArrayView2, ArrayView3, Axis, s};
use std::sync::Arc;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// More patches than are taken as queries at a time.
const GRID: [usize; 2] = [9, 8];
const TOKENS: usize = 1 + GRID[0] * GRID[1];
const WIDTH: usize = 12;
const HEADS: usize = 2;
const MLP: usize = 13;
const LAYERS: usize = 2;
const CLASSES: usize = 3;
const EPS: f64 = 1e-5;

/// Weight `[out, in]` and bias of a layer, or of a norm with one row.
type Layer = (Array2<f64>, Array1<f64>);

/// The weights of a block: norm1, qkv, norms of queries and keys, projection, norm2, fc1, fc2.
struct Naive {
    rotary: Option<Rotary>,
    blocks: Vec<[Layer; 8]>,
    norm: Layer,
    head: Layer,
}

/// Where the naive model is disturbed, and by how much.
#[derive(Clone, Copy)]
enum Nudge {
    /// Layer, head, query, key.
    Attention([usize; 4], f64),
    /// Layer, token, channel.
    Normalised([usize; 3], f64),
}

fn linear(x: &Array2<f64>, (weight, bias): &Layer) -> Array2<f64> {
    x.dot(&weight.t()) + bias
}

fn norm(x: &Array2<f64>, (weight, bias): &Layer) -> Array2<f64> {
    let centred = x - &x.mean_axis(Axis(1)).unwrap().insert_axis(Axis(1));
    let variance = centred.mapv(|x| x * x).mean_axis(Axis(1)).unwrap().insert_axis(Axis(1));
    centred / (variance + EPS).mapv(f64::sqrt) * weight.row(0) + bias
}

/// Frequency of rows, and of columns, of a pair of a head.
fn frequencies(head: usize, pair: usize) -> [f64; 2] {
    [0.3 - 0.2 * head as f64 + 0.1 * pair as f64, 0.15 * head as f64 - 0.05 * pair as f64]
}

/// Queries or keys of a head, those of patches turned: pair k as a complex number times e^iθ.
fn turn(x: Array2<f64>, head: usize, rotary: Option<Rotary>) -> Array2<f64> {
    let Some(Rotary { pairs, .. }) = rotary else { return x };
    let mut turned = x.clone();
    let half = x.ncols() / 2;
    for patch in 0..TOKENS - 1 {
        for k in 0..half {
            let [rows, columns] = frequencies(head, k);
            let angle = (patch / GRID[1]) as f64 * rows + (patch % GRID[1]) as f64 * columns;
            let [i, j] = if pairs == Pairs::Halves { [k, k + half] } else { [2 * k, 2 * k + 1] };
            let (a, b) = (x[[patch + 1, i]], x[[patch + 1, j]]);
            turned[[patch + 1, i]] = a * angle.cos() - b * angle.sin();
            turned[[patch + 1, j]] = b * angle.cos() + a * angle.sin();
        }
    }
    turned
}

impl Naive {
    fn new(rng: &mut fastrand::Rng, rotary: Option<Rotary>) -> Self {
        let mut random = |outputs: usize, inputs: usize, mean: f64| -> Layer {
            let mut draw = |scale: f64| f64::from(((rng.f64() - 0.5) * scale) as f32);
            let weight = Array2::from_shape_fn((outputs, inputs), |_| draw(1.0) + mean);
            (weight, Array1::from_shape_fn(outputs.max(if mean > 0.0 { inputs } else { 0 }), |_| draw(1.0)))
        };
        let size = WIDTH / HEADS;
        let mut block = || {
            let norm1 = random(1, WIDTH, 1.0);
            let qkv = random(3 * WIDTH, WIDTH, 0.0);
            let norms = [random(1, size, 1.0), random(1, size, 1.0)];
            let projection = random(WIDTH, WIDTH, 0.0);
            let norm2 = random(1, WIDTH, 1.0);
            let [q_norm, k_norm] = norms;
            [norm1, qkv, q_norm, k_norm, projection, norm2, random(MLP, WIDTH, 0.0), random(WIDTH, MLP, 0.0)]
        };
        let blocks = (0..LAYERS).map(|_| block()).collect();
        Self { rotary, blocks, norm: random(1, WIDTH, 1.0), head: random(CLASSES, WIDTH, 0.0) }
    }

    /// The streams between blocks, and the logits.
    fn forward(&self, embeddings: &Array2<f64>, nudge: Option<Nudge>) -> (Vec<Array2<f64>>, Array1<f64>) {
        let size = WIDTH / HEADS;
        let mut streams = vec![embeddings.clone()];
        for (layer, [norm1, qkv, q_norm, k_norm, projection, norm2, fc1, fc2]) in self.blocks.iter().enumerate() {
            let mut z = streams[layer].clone();
            let mut x = norm(&z, norm1);
            match nudge {
                Some(Nudge::Normalised([l, token, channel], step)) if l == layer => x[[token, channel]] += step,
                _ => (),
            }
            let qkv = linear(&x, qkv);
            let part = |third: usize, head: usize| {
                let first = third * WIDTH + head * size;
                qkv.slice(s![.., first..first + size]).to_owned()
            };
            let mut context = Array2::zeros((TOKENS, WIDTH));
            for head in 0..HEADS {
                let turned = |third, by| turn(norm(&part(third, head), by), head, self.rotary);
                let (q, k) = (turned(0, q_norm), turned(1, k_norm));
                let e = (q.dot(&k.t()) / (size as f64).sqrt()).exp();
                let mut a = &e / &e.sum_axis(Axis(1)).insert_axis(Axis(1));
                match nudge {
                    Some(Nudge::Attention([l, h, query, key], step)) if (l, h) == (layer, head) => {
                        a[[query, key]] += step
                    }
                    _ => (),
                }
                context.slice_mut(s![.., head * size..(head + 1) * size]).assign(&a.dot(&part(2, head)));
            }
            z += &linear(&context, projection);
            z += &linear(&linear(&norm(&z, norm2), fc1).mapv(|x| x / (1.0 + (-x).exp())), fc2);
            streams.push(z);
        }
        let pooled = norm(&streams[LAYERS], &self.norm).slice_move(s![..1, ..]);
        let logits = linear(&pooled, &self.head).row(0).to_owned();
        (streams, logits)
    }

    /// The same model for the engine.
    fn vit(&self) -> Vit {
        let norm = |(weight, bias): &Layer| LayerNorm {
            weight: weight.iter().map(|w| *w as f32).collect(),
            bias: bias.iter().map(|b| *b as f32).collect(),
            eps: EPS as f32,
            centred: true,
        };
        let linear = |(weight, bias): &Layer| {
            let bias: Vec<f32> = bias.iter().map(|b| *b as f32).collect();
            Linear::new(Matrix::f32(weight.mapv(|w| w as f32).view()).unwrap(), &bias)
        };
        let config = Config {
            family: "test",
            image_size: GRID,
            patch_size: [1, 1],
            pads: false,
            hidden_size: WIDTH,
            stages: Vec::new(),
            maps: None,
            layers: LAYERS,
            heads: HEADS,
            mlp_size: MLP,
            activation: Activation::Silu,
            gated: false,
            layer_norm_eps: EPS as f32,
            rms_norm: false,
            positions: Positions { rotary: self.rotary, ..Positions::LEARNED },
            prefix: vec![Prefix::Class],
            pooling: Pooling::Cls,
            pool: None,
            pools_prefix: false,
            projection_size: None,
            zero_shot: false,
            max_logit_scale: None,
            scores: Scores::Softmax,
            labels: vec![String::new(); CLASSES].into(),
            named: true,
        };
        config.validate().unwrap();
        let pairs = WIDTH / HEADS / 2;
        let by = |axis: usize| -> Vec<f32> {
            (0..HEADS * pairs).map(|i| frequencies(i / pairs, i % pairs)[axis] as f32).collect()
        };
        let frequencies = self.rotary.map(|_| Arc::new([by(0), by(1)]));
        let block = |[norm1, qkv, q_norm, k_norm, projection, norm2, fc1, fc2]: &[Layer; 8]| Block {
            post_norm: false,
            norm1: norm(norm1),
            attention: Attention {
                cosine: None,
                qkv: linear(qkv),
                norm: None,
                projection: linear(projection),
                heads: HEADS,
                qk_norm: Some([norm(q_norm), norm(k_norm)]),
                tables: Vec::new(),
                decomposed: None,
                frequencies: frequencies.clone(),
            },
            norm2: norm(norm2),
            mlp: Mlp { fc1: linear(fc1), norm: None, fc2: linear(fc2), activation: Activation::Silu, gated: false },
            equalised: Equalised::default(),
        };
        let embeddings = Embeddings {
            stem: None,
            patch_projection: linear(&(Array2::zeros((WIDTH, 3)), Array1::zeros(WIDTH))),
            prefix: Array2::zeros((1, WIDTH)),
            patch_norm: None,
            positions: None,
            norm: None,
        };
        let weights = Weights {
            transitions: Vec::new(),
            embeddings,
            blocks: self.blocks.iter().map(block).collect(),
            norm: Some(norm(&self.norm)),
            fc_norm: None,
            pool: None,
            projection: None,
            heads: vec![linear(&self.head)],
        };
        Vit::new(config, weights, None).unwrap()
    }
}

/// The gradients of each layer.
#[derive(Default)]
struct Shown {
    attentions: Vec<(usize, Array3<f32>)>,
    normalised: Vec<(usize, Array2<f32>)>,
}

impl GradientSink for Shown {
    fn attention(&mut self, layer: usize, _: ArrayView3<'_, f32>, gradient: ArrayView3<'_, f32>) {
        self.attentions.push((layer, gradient.to_owned()));
    }

    fn normalised(&mut self, layer: usize, _: ArrayView2<'_, f32>, gradient: ArrayView2<'_, f32>) {
        self.normalised.push((layer, gradient.to_owned()));
    }
}

/// The two gradients that the explanations are made of, entry by entry. Both sides agree on the model to f32's rounding, and central
/// differences in f64 are off by less than 1e-8.
fn check_gradients(rotary: Option<Rotary>) {
    let mut rng = fastrand::Rng::with_seed(7);
    let naive = Naive::new(&mut rng, rotary);
    let embeddings = Array2::from_shape_fn((TOKENS, WIDTH), |_| f64::from((rng.f64() - 0.5) as f32));
    let (streams, _) = naive.forward(&embeddings, None);
    let mut hidden_states = Array3::<f32>::zeros((LAYERS + 1, TOKENS, WIDTH));
    for (depth, stream) in streams.iter().enumerate() {
        hidden_states.index_axis_mut(Axis(0), depth).assign(&stream.mapv(|x| x as f32));
    }
    let (target, step) = (1, 1e-4);
    let mut shown = Shown::default();
    naive.vit().backward(hidden_states.view(), target, 0, &mut shown).unwrap();

    let difference = |nudge: &dyn Fn(f64) -> Nudge| {
        let at = |step: f64| naive.forward(&embeddings, Some(nudge(step))).1[target];
        (at(step) - at(-step)) / (2.0 * step)
    };
    let check = |what: &str, ours: f32, largest: f32, exact: f64| {
        assert!((f64::from(ours) - exact).abs() < 2e-5 * f64::from(largest), "{what}: {ours} instead of {exact}");
    };
    let largest = |values: &mut dyn Iterator<Item = &f32>| values.fold(0.0f32, |max, x| max.max(x.abs()));
    for (layer, gradient) in &shown.attentions {
        let most = largest(&mut gradient.iter());
        for _ in 0..40 {
            let [head, query, key] = [HEADS, TOKENS, TOKENS].map(|size| rng.usize(..size));
            // Of the last layer only the class token's row counts, and is given.
            let query = if rng.bool() { 0 } else { query };
            let exact = difference(&|step| Nudge::Attention([*layer, head, query, key], step));
            let ours = gradient.get([head, query, key]).copied().unwrap_or_default();
            check(&format!("attention of layer {layer}"), ours, most, exact);
        }
    }
    for (layer, gradient) in &shown.normalised {
        let most = largest(&mut gradient.iter());
        for _ in 0..40 {
            let [token, channel] = [TOKENS, WIDTH].map(|size| rng.usize(..size));
            let exact = difference(&|step| Nudge::Normalised([*layer, token, channel], step));
            check(&format!("normalised tokens of layer {layer}"), gradient[[token, channel]], most, exact);
        }
    }
    assert!(shown.attentions.len() == LAYERS && shown.normalised.len() == LAYERS);
    let queries =
        |(layer, gradient): &(usize, Array3<f32>)| if *layer + 1 == LAYERS { 1 } else { TOKENS } == gradient.dim().1;
    assert!(shown.attentions.iter().all(queries));
}

#[test]
fn gradients_by_attention_and_by_normalised_tokens_equal_finite_differences() {
    check_gradients(None);
}

/// Of both kinds of pairs, with angles of each head's own.
#[test]
fn gradients_pass_rotations() {
    for pairs in [Pairs::Halves, Pairs::Neighbours] {
        let coordinates = Coordinates::Counted { offset: 0.0, reference: None };
        check_gradients(Some(Rotary { pairs, coordinates, frequencies: Frequencies::Learned }));
    }
}
