//! From the crate to `pkg/wasm/`: compile, wasm-bindgen, wasm-opt, for each variant.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, bail};
use xshell::{Cmd, Shell, cmd};

use crate::steps::timed;
use crate::toolchain::{self, Std, TARGET, Toolchain};
use crate::{bindgen, cache, node, root, shell};

/// One way to compile the engine. SIMD features go to our crate alone, so that variants share a build of std.
pub struct Variant {
    pub name: &'static str,
    simd: &'static str,
    std: Std,
}

pub const SIMD128: Variant = Variant { name: "simd128", simd: "+simd128", std: Std::Single };
pub const RELAXED: Variant = Variant { name: "relaxed", simd: "+simd128,+relaxed-simd", std: Std::Single };
const SIMD128_THREADS: Variant = Variant { name: "simd128-threads", std: Std::Threads, ..SIMD128 };
const RELAXED_THREADS: Variant = Variant { name: "relaxed-threads", std: Std::Threads, ..RELAXED };
/// Tests only: the scalar backend must return the same numbers in wasm too.
pub const SCALAR: Variant = Variant { name: "scalar", simd: "", std: Std::Single };

/// The crate of the engine.
const ENGINE: &str = "vitscope";

/// What `pkg/` ships; at run time `pkg/lib/engine/backend.js` chooses.
const SHIPPED: [Variant; 4] = [SIMD128, RELAXED, SIMD128_THREADS, RELAXED_THREADS];

/// JavaScript makes the shared memory, so it must know its first size: `INITIAL_PAGES` of `pkg/lib/engine/threads.js` is this and the
/// page that wasm-bindgen adds. The last four are what wasm-bindgen starts a thread by.
const LINK_SHARED_MEMORY: &[&str] = &[
    "--shared-memory",
    "--import-memory",
    "--initial-memory=1572864",
    "--max-memory=4294967296",
    "--export=__wasm_init_tls",
    "--export=__tls_size",
    "--export=__tls_align",
    "--export=__tls_base",
];

/// LLVM's own is 275: loading and preprocessing code grows by it and gains nothing, nor do kernels, which say what they inline.
const INLINE_THRESHOLD: &str = "-Cllvm-args=-inline-threshold=20";

/// The same of what is marked as worth it, as all of std's iterators are and all closures: LLVM's own is 325. What a kernel calls in one place is inside of it anyway.
const HINT_THRESHOLD: &str = "-Cllvm-args=-inlinehint-threshold=80";

/// Kernels are written in lanes and unroll what should be, so what LLVM would make of other loops is size alone: copies of them for many turns at once.
const PLAIN_LOOPS: [&str; 2] = ["-Cno-vectorize-loops", "-Cllvm-args=-unroll-runtime=false"];

/// Every place that may panic has its file, line and column in the module: 2 % of it, for what no user should see. Tests keep them.
const NO_LOCATIONS: &str = "-Zlocation-detail=none";

/// wasm-opt may use what rustc emits for this target by default, simd128, and whatever else a variant has.
const WASM_OPT_FLAGS: &[&str] = &[
    "-O3",
    // A product stays a function of its own, apart from its epilogue; see `kernels::HELD_ROWS`.
    "--one-caller-inline-max-function-size=0",
    // Once more, by trial: half a kilobyte less to send.
    "--coalesce-locals-learning",
    "--vacuum",
    // Those called most come first: their numbers are short.
    "--reorder-functions",
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--strip-producers",
    "--strip-target-features",
];

/// wasm-bindgen writes one file more, the raw exports' types, which nobody imports.
const OUTPUTS: [&str; 4] = ["vitscope.js", "vitscope.d.ts", "vitscope_bg.wasm", "vitscope.names.json"];

/// What the functions of the finished module were called, each by its number: it stays in the cache, for `cargo xtask size`.
const FUNCTIONS: &str = "functions.txt";

