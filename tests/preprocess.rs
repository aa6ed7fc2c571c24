//! Pixels equal Pillow's, bit for bit, and whole pipelines those of transformers and timm.

mod common;

use common::{floats, named, relative_error};
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use vitscope::Classifier;
use vitscope::checkpoint::{ConfigFiles, LoadOptions, Values, write};
use vitscope::resample::{Filter, Rgba, resize};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const EXPECTED: &[u8] = include_bytes!("fixtures/preprocess/expected.safetensors");

const IMAGES: &[(&str, &[u8])] = &[
    ("photo", include_bytes!("fixtures/preprocess/photo.png")),
    ("tall", include_bytes!("fixtures/preprocess/tall.png")),
    ("small", include_bytes!("fixtures/preprocess/small.png")),
    ("dot", include_bytes!("fixtures/preprocess/dot.png")),
    ("line", include_bytes!("fixtures/preprocess/line.png")),
    ("alpha", include_bytes!("fixtures/preprocess/alpha.png")),
];

const PIPELINES: &[(&str, &str)] = &[
    ("hf_squash", include_str!("fixtures/preprocess/hf_squash.json")),
    ("hf_squash_legacy", include_str!("fixtures/preprocess/hf_squash_legacy.json")),
    ("hf_shortest_edge_crop", include_str!("fixtures/preprocess/hf_shortest_edge_crop.json")),
    ("hf_crop_pads", include_str!("fixtures/preprocess/hf_crop_pads.json")),
    ("timm_center", include_str!("fixtures/preprocess/timm_center.json")),
    ("timm_center_wide", include_str!("fixtures/preprocess/timm_center_wide.json")),
    ("timm_squash", include_str!("fixtures/preprocess/timm_squash.json")),
    ("timm_border", include_str!("fixtures/preprocess/timm_border.json")),
    ("timm_nearest", include_str!("fixtures/preprocess/timm_nearest.json")),
    ("timm_lanczos", include_str!("fixtures/preprocess/timm_lanczos.json")),
    ("timm_box", include_str!("fixtures/preprocess/timm_box.json")),
    ("timm_hamming", include_str!("fixtures/preprocess/timm_hamming.json")),
];

struct Decoded {
    data: Vec<u8>,
    width: usize,
    height: usize,
    has_alpha: bool,
}

impl Decoded {
    fn named(name: &str) -> Self {
        let (_, png) = IMAGES.iter().find(|(image, _)| *image == name).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let has_alpha = info.color_type == png::ColorType::Rgba;
        let data = match info.color_type {
            png::ColorType::Rgba => pixels,
            png::ColorType::Rgb => pixels.chunks(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect(),
            other => panic!("{name}: {other:?}"),
        };
        Self { data, width: info.width as usize, height: info.height as usize, has_alpha }
    }

    /// As Pillow's `convert("RGB")` does.
    fn without_alpha(mut self) -> Self {
        self.data.chunks_mut(4).for_each(|pixel| pixel[3] = 255);
        self
    }

    /// Its left upper square.
    fn square(mut self) -> Self {
        let edge = self.width.min(self.height);
        let rows = self.data.chunks(4 * self.width).take(edge);
        self.data = rows.flat_map(|row| row[..4 * edge].to_vec()).collect();
        (self.width, self.height) = (edge, edge);
        self
    }

    fn view(&self) -> Rgba<'_> {
        Rgba { data: &self.data, width: self.width, height: self.height }
    }
}

#[test]
fn resizing_equals_pillow() {
    let expected = SafeTensors::deserialize(EXPECTED).unwrap();
    let (mut compared, mut filters) = (0, BTreeSet::new());
    for (name, tensor) in expected.iter() {
        let [image, filter, _size] = name.split('/').collect::<Vec<_>>()[..] else { continue };
        let known = |known: &Filter| format!("{known:?}").to_lowercase() == filter;
        let filter = Filter::ALL.into_iter().find(known).unwrap_or_else(|| panic!("{filter}"));
        filters.insert(format!("{filter:?}"));
        let (height, width) = (tensor.shape()[0], tensor.shape()[1]);
        let image = Decoded::named(image).without_alpha();
        let ours = resize(image.view(), (height, width), filter, 0..height, 0..width).unwrap();
        assert_eq!(ours.as_flattened(), tensor.data(), "{name}");
        compared += 1;

        // A part must be exactly that part of the whole.
        let (rows, columns) = (height / 3..height - height / 4, width / 4..width - width / 3);
        let part = resize(image.view(), (height, width), filter, rows.clone(), columns.clone()).unwrap();
        let whole: Vec<_> =
            ours.chunks(width).skip(rows.start).take(rows.len()).flat_map(|row| &row[columns.clone()]).collect();
        assert_eq!(part.iter().collect::<Vec<_>>(), whole, "a part of {name}");
    }
    assert!(compared > 60, "only {compared} resizes were compared");
    assert_eq!(filters.len(), Filter::ALL.len(), "{filters:?}");
}

