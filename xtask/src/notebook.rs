//! The Python package `vitscope` of `notebook/`: its wheel, and what shows that it works. Environments of Python's lie in `target/notebook/`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

use crate::steps::timed;
use crate::{apt, build, node, root, which};

/// Bytes: one is fetched by everyone who installs it.
const MAX_WHEEL: u64 = 3_000_000;

/// What builds and checks the wheel, with JupyterLab and the newest ipykernel.
const TOOLS: &str = "tools";
/// The ipykernel before, which hears no message while a cell runs.
const KERNEL6: &str = "kernel6";

/// Its modules are taken as they are in memory, which needs all of these.
const TORCH: &str = "torch timm transformers anywidget ipykernel numpy PIL pytest";

const ADVICE: &str =
    "it needs Python 3.10 or newer with its modules venv and ensurepip, named VITSCOPE_PYTHON where it is not python3";

/// `cargo xtask notebook`: the wheel, in `target/notebook/dist`.
pub fn run(sh: &Shell) -> Result<()> {
    let python = python(sh)?;
    let tools = environment(sh, &python, TOOLS)?
        .context("the tools that build a wheel come from PyPI, which can't be reached")?;
    let wheel = wheel(sh, &tools)?;
    println!("{}: {} kB", wheel.display(), fs::metadata(&wheel)?.len() / 1000);
    Ok(())
}

/// The environments that the tests need: before anything that takes long, and where there can be none the tests are skipped.
pub fn install(sh: &Shell) -> Result<()> {
    if let Some([tools, _]) = environments(sh)? {
        println!("notebook: {}", tools.display());
    }
    Ok(())
}

/// Builds the wheel and checks it: by twine, in an empty environment, by pytest. What comes back is for the tests in Node, as
/// variables of theirs; nothing where there is no Python, or no PyPI.
pub fn check(sh: &Shell) -> Result<Vec<(&'static str, PathBuf)>> {
    let Some([tools, kernel6]) = environments(sh)? else {
        assets(sh)?;
        return Ok(Vec::new());
    };
    let wheel = wheel(sh, &tools)?;
    cmd!(sh, "{tools} -m twine check --strict {wheel}").run()?;
    let size = fs::metadata(&wheel)?.len();
    ensure!(size <= MAX_WHEEL, "the wheel has {size} bytes, more than {MAX_WHEEL}");
    install_alone(sh, &tools, &wheel)?;

    // The tests see what is in the wheel, not what lies in the folder.
    let unpacked = folder().join("wheel");
    sh.remove_path(&unpacked)?;
    cmd!(sh, "{tools} -m zipfile --extract {wheel} {unpacked}").run()?;
    let _path = sh.push_env("PYTHONPATH", &unpacked);
    pytest(sh, &tools)?;
    let mut variables = vec![("VITSCOPE_JUPYTER", tools), ("VITSCOPE_KERNEL6", kernel6), ("VITSCOPE_WHEEL", unpacked)];
    match with_torch(sh)? {
        Ok(python) => {
            pytest(sh, &python)?;
            variables.push(("VITSCOPE_TORCH", python));
        }
        Err(lacking) => println!("skipped, modules of torch and the notebook that trains one: {lacking}"),
    }
    Ok(variables)
}

/// Environments, wheel, and it unpacked.
fn folder() -> PathBuf {
    root().join("target/notebook")
}

/// What the wheel has of the npm package and the page.
fn assets(sh: &Shell) -> Result<()> {
    build(sh, &[])?;
    node::install_packages(sh)?;
    Ok(cmd!(sh, "node xtask/notebook.mjs").run()?)
}

fn wheel(sh: &Shell, tools: &Path) -> Result<PathBuf> {
    assets(sh)?;
    let dist = folder().join("dist");
    sh.remove_path(&dist)?;
    cmd!(sh, "{tools} -m build --wheel --no-isolation --outdir {dist} notebook").quiet().ignore_stdout().run()?;
    sh.read_dir(&dist)?.pop().context("python -m build wrote no wheel")
}

fn pytest(sh: &Shell, python: &Path) -> Result<()> {
    Ok(cmd!(sh, "{python} -m pytest --quiet -p no:cacheprovider notebook/tests").run()?)
}

/// In an environment that is new each time: the wheel asks for all that it needs, and that is little.
fn install_alone(sh: &Shell, tools: &Path, wheel: &Path) -> Result<()> {
    let python = new_environment(sh, tools, "empty")?;
    if pip(sh, &python, &["install", &wheel.to_string_lossy()])? {
        let script = root().join("tests/notebook/installed.py");
        // From elsewhere, since Python looks for modules where it starts.
        let _away = sh.push_dir(folder());
        cmd!(sh, "{python} {script}").run()?;
    } else {
        println!("skipped, the wheel in an empty environment: PyPI can't be reached");
    }
    Ok(())
}

