//! From `pkg/lib/` to `pkg/dist/`: one file an entry, since a browser asks for each import only when it has read the importer.

use anyhow::Result;
use xshell::Shell;

use crate::{node, root};

/// Scripts that are asked for by themselves: by pages and programs, or as workers.
const ENTRIES: [&str; 4] = ["index.js", "engine.js", "worker.js", "thread.js"];
/// Those that a program may import; their types are written by hand, beside `dist/`.
const TYPED: [&str; 2] = ["index", "engine"];

/// Bundles the package's JavaScript. It takes a tenth of a second, so nothing is remembered.
pub fn build(sh: &Shell) -> Result<()> {
    node::install_packages(sh)?;
    let package = root().join("pkg");
    let dist = package.join("dist");
    sh.remove_path(&dist)?;
    let entries = ENTRIES.map(|entry| package.join("lib").join(entry));
    node::tool(sh, "esbuild/bin/esbuild")
        .args(entries)
        .args(["--bundle", "--format=esm", "--minify", "--sourcemap", "--log-level=warning"])
        // The oldest browsers that have what the engine needs.
        .arg("--target=chrome91,firefox114,safari16.4")
        // Only one of the builds is loaded, once it is known which.
        .arg("--external:../wasm/*")
        .arg(format!("--outdir={}", dist.display()))
        .quiet()
        .run()?;
    for name in TYPED {
        sh.write_file(dist.join(name).with_extension("d.ts"), format!("export * from '../{name}.js';\n"))?;
    }
    Ok(())
}