/// A model of one block whose only purpose is to take images of the pipeline's size.
fn model_for(pipeline: &str, json: &str, [height, width]: [usize; 2]) -> Classifier {
    let width_d = 4;
    let patch = [height.min(128), width.min(128)];
    let patches = (height / patch[0]) * (width / patch[1]);
    let config = format!(
        r#"{{"model_type": "vit", "image_size": [{height}, {width}], "patch_size": {patch:?}, "hidden_size": {width_d},
        "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 4, "id2label": {{"0": "a"}}{}}}"#,
        // timm keeps its data config inside config.json.
        match pipeline.starts_with("timm") {
            true => format!(
                r#", "pretrained_cfg": {}"#,
                serde_json::from_str::<serde_json::Value>(json).unwrap()["pretrained_cfg"]
            ),
            false => String::new(),
        }
    );
    let mut shapes: Vec<(String, Vec<usize>)> = vec![
        ("vit.embeddings.cls_token".into(), vec![1, 1, width_d]),
        ("vit.embeddings.position_embeddings".into(), vec![1, patches + 1, width_d]),
        ("vit.embeddings.patch_embeddings.projection.weight".into(), vec![width_d, 3, patch[0], patch[1]]),
        ("vit.embeddings.patch_embeddings.projection.bias".into(), vec![width_d]),
        ("classifier.weight".into(), vec![1, width_d]),
        ("classifier.bias".into(), vec![1]),
    ];
    for norm in ["encoder.layer.0.layernorm_before", "encoder.layer.0.layernorm_after", "layernorm"] {
        shapes.push((format!("vit.{norm}.weight"), vec![width_d]));
        shapes.push((format!("vit.{norm}.bias"), vec![width_d]));
    }
    for layer in [
        "attention.attention.query",
        "attention.attention.key",
        "attention.attention.value",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    ] {
        shapes.push((format!("vit.encoder.layer.0.{layer}.weight"), vec![4, 4]));
        shapes.push((format!("vit.encoder.layer.0.{layer}.bias"), vec![4]));
    }
    let tensors = shapes.into_iter().map(|(name, shape)| {
        let values = Values::F32(vec![0.5; shape.iter().product()]);
        (name, shape, values)
    });
    let weights = write(tensors.collect(), None).unwrap();
    let preprocessor = (!pipeline.starts_with("timm")).then_some(json);
    Classifier::load(ConfigFiles { config: &config, preprocessor, processor: None }, &weights, None).unwrap()
}

#[test]
fn pipelines_equal_transformers_and_timm() {
    let expected = SafeTensors::deserialize(EXPECTED).unwrap();
    let (mut compared, mut pipelines) = (0, BTreeSet::new());
    for (name, tensor) in expected.iter() {
        let [image, pipeline] = name.split('/').collect::<Vec<_>>()[..] else { continue };
        let (_, json) = PIPELINES.iter().find(|(known, _)| *known == pipeline).unwrap_or_else(|| panic!("{pipeline}"));
        let image = match image.strip_suffix("_on_white") {
            Some(image) => Decoded::named(image),
            None => Decoded::named(image).without_alpha(),
        };
        let model = model_for(pipeline, json, [tensor.shape()[1], tensor.shape()[2]]);
        let values = model.preprocess(image.view()).unwrap();
        // Pixels are equal; a normalised value may differ in its last bits.
        let error = relative_error(&values, &floats(EXPECTED, name));
        assert!(error < 1e-6, "{name}: {error:e}");
        compared += 1;
        pipelines.insert(pipeline);
    }
    assert_eq!(pipelines.len(), PIPELINES.len(), "{pipelines:?}");
    assert!(compared > 40, "only {compared} pipelines were compared");
    assert!(IMAGES.iter().any(|(name, _)| Decoded::named(name).has_alpha));
}

const PROCESSORS_EXPECTED: &[u8] = include_bytes!("fixtures/processors/expected.safetensors");

macro_rules! processors {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("fixtures/processors/", $name, ".json")))),*]
    };
}

/// Each family's image processor, and the forms that old files have.
const PROCESSORS: &[(&str, &str)] = processors!(
    "beit" "beit_crop" "beit_legacy" "clip" "clip_legacy" "clip_sparse" "deit" "deit_legacy" "deit_sparse" "dino_legacy" "dinov2" "raw" "sam"
    "siglip" "siglip_sparse"
);

