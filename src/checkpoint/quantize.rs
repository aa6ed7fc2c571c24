//! A checkpoint of any supported family rewritten with 8-bit matrices. See [`crate::quant`] for the format.

use super::json::Json;
use super::reader::{Role, read_quantized};
use super::tensors::{Source, Values, write};
use super::text::{LOGIT_BIAS, LOGIT_SCALE};
use super::{CONFIG_FILE, ConfigFiles, LoadOptions, open, read};
use crate::error::Result;
use crate::model::Precision;
use crate::quant::{FORMAT, QuantizedMatrix, SCALE_SUFFIX};

/// What became of one tensor.
pub struct QuantizedTensor<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its shape.
    pub shape: &'a [usize],
    /// Signal to quantisation noise in dB; `None` for tensors that are no matrices, or were in 8 bits before.
    pub sqnr: Option<f64>,
    /// Whether it is in 8 bits now. A matrix that would lose accuracy stays in f32 ([`crate::quant::MIN_SQNR`]).
    pub quantized: bool,
    /// Tensors done, this one included, and tensors in all.
    pub done: (usize, usize),
}

/// The bytes of the quantised `model.safetensors`. The model is checked as if it were to be run; tensors it does not use are
/// left out; matrices that are I8 already stay as they are.
pub fn quantize(
    files: ConfigFiles<'_>,
    source: &dyn Source,
    progress: &mut dyn FnMut(&QuantizedTensor<'_>),
) -> Result<Vec<u8>> {
    let config = Json::parse(CONFIG_FILE, files.config)?;
    let (family, tensors) = open(&config, source)?;
    let (_, _, reader) = read(family, &config, files.preprocessor, &tensors, Precision::F32, &LoadOptions::default())?;

    let summaries = tensors.summaries();
    // Scales travel with their matrices.
    let kept: Vec<_> = summaries
        .iter()
        .filter_map(|tensor| {
            let name = &tensor.name;
            // What compares images with texts is not used before there are texts.
            let compares = (*name == LOGIT_SCALE || *name == LOGIT_BIAS).then_some(Role::Other);
            Some((tensor, reader.role(name).or(compares)?))
        })
        .filter(|(tensor, _)| !tensor.name.strip_suffix(SCALE_SUFFIX).is_some_and(|name| tensors.is_int8(name)))
        .collect();

    let mut written = Vec::new();
    for (i, (tensor, role)) in kept.iter().enumerate() {
        let (name, shape) = (&tensor.name, &tensor.shape);
        let (mut sqnr, mut stored) = (None, false);
        match role {
            Role::Other => written.push((name.clone(), shape.clone(), Values::F32(tensors.floats(name, shape)?))),
            Role::Matrix => {
                let dims = [shape[0], shape[1]];
                let quantized = if tensors.is_int8(name) {
                    Some(read_quantized(&tensors, name, dims)?)
                } else {
                    let weights = tensors.floats(name, shape)?;
                    let (quantized, signal) = QuantizedMatrix::accurate(&weights, dims[1]);
                    sqnr = Some(signal);
                    if quantized.is_none() {
                        written.push((name.clone(), shape.clone(), Values::F32(weights)));
                    }
                    quantized
                };
                stored = quantized.is_some();
                if let Some(QuantizedMatrix { values, scales }) = quantized {
                    written.push((name.clone(), shape.clone(), Values::Int8(values.into_raw_vec_and_offset().0)));
                    written.push((format!("{name}{SCALE_SUFFIX}"), vec![dims[0]], Values::F32(scales.to_vec())));
                }
            }
        }
        progress(&QuantizedTensor { name, shape, sqnr, quantized: stored, done: (i + 1, kept.len()) });
    }
    write(written, Some(FORMAT))
}