/// Both, or a line that says why there are none.
fn environments(sh: &Shell) -> Result<Option<[PathBuf; 2]>> {
    let python = match python(sh) {
        Ok(python) => python,
        Err(error) => {
            println!("skipped, the notebook's tests: {error:#}");
            return Ok(None);
        }
    };
    let found = (environment(sh, &python, TOOLS)?, environment(sh, &python, KERNEL6)?);
    let (Some(tools), Some(kernel6)) = found else {
        println!("skipped, the notebook's tests: PyPI can't be reached");
        return Ok(None);
    };
    Ok(Some([tools, kernel6]))
}

/// The environment of `tests/notebook/NAME.txt`, made anew where that has changed; None where PyPI can't be reached.
fn environment(sh: &Shell, python: &Path, name: &str) -> Result<Option<PathBuf>> {
    let requirements = root().join(format!("tests/notebook/{name}.txt"));
    let stamp = format!("{}\n{}", python.display(), sh.read_file(&requirements)?);
    let [made, installed] = [python_of(name), folder().join(name).join("requirements")];
    if made.is_file() && fs::read_to_string(&installed).is_ok_and(|text| text == stamp) {
        return Ok(Some(made));
    }
    timed(&format!("Installing Python packages of {}", requirements.display()), || {
        new_environment(sh, python, name)?;
        let come = pip(sh, &made, &["install", "--requirement", &requirements.to_string_lossy()])?;
        if come {
            sh.write_file(&installed, stamp)?;
        }
        Ok(come.then_some(made))
    })
}

fn new_environment(sh: &Shell, python: &Path, name: &str) -> Result<PathBuf> {
    let path = folder().join(name);
    sh.remove_path(&path)?;
    cmd!(sh, "{python} -m venv {path}").quiet().run()?;
    Ok(python_of(name))
}

fn python_of(name: &str) -> PathBuf {
    folder().join(name).join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

/// Whether pip could do it. False where PyPI, or what stands for it here, can't be reached; an error where it can.
fn pip(sh: &Shell, python: &Path, args: &[&str]) -> Result<bool> {
    let pip = |args: &[&str]| cmd!(sh, "{python} -m pip --quiet --disable-pip-version-check").args(args).quiet();
    let Err(error) = pip(args).run() else { return Ok(true) };
    let asked = folder().join("asked");
    let reached = pip(&["download", "--no-deps", "--retries=1", "--dest", &asked.to_string_lossy(), "anywidget"]);
    if reached.ignore_stderr().run().is_ok() { Err(error.into()) } else { Ok(false) }
}

/// A Python that can make environments; where Debian's lacks but that, it is installed.
fn python(sh: &Shell) -> Result<PathBuf> {
    if let Some(found) = candidates().into_iter().find(|python| is_fit(sh, python)) {
        return Ok(found);
    }
    if env::var_os("VITSCOPE_PYTHON").is_some() {
        bail!("VITSCOPE_PYTHON does not do; {ADVICE}");
    }
    apt::install(sh, &["python3-venv"]).context(ADVICE)?;
    candidates().into_iter().find(|python| is_fit(sh, python)).context(ADVICE)
}

/// What the environment names, and nothing else then; otherwise what is on PATH.
fn candidates() -> Vec<PathBuf> {
    match env::var_os("VITSCOPE_PYTHON") {
        Some(path) => vec![path.into()],
        None => ["python3", "python"].into_iter().filter_map(which).collect(),
    }
}

fn is_fit(sh: &Shell, python: &Path) -> bool {
    let script = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";
    cmd!(sh, "{python} -c {script}").quiet().ignore_stdout().ignore_stderr().run().is_ok()
}

/// The Python whose modules are shown as they are in memory, or what the one that there is lacks.
fn with_torch(sh: &Shell) -> Result<Result<PathBuf, String>> {
    let python = python(sh)?;
    let script = "import sys; from importlib.util import find_spec; print(*[name for name in sys.argv[1:] if not find_spec(name)])";
    let names = TORCH.split(' ');
    let lacking = cmd!(sh, "{python} -c {script} {names...}").quiet().read()?;
    Ok(if lacking.is_empty() {
        Ok(python)
    } else {
        Err(format!("{} lacks {lacking}; VITSCOPE_PYTHON may name another", python.display()))
    })
}
