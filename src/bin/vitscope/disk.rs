//! Files that are read at the places that are asked for.

use anyhow::{Context, Error, Result};
use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use vitscope::checkpoint::Source;

/// The first read that failed, of which the reader learns nothing; of several files together.
#[derive(Clone, Default)]
pub struct Failure(Rc<Cell<Option<Error>>>);

impl Failure {
    /// `result`, unless a read has failed.
    pub fn or<T>(&self, result: Result<T>) -> Result<T> {
        self.0.take().map_or(result, Err)
    }
}

/// An open file.
pub struct Disk {
    path: PathBuf,
    file: File,
    length: u64,
    failure: Failure,
}

impl Disk {
    pub fn open(path: &Path, failure: &Failure) -> Result<Self> {
        let unreadable = || format!("{} can't be read", path.display());
        let file = File::open(path).with_context(unreadable)?;
        let length = file.metadata().with_context(unreadable)?.len();
        Ok(Self { path: path.into(), file, length, failure: failure.clone() })
    }
}

impl Source for Disk {
    fn size(&self) -> Option<u64> {
        Some(self.length)
    }

    fn read(&self, offset: u64, target: &mut [u8]) {
        let mut file = &self.file;
        let read = file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(target));
        if let Err(error) = read.with_context(|| format!("{} can't be read", self.path.display())) {
            let first = self.failure.0.take().unwrap_or(error);
            self.failure.0.set(Some(first));
        }
    }
}
