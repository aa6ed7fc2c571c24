//! A processor's file beside tiny models: which of them, then the file. What it is read as must prepare every picture, or refuse it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::str;
use vitscope::Classifier;
use vitscope::checkpoint::{ConfigFiles, LoadOptions};
use vitscope::resample::Rgba;
use vitscope_fuzz::picture;

macro_rules! model {
    ($name:literal) => {
        (
            include_str!(concat!("../../tests/fixtures/", $name, "/config.json")),
            include_bytes!(concat!("../../tests/fixtures/", $name, "/model.safetensors")),
        )
    };
}

/// Of each family with a processor of its own.
const MODELS: [(&str, &[u8]); 6] = [
    model!("hf_vit_gelu_new"),
    model!("hf_deit_teacher"),
    model!("hf_dinov2_model"),
    model!("hf_clip_vision"),
    model!("hf_siglip_vision"),
    model!("timm_vit_features"),
];

fuzz_target!(|input: &[u8]| {
    let Some((options, file)) = input.split_first() else { return };
    let Ok(text) = str::from_utf8(file) else { return };
    let (config, weights) = MODELS[usize::from(options >> 1) % MODELS.len()];
    let image_size = (options & 1 != 0).then_some([12, 20]);
    // What it nests is read as processor_config.json nests it, all else as preprocessor_config.json has it.
    let files = ConfigFiles { config, preprocessor: Some(text), processor: Some(text) };
    let Ok(model) = Classifier::load(files, &weights.to_vec(), LoadOptions { image_size, ..LoadOptions::default() })
    else {
        return;
    };
    for (width, height) in [(1, 1), (9, 7), (2, 61)] {
        let data = picture(width, height);
        if let Ok(values) = model.preprocess(Rgba { data: &data, width, height }) {
            let [rows, columns] = model.config().image_size;
            assert_eq!(values.len(), 3 * rows * columns);
        }
        drop(model.region(width, height));
    }
});
