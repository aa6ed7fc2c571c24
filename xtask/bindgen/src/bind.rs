//! `bind MODULE FOLDER NAME`: the module for the web and its glue as `NAME*` in the folder.

mod names;

use std::env;
use std::fs;
use std::path::Path;

use anyhow::{Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use names::Names;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [module, folder, name] = arguments.as_slice() else { bail!("usage: bind MODULE FOLDER NAME") };
    let mut output = Bindgen::new()
        .web(true)?
        .omit_default_module_path(false)
        .input_path(module)
        .out_name(name)
        .typescript(true)
        .generate_output()?;
    let names = Names::new(output.wasm(), output.js(), &format!("./{name}_bg.js"));
    names.shorten_in_module(output.wasm_mut());
    output.emit(folder)?;
    let glue = Path::new(folder).join(format!("{name}.js"));
    fs::write(&glue, names.shortened_in_script(&fs::read_to_string(&glue)?))?;
    fs::write(glue.with_extension("names.json"), names.json())?;
    Ok(())
}
