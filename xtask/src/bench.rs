//! `cargo xtask bench`: the benchmarks of `benches/` compiled to wasm, in Node. Natively they are `cargo bench`.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::wasm::{self, SIMD128};
use crate::{toolchain, wasm_tests};

pub fn run(sh: &Shell) -> Result<()> {
    let messages = SIMD128
        .cargo(sh, toolchain::find(sh)?, "bench", "bench")
        .args(["--no-run", "--quiet", "--benches"])
        .arg("--message-format=json-render-diagnostics")
        .quiet()
        .read()
        .context("the benchmarks do not compile for wasm")?;
    let runner = wasm::bindgen_tool(sh, "wasm-bindgen-test-runner")?;
    for module in wasm_tests::test_modules(&messages) {
        let path = module.path;
        cmd!(sh, "{runner} {path} --bench").run()?;
    }
    Ok(())
}
