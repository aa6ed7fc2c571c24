//! Node.js and the npm packages of the root `package.json`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result, bail};
use xshell::{Cmd, Shell, cmd};

use crate::root;
use crate::steps::timed;

const MIN_MAJOR: u32 = 20;
const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

/// Installs the npm packages of the root as locked, unless they already are.
pub fn install_packages(sh: &Shell) -> Result<()> {
    install(sh, root(), "Installing npm packages")
}

/// The same of another folder, whose packages few need or which differ from the root's.
pub fn install_packages_of(sh: &Shell, folder: &str) -> Result<()> {
    install(sh, &root().join(folder), &format!("Installing npm packages of {folder}"))
}

/// Of several threads that want them one installs them.
fn install(sh: &Shell, folder: &Path, what: &str) -> Result<()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock();
    check_version(sh)?;
    let lock = fs::read_to_string(folder.join("package-lock.json"))?;
    let installed = folder.join("node_modules/.xtask-lock");
    if fs::read_to_string(&installed).is_ok_and(|text| text == lock) {
        return Ok(());
    }
    let install = cmd!(sh, "{NPM} ci --prefix {folder} --ignore-scripts --no-audit --no-fund --loglevel=error").quiet();
    timed(what, || Ok(install.ignore_stdout().run()?))?;
    sh.write_file(&installed, lock)?;
    Ok(())
}

fn check_version(sh: &Shell) -> Result<()> {
    let advice = "install Node.js 20 or newer, from https://nodejs.org or your system's packages, and try again";
    let version = cmd!(sh, "node --version").quiet().read().with_context(|| format!("Node.js is missing; {advice}"))?;
    match major(&version) {
        Some(found) if found >= MIN_MAJOR => Ok(()),
        _ => bail!("Node.js here is {version}; {advice}"),
    }
}

fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// A script of an installed package, run by Node.
pub fn tool<'sh>(sh: &'sh Shell, script: &str) -> Cmd<'sh> {
    let script = root().join("node_modules").join(script);
    cmd!(sh, "node {script}")
}

/// "512.3 kB, 180.2 kB as brotli": the sums of `files`.
pub fn sizes(sh: &Shell, files: &[&Path]) -> Result<String> {
    let script = "\
        const files = process.argv.slice(1).map((file) => require('fs').readFileSync(file));\
        const kB = (size) => `${(files.reduce((sum, file) => sum + size(file), 0) / 1000).toFixed(1)} kB`;\
        console.log(`${kB((file) => file.length)}, ${kB((file) => require('zlib').brotliCompressSync(file).length)} as brotli`);";
    Ok(cmd!(sh, "node -e {script} {files...}").quiet().read()?)
}

/// The `*.test.mjs` files of a folder; an error where there are none, since a run of no tests shows nothing.
/// (Node 20 takes a folder and Node 22 a pattern: only a list of files suits both.)
pub fn test_files(dir: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(root().join(dir)).with_context(|| format!("{dir} is missing"))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    if files.is_empty() {
        bail!("{dir} has no *.test.mjs");
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_node_versions() {
        assert_eq!(major("v20.20.2"), Some(20));
        assert_eq!(major("v9.0.0"), Some(9));
        assert_eq!(major("node"), None);
    }

    #[test]
    fn a_folder_without_tests_is_an_error() {
        assert!(test_files("no/such/folder").is_err());
        assert!(test_files("xtask/src").is_err());
        let files = ["page", "server", "size", "workflows"].map(|name| root().join(format!("xtask/{name}.test.mjs")));
        assert_eq!(test_files("xtask").unwrap(), files);
    }
}
