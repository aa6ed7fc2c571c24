//! `vitscope eval`, and `vitscope tally`, which counts what it wrote.

use crate::output::print;
use crate::picture::Limit;
use crate::results::{self, Head, Line, Log, Results};
use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;
use vitscope::Classifier;
use vitscope::model::{Config, Scores};
use vitscope::parallel;

/// What is evaluated.
#[derive(clap::Args)]
pub struct Data {
    /// Folder of folders named by label (or by class index)
    images: PathBuf,
    /// File for a line an image; one that is there is gone on with
    #[arg(long, value_name = "FILE.jsonl")]
    results: Option<PathBuf>,
    /// Only every Nth image, from the Kth on: one of N jobs that share the images
    #[arg(long, value_name = "K/N", value_parser = part)]
    part: Option<[usize; 2]>,
}

/// `3/8`.
fn part(text: &str) -> Result<[usize; 2], String> {
    let numbers = text.split_once('/').and_then(|(k, n)| Some([k.parse().ok()?, n.parse().ok()?]));
    numbers.filter(|[k, n]| (1..=*n).contains(k)).ok_or_else(|| format!("`{text}` is no part; write 1/8 to 8/8"))
}

#[derive(Serialize)]
struct Report {
    images: usize,
    /// Images of the data set that nothing is said of.
    missing: usize,
    dtype: String,
    /// Of those that something is said of, where there are any.
    top1: Option<f64>,
    top5: Option<f64>,
    /// Of this run, if it had anything to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    images_per_second: Option<f64>,
}

/// An image, its path below the folder, and its class.
struct Labelled {
    path: PathBuf,
    name: String,
    class: usize,
}

pub fn run(mut classifier: Classifier, model: &Path, data: &Data, limit: &Limit, json: bool) -> Result<()> {
    check_countable(classifier.config())?;
    let images = labelled_images(&data.images, classifier.config())?;
    let (log, results) = match &data.results {
        Some(path) => {
            let head = images.iter().map(|image| (image.name.as_str(), image.class));
            let head = Head::new(&mut classifier, model, head)?;
            let (log, results) = Log::open(path, &head)?;
            check_known(&results, &images).with_context(|| path.display().to_string())?;
            (Some(log), results)
        }
        None => (None, Results::default()),
    };
    let [k, n] = data.part.unwrap_or([1, 1]);
    let own = images.iter().skip(k - 1).step_by(n);
    let todo: Vec<_> = own.filter(|image| results.get(&image.name).is_none()).collect();
    let bar = ProgressBar::new(todo.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {per_sec} {eta} left")?);

    let start = Instant::now();
    let written = Mutex::new((log, results));
    each(&mut classifier, &todo, limit, &|line| {
        let (log, results) = &mut *written.lock().expect("whoever panics ends all");
        if let Some(log) = log {
            log.write(&line)?;
        }
        bar.inc(1);
        results.add(line)
    })?;
    let seconds = start.elapsed().as_secs_f64();
    bar.finish_and_clear();

    let (_, results) = written.into_inner().expect("likewise");
    let speed = (!todo.is_empty()).then(|| todo.len() as f64 / seconds);
    report(images.len(), results::dtype(&classifier)?, &results, speed, json)
}

/// What files of results say together.
pub fn tally(files: &[PathBuf], json: bool) -> Result<()> {
    let (head, results) = results::read_all(files)?;
    report(head.images, head.dtype, &results, None, json)
}

fn report(total: usize, dtype: String, results: &Results, images_per_second: Option<f64>, json: bool) -> Result<()> {
    let images = results.len();
    let share = |rank| (images > 0).then(|| results.hits(rank) as f64 / images as f64);
    let (top1, top5, missing) = (share(1), share(5), total - images);
    let report = Report { images, missing, dtype, top1, top5, images_per_second };
    if json {
        return print(format_args!("{}", serde_json::to_string_pretty(&report)?));
    }
    print(format_args!("images  {images}"))?;
    if missing > 0 {
        print(format_args!("missing {missing} of {total}"))?;
    }
    for (name, share) in [("top-1 ", top1), ("top-5 ", top5)] {
        if let Some(share) = share {
            print(format_args!("{name}  {:.2} %", 100.0 * share))?;
        }
    }
    match images_per_second {
        Some(speed) => print(format_args!("speed   {speed:.1} images/s, decoding included")),
        None => Ok(()),
    }
}

/// Has `take` the result of each image. While there are as many as threads, each thread reads, prepares and runs whole images; of fewer all share each.
fn each(
    classifier: &mut Classifier,
    images: &[&Labelled],
    limit: &Limit,
    take: &(dyn Fn(Line) -> Result<()> + Sync),
) -> Result<()> {
    let threads = parallel::threads();
    if threads == 1 || images.len() < threads {
        for image in images {
            let pixels = pixels(classifier, image, limit)?;
            let logits = classifier.logits(&pixels)?.to_vec();
            take(line(classifier, image, &logits)?)?;
        }
        return Ok(());
    }

    let classifier = &*classifier;
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    let mut passes = (0..threads).map(|_| classifier.another_pass()).collect::<vitscope::Result<Vec<_>>>()?;
    thread::scope(|scope| {
        for pass in &mut passes {
            scope.spawn(|| {
                let mut one = |image| {
                    let pixels = pixels(classifier, image, limit)?;
                    take(line(classifier, image, classifier.logits_alone(&pixels, pass)?)?)
                };
                while let Some(image) = images.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = one(image) {
                        next.store(images.len(), Ordering::Relaxed);
                        *failed.lock().expect("whoever panics ends all") = Some(error);
                    }
                }
            });
        }
    });
    failed.into_inner().expect("likewise").map_or(Ok(()), Err)
}

fn pixels(classifier: &Classifier, image: &Labelled, limit: &Limit) -> Result<Vec<f32>> {
    let picture = limit.read(&image.path)?;
    classifier.preprocess(picture.view()).with_context(|| image.path.display().to_string())
}

fn line(classifier: &Classifier, image: &Labelled, logits: &[f32]) -> Result<Line> {
    let top = classifier.top(logits, 5)?;
    Ok(Line {
        image: image.name.clone(),
        class: image.class,
        rank: rank(logits, image.class),
        scores: top.iter().map(|class| class.score).collect(),
        top: top.into_iter().map(|class| class.index).collect(),
    })
}

/// What a file says must be of these images and their classes.
fn check_known(results: &Results, images: &[Labelled]) -> Result<()> {
    let known: HashMap<_, _> = images.iter().map(|image| (image.name.as_str(), image.class)).collect();
    for (name, class) in results.classes() {
        ensure!(known.get(name) == Some(&class), "`{name}` is no image of class {class} in the folder.");
    }
    Ok(())
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
fn labelled_images(root: &Path, config: &Config) -> Result<Vec<Labelled>> {
    let mut found = Vec::new();
    for folder in sorted_entries(root)?.into_iter().filter(|path| path.is_dir()) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(class) = config.class_named(&name).with_context(|| folder.display().to_string())? else {
            bail!("{}: `{name}` is no label of this model, nor the index of a class.", folder.display());
        };
        for path in sorted_entries(&folder)?.into_iter().filter(|path| is_image(path)) {
            // (What is no text is escaped, so that names stay different.)
            let name = [folder.file_name(), path.file_name()].map(|part| {
                let part = part.unwrap_or_default();
                part.to_str().map_or_else(|| part.as_encoded_bytes().escape_ascii().to_string(), str::to_owned)
            });
            found.push(Labelled { name: name.join("/"), class, path });
        }
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
