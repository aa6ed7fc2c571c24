//! `vitscope eval`

use crate::output::print;
use crate::picture::Limit;
use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;
use vitscope::Classifier;
use vitscope::model::{Config, Precision, Scores};

#[derive(Serialize)]
struct Report {
    images: usize,
    dtype: Precision,
    top1: f64,
    top5: f64,
    images_per_second: f64,
}

pub fn run(mut classifier: Classifier, images: &Path, limit: &Limit, json: bool) -> Result<()> {
    check_countable(classifier.config())?;
    let labelled = labelled_images(images, classifier.config())?;
    let bar = ProgressBar::new(labelled.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {per_sec} {eta} left")?);

    let start = Instant::now();
    let (mut top1, mut top5) = (0, 0);
    for (path, class) in &labelled {
        let picture = limit.read(path)?;
        let pixels = classifier.preprocess(picture.view()).with_context(|| path.display().to_string())?;
        let rank = rank(classifier.logits(&pixels)?, *class);
        top1 += usize::from(rank < 1);
        top5 += usize::from(rank < 5);
        bar.inc(1);
    }
    let seconds = start.elapsed().as_secs_f64();
    bar.finish_and_clear();

    let share = |hits: usize| hits as f64 / labelled.len() as f64;
    let report = Report {
        images: labelled.len(),
        dtype: classifier.precision(),
        top1: share(top1),
        top5: share(top5),
        images_per_second: labelled.len() as f64 / seconds,
    };
    if json {
        return print(format_args!("{}", serde_json::to_string_pretty(&report)?));
    }
    print(format_args!("images  {}", report.images))?;
    print(format_args!("top-1   {:.2} %", 100.0 * report.top1))?;
    print(format_args!("top-5   {:.2} %", 100.0 * report.top5))?;
    print(format_args!("speed   {:.1} images/s, decoding included", report.images_per_second))
}

/// Folders say one class of each image; whether the model's answer is that class must mean something.
fn check_countable(config: &Config) -> Result<()> {
    match config.scores {
        _ if config.classes() == 0 => bail!("this model has no classes, so it has no accuracy."),
        Scores::Raw => {
            bail!("this model's answer is a number (regression), so no class of it can be counted as right.")
        }
        _ if config.classes() == 1 => bail!("this model has a single class, so whether that comes first says nothing."),
        Scores::Sigmoid => bail!(
            "several of this model's labels may hold for an image (`problem_type` is `multi_label_classification`), \
             and folders give it one: accuracy can't be counted."
        ),
        Scores::Softmax => Ok(()),
    }
}

/// Classes scored above `class`.
fn rank(logits: &[f32], class: usize) -> usize {
    logits.iter().filter(|logit| **logit > logits[class]).count()
}

/// Every image below `root/<label>/` with the index of its class, in a stable order.
fn labelled_images(root: &Path, config: &Config) -> Result<Vec<(PathBuf, usize)>> {
    let mut found = Vec::new();
    for folder in sorted_entries(root)?.into_iter().filter(|path| path.is_dir()) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(class) = config.class_named(&name).with_context(|| folder.display().to_string())? else {
            bail!("{}: `{name}` is no label of this model, nor the index of a class.", folder.display());
        };
        found.extend(sorted_entries(&folder)?.into_iter().filter(|path| is_image(path)).map(|path| (path, class)));
    }
    if found.is_empty() {
        bail!("{} holds no images. It should look like DIR/<label>/*.jpg (or png, webp).", root.display());
    }
    Ok(found)
}

/// Without what is hidden (`.DS_Store`, `.ipynb_checkpoints`, `._photo.jpg`).
fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut entries = read().with_context(|| format!("{} can't be read", folder.display()))?;
    entries.retain(|path| !path.file_name().unwrap_or_default().as_encoded_bytes().starts_with(b"."));
    entries.sort();
    Ok(entries)
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    ["jpg", "jpeg", "png", "webp"].iter().any(|known| extension == *known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_counts_better_classes() {
        assert_eq!(rank(&[0.5, 2.0, 1.0], 0), 2);
        assert_eq!(rank(&[0.5, 2.0, 1.0], 1), 0);
    }
}
