//! A Rust that compiles std to wasm32-unknown-unknown: the current toolchain with std's sources, else Debian's `rustc-web`.
//!
//! Std is always built from source. That is one way for every variant (a threaded one has no prebuilt std), and Debian's
//! packages have no prebuilt std for this target at all. `-Zbuild-std` is unstable, hence RUSTC_BOOTSTRAP.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::{Cmd, Shell, cmd};

use crate::steps::timed;
use crate::{apt, cache, root, which};

pub const TARGET: &str = "wasm32-unknown-unknown";

/// `rust-lld` of rust-web-llvm is a link into lld-22, which no package there depends on.
const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22"];
const DEBIAN_CLIPPY: &str = "rust-web-clippy";
const RUSTUP_COMMANDS: [&str; 2] = ["rustup target add wasm32-unknown-unknown", "rustup component add rust-src"];

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Toolchain {
    /// The one that runs this program.
    Current,
    Debian,
}

/// Finds a toolchain, or installs one; the routes in order of what they cost.
pub fn find(sh: &Shell) -> Result<Toolchain> {
    if current_has_std_sources(sh) {
        return Ok(Toolchain::Current);
    }
    // Once rustup has failed here, a warm run does not ask the network again.
    let rustup_failed = cache().join("rustup-failed");
    if !rustup_failed.exists() && which("rustup").is_some() {
        let what = format!("Looking for std's sources: {}", RUSTUP_COMMANDS.join(" && "));
        if timed(&what, || Ok(rustup_adds_std_sources(sh)))? && current_has_std_sources(sh) {
            return Ok(Toolchain::Current);
        }
        println!("rustup could not get them; going on to Debian's packages");
        sh.write_file(&rustup_failed, "delete this file to try rustup again\n")?;
    }
    if !debian_is_complete(sh) {
        install_debian(sh).map_err(|error| anyhow::anyhow!("{}", advice(&format!("{error:#}"))))?;
    }
    Ok(Toolchain::Debian)
}

impl Toolchain {
    pub fn describe(self) -> &'static str {
        match self {
            Toolchain::Current => "the current toolchain",
            Toolchain::Debian => "Debian's rustc",
        }
    }

    /// What its rustc says of itself.
    pub fn version(self, sh: &Shell) -> Result<String> {
        let rustc = match self {
            Toolchain::Current => "rustc",
            Toolchain::Debian => "/usr/bin/rustc",
        };
        Ok(cmd!(sh, "{rustc} -vV").quiet().read()?)
    }

    /// `cargo SUBCOMMAND` that builds for wasm, std included.
    pub fn cargo<'sh>(self, sh: &'sh Shell, subcommand: &str, std: Std) -> Cmd<'sh> {
        let cargo = match self {
            Toolchain::Current => current_cargo(),
            Toolchain::Debian => "/usr/bin/cargo".into(),
        };
        self.for_wasm(cmd!(sh, "{cargo} {subcommand}"), std)
    }

    /// `cargo clippy` for wasm; None where this toolchain has no clippy and can't get one.
    pub fn clippy<'sh>(self, sh: &'sh Shell, std: Std) -> Option<Cmd<'sh>> {
        if self == Toolchain::Current {
            return Some(self.cargo(sh, "clippy", std));
        }
        // Called directly: `cargo clippy` would pick rustup's proxy of that name from PATH.
        let clippy = Path::new("/usr/bin/cargo-clippy");
        if !clippy.exists() && apt::install(sh, &[DEBIAN_CLIPPY]).is_err() {
            return None;
        }
        Some(self.for_wasm(cmd!(sh, "{clippy} clippy"), std).env("CARGO", "/usr/bin/cargo"))
    }

    fn for_wasm(self, command: Cmd<'_>, std: Std) -> Cmd<'_> {
        let target_dir = std.target_dir();
        let command = command
            .args(["--target", TARGET, "-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"])
            .args(["-Zprofile-rustflags", "-Ztrim-paths"])
            .arg("--target-dir")
            .arg(target_dir)
            .env("RUSTC_BOOTSTRAP", "1")
            // Flags meant for native builds must not reach std. Of all places that name flags, this variable shuts out the others.
            .env("CARGO_ENCODED_RUSTFLAGS", std.rustflags())
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_BUILD_TARGET");
        match self {
            Toolchain::Current => command,
            // What `cargo xtask` inherits from rustup's cargo would lead Debian's cargo back to rustup's rustc.
            Toolchain::Debian => command
                .env("RUSTC", "/usr/bin/rustc")
                .env("RUSTDOC", "/usr/bin/rustdoc")
                .env_remove("CARGO")
                .env_remove("RUSTUP_TOOLCHAIN")
                .env_remove("LD_LIBRARY_PATH"),
        }
    }
}

