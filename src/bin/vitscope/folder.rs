//! A model folder on disk.

use crate::disk::{Disk, Failure};
use crate::missing;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use vitscope::Classifier;
use vitscope::checkpoint::{
    CONFIG_FILE, ConfigFiles, INDEX_FILE, LoadOptions, OPEN_CLIP_FILES, PREPROCESSOR_FILE, PROCESSOR_FILE, Shards,
    Source, TEXT_FILE, WEIGHTS_FILE,
};
use vitscope::model::Precision;

/// Names of the classes of models with 1000 of them that name none: the synsets of WordNet, in the order of ILSVRC 2012.
const IMAGENET_1K: &str = include_str!("../../../pkg/imagenet-1k.txt");

/// The files of a model: what is small as it is, of the weights what is asked for.
pub struct ModelFolder {
    pub path: PathBuf,
    pub config: String,
    pub preprocessor: Option<String>,
    pub processor: Option<String>,
    /// One file, or those of a split checkpoint as one.
    weights: Box<dyn Source>,
    /// What went wrong while they were read.
    failure: Failure,
    pub text_embeddings: Option<Vec<u8>>,
}

impl ModelFolder {
    pub fn read(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            bail!(
                "{}: there is no such folder. MODEL is a folder with {CONFIG_FILE} and {WEIGHTS_FILE}.",
                path.display()
            );
        }
        let [config, whole] = names(path);
        if !exists(path, config) {
            return Err(missing::config(path, weights(path, whole, "", &Failure::default())));
        }
        let optional = |name| exists(path, name).then(|| text(path, name)).transpose();
        let (config, failure) = (text(path, config)?, Failure::default());
        Ok(Self {
            path: path.into(),
            preprocessor: optional(PREPROCESSOR_FILE)?,
            processor: optional(PROCESSOR_FILE)?,
            weights: weights(path, whole, &config, &failure)?,
            config,
            failure,
            text_embeddings: if exists(path, TEXT_FILE) { Some(file(path, TEXT_FILE)?) } else { None },
        })
    }

    pub fn files(&self) -> ConfigFiles<'_> {
        ConfigFiles {
            config: &self.config,
            preprocessor: self.preprocessor.as_deref(),
            processor: self.processor.as_deref(),
        }
    }

    /// What `work` makes of the weights.
    pub fn reading<T>(&self, work: impl FnOnce(&dyn Source) -> vitscope::Result<T>) -> Result<T> {
        self.failure.or(work(&*self.weights).with_context(|| self.path.display().to_string()))
    }

    /// The model, for images of `image_size` (height and width), or those it was made for.
    pub fn classifier(&self, precision: Option<Precision>, image_size: Option<[usize; 2]>) -> Result<Classifier> {
        let text_embeddings = self.text_embeddings.as_ref().map(|text| text as &dyn Source);
        let options = LoadOptions { precision, image_size, text_embeddings };
        let mut classifier = self.reading(|weights| Classifier::load(self.files(), weights, options))?;
        let names: Vec<_> = IMAGENET_1K.lines().collect();
        classifier.name_classes(names.into_iter());
        Ok(classifier)
    }
}

/// What config and weights are called: as usual, or where these are not both there and open_clip's are, as those.
fn names(folder: &Path) -> [&'static str; 2] {
    let usual = exists(folder, CONFIG_FILE) && [WEIGHTS_FILE, INDEX_FILE].iter().any(|name| exists(folder, name));
    let open_clip = OPEN_CLIP_FILES.iter().all(|name| exists(folder, name));
    if open_clip && !usual { OPEN_CLIP_FILES } else { [CONFIG_FILE, WEIGHTS_FILE] }
}

/// The file `whole`, or where that is missing the files that a model of this config needs of those its index names.
fn weights(folder: &Path, whole: &str, config: &str, failure: &Failure) -> Result<Box<dyn Source>> {
    if exists(folder, whole) {
        return Ok(Box::new(Disk::open(&folder.join(whole), failure)?));
    }
    if !exists(folder, INDEX_FILE) {
        return Err(missing::weights(folder));
    }
    let at = || folder.display().to_string();
    let names = Shards::<Disk>::files(&text(folder, INDEX_FILE)?, config).with_context(at)?;
    let files = names.into_iter().map(|name| {
        let file = Disk::open(&folder.join(&name), failure)?;
        Ok((name, file))
    });
    let shards = Shards::new(files.collect::<Result<_>>()?);
    Ok(Box::new(failure.or(shards.with_context(at))?))
}

/// Whether there is anything of this name, readable or not.
fn exists(folder: &Path, name: &str) -> bool {
    !fs::metadata(folder.join(name)).is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

fn file(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let path = folder.join(name);
    fs::read(&path).with_context(|| format!("{} can't be read", path.display()))
}

fn text(folder: &Path, name: &str) -> Result<String> {
    String::from_utf8(file(folder, name)?).with_context(|| format!("{} is not UTF-8 text", folder.join(name).display()))
}
