//! `cargo xtask bench`: vitscope and onnxruntime-web side by side in Chromium. Here the models are made and the choices
//! read; `xtask/bench/bench.mjs` measures and reports.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::slice;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use xshell::{Cmd, Shell, cmd};

use crate::wasm::{self, RELAXED, SIMD128};
use crate::{bindgen, browser, build, node, root, toolchain, wasm_tests};

pub const USAGE: &str = "\
cargo xtask bench [OPTION...]     measure vitscope and onnxruntime-web side by side in Chromium
                  --model ti|b|default
                                  one model only: seeded ViT-Ti/16 or ViT-B/16, or the default model
                  --dtype f32|int8
                  --only PART,…   forward, explain, cold, page, wire, memory, threads, kernels
                  --only stages   seeded Swin-T, MobileViT-S and SAM-B instead; --model swin-t|mobilevit-s|sam-b
                  --only large    seeded ViT-L/16 and DINOv2-g in int8 instead; --model vit-l|dinov2-g
                  --only engines  kernels and ViT-Ti in Firefox and Chromium instead
                  --rounds N      timed rounds
                  --simd relaxed|simd128
                  --record        keep all of it, of --model default, or of what stands alone: a record in benches/record, the tables in README.md
cargo xtask bench --kernels       run the benchmarks of benches/ in wasm, in Node
cargo xtask bench --loading [--record]
                                  bytes, memory and time of loading f32 checkpoints over HTTP, in Node";

const MODELS: &[&str] = &["ti", "b", DEFAULT];
/// The page's default model, whichever that is. The others are seeded.
const DEFAULT: &str = "default";
const DTYPES: &[&str] = &["f32", "int8"];
/// Seeded models with stages or windows.
const STAGED: &[&str] = &["swin-t", "mobilevit-s", "sam-b"];
const STAGES: &str = "stages";
const ENGINES: &str = "engines";
/// Seeded models that are large.
const LARGE: &[&str] = &["vit-l", "dinov2-g"];
/// Parts that stand alone, with their models and records of their own. All but the first have a script of their own too, `xtask/bench/PART.mjs`.
const APART: &[(&str, &[&str])] = &[(STAGES, STAGED), ("large", LARGE), (ENGINES, &["ti"])];
const PARTS: &[&str] = &["forward", "explain", "cold", "page", "wire", "memory", "threads", "kernels"];
const SIMD: &[&str] = &["relaxed", "simd128"];

pub fn run(sh: &Shell, options: &[&str]) -> Result<()> {
    if options == ["--kernels"] {
        return kernels(sh);
    }
    if let ["--loading", record @ ..] = options
        && (record.is_empty() || record == ["--record"])
    {
        build(sh, &[SIMD128.name])?;
        return Ok(cmd!(sh, "node xtask/bench/loading.mjs {record...}").quiet().run()?);
    }
    let choices = choices(options)?;
    build(sh, &[])?;
    node::install_packages(sh)?;
    let asked: Vec<_> = choices["parts"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let engines = asked.contains(&ENGINES);
    for (wanted, variant, folder) in
        [(engines || asked.contains(&"kernels"), RELAXED, "kernels"), (engines, SIMD128, "kernels-simd128")]
    {
        if wanted {
            let out = root().join("target/bench").join(folder);
            wasm::build_crate(sh, &variant, "vitscope-bench", &out, "kernels")?;
        }
    }
    if engines {
        browser::install_others(sh);
    }
    for model in choices["models"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        make_model(sh, model)?;
    }
    let _chromium = sh.push_env("CHROMIUM", browser::find(sh)?.browser);
    let own = APART[1..].iter().find(|(part, _)| asked.contains(part));
    let script = root().join(format!("xtask/bench/{}.mjs", own.map_or("bench", |(part, _)| part)));
    let choices = choices.to_string();
    Ok(cmd!(sh, "node {script} {choices}").quiet().run()?)
}

/// What the driver is told; null leaves the choice to it.
fn choices(options: &[&str]) -> Result<Value> {
    let mut choices =
        json!({ "models": MODELS, "dtypes": DTYPES, "parts": PARTS, "rounds": null, "simd": null, "record": false });
    let apart = APART.iter().find(|(part, _)| options.windows(2).any(|option| option == ["--only", part]));
    let (models, parts) = apart.map_or((MODELS, PARTS), |(part, models)| (*models, slice::from_ref(part)));
    choices["models"] = json!(models);
    let mut rest = options;
    while let [option, tail @ ..] = rest {
        if *option == "--record" {
            choices["record"] = json!(true);
            rest = tail;
            continue;
        }
        let [value, tail @ ..] = tail else { bail!("`{option}` is unknown or lacks its value\n\n{USAGE}") };
        match *option {
            "--model" => choices["models"] = json!([one_of(models, value)?]),
            "--dtype" => choices["dtypes"] = json!([one_of(DTYPES, value)?]),
            "--only" => choices["parts"] = value.split(',').map(|part| one_of(parts, part)).collect::<Result<_>>()?,
            "--simd" => choices["simd"] = json!(one_of(SIMD, value)?),
            "--rounds" => match value.parse::<u32>() {
                Ok(rounds @ 1..) => choices["rounds"] = json!(rounds),
                _ => bail!("`{value}` is not a number of rounds"),
            },
            _ => bail!("unknown option `{option}`\n\n{USAGE}"),
        }
        rest = tail;
    }
    if choices["models"] == json!([DEFAULT]) && !options.contains(&"--only") {
        // Kernels have the shapes of the seeded models.
        choices["parts"] = PARTS.iter().filter(|part| **part != "kernels").copied().collect();
    }
    let narrows = |option: &&str| ["--dtype", "--simd"].contains(option) || apart.is_none() && *option == "--only";
    let part = choices["models"] != json!(models) && choices["models"] != json!([DEFAULT]);
    if choices["record"] == true && (part || options.iter().any(narrows)) {
        bail!(
            "--record keeps a measurement of everything; beside it only --rounds and --model {DEFAULT}, or --only of a part that stands alone"
        );
    }
    Ok(choices)
}

fn one_of<'a>(allowed: &[&str], value: &'a str) -> Result<&'a str> {
    if allowed.contains(&value) {
        return Ok(value);
    }
    bail!("`{value}` is none of {}", allowed.join(", "))
}