impl Variant {
    /// `cargo SUBCOMMAND` for the crate as this variant, in `profile`.
    pub fn cargo<'sh>(&self, sh: &'sh Shell, toolchain: Toolchain, subcommand: &str, profile: &str) -> Cmd<'sh> {
        self.configure(toolchain.cargo(sh, subcommand, self.std), profile, ENGINE)
    }

    /// `cargo clippy` likewise, in the profile `dev`; None where this toolchain has none.
    pub fn clippy<'sh>(&self, sh: &'sh Shell, toolchain: Toolchain) -> Option<Cmd<'sh>> {
        Some(self.configure(toolchain.clippy(sh, self.std)?, "dev", ENGINE))
    }

    /// Kernels are compiled anew into a crate that uses them, so that one gets the same flags.
    fn configure<'sh>(&self, command: Cmd<'sh>, profile: &str, package: &str) -> Cmd<'sh> {
        let mut command = command.args(["--package", package, "--no-default-features", "--locked"]);
        for package in BTreeSet::from([ENGINE, package]) {
            command = command.args(["--config", &self.config(profile, package)]);
        }
        if self.std == Std::Threads { command.args(["--features", "threads"]) } else { command }
    }

    /// What gives a crate of ours this variant's flags.
    fn config(&self, profile: &str, package: &str) -> String {
        let simd = (!self.simd.is_empty()).then(|| format!("-Ctarget-feature={}", self.simd));
        let link = LINK_SHARED_MEMORY.iter().map(|argument| format!("-Clink-arg={argument}"));
        let no_locations = (profile == "release").then(|| NO_LOCATIONS.to_owned());
        let flags: Vec<_> = [INLINE_THRESHOLD, HINT_THRESHOLD]
            .into_iter()
            .chain(PLAIN_LOOPS)
            .map(str::to_owned)
            .chain(no_locations)
            .chain(simd)
            .chain(link.filter(|_| self.std == Std::Threads))
            .collect();
        format!("profile.{profile}.package.{package}.rustflags={flags:?}")
    }

    fn wasm_opt_flags(&self) -> Vec<&'static str> {
        let relaxed = self.simd.contains("relaxed").then_some("--enable-relaxed-simd");
        let threads = (self.std == Std::Threads).then_some("--enable-threads");
        WASM_OPT_FLAGS.iter().copied().chain(relaxed).chain(threads).collect()
    }

    /// Where the finished package is kept between builds.
    pub fn package_dir(&self) -> PathBuf {
        cache().join("wasm").join(self.name)
    }

    /// Its first line is the key of what the package was made from.
    fn stamp(&self) -> PathBuf {
        self.package_dir().join("stamp")
    }
}

/// Brings the named variants up to date, or all where none is named. Others stay as an earlier build left them.
pub fn build(sh: &Shell, names: &[&str]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| SHIPPED.iter().all(|variant| variant.name != **name)) {
        bail!("there is no variant `{unknown}`; there are {}", SHIPPED.map(|variant| variant.name).join(", "));
    }
    make(sh, |variant| names.is_empty() || names.contains(&variant.name), |_| Ok(()))
}

/// What a server has before a browser asks: the variant of most browsers, and of the others those that are up to date.
pub fn build_first(sh: &Shell) -> Result<()> {
    make(sh, |variant| variant.name == RELAXED_THREADS.name, |old| Ok(sh.remove_path(old.package_dir())?))
}

/// Of the variants that aren't up to date makes the `chosen`, does `leave` to the others, and publishes all that are there then.
fn make(sh: &Shell, chosen: impl Fn(&Variant) -> bool, leave: impl Fn(&Variant) -> Result<()>) -> Result<()> {
    thread::scope(|scope| {
        // Most of compiling the engine occupies one core, so its tools are made meanwhile; whoever needs them waits for them.
        scope.spawn(|| bindgen::bind(&shell()?));
        let toolchain = toolchain::find(sh)?;
        let inputs = inputs(sh, toolchain)?;
        for variant in &SHIPPED {
            let key = key(inputs, variant);
            if stamp_of(variant).starts_with(&key) {
                continue;
            }
            if chosen(variant) { package(sh, toolchain, variant, &key)? } else { leave(variant)? }
        }
        publish(sh)
    })
}

/// Empty where the variant's package is missing, or of a time when it had fewer files.
fn stamp_of(variant: &Variant) -> String {
    let whole = OUTPUTS.iter().chain([&FUNCTIONS]).all(|file| variant.package_dir().join(file).exists());
    if whole { fs::read_to_string(variant.stamp()).unwrap_or_default() } else { String::new() }
}

/// Puts the variants' packages into `pkg/wasm/`, all at once, unless these are there.
fn publish(sh: &Shell) -> Result<()> {
    let built: Vec<_> =
        SHIPPED.iter().map(|variant| (variant, stamp_of(variant))).filter(|(_, stamp)| !stamp.is_empty()).collect();
    let stamps: String = built.iter().map(|(_, stamp)| stamp.as_str()).collect();
    for (variant, stamp) in &built {
        println!("pkg/wasm/{}: {}", variant.name, stamp.lines().nth(1).unwrap_or_default());
    }
    let out = root().join("pkg/wasm");
    let published = cache().join("pkg-wasm");
    let mut files = built.iter().flat_map(|(variant, _)| OUTPUTS.map(|file| out.join(variant.name).join(file)));
    if fs::read_to_string(&published).is_ok_and(|text| text == stamps) && files.all(|file| file.exists()) {
        return Ok(());
    }
    // On the same file system as `out`, so that they can change places.
    let staged = root().join("pkg/.wasm-new");
    sh.remove_path(&staged)?;
    for (variant, _) in &built {
        let to = sh.create_dir(staged.join(variant.name))?;
        for file in OUTPUTS {
            sh.copy_file(variant.package_dir().join(file), &to)?;
        }
    }
    replace_dir(&staged, &out)?;
    sh.write_file(&published, stamps)?;
    Ok(())
}

/// Builds another crate of ours for wasm, in a single-threaded variant, into the folder `out`.
pub fn build_crate(sh: &Shell, variant: &Variant, package: &str, out: &Path, name: &str) -> Result<()> {
    let toolchain = toolchain::find(sh)?;
    bind(sh, variant, &compile(sh, toolchain, variant, package)?, out, name)
}

