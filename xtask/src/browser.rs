//! A Chrome or Chromium and the chromedriver of the same version.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;
use xshell::{Shell, cmd};

use crate::{apt, cache, which};

const BROWSERS: &[&str] = &["google-chrome-stable", "google-chrome", "chromium", "chromium-browser", "chrome"];
const MAC_BROWSERS: &[&str] = &[
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];
const PACKAGES: &[&str] = &["chromium", "chromium-driver"];
const OTHERS: &[&str] = &["firefox-esr", "libwebkit2gtk-4.1-0", "xvfb"];

/// Seconds for one test module in a browser; the 20 of its runner and the 30 of the driver are short for a model on a busy machine.
pub const TIMEOUT: u64 = 600;

/// For tests of local pages: no sandbox, which root and containers lack, and no calls home.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
];

pub struct Browser {
    pub browser: PathBuf,
    pub driver: PathBuf,
}

/// An installed pair, else Debian's.
pub fn find(sh: &Shell) -> Result<Browser> {
    if let Some(found) = installed(sh) {
        return Ok(found);
    }
    println!("No Chrome or Chromium with a chromedriver of its version is installed");
    let advice = || {
        format!(
            "the tests need Chrome or Chromium and its chromedriver. Install them, for example with\n    {}\n  \
             or name them in the environment: CHROMIUM=/path/to/chrome CHROMEDRIVER=/path/to/chromedriver",
            apt::command(PACKAGES)
        )
    };
    apt::install(sh, PACKAGES).with_context(advice)?;
    installed(sh).with_context(advice)
}

/// Firefox, and WebKitGTK with its MiniBrowser and a display, where Debian's packages may be installed.
pub fn install_others(sh: &Shell) {
    if cmd!(sh, "dpkg -s {OTHERS...}").quiet().ignore_stdout().ignore_stderr().run().is_ok() {
        return;
    }
    if let Err(error) = apt::install(sh, OTHERS) {
        println!("Browsers that are not installed are skipped ({error:#})");
    }
}

impl Browser {
    /// Writes the capabilities for wasm-bindgen-test-runner.
    pub fn webdriver_json(&self, sh: &Shell) -> Result<PathBuf> {
        let path = cache().join("webdriver.json");
        let capabilities = json!({
            "goog:chromeOptions": { "binary": self.browser, "args": FLAGS },
            // A test holds its page for as long as it runs; the runner looks at it meanwhile, and the driver would give it up after 30 s.
            "timeouts": { "script": 1000 * TIMEOUT },
        });
        sh.write_file(&path, capabilities.to_string())?;
        Ok(path)
    }
}

/// The first browser and driver whose major versions agree; chromedriver refuses any other.
fn installed(sh: &Shell) -> Option<Browser> {
    let browsers = candidates("CHROMIUM", BROWSERS, MAC_BROWSERS);
    let drivers: Vec<_> = candidates("CHROMEDRIVER", &["chromedriver"], &[])
        .into_iter()
        .filter_map(|path| Some((version(sh, &path)?, path)))
        .collect();
    browsers.into_iter().find_map(|browser| {
        let major = version(sh, &browser)?;
        let (_, driver) = drivers.iter().find(|(driver, _)| *driver == major)?;
        Some(Browser { browser, driver: driver.clone() })
    })
}

/// What the environment names, and nothing else then; otherwise what is installed.
fn candidates(variable: &str, names: &[&str], paths: &[&str]) -> Vec<PathBuf> {
    if let Some(path) = env::var_os(variable) {
        return vec![path.into()];
    }
    let on_path = names.iter().filter_map(|name| which(name));
    on_path.chain(paths.iter().map(PathBuf::from).filter(|path| path.exists())).collect()
}

fn version(sh: &Shell, program: &Path) -> Option<u32> {
    major(&cmd!(sh, "{program} --version").quiet().ignore_stderr().read().ok()?)
}

/// "Chromium 156.0.8078.79 built on Debian" -> 156
fn major(text: &str) -> Option<u32> {
    text.split_whitespace().find_map(|word| word.split_once('.')?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions_as_browsers_and_drivers_print_them() {
        assert_eq!(major("Chromium 156.0.8078.79 built on Debian GNU/Linux 12 (bookworm)"), Some(156));
        assert_eq!(major("Google Chrome 155.0.1.2 "), Some(155));
        assert_eq!(major("ChromeDriver 156.0.8078.79 (5f3b1c-refs/branch-heads/8078@{#1})"), Some(156));
        assert_eq!(major("command not found"), None);
    }
}
