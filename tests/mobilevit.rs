//! What a MobileViT's config says is obeyed, or refused by its name; so is what is wrong with its convolutions.

mod common;

use common::edit::{edited, load, refused, rewritten};
use common::{Fixture, named};
use serde_json::json;
use vitscope::Classifier;
use vitscope::checkpoint::{ConfigFiles, LoadOptions};
use vitscope::model::Intervention;
use vitscope::resample::Rgba;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const NAME: &str = "hf_mobilevit";

fn answer(model: &mut Classifier, fixture: &Fixture) -> Vec<f32> {
    model.logits(&fixture.expected("pixel_values")).unwrap().to_vec()
}

#[test]
fn settings_that_change_the_answer_are_refused_by_name() {
    let fixture = named(NAME);
    for (key, value, code, says) in [
        ("output_stride", json!(16), "unsupported-architecture", "output_stride"),
        ("hidden_act", json!("mish"), "unsupported-architecture", "mish"),
        ("num_channels", json!(1), "unsupported-architecture", "num_channels"),
        ("qkv_bias", json!(false), "invalid-config", "qkv_bias"),
        ("hidden_sizes", json!([8, 10]), "invalid-config", "hidden_sizes"),
        ("hidden_sizes", json!([8, -10, 12]), "invalid-config", "hidden_sizes"),
        ("hidden_sizes", json!([8, 0, 12]), "invalid-config", "stage 1"),
        ("hidden_sizes", json!([8, 11, 12]), "invalid-config", "do not divide"),
        ("neck_hidden_sizes", json!([5, 6, 8, 6, 8, 8]), "invalid-config", "neck_hidden_sizes"),
        ("neck_hidden_sizes", json!([5, 6, 8, 6, 8, 1_000_000, 10]), "invalid-config", "1000000 channels"),
        ("neck_hidden_sizes", json!([0, 6, 8, 6, 8, 8, 10]), "invalid-config", "0 channels"),
        ("expand_ratio", json!("4"), "invalid-config", "expand_ratio"),
        ("expand_ratio", json!(1e300), "invalid-config", "channels"),
        ("expand_ratio", json!(4), "tensor-shape", "expand_1x1"),
        ("mlp_ratio", json!(0), "invalid-config", "MLP width"),
        ("mlp_ratio", json!(3), "tensor-shape", "intermediate.dense"),
        ("conv_kernel_size", json!(2), "invalid-config", "2 × 2"),
        ("conv_kernel_size", json!(4_000_000_000_u64), "invalid-config", "4000000000"),
        ("conv_kernel_size", json!(5), "tensor-shape", "conv_kxk"),
        ("patch_size", json!(0), "invalid-config", "0 × 0"),
        ("image_size", json!(1 << 20), "invalid-config", "image"),
    ] {
        refused(load(&edited(NAME, json!({ key: value })), fixture.weights), code, &[says]);
    }
}

/// Where a config is silent its class' own values hold.
#[test]
fn what_a_config_does_not_say() {
    let fixture = named(NAME);
    let own = answer(&mut fixture.load(None).unwrap(), fixture);
    let silent = json!({
        "conv_kernel_size": null, "hidden_act": null, "layer_norm_eps": null, "patch_size": null, "qkv_bias": null,
        "output_stride": null, "num_channels": null, "hidden_size": 4711, "num_hidden_layers": 4711, "intermediate_size": 4711,
    });
    let files = ConfigFiles { config: &edited(NAME, silent), preprocessor: fixture.preprocessor, processor: None };
    let mut model = Classifier::load(files, &fixture.weights.to_vec(), None).unwrap();
    assert_eq!(answer(&mut model, fixture), own);
    // Its own numbers are those of the published small one.
    for key in ["hidden_sizes", "neck_hidden_sizes", "expand_ratio", "mlp_ratio", "num_attention_heads"] {
        refused(
            load(&edited(NAME, json!({ key: null })), fixture.weights),
            if key == "num_attention_heads" { "invalid-config" } else { "tensor-shape" },
            &[],
        );
    }
}

