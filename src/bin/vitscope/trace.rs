//! `vitscope trace`

use crate::decode::Picture;
use crate::output::{print, write_whole};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use vitscope::Classifier;
use vitscope::checkpoint::{self, Tensors, Values};

/// What goes into the model.
pub enum Input {
    Image(PathBuf),
    /// A safetensors file with the tensor `pixel_values`.
    PixelValues(PathBuf),
}

const PIXEL_VALUES: &str = "pixel_values";

pub fn run(mut classifier: Classifier, input: &Input, output: &Path) -> Result<()> {
    let pixels = match input {
        Input::Image(image) => {
            let picture = Picture::read(image)?;
            classifier.preprocess(picture.view()).with_context(|| image.display().to_string())?
        }
        Input::PixelValues(path) => read_pixel_values(path, &classifier)?,
    };
    let (logits, trace) = classifier.trace(&pixels)?;
    let logits = logits.to_vec();
    let features = classifier.features().to_vec();

    let [height, width] = classifier.config().image_size;
    let mut tensors = vec![
        (PIXEL_VALUES.into(), vec![3, height, width], Values::F32(pixels)),
        ("features".into(), vec![features.len()], Values::F32(features)),
        tensor("attentions", trace.attentions),
        tensor("hidden_states", trace.hidden_states),
    ];
    if !logits.is_empty() {
        tensors.insert(1, ("logits".into(), vec![logits.len()], Values::F32(logits)));
    }
    let summary: Vec<_> = tensors.iter().map(|(name, shape, _)| format!("{name} {shape:?}")).collect();
    write_whole(output, &checkpoint::write(tensors, None)?)?;
    print(format_args!("{}: {}", output.display(), summary.join(", ")))
}

fn tensor<D: ndarray::Dimension>(name: &str, array: ndarray::Array<f32, D>) -> (String, Vec<usize>, Values) {
    let shape = array.shape().to_vec();
    (name.into(), shape, Values::F32(array.into_raw_vec_and_offset().0))
}

/// `[3, H, W]`, or the same with a batch of one in front.
fn read_pixel_values(path: &Path, classifier: &Classifier) -> Result<Vec<f32>> {
    let file = path.display().to_string();
    let bytes = fs::read(path).with_context(|| format!("{file} can't be read"))?;
    let tensors = Tensors::open(&file, &bytes)?;
    let [height, width] = classifier.config().image_size;
    let batch = [1, 3, height, width];
    let shape = if tensors.shape(PIXEL_VALUES)?.len() == 4 { &batch[..] } else { &batch[1..] };
    Ok(tensors.floats(PIXEL_VALUES, shape)?)
}
