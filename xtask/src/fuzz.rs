//! `cargo xtask fuzz`: random inputs, led by coverage, for what reads files from elsewhere.
//!
//! The targets are `fuzz/`, laid out for cargo-fuzz, which needs a nightly Rust. Our crate's unsafe code is vectors of arrays whose length is their
//! type's, so what cargo-fuzz needs nightly for, a sanitizer, finds little here; without it libFuzzer runs with any Rust.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::{apt, root, toolchain, which};

/// In the order in which they run.
const TARGETS: [&str; 4] = ["load", "processor", "resample", "picture"];

/// What libFuzzer looks at: which edges were taken how often, and what was compared with what.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing";

pub const USAGE: &str = "\
cargo xtask fuzz [TARGET...] [--seconds N]  random inputs for load, processor, resample and picture, N seconds each (60)";

pub fn run(sh: &Shell, options: &[&str]) -> Result<()> {
    let (targets, seconds) = parse(options)?;
    if let Some(lacking) = lacking() {
        bail!("{lacking}");
    }
    let host = cmd!(sh, "rustc -vV").quiet().read()?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let cargo = toolchain::current_cargo();
    // With a target named, build scripts and macros are not instrumented.
    cmd!(
        sh,
        "{cargo} build --release --locked --manifest-path fuzz/Cargo.toml --target {host} --target-dir target/fuzz"
    )
    .env("RUSTFLAGS", FLAGS)
    .env_remove("CARGO_ENCODED_RUSTFLAGS")
    .run()?;
    for target in targets {
        let program = root().join("target/fuzz").join(host).join("release").join(target);
        fuzz(target, &program, seconds)?;
    }
    Ok(())
}

/// What this machine has to get before it can fuzz.
pub fn lacking() -> Option<String> {
    if !cfg!(unix) {
        return Some("fuzzing runs on Linux and macOS".into());
    }
    let compilers = ["c++", "g++", "clang++"];
    if std::env::var_os("CXX").is_some() || compilers.iter().any(|name| which(name).is_some()) {
        return None;
    }
    Some(format!("libFuzzer needs a C++ compiler. Run this, then this again: {}", apt::command(&["g++"])))
}

fn parse<'a>(options: &[&'a str]) -> Result<(Vec<&'a str>, u32)> {
    let mut targets: Vec<&str> = Vec::new();
    let mut seconds = 60;
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match *option {
            "--seconds" => {
                let number = options.next().and_then(|number| number.parse().ok()).filter(|number| *number > 0);
                seconds = number.context("--seconds takes a whole number from 1 on")?;
            }
            target if TARGETS.contains(&target) => targets.push(target),
            _ => bail!("there is no target `{option}`; there are {}\n\n{USAGE}", TARGETS.join(", ")),
        }
    }
    Ok((if targets.is_empty() { TARGETS.to_vec() } else { targets }, seconds))
}

/// Runs one target on what it found before and the fixtures. What it finds lies in `target/fuzz/found/`.
fn fuzz(target: &str, program: &Path, seconds: u32) -> Result<()> {
    let folder = root().join("target/fuzz");
    let (corpus, seeds) = (folder.join("corpus").join(target), folder.join("seeds").join(target));
    let (found, log) = (folder.join("found"), folder.join(format!("{target}.log")));
    drop(fs::remove_dir_all(&seeds));
    for folder in [&corpus, &seeds, &found] {
        fs::create_dir_all(folder)?;
    }
    for (i, seed) in seeds_of(target)?.iter().enumerate() {
        fs::write(seeds.join(i.to_string()), seed)?;
    }
    let status = Command::new(program)
        .args([&corpus, &seeds])
        .args(["-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1", "-max_len=65536"])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/{target}-", found.display()))
        .stderr(fs::File::create(&log)?)
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("{} can't be run", program.display()))?;
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if !status.success() {
        let last: Vec<_> = said.lines().rev().take(30).collect();
        let last = last.into_iter().rev().collect::<Vec<_>>().join("\n");
        bail!("`{target}` found something:\n{last}\nRun it again with {} and that file", program.display());
    }
    println!("{}", summary(target, &said).with_context(|| format!("{} has no statistics", log.display()))?);
    Ok(())
}

/// Executions, edges and inputs that libFuzzer's output names last.
fn summary(target: &str, said: &str) -> Option<String> {
    let stat = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    let executions = stat("stat::number_of_executed_units:")?;
    let state = said.lines().rev().find(|line| line.starts_with('#') && line.contains(" cov: "))?;
    let after = |key: &str| state.split(key).nth(1)?.split_whitespace().next();
    let edges = said.split('(').find_map(|part| part.split_once(" inline 8-bit counters"))?.0;
    let (covered, kept) = (after(" cov: ")?, after(" corp: ")?);
    Some(format!("{target:10} {executions:10} executions, {covered} of {edges} edges, {kept} inputs kept"))
}

