//! `vitscope inspect`

use crate::folder::ModelFolder;
use crate::output::print;
use anyhow::Result;
use indicatif::{DecimalBytes, HumanCount};
use std::collections::BTreeMap;
use std::path::Path;
use vitscope::checkpoint::{Tensors, WEIGHTS_FILE};
use vitscope::model::{Config, Stage, Window, WindowKind};

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
    for (number, stage) in config.stages.iter().enumerate() {
        print_stage(config, number, stage)?;
    }
    if !config.is_staged() {
        print(format_args!("heads       {} of {}", config.heads, config.head_size()))?;
        print(format_args!("width       {}, MLP {}", config.hidden_size, config.mlp_size))?;
    }
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

fn print_stage(config: &Config, number: usize, stage: &Stage) -> Result<()> {
    let Stage { layers, hidden_size, heads, mlp_size, .. } = stage;
    let [rows, columns] = config.of_stage(number).grid();
    let mut line = format!("stage {number:<5} grid {rows} × {columns}, width {hidden_size}");
    if *layers > 0 {
        line += &format!(", layers {layers}, heads {heads} of {}, MLP {mlp_size}", hidden_size / heads);
    }
    let own = (0..config.layers).filter(|layer| config.stage_of(*layer)[0] == number);
    let windows: Vec<_> = own.map(|layer| (layer, config.window(layer))).collect();
    let tiled = || windows.iter().filter_map(|(_, window)| *window);
    if let Some(Window { kind, size: [height, width], .. }) = tiled().next() {
        line += match kind {
            WindowKind::Tiles => ", windows of ",
            WindowKind::Strided => ", each token attends to those at its place in every ",
        };
        line += &format!("{height} × {width}");
        line += if tiled().any(|window| window.shift != [0; 2]) { ", every second layer's shifted" } else { "" };
        let global: Vec<_> = windows.iter().filter(|(_, window)| window.is_none()).collect();
        if !global.is_empty() {
            let layers: Vec<_> = global.iter().map(|(layer, _)| layer.to_string()).collect();
            line += &format!(", none in layers {}", layers.join(", "));
        }
    }
    print(format_args!("{line}"))
}
