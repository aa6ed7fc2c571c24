//! `cargo xtask`: what the project does to itself. It needs Rust, Node.js 20 and nothing else; the rest it sets up.

mod apt;
mod backends;
mod bench;
mod bindgen;
mod browser;
mod bundle;
mod docs;
mod fuzz;
mod node;
mod notebook;
mod serve;
mod single;
mod site;
mod size;
mod soak;
mod steps;
mod test;
mod toolchain;
mod wasm;
mod wasm_tests;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use xshell::Shell;

const USAGE: &str = "\
cargo xtask build [VARIANT...]    build pkg/dist/ of the scripts and the engine; only the named builds of it, the others stay as they are
cargo xtask serve [--port PORT]   serve the page on 127.0.0.1 (port 8080 or the next free one); build what a browser asks for
cargo xtask single [FILE]         write the page as one HTML file that opens from the disk, model and all (target/vitscope.html)
cargo xtask site [FOLDER]         write the page as a folder for any static host (target/site)
cargo xtask notebook              build the wheel of the Python package, with what it needs of the npm package and the page (target/notebook/dist)
cargo xtask docs                  write the npm package's API reference into target/docs/
cargo xtask test [STEP...]        run the checks, or only the named ones
cargo xtask test --long           run every check there is, those that take long too
cargo xtask test --list           name the steps";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match run(&args.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Result<()> {
    let sh = shell()?;
    match args {
        [] | ["help" | "--help" | "-h"] => println!("{}", usage()),
        ["build", variants @ ..] => build(&sh, variants)?,
        ["serve", options @ ..] => serve::run(&sh, options)?,
        ["single"] => single::run(&sh, "target/vitscope.html".as_ref())?,
        ["single", file] if !file.starts_with('-') => single::run(&sh, &env::current_dir()?.join(file))?,
        ["site", options @ ..] => site::run(&sh, options)?,
        ["notebook"] => notebook::run(&sh)?,
        ["docs"] => docs::build(&sh)?,
        ["bench", options @ ..] => bench::run(&sh, options)?,
        ["size", options @ ..] => size::run(&sh, options)?,
        ["soak", options @ ..] => soak::run(&sh, options)?,
        ["fuzz", options @ ..] => fuzz::run(&sh, options)?,
        ["test", "--list"] => test::list(),
        ["test", "--long"] => test::run(&sh, &[], true)?,
        ["test", steps @ ..] => test::run(&sh, steps, false)?,
        _ => bail!("unknown arguments `{}`\n\n{}", args.join(" "), usage()),
    }
    Ok(())
}

fn usage() -> String {
    [USAGE, size::USAGE, bench::USAGE, soak::USAGE, fuzz::USAGE].join("\n")
}

/// What is generated of the npm package.
fn build(sh: &Shell, variants: &[&str]) -> Result<()> {
    wasm::build(sh, variants)?;
    bundle::build(sh, variants)
}

/// One for each thread, in the repository.
fn shell() -> Result<Shell> {
    let sh = Shell::new()?;
    sh.change_dir(root());
    Ok(sh)
}

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ lies in the repository")
}

/// What xtask remembers between runs; deleting it costs time only.
fn cache() -> PathBuf {
    root().join("target/xtask")
}

/// The program `name` on PATH.
fn which(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| path.is_file())
}