/// Makes the variant's package in the cache. Its stamp is the key and, for people, the sizes.
fn package(sh: &Shell, toolchain: Toolchain, variant: &Variant, key: &str) -> Result<()> {
    let package = variant.package_dir();
    bind(sh, variant, &compile(sh, toolchain, variant, ENGINE)?, &package, "vitscope")?;
    let module = package.join("vitscope_bg.wasm");
    let stamp = format!("{key}\n{}\n", node::sizes(sh, &[&module, &package.join("vitscope.js")])?);
    sh.write_file(variant.stamp(), stamp)?; // the last file: without it the others count for nothing
    Ok(())
}

/// Runs wasm-bindgen and wasm-opt on the compiled module `raw`, into a new folder `out`.
fn bind(sh: &Shell, variant: &Variant, raw: &Path, out: &Path, name: &str) -> Result<()> {
    let bind = bindgen::bind(sh)?;
    node::install_packages(sh)?;
    sh.remove_path(out)?;
    timed(&format!("wasm-bindgen, {}", variant.name), || Ok(cmd!(sh, "{bind} {raw} {out} {name}").quiet().run()?))?;
    let module = out.join(format!("{name}_bg.wasm"));
    let optimised = out.join("optimised.wasm");
    let functions = format!("--symbolmap={}", out.join(FUNCTIONS).display());
    let wasm_opt = node::tool(sh, "binaryen/bin/wasm-opt").arg(&module).args(variant.wasm_opt_flags());
    let wasm_opt = wasm_opt.arg(functions).arg("--strip-debug");
    timed(&format!("wasm-opt, {}", variant.name), || Ok(wasm_opt.arg("-o").arg(&optimised).quiet().run()?))?;
    Ok(fs::rename(&optimised, &module)?)
}

/// Compiles a crate of ours as a wasm module.
fn compile(sh: &Shell, toolchain: Toolchain, variant: &Variant, package: &str) -> Result<PathBuf> {
    let module = format!("{}.wasm", package.replace('-', "_"));
    let release = variant.std.target_dir().join(TARGET).join("release");
    // Variants of one std write the same file, and cargo takes the other's for its own. Without it, cargo makes it anew.
    sh.remove_path(release.join("deps").join(&module))?;
    let command = variant
        .configure(toolchain.cargo(sh, "rustc", variant.std), "release", package)
        .args(["--lib", "--crate-type", "cdylib", "--release"])
        // What is left of paths doesn't tell where this machine keeps its files.
        .args(["--config", "profile.release.trim-paths='all'"])
        // A tenth less over the wire. The kernels are our crate's, and as fast with it.
        .args(["--config", "profile.release.package.'*'.opt-level='s'"])
        .args(["--config", &format!("profile.release.package.'*'.rustflags=['{NO_LOCATIONS}']")])
        // Std is large: in one piece it would keep one core busy for a minute. Linking puts the pieces together in any case.
        .args(["--config", "profile.release.package.'*'.codegen-units=16"])
        .quiet();
    let what = format!("Compiling {package} for wasm, {}, with {}", variant.name, toolchain.describe());
    timed(&what, || command.run().with_context(|| format!("{package} does not compile for wasm")))?;
    Ok(release.join(module))
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

/// Everything a package is made from, these flags and commands among it.
fn inputs(sh: &Shell, toolchain: Toolchain) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    toolchain.version(sh)?.hash(&mut hasher);
    let paths = [
        "src",
        "Cargo.toml",
        "Cargo.lock",
        "package-lock.json",
        "xtask/bindgen",
        "xtask/src/wasm.rs",
        "xtask/src/toolchain.rs",
    ];
    let mut paths = paths.map(|path| root().join(path)).to_vec();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(sh.read_dir(&path)?); // in the order of their names
        } else {
            (&path, fs::read(&path)?).hash(&mut hasher);
        }
    }
    Ok(hasher.finish())
}

/// Changes when the packaged files would.
fn key(inputs: u64, variant: &Variant) -> String {
    let mut hasher = DefaultHasher::new();
    (inputs, variant.name).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simd_reaches_our_crate_alone() {
        let relaxed = RELAXED.config("release", ENGINE);
        assert!(relaxed.starts_with("profile.release.package.vitscope.rustflags=["), "{relaxed}");
        assert!(
            relaxed.ends_with("\"-Zlocation-detail=none\", \"-Ctarget-feature=+simd128,+relaxed-simd\"]"),
            "{relaxed}"
        );
        let scalar = SCALAR.config("test", ENGINE);
        assert!(scalar.starts_with("profile.test.package.vitscope.rustflags=["), "{scalar}");
        assert!(!scalar.contains("simd128") && !scalar.contains("location-detail"), "{scalar}");
    }

    #[test]
    fn an_unknown_variant_is_refused() {
        let error = build(&Shell::new().unwrap(), &["relaxed", "simd256"]).unwrap_err();
        assert!(error.to_string().contains("`simd256`"));
    }

    #[test]
    fn every_variant_has_a_key_of_its_own() {
        let keys: Vec<_> = SHIPPED.iter().flat_map(|variant| [key(1, variant), key(2, variant)]).collect();
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[i + 1..].contains(key));
        }
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
