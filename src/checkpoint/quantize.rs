//! A checkpoint of any supported family rewritten with matrices of 8 or 4 bits. See [`crate::quant`] for the format.

use super::json::Json;
use super::reader::{Reader, Role};
use super::stored::{read_four_bits, read_quantized};
use super::tensors::{Source, Tensors, Values, write};
use super::text::{LOGIT_BIAS, LOGIT_SCALE};
use super::{CONFIG_FILE, ConfigFiles, LoadOptions, open, read};
use crate::error::Result;
use crate::model::Precision;
use crate::quant::four_bits::FourBitMatrix;
use crate::quant::{Bits, FORMAT_INT4, FORMAT_INT8, QuantizedMatrix, SCALE_SUFFIX, STEPS_SUFFIX};

/// What became of one tensor.
pub struct QuantizedTensor<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its shape in the file it comes from.
    pub shape: &'a [usize],
    /// Signal to quantisation noise in dB; `None` where nothing was rounded.
    pub sqnr: Option<f64>,
    /// Bits it has now. A matrix that would lose accuracy has more than were asked for
    /// ([`crate::quant::MIN_SQNR`], [`crate::quant::four_bits::MIN_SQNR`]).
    pub bits: Bits,
    /// Tensors done, this one included, and tensors in all.
    pub done: (usize, usize),
}

/// The bytes of the quantised `model.safetensors`, with matrices of `bits` where that costs little. The model is checked as if it were to be run;
/// tensors it does not use are left out; matrices that have `bits` or fewer already stay as they are.
pub fn quantize(
    files: ConfigFiles<'_>,
    source: &dyn Source,
    bits: Bits,
    progress: &mut dyn FnMut(&QuantizedTensor<'_>),
) -> Result<Vec<u8>> {
    let config = Json::parse(CONFIG_FILE, files.config)?;
    let (family, config, tensors) = open(&config, source)?;
    let options = LoadOptions::default();
    let (.., reader) = read(family, &config, &files, &tensors, Precision::F32, true, &options)?;

    // Scales and steps travel with their matrices.
    let travels = |name: &str| {
        let matrix = name.strip_suffix(SCALE_SUFFIX).or(name.strip_suffix(STEPS_SUFFIX));
        matrix.is_some_and(|matrix| tensors.bits(matrix) < Bits::ThirtyTwo)
    };
    let kept: Vec<_> = tensors
        .summaries()
        .into_iter()
        .filter(|tensor| !travels(&tensor.name))
        .filter_map(|tensor| {
            // What compares images with texts is not used before there are texts.
            let compares = (tensor.name == LOGIT_SCALE || tensor.name == LOGIT_BIAS).then_some(Role::Other);
            let role = reader.role(&tensor.name).or(compares)?;
            Some((tensor.name, tensor.shape, role))
        })
        .collect();

    let mut written = Written::default();
    for (i, (name, shape, role)) in kept.iter().enumerate() {
        let (bits, sqnr) = match role {
            Role::Other => {
                written.push(name, shape, Values::F32(reader.values(name, shape)?));
                (Bits::ThirtyTwo, None)
            }
            Role::Matrix => written.push_matrix(&tensors, &reader, name, [shape[0], shape[1]], bits)?,
        };
        progress(&QuantizedTensor { name, shape, sqnr, bits, done: (i + 1, kept.len()) });
    }
    write(written.tensors, Some(if written.has_four_bits { FORMAT_INT4 } else { FORMAT_INT8 }))
}

/// The file so far.
#[derive(Default)]
struct Written {
    tensors: Vec<(String, Vec<usize>, Values)>,
    has_four_bits: bool,
}

impl Written {
    fn push(&mut self, name: &str, shape: &[usize], values: Values) {
        self.tensors.push((name.into(), shape.into(), values));
    }

    /// Adds a matrix, in `bits` where that costs little. Gives the bits it has got, and its signal to noise where it was rounded.
    fn push_matrix(
        &mut self,
        tensors: &Tensors,
        reader: &Reader,
        name: &str,
        [rows, columns]: [usize; 2],
        bits: Bits,
    ) -> Result<(Bits, Option<f64>)> {
        let shape = [rows, columns];
        match tensors.bits(name) {
            Bits::Four => {
                self.push_four_bits(name, read_four_bits(tensors, name, [rows, 2 * columns])?);
                Ok((Bits::Four, None))
            }
            Bits::Eight => {
                let int8 = read_quantized(tensors, name, shape)?;
                if bits == Bits::Four
                    && let Some(sqnr) = self.try_four_bits(name, &int8.to_f32(), columns)
                {
                    return Ok((Bits::Four, Some(sqnr)));
                }
                self.push_int8(name, int8);
                Ok((Bits::Eight, None))
            }
            Bits::ThirtyTwo => {
                let weights = reader.values(name, &shape)?;
                if bits == Bits::Four
                    && let Some(sqnr) = self.try_four_bits(name, &weights, columns)
                {
                    return Ok((Bits::Four, Some(sqnr)));
                }
                let (int8, sqnr) = QuantizedMatrix::accurate(&weights, columns);
                let Some(int8) = int8 else {
                    self.push(name, &shape, Values::F32(weights));
                    return Ok((Bits::ThirtyTwo, Some(sqnr)));
                };
                self.push_int8(name, int8);
                Ok((Bits::Eight, Some(sqnr)))
            }
        }
    }

    /// Adds a matrix in 4 bits if that costs little, and gives its signal to noise.
    fn try_four_bits(&mut self, name: &str, weights: &[f32], inputs: usize) -> Option<f64> {
        let (matrix, sqnr) = FourBitMatrix::accurate(weights, inputs)?;
        self.push_four_bits(name, matrix);
        Some(sqnr)
    }

    fn push_int8(&mut self, name: &str, QuantizedMatrix { values, scales }: QuantizedMatrix) {
        self.push(name, &[values.nrows(), values.ncols()], Values::Int8(values.into_raw_vec_and_offset().0));
        self.push(&[name, SCALE_SUFFIX].concat(), &[scales.len()], Values::F32(scales.to_vec()));
    }

    fn push_four_bits(&mut self, name: &str, FourBitMatrix { nibbles, steps, scales }: FourBitMatrix) {
        self.has_four_bits = true;
        let rows = scales.len();
        self.push(name, &[rows, nibbles.len() / rows], Values::Uint8(nibbles));
        self.push(&[name, STEPS_SUFFIX].concat(), &[rows, steps.len() / rows], Values::Uint8(steps));
        self.push(&[name, SCALE_SUFFIX].concat(), &[rows], Values::F32(scales));
    }
}
