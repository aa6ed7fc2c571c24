//! `cargo xtask soak`: the page over thousands of frames and hundreds of models; `xtask/bench/soak.mjs` drives and measures.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::{browser, build, node};

pub const USAGE: &str = "\
cargo xtask soak [--frames N] [--switches N] [--model NAME] [--record]
                                  10,000 frames of a camera and 200 changes of the model in Chromium: memory, pauses, errors; --record keeps it in benches/record";

pub fn run(sh: &Shell, options: &[&str]) -> Result<()> {
    build(sh, &[])?;
    node::install_packages(sh)?;
    let _chromium = sh.push_env("CHROMIUM", browser::find(sh)?.browser);
    Ok(cmd!(sh, "node xtask/bench/soak.mjs {options...}").quiet().run()?)
}
