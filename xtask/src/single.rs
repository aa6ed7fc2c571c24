//! `cargo xtask single`: the page as one HTML file, by `xtask/single.mjs`.

use std::path::Path;

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::wasm::{RELAXED, SIMD128};
use crate::{bench, build, cache, root};

/// The lightest of the page's models, which the file has in 4 bits.
const MODEL: &str = "models/vitscope-tiny";

/// One thread: a file from the disk has no shared memory.
pub fn run(sh: &Shell, file: &Path) -> Result<()> {
    build(sh, &[RELAXED.name, SIMD128.name])?;
    let model = cache().join("single");
    sh.remove_path(&model)?;
    bench::cli(sh).args(["quantize", MODEL, "--bits", "4", "--output"]).arg(&model).quiet().ignore_stdout().run()?;
    let script = root().join("xtask/single.mjs");
    Ok(cmd!(sh, "node {script} {model} {file}").quiet().run()?)
}
