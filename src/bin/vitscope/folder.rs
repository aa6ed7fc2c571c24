//! A model folder on disk.

use crate::missing;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use vitscope::Classifier;
use vitscope::checkpoint::{
    CONFIG_FILE, ConfigFiles, INDEX_FILE, LoadOptions, PREPROCESSOR_FILE, PROCESSOR_FILE, Shards, Source, TEXT_FILE,
    WEIGHTS_FILE,
};
use vitscope::model::Precision;

/// Names of the classes of models with 1000 of them that name none: the synsets of WordNet, in the order of ILSVRC 2012.
const IMAGENET_1K: &str = include_str!("../../../pkg/imagenet-1k.txt");

/// The files of a model, read whole.
pub struct ModelFolder {
    pub path: PathBuf,
    pub config: String,
    pub preprocessor: Option<String>,
    pub processor: Option<String>,
    /// One file, or all of a split checkpoint as one.
    pub weights: Box<dyn Source>,
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
        if !exists(path, CONFIG_FILE) {
            return Err(missing::config(path, weights(path)));
        }
        let optional = |name| exists(path, name).then(|| text(path, name)).transpose();
        Ok(Self {
            path: path.into(),
            config: text(path, CONFIG_FILE)?,
            preprocessor: optional(PREPROCESSOR_FILE)?,
            processor: optional(PROCESSOR_FILE)?,
            weights: weights(path)?,
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

    /// The model, for images of `image_size` (height and width), or those it was made for.
    pub fn classifier(&self, precision: Option<Precision>, image_size: Option<[usize; 2]>) -> Result<Classifier> {
        let text_embeddings = self.text_embeddings.as_ref().map(|text| text as &dyn Source);
        let options = LoadOptions { precision, image_size, text_embeddings };
        let mut classifier =
            Classifier::load(self.files(), &*self.weights, options).with_context(|| self.path.display().to_string())?;
        let names: Vec<_> = IMAGENET_1K.lines().collect();
        classifier.name_classes(names.into_iter());
        Ok(classifier)
    }
}

/// `model.safetensors`, or where that is missing the files its index names.
fn weights(folder: &Path) -> Result<Box<dyn Source>> {
    if exists(folder, WEIGHTS_FILE) {
        return Ok(Box::new(file(folder, WEIGHTS_FILE)?));
    }
    if !exists(folder, INDEX_FILE) {
        return Err(missing::weights(folder));
    }
    let names = Shards::<Vec<u8>>::files(&text(folder, INDEX_FILE)?).with_context(|| folder.display().to_string())?;
    let files = names.into_iter().map(|name| {
        let bytes = file(folder, &name)?;
        Ok((name, bytes))
    });
    let shards = Shards::new(files.collect::<Result<_>>()?).with_context(|| folder.display().to_string())?;
    Ok(Box::new(shards))
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
