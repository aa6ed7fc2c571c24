//! `cargo xtask size`: what the download of the relaxed build is made of, and its budgets; see `xtask/size.mjs`.

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

use crate::wasm::RELAXED;
use crate::{build, root};

pub const USAGE: &str = "\
cargo xtask size                  say what the download is made of, part by part, and whether it keeps to xtask/size.json
cargo xtask size --record         the same, and make what it is now its budgets";

pub fn run(sh: &Shell, options: &[&str]) -> Result<()> {
    match options {
        [] => measure(sh, "report"),
        ["--record"] => measure(sh, "record"),
        _ => bail!("unknown options `{}`; there is --record", options.join(" ")),
    }
}

/// Whether every part keeps to its budget.
pub fn check(sh: &Shell) -> Result<()> {
    measure(sh, "check")
}

fn measure(sh: &Shell, how: &str) -> Result<()> {
    build(sh, &[RELAXED.name])?;
    let [module, functions] = ["vitscope_bg.wasm", "functions.txt"].map(|file| RELAXED.package_dir().join(file));
    let [script, measure] = ["pkg/dist/index.js", "xtask/size.mjs"].map(|file| root().join(file));
    let worker = root().join("pkg/dist/vitscope/worker.js");
    Ok(cmd!(sh, "node {measure} {how} {module} {functions} {script} {worker}").quiet().run()?)
}
