//! `cargo xtask test`: the checks, the fast ones first, up to the first that fails. Those that take long are `--long`'s.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::wasm::{RELAXED, SCALAR, SIMD128};
use crate::wasm_tests::Host;
use crate::{backends, bindgen, browser, build, docs, fuzz, node, notebook, site, size, toolchain, wasm_tests};

struct Step {
    name: &'static str,
    what: &'static str,
    run: fn(&Shell) -> Result<()>,
    /// Whether it waits to be asked for, by its name or by `--long`.
    long: bool,
}

const STEPS: &[Step] = &[
    Step { name: "setup", what: "what this machine lacks", run: set_up, long: false },
    Step { name: "fmt", what: "rustfmt", run: fmt, long: false },
    Step { name: "xtask", what: "the page's server, the workflows", run: |sh| node_tests(sh, "xtask"), long: false },
    Step { name: "report", what: "the benchmark's arithmetic", run: |sh| node_tests(sh, "xtask/bench"), long: false },
    Step { name: "clippy", what: "clippy, natively", run: clippy, long: false },
    Step { name: "doc", what: "rustdoc", run: doc, long: false },
    Step { name: "docs", what: "the npm package's API reference", run: docs::build, long: false },
    Step { name: "native", what: "the crates' tests, natively", run: native, long: false },
    Step { name: "build", what: "pkg/dist", run: |sh| build(sh, &[]), long: false },
    Step { name: "size", what: "the budgets of the download", run: size::check, long: false },
    Step { name: "site", what: "the static folder", run: |sh| site::run(sh, &[]), long: false },
    Step { name: "types", what: "TypeScript's check of pkg, www and the tests", run: types, long: false },
    Step { name: "node", what: "the npm package in Node", run: |sh| node_tests(sh, "tests/node"), long: false },
    Step { name: "page", what: "the page and the npm package in Chromium", run: page, long: false },
    Step { name: "notebook", what: "the Python package, in JupyterLab", run: notebook, long: false },
    Step { name: "examples", what: "the examples, in Chromium and Node", run: examples, long: false },
    Step { name: "clippy-wasm", what: "clippy for wasm", run: clippy_wasm, long: false },
    Step {
        name: "wasm",
        what: "the crate's tests in Node, simd128",
        run: |sh| wasm_tests::run(sh, &SIMD128, Host::Node),
        long: false,
    },
    Step {
        name: "relaxed",
        what: "the same in Chromium, relaxed SIMD",
        run: |sh| wasm_tests::run(sh, &RELAXED, Host::Browser),
        long: false,
    },
    Step {
        name: "scalar",
        what: "the same in Node, scalar",
        run: |sh| wasm_tests::run(sh, &SCALAR, Host::Node),
        long: false,
    },
    Step {
        name: "backends",
        what: "the kernels' tests for x86-64-v2, this processor and Arm",
        run: backends::test,
        long: true,
    },
    Step { name: "engines", what: "the npm package and the page in Firefox and WebKitGTK", run: engines, long: true },
    Step { name: "memory", what: "the npm package's memory over many loads and answers", run: memory, long: true },
    Step { name: "fuzz", what: "random inputs for what reads files", run: fuzz_briefly, long: true },
    Step { name: "tools", what: "the package in other bundlers, runtimes and TypeScript", run: tools, long: true },
];

enum Outcome {
    Passed(Duration),
    Failed(Duration),
    NotRun,
}

pub fn list() {
    for Step { name, what, long, .. } in STEPS {
        println!("{name:12} {what}{}", if *long { " (--long)" } else { "" });
    }
}

/// Whether a step is run where these are named, none or some.
fn is_chosen(step: &Step, names: &[&str], long: bool) -> bool {
    if names.is_empty() { long || !step.long } else { names.contains(&step.name) }
}

/// Runs the named steps; where none is named, all, or all that don't take long.
pub fn run(sh: &Shell, names: &[&str], long: bool) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        bail!("there is no step `{unknown}`; `cargo xtask test --list` names them");
    }
    let chosen = STEPS.iter().filter(|step| is_chosen(step, names, long));

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
    docs::install(sh)?;
    node::install_packages_of(sh, "examples")?;
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
    bindgen::test_runner(sh)?;
    notebook::install(sh)?;
    println!("wasm toolchain: {}", toolchain.describe());
    println!("browser: {}, {}", browser.browser.display(), browser.driver.display());
    Ok(())
}

fn fmt(sh: &Shell) -> Result<()> {
    let cargo = toolchain::current_cargo();
    cmd!(sh, "{cargo} fmt --all --check").run()?;
    Ok(cmd!(sh, "{cargo} fmt --manifest-path fuzz/Cargo.toml --check").run()?)
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

/// Some seconds on the fixtures: that the targets still compile and run, and that nothing lies close to the surface.
fn fuzz_briefly(sh: &Shell) -> Result<()> {
    if let Some(lacking) = fuzz::lacking() {
        println!("skipped: {lacking}");
        return Ok(());
    }
    fuzz::run(sh, &["--seconds", "15"])
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

/// Those that can't be had are skipped.
fn engines(sh: &Shell) -> Result<()> {
    let _chromium = sh.push_env("CHROMIUM", browser::find(sh)?.browser);
    browser::install_others(sh);
    node_tests(sh, "tests/engines")
}

/// With as many as show a slope where there is one.
fn memory(sh: &Shell) -> Result<()> {
    let _chromium = sh.push_env("CHROMIUM", browser::find(sh)?.browser);
    let _long = sh.push_env("VITSCOPE_LONG", "1");
    Ok(cmd!(sh, "node --test --test-reporter=spec tests/page/memory.test.mjs").run()?)
}

/// What there is no Python for is skipped.
fn notebook(sh: &Shell) -> Result<()> {
    let _chromium = sh.push_env("CHROMIUM", browser::find(sh)?.browser);
    let variables = notebook::check(sh)?;
    let _variables: Vec<_> = variables.iter().map(|(name, value)| sh.push_env(name, value)).collect();
    node_tests(sh, "tests/notebook")
}

fn examples(sh: &Shell) -> Result<()> {
    node::install_packages_of(sh, "examples")?;
    let _chromium = sh.push_env("CHROMIUM", browser::find(sh)?.browser);
    node_tests(sh, "tests/examples")
}

fn tools(sh: &Shell) -> Result<()> {
    for folder in ["examples", "examples/next", "tests/tools"] {
        node::install_packages_of(sh, folder)?;
    }
    let _chromium = sh.push_env("CHROMIUM", browser::find(sh)?.browser);
    node_tests(sh, "tests/tools")
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
    fn long_steps_wait_to_be_asked_for() {
        let chosen = |names: &[&str], long| -> Vec<_> {
            STEPS.iter().filter(|step| is_chosen(step, names, long)).map(|step| step.name).collect()
        };
        assert!(chosen(&[], false).len() > 10 && !chosen(&[], false).contains(&"fuzz"));
        assert_eq!(chosen(&[], true).len(), STEPS.len());
        assert_eq!(chosen(&["fmt", "fuzz"], false), ["fmt", "fuzz"]);
    }

    #[test]
    fn an_unknown_step_is_refused() {
        let error = run(&Shell::new().unwrap(), &["fnt"], false).unwrap_err();
        assert!(error.to_string().contains("`fnt`"));
    }
}
