//! The crate's own tests compiled to wasm and run in Node and in a browser.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::wasm::Variant;
use crate::{bindgen, browser, toolchain};

/// Where a test module runs.
#[derive(Clone, Copy, PartialEq)]
pub enum Host {
    Node,
    Browser,
}

pub struct TestModule {
    name: String,
    pub path: PathBuf,
}

/// Compiles every test for wasm as `variant` and runs it in `host`.
pub fn run(sh: &Shell, variant: &Variant, host: Host) -> Result<()> {
    let modules = compile(sh, variant)?;
    let runner = bindgen::test_runner(sh)?;
    let mut passed = 0;
    let mut failed = Vec::new();
    for module in &modules {
        println!("\n{} ({}):", module.name, variant.name);
        match run_module(sh, &runner, module, host)? {
            Some(tests) => passed += tests,
            None => failed.push(module.name.as_str()),
        }
    }
    if !failed.is_empty() {
        bail!("wasm tests failed ({}): {}", variant.name, failed.join(", "));
    }
    if passed == 0 {
        bail!("no wasm test ran ({})", variant.name);
    }
    println!("\n{passed} tests passed in wasm ({})", variant.name);
    Ok(())
}

fn compile(sh: &Shell, variant: &Variant) -> Result<Vec<TestModule>> {
    let messages = variant
        .cargo(sh, toolchain::find(sh)?, "test", "test")
        .args(["--no-run", "--quiet", "--lib", "--tests"])
        // Backtraces in wasm come from the name section; debug sections only make modules ten times larger.
        .args(["--config", "profile.test.debug=false", "--message-format=json-render-diagnostics"])
        .quiet()
        .read()
        .context("the tests do not compile for wasm")?;
    Ok(test_modules(&messages))
}

/// The modules of tests or benchmarks in cargo's messages, by name; cargo itself reports them as they come.
pub fn test_modules(messages: &str) -> Vec<TestModule> {
    let mut modules: Vec<_> = messages.lines().filter_map(test_module).collect();
    modules.sort_by(|a, b| a.name.cmp(&b.name));
    modules
}

/// The module that a line of cargo's messages announces.
fn test_module(message: &str) -> Option<TestModule> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message["profile"]["test"] != true {
        return None;
    }
    let path = message["executable"].as_str()?;
    Some(TestModule { name: message["target"]["name"].as_str()?.into(), path: path.into() })
}

/// The number of tests that passed; None when one failed.
fn run_module(sh: &Shell, runner: &Path, module: &TestModule, host: Host) -> Result<Option<usize>> {
    let path = &module.path;
    // A failure prints the test's own backtrace; one of the runner would only follow it.
    let mut command = cmd!(sh, "{runner} {path}").env("RUST_BACKTRACE", "0");
    if host == Host::Browser {
        let browser = browser::find(sh)?;
        command = command
            .env("WASM_BINDGEN_USE_BROWSER", "1")
            .env("WASM_BINDGEN_TEST_TIMEOUT", browser::TIMEOUT.to_string())
            .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", browser.webdriver_json(sh)?)
            .env("CHROMEDRIVER", browser.driver);
    }

    // Read line by line: a person sees the tests go by, and the count is taken from the same lines.
    let mut child = Command::from(command).stdout(Stdio::piped()).spawn()?;
    let mut passed = 0;
    for line in BufReader::new(child.stdout.take().expect("stdout is piped")).lines() {
        let line = line?;
        passed += passed_tests(&line).unwrap_or(0);
        println!("{line}");
    }
    Ok(child.wait()?.success().then_some(passed))
}

/// "test result: ok. 3 passed; 0 failed; …" -> 3
fn passed_tests(line: &str) -> Option<usize> {
    line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_only_passing_summaries() {
        assert_eq!(passed_tests("test result: ok. 12 passed; 0 failed; 1 ignored; 0 filtered out"), Some(12));
        assert_eq!(passed_tests("test result: FAILED. 11 passed; 1 failed; 0 ignored; 0 filtered out"), None);
        assert_eq!(passed_tests("test gemm ... ok"), None);
    }

    #[test]
    fn takes_test_modules_and_no_libraries_from_cargos_messages() {
        let messages = r#"
{"reason":"compiler-artifact","target":{"name":"half"},"profile":{"test":false},"executable":null}
{"reason":"compiler-artifact","target":{"name":"parity"},"profile":{"test":true},"executable":"/t/parity.wasm"}
warning: not JSON
{"reason":"compiler-artifact","target":{"name":"vitscope"},"profile":{"test":false},"executable":"/t/v.wasm"}
{"reason":"compiler-artifact","target":{"name":"gemm"},"profile":{"test":true},"executable":"/t/gemm.wasm"}
{"reason":"build-finished","success":true}"#;
        let modules: Vec<_> = test_modules(messages).into_iter().map(|module| (module.name, module.path)).collect();
        assert_eq!(modules, [("gemm".into(), "/t/gemm.wasm".into()), ("parity".into(), "/t/parity.wasm".into())]);
    }
}
