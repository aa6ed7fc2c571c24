//! Picture files, against what Pillow reads and refuses.
#![cfg(all(feature = "decode", not(target_arch = "wasm32")))]

#[path = "common/crc32.rs"]
mod crc32;

use crc32::crc32;
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use vitscope::decode::{MAX_PIXELS, Picture};
use vitscope::preprocess::{CropRounding, Preprocess, Resize};
use vitscope::resample::{Filter, resize};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/decode")
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

/// Over white, as Pillow's pixels in the fixtures are: a resize to the same size does that alone.
fn rgb(picture: &Picture) -> ([usize; 2], Vec<[u8; 3]>) {
    let (width, height) = (picture.view().width, picture.view().height);
    ([height, width], resize(picture.view(), (height, width), Filter::Bilinear, 0..height, 0..width).unwrap())
}

/// Every kind of file, against what Pillow reads: right way up, over white where transparent; of an animation the first picture; where
/// the data of a JPEG is damaged, what libjpeg makes of it.
#[test]
fn pixels_equal_pillows() {
    let bytes = file("expected.safetensors");
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let mut compared = 0;
    for (name, tensor) in expected.iter() {
        let Some(image) = name.strip_suffix("/rgb") else { continue };
        let ([height, width], ours) = rgb(&Picture::decode(&file(image), MAX_PIXELS).unwrap());
        assert_eq!([height, width, 3], tensor.shape(), "{image}");
        let apart = ours.as_flattened().iter().zip(tensor.data()).map(|(ours, theirs)| ours.abs_diff(*theirs)).max();
        assert_eq!(apart, Some(0), "{image}");
        compared += 1;
    }
    assert!(compared > 35, "only {compared} files were compared");
}

/// Whole pipelines over files: odd sizes, and threads of pixels whose resize would not fit into memory as a whole.
#[test]
fn pipelines_equal_the_libraries() {
    let imagenet = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let pipeline = |resize, filter, crop: Option<[usize; 2]>, crop_rounding, (mean, std)| Preprocess {
        resize,
        filter,
        crop,
        fill: [0; 3],
        crop_rounding,
        floats: false,
        rescale_factor: 1.0 / 255.0,
        bgr: false,
        mean,
        std,
        pad: None,
    };
    let crop = Some([24; 2]);
    let pipelines = [
        (
            "hf_squash",
            pipeline(Resize::Squash([24, 32]), Filter::Bilinear, None, CropRounding::Down, ([0.5; 3], [0.5; 3])),
        ),
        (
            "hf_shortest_edge_crop",
            pipeline(Resize::ShortestEdge(27), Filter::Bicubic, crop, CropRounding::Down, imagenet),
        ),
        ("timm_center", pipeline(Resize::ShortestEdge(26), Filter::Bicubic, crop, CropRounding::HalfEven, imagenet)),
    ];
    let bytes = file("expected.safetensors");
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let mut compared = 0;
    for (name, tensor) in expected.iter() {
        let (image, which) = name.split_once('/').unwrap();
        let Some((_, pipeline)) = pipelines.iter().find(|(known, _)| *known == which) else { continue };
        let picture = Picture::decode(&file(image), MAX_PIXELS).unwrap();
        let ours = pipeline.apply(picture.view(), [tensor.shape()[1], tensor.shape()[2]]).unwrap();
        let theirs = tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        let apart = ours.iter().zip(theirs).map(|(ours, theirs)| (ours - theirs).abs()).fold(0.0, f32::max);
        assert!(apart < 1e-5, "{name}: {apart}");
        compared += 1;
    }
    assert_eq!(compared, 9);
}

