//! `vitscope trace`

use crate::input::{Input, PIXEL_VALUES};
use crate::output::{print, write_whole};
use anyhow::Result;
use std::path::Path;
use vitscope::Classifier;
use vitscope::checkpoint::{self, Values};

pub fn run(mut classifier: Classifier, input: &Input, output: &Path) -> Result<()> {
    let (pixels, _) = input.read(&classifier)?;
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