#[test]
fn convolutions_that_are_damaged() {
    let fixture = named(NAME);
    let change = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        rewritten(fixture.weights, |tensors| change(&mut tensors.get_mut(name).unwrap().2))
    };
    let variance = "mobilevit.encoder.layer.1.layer.0.conv_3x3.normalization.running_var";
    let negative = change(variance, &|bytes| bytes[..4].copy_from_slice(&(-1.0f32).to_le_bytes()));
    refused(load(fixture.config, &negative), "invalid-weights", &[variance, "below 0"]);
    let mean = "mobilevit.conv_stem.normalization.running_mean";
    let missing = rewritten(fixture.weights, |tensors| drop(tensors.remove(mean)));
    refused(load(fixture.config, &missing), "missing-tensor", &[mean]);
    let fusion = "mobilevit.encoder.layer.3.fusion.convolution.weight";
    let nan = change(fusion, &|bytes| bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes()));
    refused(load(fixture.config, &nan), "invalid-weights", &[fusion, "NaN"]);
    let flat = rewritten(fixture.weights, |tensors| {
        let shape = &mut tensors.get_mut(fusion).unwrap().1;
        *shape = vec![shape[0], shape[1..].iter().product()];
    });
    refused(load(fixture.config, &flat), "tensor-shape", &[fusion]);
    let segments = rewritten(fixture.weights, |tensors| {
        let classifier = tensors.remove("classifier.weight").unwrap();
        tensors.insert("segmentation_head.classifier.convolution.weight".into(), classifier);
    });
    refused(load(fixture.config, &segments), "unsupported-architecture", &["classes of pixels"]);
    // How often statistics were taken says nothing.
    let uncounted =
        rewritten(fixture.weights, |tensors| tensors.retain(|name, _| !name.ends_with("num_batches_tracked")));
    let mut model = load(fixture.config, &uncounted).unwrap();
    assert_eq!(answer(&mut model, fixture), answer(&mut fixture.load(None).unwrap(), fixture));
}

/// Blue first and never normalised, where no file says so too.
#[test]
fn pixels() {
    let fixture = named(NAME);
    let mut model = load(fixture.config, fixture.weights).unwrap();
    let [height, width] = model.config().image_size;
    let red: Vec<u8> = [255, 51, 0, 255].repeat(height * width);
    let pixels = model.preprocess(Rgba { data: &red, width, height }).unwrap();
    let places = height * width;
    for (channel, value) in [0.0, 0.2, 1.0].into_iter().enumerate() {
        assert!(pixels[channel * places..][..places].iter().all(|pixel| (pixel - value).abs() < 1e-6), "{channel}");
    }
    assert_eq!(model.logits(&pixels).unwrap().len(), 5);
}

/// It cuts no patches, so that nothing is shown of them.
#[test]
fn patches() {
    let fixture = named(NAME);
    let mut model = fixture.load(None).unwrap();
    let pixels = fixture.expected("pixel_values");
    let codes = [
        model.filters(1).err(),
        model.filters_of(&[0]).err(),
        model.patch_inside(&pixels, [0, 0]).err(),
        model.intervene(Intervention { order: Some((0..64).collect()), ..Intervention::default() }).err(),
    ];
    for error in codes {
        let error = error.expect("this should have been refused");
        assert_eq!(error.code(), "unsupported-view", "{error}");
        assert!(error.to_string().contains("across the edges of patches"), "{error}");
    }
}

/// Every size, the smallest too: what is no whole cell is resized, and nothing is left out.
#[test]
fn sizes() {
    let fixture = named(NAME);
    for size in [[1, 1], [7, 33], [16, 8], [31, 100]] {
        for precision in ["f32", "int8"] {
            let options = LoadOptions {
                precision: Some(precision.parse().unwrap()),
                image_size: Some(size),
                ..LoadOptions::default()
            };
            let mut model = Classifier::load(fixture.files(), &fixture.weights.to_vec(), options).unwrap();
            let mut pixels = vec![0.25; 3 * size[0] * size[1]];
            let before = model.logits(&pixels).unwrap().to_vec();
            // The last pixel of all is seen.
            pixels[size[0] * size[1] - 1] = 1.0;
            assert_ne!(model.logits(&pixels).unwrap(), before, "{size:?} {precision}");
        }
    }
}
