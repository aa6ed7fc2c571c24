//! Debian's packages, where the machine has apt-get and lets us use it.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::steps::timed;
use crate::which;

/// Installs `packages`, or says in one sentence why it can't.
pub fn install(sh: &Shell, packages: &[&str]) -> Result<()> {
    let root = as_root(sh)?;
    timed(&format!("Installing Debian packages: {}", packages.join(" ")), || {
        // A stale list names files that the mirror has dropped, so the lists are renewed first.
        cmd!(sh, "{root} apt-get update -qq").run()?;
        cmd!(sh, "{root} DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends {packages...}")
            .run()
            .with_context(|| format!("`{}` failed", command(packages)))
    })
}

/// The same for a person to type.
pub fn command(packages: &[&str]) -> String {
    format!("sudo apt-get update && sudo apt-get install {}", packages.join(" "))
}

/// The command that runs another as root: `env`, which changes nothing, for root itself, else a sudo that asks no password.
/// Both take variables before the command.
fn as_root(sh: &Shell) -> Result<&'static str> {
    which("apt-get").context("this system has no apt-get")?;
    if cmd!(sh, "id -u").quiet().read()? == "0" {
        return Ok("env");
    }
    let refused = "apt-get needs root, and sudo is missing or asks for a password";
    cmd!(sh, "sudo -n true").quiet().ignore_stderr().run().context(refused)?;
    Ok("sudo")
}