/// Cut after each of its bytes, a file is refused as long as anything of the picture is missing: no grey, black or empty rest is made up.
/// JPEG and WebP are read from the byte on from which Pillow reads them; the others may lack less of what follows the picture.
#[test]
fn what_is_truncated_is_refused() {
    let enough: BTreeMap<String, usize> = serde_json::from_slice(&file("truncated.json")).unwrap();
    assert!(enough.len() > 35);
    for (name, theirs) in enough {
        let whole = file(&name);
        let expected = rgb(&Picture::decode(&whole, MAX_PIXELS).unwrap());
        let read = |length: usize| Picture::decode(&whole[..length], MAX_PIXELS);
        let ours = (0..whole.len()).find(|length| read(*length).is_ok()).unwrap_or(whole.len());
        for length in ours..whole.len() {
            assert!(rgb(&read(length).unwrap()) == expected, "{name}: {length} of {} bytes", whole.len());
        }
        match name.rsplit_once('.').unwrap().1 {
            "jpg" | "webp" => assert_eq!(ours, theirs, "{name}"),
            _ => assert!(ours.abs_diff(theirs) <= 18, "{name}: {ours}, not {theirs}"),
        }
    }
    let error = Picture::decode(&file("color_420.jpg")[..700], MAX_PIXELS).err().unwrap();
    assert_eq!(error.code(), "decode-image");
    assert!(error.to_string().contains("truncated"), "{error}");
}

/// Files of some dozen bytes, of every kind, that claim billions of pixels: refused before memory is asked for.
#[test]
fn what_claims_too_many_pixels_is_refused_before_it_is_decoded() {
    for (name, file) in bombs() {
        let error = Picture::decode(&file, MAX_PIXELS).err().unwrap();
        assert_eq!(error.code(), "invalid-image", "{name}: {error}");
        for part in ["178956970", "--max-pixels"] {
            assert!(error.to_string().contains(part), "{name}: {error}");
        }
    }
    let photo = file("photo_333x500.jpg");
    let error = Picture::decode(&photo, 333 * 500 - 1).err().unwrap();
    assert!(error.to_string().contains("500 × 333"), "{error}");
    assert!(Picture::decode(&photo, 333 * 500).is_ok());
}

fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let big = |value: u32| value.to_be_bytes().to_vec();
    let little = |value: u32| value.to_le_bytes().to_vec();
    let mut ihdr = [b"IHDR".to_vec(), big(80_000), big(80_000), vec![8, 2, 0, 0, 0]].concat();
    ihdr.extend(big(crc32(&ihdr)));
    let mut idat = b"IDAT".to_vec();
    idat.extend(big(crc32(&idat)));
    // Screens of 65,535² and of 1²; the frame is 65,535² in both.
    let gif = |screen: [u8; 2]| {
        let screen = [screen, screen].concat();
        [
            b"GIF89a".to_vec(),
            screen,
            vec![0x80, 0, 0, 0, 0, 0, 255, 255, 255, 0x2c, 0, 0, 0, 0],
            vec![255; 4],
            vec![0, 2, 2, 0x4c, 1, 0, 0x3b],
        ]
        .concat()
    };
    let mut jpeg = file("color_420.jpg");
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]); // 65,500²
    let mut progressive = file("progressive.jpg");
    let frame = progressive.windows(2).position(|marker| marker == [0xff, 0xc2]).unwrap();
    progressive[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    let webp = |flags: u8, data: Vec<u8>| {
        let body =
            [b"WEBPVP8X".to_vec(), little(10), vec![flags, 0, 0, 0], vec![254, 255, 0, 254, 255, 0], data].concat();
        [b"RIFF".to_vec(), little(body.len() as u32), body].concat()
    };
    let frame = [b"VP8L".to_vec(), little(5), vec![0x2f, 0xff, 0xff, 0xff, 0x0f, 0]].concat();
    let animation = [
        b"ANIM".to_vec(),
        little(6),
        vec![0; 6],
        b"ANMF".to_vec(),
        little(16 + frame.len() as u32),
        vec![0; 16],
        frame.clone(),
    ]
    .concat();
    let bmp = |bits: u8| {
        let header = [
            little(40),
            little(60_000),
            little(60_000),
            vec![1, 0, bits, 0],
            little(0),
            little(0),
            little(0),
            little(0),
            little(0),
            little(0),
        ]
        .concat();
        [b"BM".to_vec(), little(200), little(0), little(54 + 1024), header, vec![0; 1100]].concat()
    };
    vec![
        ("png", [b"\x89PNG\r\n\x1a\n".to_vec(), big(13), ihdr, big(0), idat].concat()),
        ("gif, screen", gif([255, 255])),
        ("gif, frame", gif([1, 0])),
        ("jpeg", jpeg),
        ("progressive jpeg", progressive),
        ("webp", webp(0, frame)),
        ("animated webp", webp(2, animation)),
        ("bmp, 24 bits", bmp(24)),
        ("bmp, 8 bits", bmp(8)),
    ]
}
