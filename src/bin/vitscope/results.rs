//! Files of `eval --results`: a line that says of what, then one for each image. A run that was interrupted goes on where its file ends, and several files are read as one.

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use vitscope::Classifier;
use vitscope::resample::Rgba;

const FORMAT: &str = "vitscope-eval/1";
/// Longest line, in bytes; a path is 4 KiB at most.
const MAX_LINE: u64 = 1 << 16;

/// The first line: the model and the images that the others are of.
#[derive(Serialize, Deserialize)]
pub struct Head {
    format: String,
    /// What its folder was called.
    model: String,
    pub dtype: String,
    size: [usize; 2],
    classes: usize,
    /// Digest of its labels and of its logits of a picture: of all that tells what it answers.
    answers: String,
    /// Images of the whole data set.
    pub images: usize,
    /// Digest of their paths and classes.
    data: String,
}

/// Any other line.
#[derive(Serialize, Deserialize)]
pub struct Line {
    /// Its path below the folder.
    pub image: String,
    /// Index of the class that it belongs to.
    pub class: usize,
    /// Classes that are scored higher.
    pub rank: usize,
    /// The five with the highest scores, best first.
    pub top: Vec<usize>,
    pub scores: Vec<f32>,
}

/// What lines say: class and rank of each image.
#[derive(Default)]
pub struct Results(HashMap<String, [usize; 2]>);

/// A file that results are added to.
pub struct Log {
    path: PathBuf,
    file: File,
}

/// How its matrices are held, by name.
pub fn dtype(classifier: &Classifier) -> Result<String> {
    Ok(serde_json::to_value(classifier.precision())?.as_str().unwrap_or_default().to_owned())
}

impl Head {
    /// Of a model in a folder of this name, and images with their classes.
    pub fn new<'i>(
        classifier: &mut Classifier,
        model: &Path,
        images: impl ExactSizeIterator<Item = (&'i str, usize)>,
    ) -> Result<Self> {
        let name = fs::canonicalize(model).ok();
        let name = name.as_deref().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        let (count, mut data) = (images.len(), Digest::new());
        for (path, class) in images {
            data.add(path.as_bytes()).add(&(class as u64).to_le_bytes());
        }
        let answers = answers(classifier)?;
        let config = classifier.config();
        Ok(Self {
            format: FORMAT.into(),
            model: name,
            dtype: dtype(classifier)?,
            size: config.image_size,
            classes: config.classes(),
            answers,
            images: count,
            data: data.hex(),
        })
    }

    /// Fails where `other` is of something else, saying of what.
    fn check(&self, other: &Self) -> Result<()> {
        let [height, width] = self.size;
        let (own, model) = (other.size, &other.model);
        ensure!(self.dtype == other.dtype, "it is of dtype {}, not {}.", other.dtype, self.dtype);
        ensure!(self.size == own, "it is of images of {} × {} pixels, not {height} × {width}.", own[0], own[1]);
        ensure!(self.classes == other.classes && self.answers == other.answers, "it is of another model (`{model}`).");
        ensure!(self.images == other.images, "it is of {} images, not {}.", other.images, self.images);
        ensure!(self.data == other.data, "it is of other images, or of other classes of these.");
        Ok(())
    }
}

impl Results {
    /// Class and rank of an image that is among them.
    pub fn get(&self, image: &str) -> Option<[usize; 2]> {
        self.0.get(image).copied()
    }

    /// How many images.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Those with fewer than `rank` classes scored higher than their own.
    pub fn hits(&self, rank: usize) -> usize {
        self.0.values().filter(|[_, own]| *own < rank).count()
    }

    /// Paths and classes.
    pub fn classes(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.iter().map(|(image, [class, _])| (image.as_str(), *class))
    }

    /// Takes a line in; an image counts once. Fails where another line has said something else of it.
    pub fn add(&mut self, line: Line) -> Result<()> {
        let said = [line.class, line.rank];
        match self.0.insert(line.image, said) {
            Some(before) if before != said => bail!("another line says something else of the same image."),
            _ => Ok(()),
        }
    }

