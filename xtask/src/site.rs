//! `cargo xtask site`: the page as a folder that any static host serves; see `xtask/site.mjs`.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::{build, root};

/// With all builds of the engine, since any browser may come.
pub fn run(sh: &Shell, options: &[&str]) -> Result<()> {
    let folder = folder(options)?;
    build(sh, &[])?;
    let script = root().join("xtask/site.mjs");
    Ok(cmd!(sh, "node {script} {folder...}").quiet().run()?)
}

/// As seen from where the command was given; none: the script's own.
fn folder(options: &[&str]) -> Result<Option<PathBuf>> {
    match options {
        [] => Ok(None),
        [folder] if !folder.starts_with('-') => {
            Ok(Some(env::current_dir().context("there is no working directory")?.join(folder)))
        }
        _ => bail!("unknown options `{}`; site takes a folder", options.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_folder_or_none() {
        assert_eq!(folder(&[]).unwrap(), None);
        assert!(folder(&["out/site"]).unwrap().unwrap().ends_with("out/site"));
        assert!(folder(&["out/site"]).unwrap().unwrap().is_absolute());
        assert!(folder(&["--port"]).is_err());
        assert!(folder(&["a", "b"]).is_err());
    }
}
