//! A picture's file, decoded and prepared: how it is prepared, then the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitscope::decode::Picture;
use vitscope::preprocess::{CropRounding, Preprocess, Resize};
use vitscope::resample::Filter;

/// Small, so that many are decoded.
const MAX_PIXELS: u32 = 1 << 14;

fuzz_target!(|input: &[u8]| {
    let Some((options, file)) = input.split_first() else { return };
    let Ok(picture) = Picture::decode(file, MAX_PIXELS) else { return };
    let image = picture.view();
    assert!(image.width * image.height <= MAX_PIXELS as usize);
    assert_eq!(image.data.len(), 4 * image.width * image.height);
    // (As SAM's processor does, or as others.)
    let pads = options & 64 != 0;
    let steps = Preprocess {
        resize: [
            Resize::Squash([12, 20]),
            if pads { Resize::LongestEdge(12) } else { Resize::ShortestEdge(15) },
            Resize::Cover([14, 22]),
            Resize::Contain([12, 20]),
        ][usize::from(options & 3)],
        filter: Filter::ALL[usize::from(options >> 3) % Filter::ALL.len()],
        crop: if pads && options & 3 == 1 { None } else { Some([12, 20]) },
        pad: pads.then_some([12, 20]),
        fill: [0; 3],
        crop_rounding: if options & 4 == 0 { CropRounding::Down } else { CropRounding::HalfEven },
        floats: options & 128 != 0,
        rescale_factor: 1.0 / 255.0,
        bgr: false,
        mean: [0.5; 3],
        std: [0.5; 3],
    };
    let values = steps.apply(image, [12, 20]).expect("a picture that was decoded can be prepared");
    assert_eq!(values.len(), 3 * 12 * 20);
    steps.region(image.width, image.height).expect("and has a part that is seen");
});
