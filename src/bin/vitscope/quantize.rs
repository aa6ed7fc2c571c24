//! `vitscope quantize`

use crate::disk::{Disk, Failure};
use crate::folder::ModelFolder;
use crate::output::{print, write_whole};
use anyhow::{Context, Result, bail};
use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};
use std::fs;
use std::path::Path;
use vitscope::checkpoint::{
    self, CONFIG_FILE, PREPROCESSOR_FILE, PROCESSOR_FILE, QuantizedTensor, TEXT_FILE, Tensors, WEIGHTS_FILE,
};
use vitscope::quant::{Bits, FORMAT_INT4, FORMAT_INT8, MIN_SQNR, four_bits};

pub fn run(model: &Path, bits: Bits, output: &Path) -> Result<()> {
    let folder = ModelFolder::read(model)?;
    let target = output.join(WEIGHTS_FILE);
    if target.exists() && !replaceable(&target, bits) {
        bail!("{} could not be made again and would be overwritten. Choose another folder.", target.display());
    }

    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?);
    let mut lines = Vec::new();
    let mut report = |tensor: &QuantizedTensor| {
        bar.set_length(tensor.done.1 as u64);
        bar.set_position(tensor.done.0 as u64);
        bar.set_message(tensor.name.to_owned());
        if let Some(sqnr) = tensor.sqnr {
            let kept = match tensor.bits {
                stored if stored == bits => "",
                Bits::ThirtyTwo => "  stays F32",
                _ => "  gets 8 bits",
            };
            lines.push(format!("{sqnr:6.1} dB  {} {:?}{kept}", tensor.name, tensor.shape));
        }
    };
    let (before, weights) = folder
        .reading(|weights| Ok((weights.size(), checkpoint::quantize(folder.files(), weights, bits, &mut report)?)))?;
    bar.finish_and_clear();

    fs::create_dir_all(output).with_context(|| format!("{} can't be made", output.display()))?;
    write_whole(&output.join(CONFIG_FILE), folder.config.as_bytes())?;
    for (name, text) in [(PREPROCESSOR_FILE, &folder.preprocessor), (PROCESSOR_FILE, &folder.processor)] {
        if let Some(text) = text {
            write_whole(&output.join(name), text.as_bytes())?;
        }
    }
    if let Some(text) = &folder.text_embeddings {
        write_whole(&output.join(TEXT_FILE), text)?;
    }
    write_whole(&target, &weights)?;

    if !lines.is_empty() {
        print(format_args!(
            "signal to quantisation noise (below {} dB a matrix in 4 bits gets 8, below {MIN_SQNR} dB one in 8 stays in F32):",
            four_bits::MIN_SQNR
        ))?;
    }
    for line in lines {
        print(format_args!("{line}"))?;
    }
    print(format_args!(
        "{}: {} → {}",
        target.display(),
        DecimalBytes(before.unwrap_or_default()),
        DecimalBytes(weights.len() as u64)
    ))
}

/// Whether overwriting this file with matrices of `bits` loses nothing that `quantize` can't make again.
fn replaceable(path: &Path, bits: Bits) -> bool {
    let failure = Failure::default();
    let Ok(file) = Disk::open(path, &failure) else { return false };
    Tensors::open(WEIGHTS_FILE, &file).is_ok_and(|tensors| match tensors.format() {
        Some(FORMAT_INT8) => bits == Bits::Eight,
        Some(FORMAT_INT4) => true,
        _ => false,
    })
}
