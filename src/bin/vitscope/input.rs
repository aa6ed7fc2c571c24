//! What goes into a model: an image, or pixel values as another program prepared them.

use crate::picture::Limit;
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use vitscope::Classifier;
use vitscope::checkpoint::Tensors;
use vitscope::decode::Picture;

/// Name of the tensor.
pub const PIXEL_VALUES: &str = "pixel_values";

#[derive(clap::Args)]
pub struct Input {
    /// Image to run
    #[arg(required_unless_present = "pixel_values", conflicts_with = "pixel_values")]
    image: Option<PathBuf>,
    /// A safetensors file whose tensor `pixel_values` [3, H, W] replaces preprocessing
    #[arg(long)]
    pixel_values: Option<PathBuf>,
    #[command(flatten)]
    limit: Limit,
}

impl Input {
    /// Pixel values `[3, H, W]`, and the picture they are of where there is one.
    pub fn read(&self, classifier: &Classifier) -> Result<(Vec<f32>, Option<Picture>)> {
        match (&self.image, &self.pixel_values) {
            (_, Some(path)) => Ok((read_pixel_values(path, classifier)?, None)),
            (Some(image), None) => {
                let picture = self.limit.read(image)?;
                let pixels = classifier.preprocess(picture.view()).with_context(|| image.display().to_string())?;
                Ok((pixels, Some(picture)))
            }
            (None, None) => unreachable!("clap requires one of the two"),
        }
    }
}

/// `[3, H, W]`, or the same with a batch of one in front.
fn read_pixel_values(path: &PathBuf, classifier: &Classifier) -> Result<Vec<f32>> {
    let file = path.display().to_string();
    let bytes = fs::read(path).with_context(|| format!("{file} can't be read"))?;
    let tensors = Tensors::open(&file, &bytes)?;
    let [height, width] = classifier.config().image_size;
    let batch = [1, 3, height, width];
    let shape = if tensors.shape(PIXEL_VALUES)?.len() == 4 { &batch[..] } else { &batch[1..] };
    Ok(tensors.floats(&bytes, PIXEL_VALUES, shape)?)
}
