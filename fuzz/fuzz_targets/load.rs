//! A config and the weights' file together: options, then `config.json \0 header \0 data`. What loads must run, and load again once it is quantised.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitscope::Classifier;
use vitscope::checkpoint::{ConfigFiles, LoadOptions, quantize};
use vitscope::model::Precision;
use vitscope::quant::Bits;
use vitscope::resample::Rgba;
use vitscope_fuzz::{picture, texts, weights};

fuzz_target!(|input: &[u8]| {
    let Some((options, input)) = input.split_first() else { return };
    let Some(([config, header], seed)) = texts(input) else { return };
    // Half of the files are as they come, mostly damaged; half have a length and data that fit their header.
    let files = ConfigFiles { config, preprocessor: None, processor: None };
    let mut file = if options & 1 == 0 { weights(header, seed) } else { [header.as_bytes(), b"\0", seed].concat() };
    let precision = [None, Some(Precision::F32), Some(Precision::Int8), None][usize::from(options >> 1 & 3)];
    let image_size = (options & 8 != 0).then_some([12, 20]);
    if options & 16 != 0 {
        let bits = if options & 32 != 0 { Bits::Four } else { Bits::Eight };
        let Ok(quantized) = quantize(files, &file, bits, &mut |_| ()) else { return };
        file = quantized;
    }
    let options = LoadOptions { precision, image_size, ..LoadOptions::default() };
    let Ok(mut model) = Classifier::load(files, &file, options) else { return };

    let config = model.config();
    if config.tokens() * config.hidden_size * config.layers > 1 << 16 || config.tokens() > 256 {
        return; // for speed
    }
    let data = picture(9, 7);
    if let Ok(pixels) = model.preprocess(Rgba { data: &data, width: 9, height: 7 }) {
        model.logits(&pixels).expect("what loads runs");
    }
});