/// Processors of other families, filters, and what any file may say.
const OTHERS: &str = include_str!("fixtures/processors/others.json");

/// Every class with nothing left out.
const DEFAULTS: &str = include_str!("fixtures/processors/defaults.json");

fn objects(text: &str) -> BTreeMap<String, String> {
    let objects: BTreeMap<String, Value> = serde_json::from_str(text).unwrap();
    objects.into_iter().map(|(name, value)| (name, value.to_string())).collect()
}

#[test]
fn processors_equal_transformers() {
    let expected = SafeTensors::deserialize(PROCESSORS_EXPECTED).unwrap();
    let mut processors = objects(OTHERS);
    processors.extend(PROCESSORS.iter().map(|(name, json)| (name.to_string(), json.to_string())));
    let mut compared = BTreeSet::new();
    for (name, tensor) in expected.iter() {
        let (image, processor) = name.split_once('/').unwrap();
        if image == "square" {
            continue;
        }
        let model = model_for(processor, &processors[processor], [tensor.shape()[1], tensor.shape()[2]]);
        let values = model.preprocess(Decoded::named(image).view()).unwrap();
        let error = relative_error(&values, &floats(PROCESSORS_EXPECTED, name));
        // Where floats are resized, the order of a sum shows in its last bits.
        let bound = if processor.starts_with("dinov3") { 1e-5 } else { 1e-6 };
        assert!(error < bound, "{name}: {error:e}");
        compared.insert(processor.to_owned());
    }
    assert!(compared.iter().eq(processors.keys()), "{compared:?}");
}

/// SigLIP 2's for square pictures, whose patches are those of the square grid; TIPSv2's, whose integers torchvision resizes, within one step of 255 at one
/// value in a hundred.
#[test]
fn processors_of_square_pictures() {
    let processors = objects(include_str!("fixtures/processors/squares.json"));
    assert_eq!(processors.len(), 2);
    for (name, json) in &processors {
        let model = model_for(name, json, [16, 16]);
        let values = model.preprocess(Decoded::named("photo").square().view()).unwrap();
        let expected = floats(PROCESSORS_EXPECTED, &format!("square/{name}"));
        let apart = |least: f32| values.iter().zip(&expected).filter(|(a, b)| (*a - *b).abs() > least).count();
        let tips = name == "tipsv2";
        assert_eq!(apart(if tips { 1.01 / 255.0 } else { 1e-6 }), 0, "{name}");
        assert!(apart(1e-6) <= if tips { values.len() / 100 } else { 0 }, "{name}: {}", apart(1e-6));
    }
}

/// What keeps the shape of an image ends at the model's size for some images only, and says so of others.
#[test]
fn images_of_another_shape_than_the_models() {
    let json = r#"{"image_processor_type": "DPTImageProcessor", "size": {"height": 16, "width": 16}, "keep_aspect_ratio": true}"#;
    let model = model_for("dpt", json, [16, 16]);
    assert!(model.preprocess(Decoded::named("photo").square().view()).is_ok());
    let error = model.preprocess(Decoded::named("photo").view()).unwrap_err();
    assert_eq!(error.code(), "invalid-image");
    assert!(error.to_string().contains("16 × 23 where the model takes 16 × 16"), "{error}");
    // What is larger than what is padded to, likewise.
    let json = r#"{"image_processor_type": "SamImageProcessor", "do_resize": false, "pad_size": 48}"#;
    let error = model_for("sam", json, [48, 48]).preprocess(Decoded::named("photo").view()).unwrap_err();
    assert!(error.to_string().contains("37 × 53 where the model takes 48 × 48"), "{error}");
}

