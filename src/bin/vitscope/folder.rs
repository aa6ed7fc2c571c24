//! A model folder on disk.

use anyhow::{Context, Result, bail};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use vitscope::Classifier;
use vitscope::checkpoint::{CONFIG_FILE, ConfigFiles, PREPROCESSOR_FILE, WEIGHTS_FILE};
use vitscope::model::Precision;

/// The files of a model, read whole.
pub struct ModelFolder {
    pub path: PathBuf,
    pub config: String,
    pub preprocessor: Option<String>,
    pub weights: Vec<u8>,
}

impl ModelFolder {
    pub fn read(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            bail!(
                "{}: there is no such folder. MODEL is a folder with {CONFIG_FILE} and {WEIGHTS_FILE}.",
                path.display()
            );
        }
        let file = |name: &str| {
            let path = path.join(name);
            fs::read(&path).with_context(|| format!("{} can't be read", path.display()))
        };
        let text = |name: &str| {
            String::from_utf8(file(name)?).with_context(|| format!("{} is not UTF-8 text", path.join(name).display()))
        };
        let preprocessor = match fs::metadata(path.join(PREPROCESSOR_FILE)) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            _ => Some(text(PREPROCESSOR_FILE)?),
        };
        Ok(Self { path: path.into(), config: text(CONFIG_FILE)?, preprocessor, weights: file(WEIGHTS_FILE)? })
    }

    pub fn files(&self) -> ConfigFiles<'_> {
        ConfigFiles { config: &self.config, preprocessor: self.preprocessor.as_deref() }
    }

    /// Reads and loads in one go.
    pub fn load(path: &Path, precision: Option<Precision>) -> Result<Classifier> {
        let folder = Self::read(path)?;
        Classifier::load(folder.files(), &folder.weights, precision).with_context(|| path.display().to_string())
    }
}
