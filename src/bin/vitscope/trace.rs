//! `vitscope trace`

use crate::input::{Input, PIXEL_VALUES};
use crate::output::{print, write_whole};
use anyhow::Result;
use std::path::Path;
use vitscope::Classifier;
use vitscope::checkpoint::{self, Values};
use vitscope::explain::StagedTrace;

pub fn run(mut classifier: Classifier, input: &Input, output: &Path) -> Result<()> {
    let (pixels, _) = input.read(&classifier)?;
    let recorded = if classifier.config().is_staged() {
        let mut trace = StagedTrace::new(classifier.config())?;
        classifier.watch(&pixels, &mut trace)?;
        let attentions =
            trace.attentions.into_iter().enumerate().map(|(i, each)| tensor(format!("attentions.{i}"), each));
        let streams = trace.hidden_states.into_iter().enumerate();
        attentions.chain(streams.map(|(i, each)| tensor(format!("hidden_states.{i}"), each))).collect()
    } else {
        let (_, trace) = classifier.trace(&pixels)?;
        vec![tensor("attentions".into(), trace.attentions), tensor("hidden_states".into(), trace.hidden_states)]
    };
    let (logits, features) = (classifier.answer().to_vec(), classifier.features().to_vec());

    let [height, width] = classifier.config().image_size;
    let mut tensors = vec![
        (PIXEL_VALUES.into(), vec![3, height, width], Values::F32(pixels)),
        ("features".into(), vec![features.len()], Values::F32(features)),
    ];
    if !logits.is_empty() {
        tensors.insert(1, ("logits".into(), vec![logits.len()], Values::F32(logits)));
    }
    tensors.extend(recorded);
    let summary: Vec<_> = tensors.iter().map(|(name, shape, _)| format!("{name} {shape:?}")).collect();
    write_whole(output, &checkpoint::write(tensors, None)?)?;
    print(format_args!("{}: {}", output.display(), summary.join(", ")))
}

fn tensor<D: ndarray::Dimension>(name: String, array: ndarray::Array<f32, D>) -> (String, Vec<usize>, Values) {
    let shape = array.shape().to_vec();
    (name, shape, Values::F32(array.into_raw_vec_and_offset().0))
}
