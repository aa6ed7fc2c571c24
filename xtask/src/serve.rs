//! `cargo xtask serve`: the page on 127.0.0.1, from a fresh build of what most browsers ask for; the server has the rest built.

use std::env;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::{bundle, root, wasm};

pub fn run(sh: &Shell, options: &[&str]) -> Result<()> {
    let port = port(options)?;
    let start = Instant::now();
    wasm::build_first(sh)?;
    bundle::build(sh, &[])?;
    println!("{:6.1} s  in all", start.elapsed().as_secs_f32());
    let script = root().join("xtask/server.mjs");
    let xtask = env::current_exe().context("this program's own path is unknown")?;
    let port = port.map(|port| port.to_string());
    hand_over(cmd!(sh, "node {script} --xtask {xtask} {port...}").into())
}

/// None: the server takes 8080 or the next free port.
fn port(options: &[&str]) -> Result<Option<u16>> {
    match options {
        [] => Ok(None),
        ["--port", port] => Ok(Some(port.parse().with_context(|| format!("`{port}` is not a port"))?)),
        _ => bail!("unknown options `{}`; serve takes --port PORT", options.join(" ")),
    }
}

/// Becomes the server, so that whoever stops this process stops the server.
#[cfg(unix)]
fn hand_over(mut server: std::process::Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    Err(server.exec()).context("could not start the server")
}

#[cfg(not(unix))]
fn hand_over(mut server: std::process::Command) -> Result<()> {
    let status = server.status().context("could not start the server")?;
    anyhow::ensure!(status.success(), "the server ended with {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_port_or_leaves_the_choice() {
        assert_eq!(port(&[]).unwrap(), None);
        assert_eq!(port(&["--port", "9000"]).unwrap(), Some(9000));
        assert!(port(&["--port", "99999"]).is_err());
        assert!(port(&["--port"]).is_err());
        assert!(port(&["9000"]).is_err());
    }
}
