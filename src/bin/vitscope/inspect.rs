//! `vitscope inspect`

use crate::folder::ModelFolder;
use crate::output::print;
use anyhow::Result;
use indicatif::{DecimalBytes, HumanCount};
use std::collections::BTreeMap;
use std::path::Path;
use vitscope::checkpoint::{Tensors, WEIGHTS_FILE};

pub fn run(model: &Path) -> Result<()> {
    let folder = ModelFolder::read(model)?;
    let classifier = folder.classifier(None, None)?;
    let config = classifier.config();
    let [height, width] = config.image_size;
    let [patch_height, patch_width] = config.patch_size;
    let [rows, columns] = config.grid();

    print(format_args!("family      {}", config.family))?;
    print(format_args!("image       {height} × {width}"))?;
    print(format_args!(
        "processor   {}",
        classifier.processor().unwrap_or("the family's usual one: no file states any")
    ))?;
    print(format_args!("patches     {patch_height} × {patch_width} pixels, grid {rows} × {columns}"))?;
    print(format_args!("tokens      {} ({} before the patches)", config.tokens(), config.prefix_tokens()))?;
    print(format_args!("layers      {}", config.layers))?;
    print(format_args!("heads       {} of {}", config.heads, config.head_size()))?;
    print(format_args!("width       {}, MLP {}", config.hidden_size, config.mlp_size))?;
    print(format_args!(
        "{:11} eps {:e}",
        if config.rms_norm { "RMSNorm" } else { "LayerNorm" },
        config.layer_norm_eps
    ))?;
    print(format_args!("positions   {}", config.positions.name()))?;
    print(format_args!("pooling     {:?}", config.pooling))?;
    print(format_args!("classes     {}", config.classes()))?;
    print(format_args!("scores      {:?}", config.scores))?;
    print(format_args!("parameters  {}", HumanCount(classifier.parameters() as u64)))?;

    let mut by_dtype = BTreeMap::<String, (usize, u64)>::new();
    for tensor in folder.reading(|weights| Ok(Tensors::open(WEIGHTS_FILE, weights)?.summaries()))? {
        let (count, bytes) = by_dtype.entry(tensor.dtype).or_default();
        *count += 1;
        *bytes += tensor.end - tensor.begin;
    }
    for (dtype, (count, bytes)) in by_dtype {
        print(format_args!("{dtype:11} {} in {count} tensors", DecimalBytes(bytes)))?;
    }
    Ok(())
}
