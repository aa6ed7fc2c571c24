//! A model that is read while its file arrives is the one that is read from the whole file: planned from the header alone, its blocks in any order.

mod common;

use common::crc32::crc32;
use common::edit::{file, rewritten};
use common::{FIXTURES, Fixture, STAGED, named};
use serde_json::{Value, json};
use vitscope::Classifier;
use vitscope::checkpoint::{Portable, Source, Walk, check, quantize, write};
use vitscope::model::Precision;
use vitscope::quant::{Bits, FORMAT_INT8};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Parts of a file, and nothing else of it.
struct Parts(Vec<(u64, Vec<u8>)>, Option<u64>);

impl Source for Parts {
    fn size(&self) -> Option<u64> {
        self.1
    }

    fn read(&self, offset: u64, target: &mut [u8]) {
        let within = |(begin, bytes): &&(u64, Vec<u8>)| {
            *begin <= offset && offset + target.len() as u64 <= begin + bytes.len() as u64
        };
        let (begin, bytes) = self.0.iter().find(within).expect("nothing is read that was not planned");
        target.copy_from_slice(&bytes[(offset - begin) as usize..][..target.len()]);
    }
}

fn part(source: &dyn Source, begin: u64, end: u64) -> (u64, Vec<u8>) {
    let mut bytes = vec![0; (end - begin) as usize];
    source.read(begin, &mut bytes);
    (begin, bytes)
}

fn header(source: &dyn Source) -> Parts {
    let mut length = [0; 8];
    source.read(0, &mut length);
    Parts(vec![part(source, 0, 8 + u64::from_le_bytes(length))], source.size())
}

/// What is planned of a block, or of the rest.
fn planned(walk: &Walk, source: &dyn Source, block: Option<usize>) -> Parts {
    let tensors = walk.planned().iter().filter(|tensor| tensor.block == block);
    Parts(tensors.map(|tensor| part(source, tensor.begin, tensor.end)).collect(), None)
}

fn open(fixture: &Fixture, source: &dyn Source, dtype: Option<Precision>) -> Walk {
    Walk::open(fixture.files(), &header(source), dtype, None).unwrap()
}

fn walked(
    fixture: &Fixture,
    source: &dyn Source,
    dtype: Option<Precision>,
    rng: &mut fastrand::Rng,
    mut portable: Option<&mut Portable>,
) -> Classifier {
    let mut walk = open(fixture, source, dtype);
    let mut order: Vec<usize> = (0..walk.blocks()).collect();
    rng.shuffle(&mut order);
    for block in order {
        let parts = planned(&walk, source, Some(block));
        walk.read_block(block, &parts, portable.as_deref_mut()).unwrap();
    }
    let rest = planned(&walk, source, None);
    let text = fixture.text_embeddings.map(<[u8]>::to_vec);
    Classifier::new(walk.finish(&rest, text.as_ref().map(|text| text as &dyn Source), portable).unwrap()).unwrap()
}

fn assert_same(fixture: &Fixture, a: &mut Classifier, b: &mut Classifier) {
    let pixels = fixture.expected("pixel_values");
    assert_eq!(a.logits(&pixels).unwrap(), b.logits(&pixels).unwrap(), "{}", fixture.name);
    assert_eq!(a.features(), b.features(), "{}", fixture.name);
    assert_eq!(
        (a.parameters(), a.weight_bytes(), a.processor()),
        (b.parameters(), b.weight_bytes(), b.processor()),
        "{}",
        fixture.name
    );
}

#[test]
fn in_any_order_it_is_the_same_model() {
    let mut rng = fastrand::Rng::with_seed(20);
    for fixture in FIXTURES.iter().chain(STAGED) {
        let source = fixture.source();
        for dtype in ["f32", "int8"] {
            let precision = Some(dtype.parse().unwrap());
            let mut model = walked(fixture, &*source, precision, &mut rng, None);
            assert_same(fixture, &mut model, &mut fixture.load(Some(dtype)).unwrap());
        }
    }
}

/// Block by block it is the file that `quantize` writes, and that file is the same model again.
#[test]
fn the_portable_form_is_a_quantised_file() {
    let mut rng = fastrand::Rng::with_seed(21);
    for fixture in FIXTURES.iter().chain(STAGED) {
        let source = fixture.source();
        let mut portable = Portable::int8();
        let mut model = walked(fixture, &*source, Some(Precision::Int8), &mut rng, Some(&mut portable));
        let portable = write(portable.tensors(), Some(FORMAT_INT8)).unwrap();
        let quantised = quantize(fixture.files(), &*source, Bits::Eight, &mut |_| ()).unwrap();
        assert!(portable == quantised, "{}", fixture.name);
        let mut again = walked(fixture, &portable, None, &mut rng, None);
        assert_same(fixture, &mut model, &mut again);
    }
}

/// What the command line writes is what the package writes (`Vitscope.quantize`): both are held to `tests/quantized.json`, length and checksum of each file.
#[test]
fn quantised_files_are_these_bytes_here_as_in_the_package() {
    let table: Value = serde_json::from_str(include_str!("quantized.json")).unwrap();
    for (name, expected) in table.as_object().unwrap() {
        let fixture = named(name);
        let bytes = quantize(fixture.files(), &*fixture.source(), Bits::Eight, &mut |_| ()).unwrap();
        assert_eq!(json!([bytes.len(), crc32(&bytes)]), *expected, "{name}");
    }
}

