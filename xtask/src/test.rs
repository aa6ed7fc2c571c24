//! `cargo xtask test`: every check there is, the fast ones first, up to the first that fails.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::wasm::{RELAXED, SCALAR, SIMD128};
use crate::wasm_tests::Host;
use crate::{browser, build, node, toolchain, wasm, wasm_tests};

struct Step {
    name: &'static str,
    what: &'static str,
    run: fn(&Shell) -> Result<()>,
}

const STEPS: &[Step] = &[
    Step { name: "setup", what: "what this machine lacks", run: set_up },
    Step { name: "fmt", what: "rustfmt", run: fmt },
    Step { name: "server", what: "the page's server", run: |sh| node_tests(sh, "xtask") },
    Step { name: "report", what: "the benchmark's arithmetic", run: |sh| node_tests(sh, "xtask/bench") },
    Step { name: "clippy", what: "clippy, natively", run: clippy },
    Step { name: "doc", what: "rustdoc", run: doc },
    Step { name: "native", what: "the crates' tests, natively", run: native },
    Step { name: "build", what: "pkg/dist and pkg/wasm", run: |sh| build(sh, &[]) },
    Step { name: "types", what: "TypeScript's check of pkg, www and the tests", run: types },
    Step { name: "node", what: "the npm package in Node", run: |sh| node_tests(sh, "tests/node") },
    Step { name: "page", what: "the page and the npm package in Chromium", run: page },
    Step { name: "clippy-wasm", what: "clippy for wasm", run: clippy_wasm },
    Step {
        name: "wasm",
        what: "the crate's tests in Node, simd128",
        run: |sh| wasm_tests::run(sh, &SIMD128, Host::Node),
    },
    Step {
        name: "relaxed",
        what: "the same in Chromium, relaxed SIMD",
        run: |sh| wasm_tests::run(sh, &RELAXED, Host::Browser),
    },
    Step { name: "scalar", what: "the same in Node, scalar", run: |sh| wasm_tests::run(sh, &SCALAR, Host::Node) },
];

enum Outcome {
    Passed(Duration),
    Failed(Duration),
    NotRun,
}

pub fn list() {
    for Step { name, what, .. } in STEPS {
        println!("{name:12} {what}");
    }
}

/// Runs the named steps, or all.
pub fn run(sh: &Shell, names: &[&str]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        bail!("there is no step `{unknown}`; `cargo xtask test --list` names them");
    }
    let chosen = STEPS.iter().filter(|step| names.is_empty() || names.contains(&step.name));

    let mut failure = None;
    let mut outcomes = Vec::new();
    for step in chosen {
        if failure.is_some() {
            outcomes.push((step.name, Outcome::NotRun));
            continue;
        }
        println!("\n==> {}: {}", step.name, step.what);
        let start = Instant::now();
        let result = (step.run)(sh);
        let time = start.elapsed();
        outcomes.push((step.name, if result.is_ok() { Outcome::Passed(time) } else { Outcome::Failed(time) }));
        failure = result.err().map(|error| error.context(format!("step `{}` failed", step.name)));
    }
    println!("\n{}", summary(&outcomes));
    failure.map_or(Ok(()), Err)
}

fn summary(outcomes: &[(&str, Outcome)]) -> String {
    let line = |(name, outcome): &(&str, Outcome)| match outcome {
        Outcome::Passed(time) => format!("  ok       {name:12} {:7.1} s\n", time.as_secs_f32()),
        Outcome::Failed(time) => format!("  FAILED   {name:12} {:7.1} s\n", time.as_secs_f32()),
        Outcome::NotRun => format!("  not run  {name}\n"),
    };
    outcomes.iter().map(line).collect()
}

/// Everything that may need the network or root, before anything that takes long.
fn set_up(sh: &Shell) -> Result<()> {
    node::install_packages(sh)?;
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        let cargo = toolchain::current_cargo();
        if cmd!(sh, "{cargo} {subcommand} --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
            cmd!(sh, "rustup component add {component}")
                .run()
                .with_context(|| format!("`cargo {subcommand}` is missing, and rustup can't install it"))?;
        }
    }
    let toolchain = toolchain::find(sh)?;
    let browser = browser::find(sh)?;
    wasm::bindgen_tool(sh, "wasm-bindgen-test-runner")?;
    println!("wasm toolchain: {}", toolchain.describe());
    println!("browser: {}, {}", browser.browser.display(), browser.driver.display());
    Ok(())
}

fn fmt(sh: &Shell) -> Result<()> {
    let cargo = toolchain::current_cargo();
    Ok(cmd!(sh, "{cargo} fmt --all --check").run()?)
}

fn clippy(sh: &Shell) -> Result<()> {
    let cargo = toolchain::current_cargo();
    Ok(cmd!(sh, "{cargo} clippy --workspace --all-targets --features vitscope/cli --locked -- -D warnings").run()?)
}

fn clippy_wasm(sh: &Shell) -> Result<()> {
    // The threads' code too, upon the std that is there: with atomics, checking another would take a minute more.
    for (variant, options) in [(&SIMD128, &["--tests"][..]), (&RELAXED, &["--features", "threads"])] {
        let Some(clippy) = variant.clippy(sh, toolchain::find(sh)?) else {
            println!("skipped: this toolchain has no clippy");
            return Ok(());
        };
        clippy.arg("--lib").args(options).args(["--", "-D", "warnings"]).run()?;
    }
    Ok(())
}

fn doc(sh: &Shell) -> Result<()> {
    let cargo = toolchain::current_cargo();
    let doc = cmd!(sh, "{cargo} doc --package vitscope --lib --features cli --no-deps --locked");
    Ok(doc.env("RUSTDOCFLAGS", "-D warnings").run()?)
}

fn native(sh: &Shell) -> Result<()> {
    let cargo = toolchain::current_cargo();
    Ok(cmd!(sh, "{cargo} test --workspace --features vitscope/cli --locked").run()?)
}

fn types(sh: &Shell) -> Result<()> {
    Ok(node::tool(sh, "typescript/bin/tsc").arg("--noEmit").run()?)
}

fn node_tests(sh: &Shell, dir: &str) -> Result<()> {
    let files = node::test_files(dir)?;
    Ok(cmd!(sh, "node --test --test-reporter=spec {files...}").run()?)
}

fn page(sh: &Shell) -> Result<()> {
    let _chromium = sh.push_env("CHROMIUM", browser::find(sh)?.browser);
    node_tests(sh, "tests/page")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_tells_passed_failed_and_not_run_apart() {
        let outcomes = [
            ("fmt", Outcome::Passed(Duration::from_millis(400))),
            ("clippy", Outcome::Failed(Duration::from_secs(61))),
            ("build", Outcome::NotRun),
        ];
        assert_eq!(
            summary(&outcomes),
            "  ok       fmt              0.4 s\n  FAILED   clippy          61.0 s\n  not run  build\n"
        );
    }

    #[test]
    fn step_names_are_unique() {
        for (i, step) in STEPS.iter().enumerate() {
            assert!(STEPS[i + 1..].iter().all(|other| other.name != step.name), "{}", step.name);
        }
    }

    #[test]
    fn an_unknown_step_is_refused() {
        let error = run(&Shell::new().unwrap(), &["fnt"]).unwrap_err();
        assert!(error.to_string().contains("`fnt`"));
    }
}
