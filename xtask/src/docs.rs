//! `cargo xtask docs`: the package's API reference, from its declarations, in `target/docs/`.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::{node, root};

/// TypeDoc and the TypeScript that it needs, which is older than the repository's.
const FOLDER: &str = "xtask/docs";

pub fn install(sh: &Shell) -> Result<()> {
    node::install_packages_of(sh, FOLDER)
}

/// Warnings are errors: links that lead nowhere, types that are used and not exported.
pub fn build(sh: &Shell) -> Result<()> {
    install(sh)?;
    let _there = sh.push_dir(FOLDER);
    cmd!(sh, "node node_modules/typedoc/bin/typedoc").quiet().run().context("the API reference has mistakes")?;
    println!("The API reference is at {}", root().join("target/docs/index.html").display());
    Ok(())
}