/// The model in every form, under `target/bench/models/`. Kept until what makes it changes.
fn make_model(sh: &Shell, name: &str) -> Result<()> {
    let folder = root().join("target/bench/models").join(name);
    match name {
        DEFAULT => convert(sh, &default_model(sh)?, &folder),
        _ if LARGE.contains(&name) => write_large(sh, name, &folder),
        _ => draw(sh, name, &folder),
    }
}

/// A seeded model straight in int8, and for us alone.
fn write_large(sh: &Shell, name: &str, folder: &Path) -> Result<()> {
    let scripts = ["xtask/bench/large_models.mjs", "xtask/bench/networks.mjs"].map(|path| root().join(path));
    let script = &scripts[0];
    once(sh, &folder.join("made"), &scripts, || Ok(cmd!(sh, "node {script} {name} {folder}").quiet().run()?))
}

const SCRIPTS: [&str; 3] = ["xtask/bench/make_models.py", "xtask/bench/checkpoint.py", PACKAGES[0]];
const PACKAGES: [&str; 1] = ["xtask/bench/requirements.txt"];
/// Of models with stages, which the library itself makes.
const STAGED_SCRIPTS: [&str; 5] = [
    "xtask/bench/make_stages.py",
    "xtask/bench/make_models.py",
    "tests/fixtures/common.py",
    PACKAGES[0],
    STAGED_PACKAGES[1],
];
const STAGED_PACKAGES: [&str; 2] = [PACKAGES[0], "tests/fixtures/requirements.txt"];

/// A seeded model: by Python for both sides, then by our command line to int8.
fn draw(sh: &Shell, name: &str, folder: &Path) -> Result<()> {
    let staged = STAGED.contains(&name);
    let scripts: &[&str] = if staged { &STAGED_SCRIPTS } else { &SCRIPTS };
    let inputs: Vec<_> = scripts.iter().map(|path| root().join(path)).collect();
    once(sh, &folder.join("made"), &inputs, || {
        run_script(sh, scripts[0], if staged { &STAGED_PACKAGES } else { &PACKAGES }, name.as_ref(), folder)
    })?;
    let inputs = ["src/quant.rs", "src/quant/four_bits.rs", "src/checkpoint/quantize.rs", scripts[0]];
    once(sh, &folder.join("quantised"), &inputs.map(|path| root().join(path)), || {
        let (from, to) = (folder.join("f32"), folder.join("int8"));
        sh.remove_path(&to)?;
        Ok(cli(sh).arg("quantize").arg(from).arg("-o").arg(to).quiet().run()?)
    })
}