    /// Takes in all whole lines of a file; its first, which `check` must let pass, and how many bytes they are. What a run left unfinished when it was killed is none.
    fn read(&mut self, path: &Path, check: &dyn Fn(&Head) -> Result<()>) -> Result<(Option<Head>, u64)> {
        let unreadable = || format!("{} can't be read", path.display());
        let mut file = BufReader::new(File::open(path).with_context(unreadable)?);
        let (mut head, mut whole, mut bytes) = (None, 0, Vec::new());
        for number in 1.. {
            bytes.clear();
            file.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes).with_context(unreadable)?;
            if bytes.last() != Some(&b'\n') && (bytes.len() as u64) < MAX_LINE {
                break;
            }
            let foreign = || format!("{}, line {number}", path.display());
            match &head {
                None => {
                    let first = read_head(&bytes).with_context(foreign)?;
                    check(&first)?;
                    head = Some(first);
                }
                Some(head) => read_line(&bytes, head).and_then(|line| self.add(line)).with_context(foreign)?,
            }
            whole += bytes.len() as u64;
        }
        ensure!(
            head.is_some() || bytes.is_empty() || begins_head(&bytes),
            "{}: it has no results of `eval`.",
            path.display()
        );
        Ok((head, whole))
    }
}

fn read_head(bytes: &[u8]) -> Result<Head> {
    match serde_json::from_slice::<Head>(bytes) {
        Ok(head) if head.format == FORMAT => Ok(head),
        _ => bail!("this file has no results of `eval`, or of another version."),
    }
}

fn read_line(bytes: &[u8], head: &Head) -> Result<Line> {
    let line: Line = serde_json::from_slice(bytes).map_err(|_| anyhow::anyhow!("it is no result of an image."))?;
    ensure!(line.class.max(line.rank) < head.classes, "there is no such class or rank.");
    Ok(line)
}

/// Whether a run may have been killed while it wrote its first line.
fn begins_head(bytes: &[u8]) -> bool {
    let start = format!("{{\"format\":\"{FORMAT}\",");
    let common = bytes.len().min(start.len());
    bytes[..common] == start.as_bytes()[..common]
}

impl Log {
    /// Opens a file, which is made if missing, and goes on behind its last whole line: what is in it already must be of the same model and images.
    pub fn open(path: &Path, head: &Head) -> Result<(Self, Results)> {
        let mut results = Results::default();
        let check = |found: &_| head.check(found).with_context(|| format!("{} can't be gone on with", path.display()));
        let (found, whole) = if path.exists() { results.read(path, &check)? } else { (None, 0) };
        let open = || {
            let file = OpenOptions::new().append(true).create(true).open(path)?;
            file.set_len(whole).map(|()| file)
        };
        let file = open().with_context(|| format!("{} can't be written", path.display()))?;
        let mut log = Self { path: path.into(), file };
        if found.is_none() {
            log.write(head)?;
        }
        Ok((log, results))
    }

    /// Adds a line, at once.
    pub fn write(&mut self, line: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.write_all(&text).with_context(|| format!("{} can't be written", self.path.display()))
    }
}

/// Several files as one.
pub fn read_all(paths: &[PathBuf]) -> Result<(Head, Results)> {
    let mut results = Results::default();
    let mut first: Option<Head> = None;
    for path in paths {
        let check = |head: &_| match &first {
            Some(first) => first
                .check(head)
                .with_context(|| format!("{} and {} are of two evaluations", paths[0].display(), path.display())),
            None => Ok(()),
        };
        let (head, _) = results.read(path, &check)?;
        let head = head.with_context(|| format!("{}: it has no results of `eval`.", path.display()))?;
        first.get_or_insert(head);
    }
    let first = first.context("no files of results were given.")?;
    ensure!(results.len() <= first.images, "there are results of more images than the data set's {}.", first.images);
    Ok((first, results))
}

/// Digest of a model's labels, and of its logits of a picture of noise.
fn answers(classifier: &mut Classifier) -> Result<String> {
    let [width, height] = [80, 60];
    let mut noise = Digest::new();
    let mut data = vec![255; 4 * width * height];
    for pixel in data.chunks_exact_mut(4) {
        pixel[..3].copy_from_slice(&noise.add(&[1]).0.to_be_bytes()[..3]);
    }
    let pixels = classifier.preprocess(Rgba { data: &data, width, height })?;
    let mut digest = Digest::new();
    for logit in classifier.logits(&pixels)? {
        digest.add(&logit.to_bits().to_le_bytes());
    }
    for label in classifier.config().labels.iter() {
        digest.add(label.as_bytes()).add(b"\n");
    }
    Ok(digest.hex())
}

/// FNV-1a.
struct Digest(u64);

impl Digest {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) -> &mut Self {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self
    }

    fn hex(&self) -> String {
        format!("{:016x}", self.0)
    }
}
