//! `vitscope quantize`

use crate::folder::ModelFolder;
use crate::output::{print, write_whole};
use anyhow::{Context, Result, bail};
use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};
use std::fs;
use std::path::Path;
use vitscope::checkpoint::{self, CONFIG_FILE, PREPROCESSOR_FILE, Tensors, WEIGHTS_FILE};
use vitscope::model::Precision;

pub fn run(model: &Path, output: &Path) -> Result<()> {
    let folder = ModelFolder::read(model)?;
    let target = output.join(WEIGHTS_FILE);
    if target.exists() && !is_quantized(&target) {
        bail!("{} is not a quantised model and would be overwritten. Choose another folder.", target.display());
    }

    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?);
    let mut worst: Option<(f64, String)> = None;
    let weights = checkpoint::quantize(folder.files(), &folder.weights, &mut |tensor| {
        bar.set_length(tensor.done.1 as u64);
        bar.set_position(tensor.done.0 as u64);
        bar.set_message(tensor.name.to_owned());
        if let Some(sqnr) = tensor.sqnr
            && worst.as_ref().is_none_or(|(least, _)| sqnr < *least)
        {
            worst = Some((sqnr, tensor.name.to_owned()));
        }
    })
    .with_context(|| folder.path.display().to_string())?;
    bar.finish_and_clear();

    fs::create_dir_all(output).with_context(|| format!("{} can't be made", output.display()))?;
    write_whole(&output.join(CONFIG_FILE), folder.config.as_bytes())?;
    if let Some(preprocessor) = &folder.preprocessor {
        write_whole(&output.join(PREPROCESSOR_FILE), preprocessor.as_bytes())?;
    }
    write_whole(&target, &weights)?;

    let size = |bytes: &[u8]| DecimalBytes(bytes.len() as u64);
    print(format_args!("{}: {} → {}", target.display(), size(&folder.weights), size(&weights)))?;
    if let Some((sqnr, name)) = worst {
        print(format_args!("least signal to quantisation noise: {sqnr:.1} dB in {name}"))?;
    }
    Ok(())
}

/// Whether overwriting this file loses nothing that `quantize` can't make again.
fn is_quantized(path: &Path) -> bool {
    let Ok(bytes) = fs::read(path) else { return false };
    Tensors::open(WEIGHTS_FILE, &bytes).is_ok_and(|tensors| tensors.precision() == Precision::Int8)
}