/// An int8 model folder: what it holds in f32 by Python, for both sides. The input is a photo, since it has learned from such.
fn convert(sh: &Shell, model: &Path, folder: &Path) -> Result<()> {
    let photo = root().join("www/samples/chelsea.jpg");
    let inputs = SCRIPTS.map(|path| root().join(path)).into_iter();
    let inputs: Vec<_> = inputs.chain(sh.read_dir(model)?).chain([photo.clone()]).collect();
    once(sh, &folder.join("made"), &inputs, || {
        sh.remove_path(folder)?;
        sh.create_dir(folder)?;
        let trace = folder.join("photo.safetensors");
        cli(sh).arg("trace").arg(model).arg(photo).arg("-o").arg(trace).quiet().ignore_stdout().run()?;
        run_script(sh, SCRIPTS[0], &PACKAGES, model, folder)
    })
}

/// The folder that the page itself names.
fn default_model(sh: &Shell) -> Result<PathBuf> {
    let script = "\
        import { fileURLToPath } from 'node:url';\
        import { OFFERS } from './www/offers.js';\
        console.log(fileURLToPath(OFFERS[0].source));";
    Ok(cmd!(sh, "node --input-type=module -e {script}").quiet().read()?.into())
}

/// Our command line.
pub fn cli(sh: &Shell) -> Cmd<'_> {
    let cargo = toolchain::current_cargo();
    cmd!(sh, "{cargo} run --quiet --release --features cli --bin vitscope --locked --")
}

/// `script`, by a Python with `packages`, files of names and versions.
fn run_script(sh: &Shell, script: &str, packages: &[&str], source: &Path, folder: &Path) -> Result<()> {
    let python = python(sh, packages)?;
    println!("Making {} for both sides", source.display());
    let script = root().join(script);
    Ok(cmd!(sh, "{python} {script} {source} {folder}").quiet().run()?)
}

/// That Python: `VITSCOPE_PYTHON`, or one in `target/bench/`, which is made.
fn python(sh: &Shell, packages: &[&str]) -> Result<PathBuf> {
    if let Ok(python) = sh.var("VITSCOPE_PYTHON") {
        return Ok(python.into());
    }
    let (system, inside) = if cfg!(windows) { ("python", "Scripts/python.exe") } else { ("python3", "bin/python") };
    let venv = root().join(if packages.len() > 1 { "target/bench/venv-stages" } else { "target/bench/venv" });
    let python = venv.join(inside);
    let packages: Vec<_> = packages.iter().map(|path| root().join(path)).collect();
    once(sh, &venv.join("made"), &packages, || {
        println!("Installing Python packages into {}", venv.display());
        cmd!(sh, "{system} -m venv --clear {venv}").quiet().run().with_context(|| {
            format!(
                "the benchmark makes its models with Python: install {system} 3.11 or newer with its venv module \
                 (Debian: sudo apt-get install python3-venv)"
            )
        })?;
        let from = packages.iter().flat_map(|file| ["-r".as_ref(), file.as_os_str()]);
        cmd!(sh, "{python} -m pip install --quiet --disable-pip-version-check {from...}").quiet().run().context(
            "the benchmark's Python packages could not be installed; they need Python 3.11 or newer, and PyTorch some gigabytes",
        )
    })?;
    Ok(python)
}

/// Runs `make` unless `stamp` says that it ran for these contents of `inputs`.
fn once(sh: &Shell, stamp: &Path, inputs: &[PathBuf], make: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut hasher = DefaultHasher::new();
    for input in inputs {
        fs::read(input).with_context(|| format!("{} can't be read", input.display()))?.hash(&mut hasher);
    }
    let key = format!("{:016x}", hasher.finish());
    if fs::read_to_string(stamp).is_ok_and(|made| made == key) {
        return Ok(());
    }
    make()?;
    Ok(sh.write_file(stamp, key)?)
}