/// Inputs to begin with, made of the fixtures.
fn seeds_of(target: &str) -> Result<Vec<Vec<u8>>> {
    let fixtures = root().join("tests/fixtures");
    match target {
        "load" => models(&fixtures),
        "processor" => processors(&fixtures),
        "resample" => {
            Ok((1..8u8).map(|i| (0..200).map(|j: u8| i.wrapping_mul(j).wrapping_mul(23)).collect()).collect())
        }
        _ => pictures(&fixtures),
    }
}

/// `options config.json \0 header \0 data`, of data the first bytes: as it comes, in int8, and quantised to 8 bits and 4 before.
fn models(fixtures: &Path) -> Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for folder in entries(fixtures)? {
        let (config, weights) = (folder.join("config.json"), folder.join("model.safetensors"));
        if !config.is_file() || !weights.is_file() {
            continue;
        }
        let (config, weights) = (fs::read(config)?, fs::read(weights)?);
        let (length, rest) = weights.split_first_chunk().context("a file of weights begins with a length")?;
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        for options in [0u8, 4, 16, 48] {
            seeds.push([&[options], &config[..], b"\0", header, b"\0", &data[..256]].concat());
        }
    }
    Ok(seeds)
}

/// `model file`, every file beside every model.
fn processors(fixtures: &Path) -> Result<Vec<Vec<u8>>> {
    let mut files = Vec::new();
    for folder in entries(fixtures)? {
        let kept = folder.ends_with("processors") || folder.ends_with("preprocess");
        for file in entries(&folder)? {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name == "preprocessor_config.json" || kept && name.ends_with(".json") {
                files.push(fs::read(file)?);
            }
        }
    }
    files.sort();
    files.dedup();
    // As processor_config.json has them.
    let nested: Vec<_> = files.iter().map(|file| [b"{\"image_processor\": ", &file[..], b"}"].concat()).collect();
    files.extend(nested);
    Ok(files.iter().flat_map(|file| (0..6).map(move |model| [&[2 * model], &file[..]].concat())).collect())
}

/// `options file`, of every format.
fn pictures(fixtures: &Path) -> Result<Vec<Vec<u8>>> {
    let files = entries(&fixtures.join("decode"))?.into_iter();
    let pictures = files.filter(|file| file.extension().is_some_and(|kind| kind != "safetensors" && kind != "json"));
    pictures.map(|file| Ok([&[0], &fs::read(file)?[..]].concat())).collect()
}

/// What lies in a folder, in order; of a file, nothing.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_and_seconds_are_read() {
        assert_eq!(parse(&[]).unwrap(), (TARGETS.to_vec(), 60));
        assert_eq!(parse(&["picture", "--seconds", "5", "load"]).unwrap(), (vec!["picture", "load"], 5));
        for wrong in [&["pictures"][..], &["--seconds"], &["--seconds", "0"], &["--seconds", "long"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(parse(&["all"]).unwrap_err().to_string().contains("load, processor, resample, picture"));
    }

    /// A target without a program, or a program that nothing runs, would go unnoticed.
    #[test]
    fn targets_are_those_of_the_crate() {
        let programs: Vec<_> = entries(&root().join("fuzz/fuzz_targets")).unwrap();
        let mut names: Vec<_> = programs.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
        let mut targets = TARGETS.to_vec();
        names.sort();
        targets.sort();
        assert_eq!(names, targets);
    }

    #[test]
    fn every_target_begins_with_the_fixtures() {
        for (target, least) in [("load", 150), ("processor", 150), ("resample", 5), ("picture", 40)] {
            let seeds = seeds_of(target).unwrap();
            assert!(seeds.len() >= least, "{target}: {}", seeds.len());
        }
        let pictures = seeds_of("picture").unwrap();
        for signature in [&b"\xff\xd8"[..], b"\x89PNG", b"GIF89a", b"BM", b"RIFF"] {
            assert!(pictures.iter().any(|seed| seed[1..].starts_with(signature)), "{signature:?}");
        }
    }

    #[test]
    fn the_summary_is_read_from_the_last_of_the_output() {
        let said = "INFO: Loaded 1 modules   (4567 inline 8-bit counters): 4567 [0x1, 0x2), \n#2\tINITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 30Mb\n#8192\tREDUCE cov: 321 ft: 900 corp: 45/3Kb lim: 9\n\
                    Done 9000 runs in 2 second(s)\nstat::number_of_executed_units: 9000\n";
        assert_eq!(
            summary("load", said).unwrap(),
            "load             9000 executions, 321 of 4567 edges, 45/3Kb inputs kept"
        );
        assert_eq!(summary("load", "killed"), None);
    }
}