/// A build of std and of the dependencies, which several builds of our crate share.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Std {
    Single,
    /// With atomics, which every crate must have that is to lie in shared memory.
    Threads,
}

impl Std {
    /// Where it is cached, and what is built upon it.
    pub fn target_dir(self) -> PathBuf {
        root().join(match self {
            Std::Single => "target/wasm",
            Std::Threads => "target/wasm-threads",
        })
    }

    fn rustflags(self) -> &'static str {
        match self {
            Std::Single => "",
            Std::Threads => "-Ctarget-feature=+atomics,+bulk-memory,+mutable-globals",
        }
    }
}

/// The cargo that started us, so that `cargo +nightly xtask` stays with nightly.
pub fn current_cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

fn current_has_std_sources(sh: &Shell) -> bool {
    has_std_sources(sh, Path::new("rustc"))
}

fn has_std_sources(sh: &Shell, rustc: &Path) -> bool {
    cmd!(sh, "{rustc} --print sysroot")
        .quiet()
        .ignore_stderr()
        .read()
        .is_ok_and(|sysroot| Path::new(&sysroot).join("lib/rustlib/src/rust/library/Cargo.toml").exists())
}

fn rustup_adds_std_sources(sh: &Shell) -> bool {
    RUSTUP_COMMANDS.iter().all(|command| {
        let words = command.split(' ').skip(1);
        cmd!(sh, "rustup {words...}").quiet().ignore_stderr().run().is_ok()
    })
}

fn debian_is_complete(sh: &Shell) -> bool {
    // `exists` follows the link, so a rust-lld without its lld does not count.
    ["/usr/bin/cargo", "/usr/bin/rustc", "/usr/bin/rust-lld"].iter().all(|path| Path::new(path).exists())
        && has_std_sources(sh, Path::new("/usr/bin/rustc"))
}

fn install_debian(sh: &Shell) -> Result<()> {
    apt::install(sh, DEBIAN_PACKAGES)?;
    if debian_is_complete(sh) {
        return Ok(());
    }
    // A newer rust-web-llvm links to a newer lld.
    let lld = fs::read_link("/usr/bin/rust-lld").context("rust-web-llvm brought no /usr/bin/rust-lld")?;
    let lld = lld.file_name().and_then(|name| name.to_str()).context("/usr/bin/rust-lld has an odd name")?;
    apt::install(sh, &[lld])?;
    if !debian_is_complete(sh) {
        bail!("Debian's packages are installed but incomplete");
    }
    Ok(())
}

fn advice(reason: &str) -> String {
    format!(
        "no Rust toolchain here can compile std to wasm ({reason}). Run one of these, then this again:\n\n  \
         with rustup:\n    {}\n    {}\n\n  with Debian's packages:\n    {}\n",
        RUSTUP_COMMANDS[0],
        RUSTUP_COMMANDS[1],
        apt::command(DEBIAN_PACKAGES)
    )
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn debian_never_sees_rustups_environment() {
        let sh = Shell::new().unwrap();
        let command: std::process::Command = Toolchain::Debian.cargo(&sh, "build", Std::Single).into();
        let of = |name: &str| variable(&command, name);
        for name in ["RUSTUP_TOOLCHAIN", "CARGO", "LD_LIBRARY_PATH", "RUSTFLAGS"] {
            assert_eq!(of(name), Some(None), "{name} must be removed");
        }
        assert_eq!(of("RUSTC"), Some(Some("/usr/bin/rustc".as_ref())));
        assert_eq!(command.get_program(), "/usr/bin/cargo");
    }

    fn variable<'a>(command: &'a std::process::Command, name: &str) -> Option<Option<&'a OsStr>> {
        command.get_envs().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Set even where it is empty: only then does cargo look no further.
    #[test]
    fn flags_for_native_builds_reach_no_std() {
        let sh = Shell::new().unwrap();
        for (std, flags) in
            [(Std::Single, ""), (Std::Threads, "-Ctarget-feature=+atomics,+bulk-memory,+mutable-globals")]
        {
            let command: std::process::Command = Toolchain::Current.cargo(&sh, "build", std).into();
            assert_eq!(variable(&command, "RUSTFLAGS"), Some(None));
            assert_eq!(variable(&command, "CARGO_ENCODED_RUSTFLAGS"), Some(Some(flags.as_ref())));
        }
    }

    #[test]
    fn advice_spells_out_both_routes() {
        let text = advice("no apt-get");
        for command in RUSTUP_COMMANDS {
            assert!(text.contains(command));
        }
        assert!(text.contains("sudo apt-get install rustc-web cargo-web rust-web-src rust-web-llvm lld-22"));
        assert!(text.contains("no apt-get"));
    }
}