/// The benchmarks of `benches/` compiled to wasm, in Node. Natively they are `cargo bench`.
fn kernels(sh: &Shell) -> Result<()> {
    let messages = SIMD128
        .cargo(sh, toolchain::find(sh)?, "bench", "bench")
        .args(["--no-run", "--quiet", "--benches"])
        .arg("--message-format=json-render-diagnostics")
        .quiet()
        .read()
        .context("the benchmarks do not compile for wasm")?;
    let runner = bindgen::test_runner(sh)?;
    for module in wasm_tests::test_modules(&messages) {
        let path = module.path;
        cmd!(sh, "{runner} {path} --bench").run()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_measured_unless_chosen() {
        let all = choices(&[]).unwrap();
        assert_eq!(all["models"], json!(["ti", "b", "default"]));
        assert_eq!(all["parts"], json!(PARTS));
        assert_eq!(all["rounds"], Value::Null);
        assert_eq!(all["record"], false);
    }

    #[test]
    fn options_choose() {
        let some = choices(&[
            "--model",
            "b",
            "--only",
            "cold,forward",
            "--rounds",
            "3",
            "--dtype",
            "int8",
            "--simd",
            "relaxed",
        ]);
        let some = some.unwrap();
        assert_eq!(some["models"], json!(["b"]));
        assert_eq!(some["dtypes"], json!(["int8"]));
        assert_eq!(some["parts"], json!(["cold", "forward"]));
        assert_eq!(some["rounds"], 3);
        assert_eq!(some["simd"], "relaxed");
    }

    #[test]
    fn kernels_are_of_the_seeded_models() {
        let parts = |options: &[&str]| choices(options).unwrap()["parts"].to_string();
        assert!(parts(&["--model", "ti"]).contains("kernels"));
        assert!(!parts(&["--model", "default"]).contains("kernels"));
        assert!(parts(&["--model", "default"]).contains("page"));
        assert_eq!(parts(&["--only", "kernels", "--model", "default"]), r#"["kernels"]"#);
    }

    #[test]
    fn some_parts_stand_alone() {
        for (part, models) in APART {
            let all = choices(&["--only", part, "--record"]).unwrap();
            assert_eq!((&all["models"], &all["parts"]), (&json!(models), &json!([part])));
        }
        assert_eq!(choices(&["--model", "swin-t", "--only", "stages"]).unwrap()["models"], json!(["swin-t"]));
        assert!(choices(&["--model", "swin-t"]).is_err());
        assert!(choices(&["--only", "stages", "--model", "b"]).is_err());
        assert!(choices(&["--only", "stages,forward"]).is_err());
        assert!(choices(&["--only", "stages,large"]).is_err());
        assert!(choices(&["--only", "stages", "--model", "swin-t", "--record"]).is_err());
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for options in [
            &["--model", "s"][..],
            &["--model"],
            &["--only", "forward,"],
            &["--only", "speed"],
            &["--rounds", "0"],
            &["--rounds", "-1"],
            &["--fast", "yes"],
            &["ti"],
            &["--kernels", "--record"],
        ] {
            assert!(choices(options).is_err(), "{options:?}");
        }
    }

    #[test]
    fn a_record_is_of_everything_or_of_the_default_model() {
        assert_eq!(choices(&["--record"]).unwrap()["record"], true);
        assert_eq!(choices(&["--rounds", "9", "--record"]).unwrap()["rounds"], 9);
        let default = choices(&["--model", "default", "--record"]).unwrap();
        assert_eq!((&default["models"], &default["record"]), (&json!(["default"]), &json!(true)));
        assert!(choices(&["--model", "default", "--record", "--only", "cold"]).is_err());
        for chosen in [["--model", "ti"], ["--only", "cold"], ["--dtype", "f32"], ["--simd", "simd128"]] {
            assert!(choices(&["--record", chosen[0], chosen[1]]).is_err(), "{chosen:?}");
        }
    }

    #[test]
    fn makes_again_only_what_changed() {
        let sh = Shell::new().unwrap();
        let dir = sh.create_temp_dir().unwrap();
        let (input, stamp) = (dir.path().join("input"), dir.path().join("stamp"));
        let made = |text: &str| {
            sh.write_file(&input, text).unwrap();
            let mut ran = false;
            once(&sh, &stamp, slice::from_ref(&input), || {
                ran = true;
                Ok(())
            })
            .unwrap();
            ran
        };
        assert_eq!(["a", "a", "b", "b", "a"].map(made), [true, false, true, false, true]);
        assert!(once(&sh, &stamp, slice::from_ref(&input), || bail!("unreached")).is_ok());
        sh.write_file(&input, "c").unwrap();
        assert!(once(&sh, &stamp, slice::from_ref(&input), || bail!("failed")).is_err());
        assert!(
            once(&sh, &stamp, slice::from_ref(&input), || bail!("failed again")).is_err(),
            "a failure is not remembered as made"
        );
    }
}
