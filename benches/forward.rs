//! The whole forward pass: `vitscope-tiny`, and a seeded ViT-Ti/16 at 224 pixels; DINOv3-S with its rotary positions and without; and the backward pass of seeded ViT-Ti/16 and ViT-B/16. Times are comparable within one run only.

#[cfg(not(target_arch = "wasm32"))]
use criterion::Criterion;
use vitscope::Classifier;
use vitscope::checkpoint::{ConfigFiles, Values, load, write};
use vitscope::explain::Trace;
use vitscope::model::{GradientSink, Precision, Scratch};
use vitscope::resample::Rgba;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::{Criterion, wasm_bindgen_bench};

fn vitscope_tiny(precision: Precision) -> Classifier {
    let files = ConfigFiles {
        config: include_str!("../models/vitscope-tiny/config.json"),
        preprocessor: Some(include_str!("../models/vitscope-tiny/preprocessor_config.json")),
        processor: None,
    };
    let weights = include_bytes!("../models/vitscope-tiny/model.safetensors").to_vec();
    Classifier::load(files, &weights, Some(precision)).unwrap()
}

/// The files of timm's `architecture`, 12 layers of `width` at 224 pixels, with seeded weights.
fn seeded(architecture: &str, width: usize) -> (String, Vec<u8>) {
    let config = format!(r#"{{"architecture": "{architecture}", "pretrained_cfg": {{"input_size": [3, 224, 224]}}}}"#);
    (config, weights(width, vec![("pos_embed".into(), vec![1, 197, width])], true))
}

/// The files of DINOv3-S at 256 pixels, its queries and keys turned or not.
fn dinov3_small(rotary: bool) -> (String, Vec<u8>) {
    let config = format!(
        r#"{{"architecture": "vit_small_patch16_dinov3", "model_args": {{"use_rot_pos_emb": {rotary}}},
        "pretrained_cfg": {{"input_size": [3, 256, 256]}}}}"#
    );
    (config, weights(384, vec![("reg_token".into(), vec![1, 4, 384])], false))
}

/// The weights of 12 layers of `width`, and what there is `more`; with a bias of queries, keys and values or without.
fn weights(width: usize, more: Vec<(String, Vec<usize>)>, qkv_bias: bool) -> Vec<u8> {
    let mlp = 4 * width;
    let mut shapes = more;
    shapes.extend([
        ("cls_token".into(), vec![1, 1, width]),
        ("patch_embed.proj.weight".into(), vec![width, 3, 16, 16]),
        ("patch_embed.proj.bias".into(), vec![width]),
        ("head.weight".into(), vec![1000, width]),
        ("head.bias".into(), vec![1000]),
        ("norm.weight".into(), vec![width]),
        ("norm.bias".into(), vec![width]),
    ]);
    for i in 0..12 {
        for (layer, outputs, inputs) in [
            ("attn.qkv", 3 * width, width),
            ("attn.proj", width, width),
            ("mlp.fc1", mlp, width),
            ("mlp.fc2", width, mlp),
        ] {
            shapes.push((format!("blocks.{i}.{layer}.weight"), vec![outputs, inputs]));
            if layer != "attn.qkv" || qkv_bias {
                shapes.push((format!("blocks.{i}.{layer}.bias"), vec![outputs]));
            }
        }
        for norm in ["norm1", "norm2"] {
            shapes.push((format!("blocks.{i}.{norm}.weight"), vec![width]));
            shapes.push((format!("blocks.{i}.{norm}.bias"), vec![width]));
        }
    }
    let mut rng = fastrand::Rng::with_seed(1);
    let tensors = shapes.into_iter().map(|(name, shape)| {
        let values = (0..shape.iter().product()).map(|_| (rng.f32() - 0.5) * 0.1).collect();
        (name, shape, Values::F32(values))
    });
    write(tensors.collect(), None).unwrap()
}

fn vit_tiny(precision: Precision) -> Classifier {
    let (config, weights) = seeded("vit_tiny_patch16_224", 192);
    Classifier::load(ConfigFiles { config: &config, preprocessor: None, processor: None }, &weights, Some(precision))
        .unwrap()
}

/// What rotary positions cost: the same model with and without.
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_bench)]
fn rotary(c: &mut Criterion) {
    for precision in [Precision::F32, Precision::Int8] {
        for (name, rotary) in [("without rotary positions", false), ("with rotary positions", true)] {
            let (config, weights) = dinov3_small(rotary);
            let files = ConfigFiles { config: &config, preprocessor: None, processor: None };
            let mut model = Classifier::load(files, &weights, Some(precision)).unwrap();
            let pixels = vec![0.5; 3 * 256 * 256];
            c.bench_function(&format!("DINOv3-S at 256 {precision:?}, {name}"), |b| {
                b.iter(|| model.logits(&pixels).unwrap()[0])
            });
        }
    }
}

/// A model by name.
type Build = (&'static str, fn(Precision) -> Classifier);

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_bench)]
fn forward(c: &mut Criterion) {
    let builds: [Build; 2] = [("vitscope-tiny", vitscope_tiny), ("ViT-Ti/16 at 224", vit_tiny)];
    for (name, build) in builds {
        for precision in [Precision::F32, Precision::Int8] {
            let mut model = build(precision);
            let pixels = vec![0.5; 3 * model.config().image_size.iter().product::<usize>()];
            c.bench_function(&format!("{name} {precision:?}"), |b| b.iter(|| model.logits(&pixels).unwrap()[0]));
            c.bench_function(&format!("{name} {precision:?}, traced"), |b| b.iter(|| model.trace(&pixels).unwrap().1));
        }
    }
}

/// A forward pass that keeps the streams between blocks, and the backward pass of one logit through all of them after it.
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_bench)]
fn attribute(c: &mut Criterion) {
    struct Watch;
    impl GradientSink for Watch {}

    for (name, architecture, width) in
        [("ViT-Ti/16", "vit_tiny_patch16_224", 192), ("ViT-B/16", "vit_base_patch16_224", 768)]
    {
        let (config, weights) = seeded(architecture, width);
        for precision in [Precision::F32, Precision::Int8] {
            let files = ConfigFiles { config: &config, preprocessor: None, processor: None };
            let vit = load(files, &weights, Some(precision)).unwrap().vit;
            let mut scratch = Scratch::new(&vit.config, precision).unwrap();
            let mut trace = Trace::new(&vit.config).unwrap();
            let pixels = vec![0.5; 3 * 224 * 224];
            c.bench_function(&format!("{name} {precision:?}, forward"), |b| {
                b.iter(|| vit.forward(&pixels, &mut scratch, &mut trace).unwrap()[0])
            });
            c.bench_function(&format!("{name} {precision:?}, backward"), |b| {
                b.iter(|| vit.backward(trace.hidden_states.view(), 0, 0, &mut Watch).unwrap())
            });
        }
    }
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_bench)]
fn preprocess(c: &mut Criterion) {
    let model = vitscope_tiny(Precision::Int8);
    let photo = vec![127; 4 * 1600 * 1200];
    let image = Rgba { data: &photo, width: 1600, height: 1200 };
    c.bench_function("preprocess a photo of 1600 × 1200", |b| b.iter(|| model.preprocess(image).unwrap()));
}

#[cfg(not(target_arch = "wasm32"))]
criterion::criterion_group!(benches, forward, rotary, attribute, preprocess);
#[cfg(not(target_arch = "wasm32"))]
criterion::criterion_main!(benches);

#[cfg(target_arch = "wasm32")]
fn main() {}
