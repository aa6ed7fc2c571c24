//! An encoder within a larger model costs no more than it alone: of the other parts' files none is opened, of their tensors none is read.
#![cfg(all(feature = "cli", not(target_arch = "wasm32")))]

mod common;

use common::edit::{file, renamed, rewritten};
use common::{floats, named, relative_error};
use serde_json::{Value, json};
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use vitscope::checkpoint::Shards;

const TOWER: &str = "vision_tower.vision_model.";

fn vitscope(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vitscope")).args(arguments).output().unwrap()
}

/// A folder with LLaVA's config around that of an encoder.
fn llava(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.json"), config()).unwrap();
    folder
}

fn config() -> String {
    let own: Value = serde_json::from_str(named("hf_clip_vision").config).unwrap();
    json!({"model_type": "llava", "vision_config": own, "text_config": {"model_type": "llama"}}).to_string()
}

/// The encoder's tensors as LLaVA calls them.
fn tower() -> Vec<u8> {
    renamed(named("hf_clip_vision").weights, |name| match name.strip_prefix("vision_model.") {
        Some(name) => [TOWER, name].concat(),
        None => ["vision_tower.", name].concat(),
    })
}

/// The features that the command line finds for the fixture's pixels.
fn features(folder: &Path) -> Vec<f32> {
    let (pixels, trace) = ("tests/fixtures/hf_clip_vision/expected.safetensors", folder.join("trace.safetensors"));
    let (model, trace) = (folder.to_str().unwrap(), trace.to_str().unwrap());
    let output = vitscope(&["trace", model, "--pixel-values", pixels, "-o", trace]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    floats(&fs::read(trace).unwrap(), "hidden_states")
}

/// A language model of so many bytes, of which the file system holds none, before the encoder's tensors.
fn within(tower: &[u8], bytes: u64, path: &Path) {
    let length = u64::from_le_bytes(tower[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&tower[8..8 + length]).unwrap();
    let tensors = header.as_object_mut().unwrap();
    tensors.remove("__metadata__");
    for tensor in tensors.values_mut() {
        for offset in tensor["data_offsets"].as_array_mut().unwrap() {
            *offset = json!(offset.as_u64().unwrap() + bytes);
        }
    }
    let language = json!({"dtype": "F32", "shape": [bytes / 4], "data_offsets": [0, bytes]});
    tensors.insert("language_model.model.embed_tokens.weight".into(), language);
    let header = file(&header.to_string(), &[]);
    let mut whole = fs::File::create(path).unwrap();
    whole.write_all(&header).unwrap();
    whole.seek(SeekFrom::Current(bytes.cast_signed())).unwrap();
    whole.write_all(&tower[8 + length..]).unwrap();
}

/// A terabyte, of which the encoder is the last 40 kB.
#[test]
fn a_file_larger_than_memory_is_read_where_the_encoder_is() {
    let folder = llava("llava-large");
    within(&tower(), 1 << 40, &folder.join("model.safetensors"));
    let found = features(&folder);
    drop(fs::remove_dir_all(&folder));
    assert!(relative_error(&found, &named("hf_clip_vision").expected("hidden_states")) < 1e-4);
}

/// Which files of an index are needed, by the names of the tensors in them.
#[test]
fn files_of_other_parts_alone_need_not_be_there() {
    let folder = llava("llava-split");
    let tower = tower();
    let half = |first: bool| {
        rewritten(&tower, |tensors| {
            tensors.retain(|name, _| name.contains("encoder.layers") == first);
        })
    };
    let mut map = serde_json::Map::new();
    for (file, first) in [("a.safetensors", true), ("b.safetensors", false)] {
        let bytes = half(first);
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        map.extend(tensors.names().into_iter().map(|name| (name.to_string(), json!(file))));
        fs::write(folder.join(file), bytes).unwrap();
    }
    for name in ["language_model.lm_head.weight", "multi_modal_projector.linear_1.bias", "image_newline"] {
        map.insert(name.into(), json!("c.safetensors"));
    }
    let index = json!({"weight_map": map}).to_string();
    fs::write(folder.join("model.safetensors.index.json"), &index).unwrap();
    assert!(relative_error(&features(&folder), &named("hf_clip_vision").expected("hidden_states")) < 1e-4);

    // What is needed and missing is named.
    fs::remove_file(folder.join("b.safetensors")).unwrap();
    let output = vitscope(&["inspect", folder.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("b.safetensors can't be read"));
}

#[test]
fn names_tell_what_is_needed() {
    let files = |config: &str, names: &[(&str, &str)]| {
        let map: serde_json::Map<_, _> = names.iter().map(|(name, file)| (name.to_string(), json!(file))).collect();
        Shards::<Vec<u8>>::files(&json!({"weight_map": map}).to_string(), config).unwrap()
    };
    let names = [
        ("model.vision_tower.vision_model.post_layernorm.bias", "a"),
        ("model.language_model.norm.weight", "b"),
        ("model.multi_modal_projector.x", "c"),
        ("lm_head.weight", "d"),
        ("model.image_newline", "e"),
    ];
    assert_eq!(files(&config(), &names), ["a"]);
    assert_eq!(files(&config(), &names[..3]), ["a"]); // all of which begin with `model.`
    // A text tower is never an encoder of images; what else there is, the model's reader has to see.
    let clip = [("text_model.x", "a"), ("vision_model.x", "b"), ("logit_scale", "c"), ("x", "d")];
    assert_eq!(files(r#"{"model_type": "clip"}"#, &clip), ["b", "c", "d"]);
    assert_eq!(files("not JSON", &names), ["a", "b", "c", "d", "e"]);
}

/// A file that stops being readable is not taken for zeros.
#[test]
fn what_cannot_be_read_is_said() {
    let folder = llava("llava-unreadable");
    fs::create_dir(folder.join("model.safetensors")).unwrap();
    for command in [&["inspect"][..], &["quantize", "-o", "x"]] {
        let output = vitscope(&[&[command[0], folder.to_str().unwrap()], &command[1..]].concat());
        let said = String::from_utf8_lossy(&output.stderr).to_string();
        assert!(said.contains("model.safetensors can't be read"), "{said}");
        assert_eq!(output.status.code(), Some(1));
    }
}
