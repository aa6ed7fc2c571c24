//! wasm-bindgen's programs, at the version of the engine's own: those of `xtask/bindgen/`, compiled when they are needed.

use std::path::PathBuf;
use std::sync::Mutex;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::steps::timed;
use crate::{root, toolchain, which};

/// Makes the glue: see `xtask/bindgen/src/bind.rs`.
pub fn bind(sh: &Shell) -> Result<PathBuf> {
    compiled(sh, "bind", &[])
}

/// Runs a module of tests or benchmarks. It reads fifty of them, large ones, so optimising pays.
pub fn test_runner(sh: &Shell) -> Result<PathBuf> {
    compiled(sh, "test-runner", &["--features", "test-runner", "--config", "profile.tool.opt-level=1"])
}

/// Where cargo has it already, this takes a moment. Of several threads that want it one compiles it.
fn compiled(sh: &Shell, name: &str, options: &[&str]) -> Result<PathBuf> {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock();
    let target = root().join("target/tools");
    let program = target.join("tool").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    // What is compiled beside it takes longer, and comes first.
    let (run, cargo) = match which("nice") {
        Some(nice) => (nice, Some(toolchain::current_cargo())),
        None => (toolchain::current_cargo(), None),
    };
    let compile = || {
        cmd!(
            sh,
            "{run} {cargo...} build --quiet --package xtask-bindgen --bin {name} {options...} --profile tool --locked"
        )
        .arg("--target-dir")
        .arg(&target)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET")
        .quiet()
        .run()
        .with_context(|| format!("wasm-bindgen's `{name}` does not compile"))
    };
    if program.exists() {
        compile()?
    } else {
        timed(&format!("Compiling wasm-bindgen's {name}"), compile)?
    }
    Ok(program)
}
