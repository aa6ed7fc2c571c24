//! The kernels' tests on the native backends that a plain build has not: what later processors add on x86-64, and Arm's, emulated.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::{toolchain, which};

const ARM: &str = "aarch64-unknown-linux-gnu";
const ARM_LINKER: &str = "aarch64-linux-gnu-gcc";
const ARM_EMULATOR: &str = "qemu-aarch64";

/// Those that this machine can't run are skipped.
pub fn test(sh: &Shell) -> Result<()> {
    let processors: &[_] = if cfg!(target_arch = "x86_64") { &["x86-64-v2", "native"] } else { &[] };
    for cpu in processors {
        run(sh, &format!("-Ctarget-cpu={cpu}"), &[])?;
    }
    if let Some(lacking) = [ARM_LINKER, ARM_EMULATOR].into_iter().find(|program| which(program).is_none()) {
        println!("Arm's are skipped: there is no {lacking} (`apt-get install gcc-aarch64-linux-gnu qemu-user`)");
        return Ok(());
    }
    if cmd!(sh, "rustup target add {ARM}").quiet().ignore_stderr().run().is_err() {
        println!("Arm's are skipped: rustup has no {ARM} here");
        return Ok(());
    }
    let _linker = sh.push_env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", ARM_LINKER);
    let emulator = format!("{ARM_EMULATOR} -L /usr/aarch64-linux-gnu");
    let _runner = sh.push_env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", emulator);
    for features in ["", "-Ctarget-feature=+dotprod"] {
        run(sh, features, &["--target", ARM])?;
    }
    Ok(())
}

/// What the backends do, the kernels upon them, and the bits of a whole model's answers.
fn run(sh: &Shell, flags: &str, options: &[&str]) -> Result<()> {
    println!("{} {flags}", options.join(" "));
    let cargo = toolchain::current_cargo();
    let test = cmd!(sh, "{cargo} test --package vitscope --locked --lib --test vitscope_tiny {options...}");
    Ok(test
        .args(["--", "--quiet", "simd::", "kernels::", "every_backend"])
        .env("RUSTFLAGS", flags)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .run()?)
}
