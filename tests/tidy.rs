//! The house rules a compiler does not check.
#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::{Path, PathBuf};

/// The text files of a folder and of those within it, by their paths in the repository.
fn files(folder: &str, extension: &str) -> Vec<(String, String)> {
    fn visit(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, extension, found);
            } else if path.extension().is_some_and(|own| own == extension) {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    visit(&root.join(folder), extension, &mut found);
    found.sort();
    let name = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
    found.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

fn sources() -> Vec<(String, String)> {
    let found = files("src", "rs");
    assert!(found.len() > 30, "the sources were not found");
    found
}

fn scripts() -> Vec<(String, String)> {
    let found = files("pkg/lib", "js");
    assert!(found.len() > 20, "the package's scripts were not found");
    found
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

/// What `pkg/lib/` has, likewise: rooms, and files beside them, the entries last.
const ROOMS: &[&[&str]] = &[
    &["common"],
    &["assets.js", "draw", "files", "views"],
    &["cache", "hub"],
    &["source"],
    &["classes"],
    &["engine", "image"],
    &["client"],
    &["engine.js", "index.js", "worker.js"],
];

fn layer(layers: &[&[&str]], name: &str) -> Option<usize> {
    layers.iter().position(|names| names.contains(&name))
}

/// `use crate::x` only points downwards, or stays in its own module.
#[test]
fn imports_point_down() {
    for (path, text) in sources() {
        let module = path.trim_start_matches("src/").split(['/', '.']).next().unwrap();
        if matches!(module, "lib" | "bin") {
            continue;
        }
        let own = layer(LAYERS, module).unwrap_or_else(|| panic!("{path}: `{module}` is in no layer of tests/tidy.rs"));
        for (i, _) in text.match_indices("crate::") {
            let target: String =
                text[i + "crate::".len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let Some(other) = layer(LAYERS, &target) else { continue };
            assert!(other < own || target == module, "{path}: layer {own} imports `crate::{target}` of layer {other}");
        }
    }
}

/// The same of the package's scripts, whether they import what runs or only types.
#[test]
fn the_packages_imports_point_down() {
    for (path, text) in scripts() {
        let own_room = room(Path::new(&path)).unwrap();
        let own = layer(ROOMS, &own_room).unwrap_or_else(|| panic!("`{own_room}` is in no layer of tests/tidy.rs"));
        let imports = ["from '.", "import('.", "import '."].into_iter().flat_map(|start| text.match_indices(start));
        for (i, found) in imports {
            let address = text[i + found.len() - 1..].split('\'').next().unwrap();
            let target = resolve(Path::new(&path).parent().unwrap(), address);
            // What is generated, or written by hand for users, lies beside `lib/`.
            let Some(other_room) = room(&target) else { continue };
            let Some(other) = layer(ROOMS, &other_room) else { panic!("{path}: there is no {}", target.display()) };
            assert!(other < own || other_room == own_room, "{path}: layer {own} imports `{address}` of layer {other}");
        }
    }
}

/// The folder of `pkg/lib/` in which a file is, or the file itself where it is in none.
fn room(path: &Path) -> Option<String> {
    let first = path.strip_prefix("pkg/lib").ok()?.components().next()?;
    first.as_os_str().to_str().map(str::to_owned)
}

fn resolve(folder: &Path, address: &str) -> PathBuf {
    let mut path = folder.to_owned();
    for part in address.split('/') {
        match part {
            "." => {}
            ".." => _ = path.pop(),
            name => path.push(name),
        }
    }
    path
}

/// So that a bundler, or a caller with files elsewhere, has one place to look at.
#[test]
fn only_assets_says_where_the_packages_files_are() {
    for (path, text) in scripts() {
        assert_eq!(text.contains("import.meta"), path == "pkg/lib/assets.js", "{path}");
    }
}

#[test]
fn unsafe_stays_in_the_backends() {
    for (path, text) in sources() {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        if !path.starts_with("src/simd/") {
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
    for (path, text) in scripts() {
        assert!(text.lines().count() <= 300, "{path} is longer than 300 lines");
    }
}