/// A file that names its class and no more is the class's defaults, by whichever of its names.
#[test]
fn silent_processors_equal_their_defaults() {
    let photo = Decoded::named("photo").without_alpha();
    let mut suffixes = ["ImageProcessor", "ImageProcessorFast", "ImageProcessorPil", "FeatureExtractor"].iter().cycle();
    for (kind, whole) in objects(DEFAULTS) {
        let stated: Value = serde_json::from_str(&whole).unwrap();
        let edges = |key: &str| {
            let edge = |edge: &str| stated[key][edge].as_u64().map(|edge| edge as usize);
            edge("height")
                .zip(edge("width"))
                .or(edge("shortest_edge").or(edge("longest_edge")).map(|edge| (edge, edge)))
        };
        let cropped = edges("crop_size").filter(|_| stated["do_center_crop"] == true);
        let (height, width) = cropped.or(edges("size")).unwrap();
        let suffix = suffixes.next().unwrap();
        let key = if *suffix == "FeatureExtractor" { "feature_extractor_type" } else { "image_processor_type" };
        let silent = format!(r#"{{"{key}": "{}{suffix}"}}"#, kind.strip_suffix("ImageProcessor").unwrap());
        let values = |json: &str| model_for(&kind, json, [height, width]).preprocess(photo.view()).unwrap();
        assert!(values(&silent) == values(&whole), "{silent}");
    }
}

/// A model that takes pictures as they come leaves alone those of the size that is run, and others cover it.
#[test]
fn pictures_as_they_come() {
    let load = |json: &str, size: Option<[usize; 2]>| {
        let files = ConfigFiles { preprocessor: Some(json), ..named("hf_aimv2_native").files() };
        let options = LoadOptions { image_size: size, ..LoadOptions::default() };
        Classifier::load(files, &*named("hf_aimv2_native").source(), options).unwrap()
    };
    let photo = Decoded::named("photo").without_alpha();
    let own = [photo.height, photo.width];
    for (json, size) in [
        (r#"{"do_resize": false, "do_center_crop": false}"#, None),
        (r#"{"do_resize": false, "do_center_crop": false}"#, Some([8, 20])),
        (r#"{"do_resize": false, "do_center_crop": false}"#, Some(own)),
        (r#"{"size": {"shortest_edge": 12}, "do_center_crop": false}"#, None),
    ] {
        let model = load(json, size);
        let [height, width] = size.unwrap_or([12; 2]);
        assert_eq!(model.config().image_size, [height, width]);
        let values = model.preprocess(photo.view()).unwrap();
        assert_eq!(values.len(), 3 * height * width, "{json} {size:?}");
        if size == Some(own) {
            let squashed = format!(r#"{{"size": {{"height": {height}, "width": {width}}}, "do_center_crop": false}}"#);
            assert!(values == load(&squashed, size).preprocess(photo.view()).unwrap());
        }
    }
}

/// From 384 pixels on ConvNeXT's squashes.
#[test]
fn large_convnext_processors_squash() {
    let photo = Decoded::named("photo").without_alpha();
    let values = |kind: &str, size: &str| {
        let json = format!(
            r#"{{"image_processor_type": "{kind}ImageProcessor", "size": {size}, "resample": 3, "crop_pct": 0.9}}"#
        );
        model_for(kind, &json, [400; 2]).preprocess(photo.view()).unwrap()
    };
    assert!(values("ConvNext", r#"{"shortest_edge": 400}"#) == values("ViT", r#"{"height": 400, "width": 400}"#));
}

/// The region an overlay is drawn on, for a crop inside the image and one that pads.
#[test]
fn region_is_what_the_crop_keeps() {
    let json = |name: &str| PIPELINES.iter().find(|(known, _)| *known == name).unwrap().1;
    // Shortest edge to 27, crop 24 × 24, of a 54 × 108 image: scale 2; margins ⌊3 / 2⌋ = 1 and ⌊30 / 2⌋ = 15.
    let region = model_for("hf_shortest_edge_crop", json("hf_shortest_edge_crop"), [24, 24]).region(54, 108).unwrap();
    assert_eq!((region.x, region.y, region.width, region.height), (2.0, 30.0, 48.0, 48.0));
    // Shortest edge to 21, crop 24 × 26, of a 42 × 42 image: padded by ⌈3 / 2⌉ rows above and ⌈5 / 2⌉ columns before.
    let region = model_for("hf_crop_pads", json("hf_crop_pads"), [24, 26]).region(42, 42).unwrap();
    assert_eq!((region.x, region.y, region.width, region.height), (-6.0, -4.0, 52.0, 48.0));
    // Longest edge to 16, of a 32 × 64 image: scale 4, and zeros fill the other half of 16 columns.
    let (_, sam) = PROCESSORS.iter().find(|(name, _)| *name == "sam").unwrap();
    let region = model_for("sam", sam, [16, 16]).region(32, 64).unwrap();
    assert_eq!((region.x, region.y, region.width, region.height), (0.0, 0.0, 64.0, 64.0));
}

#[test]
fn images_without_pixels_are_refused() {
    let model = model_for("hf_squash", PIPELINES[0].1, [24, 32]);
    for (data, width, height) in [(&[][..], 0, 0), (&[], 0, 5), (&[0; 8], 1, 1), (&[0; 4], usize::MAX, usize::MAX)] {
        let error = model.preprocess(Rgba { data, width, height }).unwrap_err();
        assert_eq!(error.code(), "invalid-image", "{width} × {height}");
    }
    assert_eq!(model.region(0, 3).unwrap_err().code(), "invalid-image");
}
