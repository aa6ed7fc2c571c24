//! Pictures as files.

use anyhow::{Context, Result};
use std::path::Path;
use vitscope::decode::{MAX_PIXELS, MOST_PIXELS, Picture};

/// What a picture may take.
#[derive(clap::Args)]
pub struct Limit {
    /// Refuse pictures of more pixels, before they are decoded
    #[arg(long, value_name = "N", default_value_t = MAX_PIXELS, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_PIXELS)))]
    max_pixels: u32,
}

impl Limit {
    pub fn read(&self, path: &Path) -> Result<Picture> {
        let file = std::fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
        Picture::decode(&file, self.max_pixels).with_context(|| path.display().to_string())
    }
}
