//! From the crate to `pkg/wasm/`: compile, wasm-bindgen, wasm-opt.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::toolchain::{self, TARGET, Toolchain};
use crate::{cache, node, root};

/// One way to compile the engine. Its features go to our crate alone, so that all variants share one build of std.
pub struct Variant {
    pub name: &'static str,
    target_features: &'static str,
}

/// What `pkg/` ships.
pub const SIMD128: Variant = Variant { name: "simd128", target_features: "+simd128" };
/// Tests only: the scalar backend must return the same numbers in wasm too.
pub const SCALAR: Variant = Variant { name: "scalar", target_features: "" };

/// The instructions wasm-opt may use: those rustc emits for this target by default, and simd128.
const WASM_OPT_FLAGS: &[&str] = &[
    "-O3",
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--strip-debug",
    "--strip-producers",
    "--strip-target-features",
];

/// wasm-bindgen writes one file more, the raw exports' types, which nobody imports.
const OUTPUTS: [&str; 3] = ["vitscope.js", "vitscope.d.ts", "vitscope_bg.wasm"];

impl Variant {
    /// Arguments that give our crate this variant's features in `profile`.
    pub fn config(&self, profile: &str) -> [String; 2] {
        let flags = match self.target_features {
            "" => String::new(),
            features => format!("\"-Ctarget-feature={features}\""),
        };
        ["--config".into(), format!("profile.{profile}.package.vitscope.rustflags=[{flags}]")]
    }
}

/// Brings `pkg/wasm/` up to date.
pub fn build(sh: &Shell) -> Result<()> {
    let toolchain = toolchain::find(sh)?;
    let raw = compile(sh, toolchain, &SIMD128)?;
    let bindgen = bindgen_tool(sh, "wasm-bindgen")?;
    node::install_packages(sh)?;

    let out = root().join("pkg/wasm");
    let stamp = cache().join("pkg-wasm");
    let key = key(&fs::read(&raw)?, &fs::read_to_string(root().join("package-lock.json"))?, &bindgen_version()?);
    let is_fresh = || {
        let remembered = fs::read_to_string(&stamp).ok()?;
        let sizes = remembered.strip_prefix(&key)?.trim().to_owned();
        OUTPUTS.iter().all(|file| out.join(file).exists()).then_some(sizes)
    };
    let sizes = match is_fresh() {
        Some(sizes) => sizes,
        None => {
            let staged = package(sh, &raw, &bindgen)?;
            let sizes = node::sizes(sh, &staged.join("vitscope_bg.wasm"))?;
            replace_dir(&staged, &out)?;
            sh.write_file(&stamp, format!("{key}\n{sizes}\n"))?;
            sizes
        }
    };
    println!("pkg/wasm/vitscope_bg.wasm: {sizes}");
    Ok(())
}

/// Compiles the crate as a wasm module. A warm run costs cargo's own check alone.
fn compile(sh: &Shell, toolchain: Toolchain, variant: &Variant) -> Result<PathBuf> {
    println!("Compiling the engine for wasm with {}", toolchain.describe());
    let config = variant.config("release");
    toolchain
        .cargo(sh, "rustc")
        .args(["--package", "vitscope", "--lib", "--crate-type", "cdylib", "--release", "--no-default-features"])
        .arg("--locked")
        .args(config)
        // Panic messages keep file and line, but not where this machine keeps them.
        .args(["--config", "profile.release.trim-paths='all'"])
        .quiet()
        .run()
        .context("the engine does not compile for wasm")?;
    Ok(toolchain::target_dir().join(TARGET).join("release/vitscope.wasm"))
}

/// Runs wasm-bindgen and wasm-opt into a new folder beside `pkg/wasm`, on the same file system.
fn package(sh: &Shell, raw: &Path, bindgen: &Path) -> Result<PathBuf> {
    println!("Running wasm-bindgen and wasm-opt");
    let staged = root().join("pkg/.wasm-new");
    sh.remove_path(&staged)?;
    cmd!(sh, "{bindgen} {raw} --target web --out-name vitscope --out-dir {staged}").quiet().run()?;

    let module = staged.join("vitscope_bg.wasm");
    let optimised = staged.join("optimised.wasm");
    node::tool(sh, "binaryen/bin/wasm-opt").arg(&module).args(WASM_OPT_FLAGS).arg("-o").arg(&optimised).run()?;
    fs::rename(&optimised, &module)?;

    sh.remove_path(staged.join("vitscope_bg.wasm.d.ts"))?;
    Ok(staged)
}