/// A file of these tensors alone is the same model: what a cache may keep.
#[test]
fn what_is_planned_is_all_there_need_be() {
    let mut rng = fastrand::Rng::with_seed(22);
    for fixture in FIXTURES.iter().chain(STAGED) {
        let source = fixture.source();
        let walk = open(fixture, &*source, None);
        let (mut names, mut bytes) = (serde_json::Map::new(), Vec::new());
        for tensor in walk.planned() {
            let begin = bytes.len();
            bytes.extend(part(&*source, tensor.begin, tensor.end).1);
            let entry = json!({"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [begin, bytes.len()]});
            names.insert(tensor.name.clone(), entry);
        }
        let compact = file(&Value::from(names).to_string(), &bytes);
        let mut model = walked(fixture, &compact, None, &mut rng, None);
        assert_same(fixture, &mut model, &mut fixture.load(None).unwrap());
    }
}

/// What other parts of a model take stays where it is.
#[test]
fn other_towers_are_not_planned() {
    for (name, left) in [
        ("hf_clip_zero_shot", "text_model."),
        ("hf_siglip_zero_shot", "text_model."),
        ("hf_aimv2_zero_shot", "text_model."),
        ("hf_altclip", "text_model."),
        ("hf_trocr", "decoder."),
        ("hf_mae", "decoder."),
        ("hf_blip", "text_"),
        ("hf_paligemma", "language_model."),
        ("open_clip", "transformer.resblocks."),
    ] {
        let fixture = named(name);
        let source = fixture.source();
        let walk = open(fixture, &*source, None);
        let bytes: u64 = walk.planned().iter().map(|tensor| tensor.end - tensor.begin).sum();
        assert!(bytes < source.size().unwrap() * 9 / 10, "{name}: {bytes}");
        let strays: Vec<_> =
            walk.planned().iter().map(|tensor| &tensor.name).filter(|name| name.starts_with(left)).collect();
        assert!(strays.is_empty(), "{name}: {strays:?}");
        assert!(walk.planned().iter().any(|tensor| tensor.block == Some(walk.blocks() - 1)), "{name}");
    }
}

/// A tower at the end of a file that no 32 bits can count.
#[test]
fn offsets_are_wider_than_memory() {
    const LANGUAGE: u64 = 5 << 30;
    struct Behind(Vec<u8>, Vec<u8>);
    impl Source for Behind {
        fn size(&self) -> Option<u64> {
            Some(self.0.len() as u64 + LANGUAGE + self.1.len() as u64)
        }

        fn read(&self, offset: u64, target: &mut [u8]) {
            match offset.checked_sub(self.0.len() as u64 + LANGUAGE) {
                Some(offset) => self.1.read(offset, target),
                None => self.0.read(offset, target),
            }
        }
    }
    let fixture = named("hf_clip_zero_shot");
    let length = u64::from_le_bytes(fixture.weights[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&fixture.weights[8..8 + length]).unwrap();
    for (_, tensor) in header.as_object_mut().unwrap().iter_mut().filter(|(name, _)| *name != "__metadata__") {
        for offset in tensor["data_offsets"].as_array_mut().unwrap() {
            *offset = json!(offset.as_u64().unwrap() + LANGUAGE);
        }
    }
    header["text_model.large"] = json!({"dtype": "U8", "shape": [5, 1 << 30], "data_offsets": [0, LANGUAGE]});
    let large = Behind(file(&header.to_string(), b""), fixture.weights[8 + length..].to_vec());
    let mut rng = fastrand::Rng::with_seed(23);
    let mut model = walked(fixture, &large, None, &mut rng, None);
    assert_same(fixture, &mut model, &mut fixture.load(None).unwrap());
}

/// What is wrong with a model is known before any of its weights have arrived.
#[test]
fn errors_come_with_the_header() {
    let fixture = named("hf_vit");
    let refused = |weights: &[u8], code: &str, part: &str| {
        let error = Walk::open(fixture.files(), &header(&weights.to_vec()), None, None).err().unwrap();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    };
    let whole = fixture.weights;
    refused(&whole[..whole.len() - 1], "invalid-weights", "truncated");
    let without = |missing: &str| rewritten(whole, |tensors| drop(tensors.remove(missing)));
    refused(&without("vit.layernorm.bias"), "missing-tensor", "vit.layernorm.bias");
    refused(&without("vit.encoder.layer.1.output.dense.weight"), "missing-tensor", "layer.1.output");
    // Not knowing how long a file is, nobody says that it is too short.
    let mut unsized_header = header(&whole.to_vec());
    unsized_header.1 = None;
    assert!(Walk::open(fixture.files(), &unsized_header, None, None).is_ok());
}

#[test]
fn a_config_is_checked_alone() {
    FIXTURES.iter().chain(STAGED).for_each(|fixture| check(fixture.config).unwrap());
    for (config, code) in [
        ("{", "invalid-config"),
        (r#"{"model_type": "levit"}"#, "unsupported-architecture"),
        (r#"{"architecture": "resnet50"}"#, "unsupported-architecture"),
    ] {
        assert_eq!(check(config).unwrap_err().code(), code);
    }
    check("{}").unwrap(); // the weights may tell
}

#[test]
fn blocks_that_were_not_read_are_missed() {
    let fixture = named("hf_vit");
    let source = fixture.source();
    let walk = open(fixture, &*source, None);
    assert_eq!(walk.finish(&*source, None, None).err().unwrap().code(), "invalid-weights");
}
