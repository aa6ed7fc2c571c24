//! `bind MODULE FOLDER NAME`: the module for the web and its glue as `NAME*` in the folder.

use std::env;

use anyhow::{Result, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [module, folder, name] = arguments.as_slice() else { bail!("usage: bind MODULE FOLDER NAME") };
    Bindgen::new()
        .web(true)?
        .omit_default_module_path(false)
        .input_path(module)
        .out_name(name)
        .typescript(true)
        .generate(folder)
}