/// Puts `new` where `old` is, so that a reader finds one of them whole.
fn replace_dir(new: &Path, old: &Path) -> Result<()> {
    let aside = old.with_file_name(".wasm-old");
    if aside.exists() {
        fs::remove_dir_all(&aside)?;
    }
    if old.exists() {
        fs::rename(old, &aside)?;
    }
    fs::rename(new, old)?;
    if aside.exists() {
        fs::remove_dir_all(&aside)?;
    }
    Ok(())
}

/// `name` of wasm-bindgen-cli at the version Cargo.lock has, compiled into `target/` on first use.
pub fn bindgen_tool(sh: &Shell, name: &str) -> Result<PathBuf> {
    let version = bindgen_version()?;
    let tools = root().join("target/tools");
    let tool = tools.join("bin").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let installed = fs::read_to_string(tools.join(".crates.toml")).unwrap_or_default();
    if tool.exists() && installed.contains(&format!("\"wasm-bindgen-cli {version} ")) {
        return Ok(tool);
    }

    println!("Compiling wasm-bindgen-cli {version} into target/tools (minutes, once)");
    let cargo = toolchain::current_cargo();
    let install = || {
        cmd!(sh, "{cargo} install wasm-bindgen-cli --version ={version} --force --root {tools}")
            // It is not our code and runs for a second: build it in half the time.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_BUILD_TARGET")
    };
    // A mirror may lack a crate of its lock file, while newer or older ones do as well.
    if install().arg("--locked").run().is_err() {
        println!("Its lock file can't be met here; letting cargo choose the versions");
        install().run()?;
    }
    Ok(tool)
}

fn bindgen_version() -> Result<String> {
    let lock = fs::read_to_string(root().join("Cargo.lock"))?;
    Ok(locked_version(&lock, "wasm-bindgen").context("Cargo.lock has no wasm-bindgen")?.to_owned())
}

/// The version of `package` in a Cargo.lock.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')
}

/// Changes when the packaged files would.
fn key(raw: &[u8], npm_lock: &str, bindgen: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (raw, npm_lock, bindgen, WASM_OPT_FLAGS).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "\
[[package]]
name = \"wasm-bindgen-macro\"
version = \"0.2.129\"

[[package]]
name = \"wasm-bindgen\"
version = \"0.2.130\"
source = \"registry\"
";

    #[test]
    fn finds_the_locked_version_of_exactly_that_package() {
        assert_eq!(locked_version(LOCK, "wasm-bindgen"), Some("0.2.130"));
        assert_eq!(locked_version(LOCK, "wasm-bindgen-macro"), Some("0.2.129"));
        assert_eq!(locked_version(LOCK, "wasm"), None);
    }

    #[test]
    fn features_reach_our_crate_alone() {
        assert_eq!(
            SIMD128.config("release")[1],
            "profile.release.package.vitscope.rustflags=[\"-Ctarget-feature=+simd128\"]"
        );
        assert_eq!(SCALAR.config("test")[1], "profile.test.package.vitscope.rustflags=[]");
    }

    #[test]
    fn the_key_follows_every_input() {
        let base = key(b"wasm", "lock", "0.2.130");
        assert_eq!(base, key(b"wasm", "lock", "0.2.130"));
        assert_ne!(base, key(b"wasm!", "lock", "0.2.130"));
        assert_ne!(base, key(b"wasm", "lock!", "0.2.130"));
        assert_ne!(base, key(b"wasm", "lock", "0.2.131"));
    }

    #[test]
    fn replaces_a_folder_as_a_whole() {
        let sh = Shell::new().unwrap();
        let dir = sh.create_temp_dir().unwrap();
        let (old, new) = (dir.path().join("wasm"), dir.path().join(".wasm-new"));
        for round in ["first", "second"] {
            sh.write_file(new.join(round), "").unwrap();
            replace_dir(&new, &old).unwrap();
            assert_eq!(sh.read_dir(&old).unwrap(), [old.join(round)]);
            assert_eq!(sh.read_dir(dir.path()).unwrap(), [old.as_path()], "nothing is left beside it");
        }
    }
}
