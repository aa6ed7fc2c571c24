//! The house rules a compiler does not check.
#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::{Path, PathBuf};

fn sources() -> Vec<(String, String)> {
    fn visit(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    visit(&root.join("src"), &mut found);
    found.sort();
    assert!(found.len() > 30, "the sources were not found");
    let name = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
    found.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// Modules from the lowest layer to the highest; see ARCHITECTURE.md.
const LAYERS: &[&[&str]] = &[
    &["error", "simd"],
    &["alloc", "parallel"],
    &["kernels"],
    &["quant", "resample"],
    &["decode", "preprocess", "model"],
    &["checkpoint", "explain"],
    &["classifier"],
    &["wasm"],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// `use crate::x` only points downwards, or stays in its own module.
#[test]
fn imports_point_down() {
    for (path, text) in sources() {
        let module = path.trim_start_matches("src/").split(['/', '.']).next().unwrap();
        if matches!(module, "lib" | "bin") {
            continue;
        }
        let own = layer(module).unwrap_or_else(|| panic!("{path}: `{module}` is in no layer of tests/tidy.rs"));
        for (i, _) in text.match_indices("crate::") {
            let target: String =
                text[i + "crate::".len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let Some(other) = layer(&target) else { continue };
            assert!(other < own || target == module, "{path}: layer {own} imports `crate::{target}` of layer {other}");
        }
    }
}

#[test]
fn unsafe_stays_in_the_wasm_backend() {
    for (path, text) in sources() {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        if !path.starts_with("src/simd/wasm/") {
            assert!(code.clone().all(|line| !line.contains("unsafe ")), "{path} has unsafe code");
        }
    }
}

#[test]
fn only_the_checkpoint_layer_knows_safetensors_and_only_simd_chooses_instructions() {
    for (path, text) in sources() {
        if !path.starts_with("src/checkpoint/") {
            // (A file's own tests may read what is expected of it.)
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            assert!(!code.contains("use safetensors"), "{path} imports safetensors");
        }
        if !path.starts_with("src/simd/") {
            assert!(!text.contains("target_feature") && !text.contains("core::arch"), "{path} chooses instructions");
        }
    }
}

/// A file has one reason to change; past this length look for the seam.
#[test]
fn files_stay_readable() {
    for (path, text) in sources() {
        assert!(text.lines().count() <= 600, "{path} is longer than 600 lines");
    }
}
