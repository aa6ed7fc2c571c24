//! From `pkg/lib/` and `pkg/wasm/` to `pkg/dist/`: see `xtask/bundle.mjs`.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::{node, root};

/// It takes a few seconds, and nothing is remembered. `fresh`: the builds of the engine that were just made, where not all are.
pub fn build(sh: &Shell, fresh: &[&str]) -> Result<()> {
    node::install_packages(sh)?;
    let script = root().join("xtask/bundle.mjs");
    Ok(cmd!(sh, "node {script} {fresh...}").quiet().run()?)
}
