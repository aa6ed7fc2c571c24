//! A checkpoint of any supported family rewritten with matrices of 8 or 4 bits. See [`crate::quant`] for the format.

use super::ConfigFiles;
use super::reader::{Reader, Role};
use super::stored::{read_four_bits, read_quantized};
use super::tensors::{Source, Values, write};
use super::walk::{Planned, Walk};
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
    let mut walk = Walk::open(files, source, Some(Precision::F32), None)?;
    walk.equalises = true;
    let four_bits: Option<FourBits> = (bits == Bits::Four).then_some(FourBitMatrix::accurate);
    let mut portable = Portable { four_bits, progress: Some(progress), ..Portable::int8() };
    for block in 0..walk.blocks() {
        walk.read_block(block, source, Some(&mut portable))?;
    }
    walk.finish(source, None, Some(&mut portable))?;
    let Portable { tensors, has_four_bits, .. } = portable;
    write(tensors, Some(if has_four_bits { FORMAT_INT4 } else { FORMAT_INT8 }))
}

/// What makes a matrix of 4 bits where that costs little. (A pointer, so that wasm does without the code.)
type FourBits = fn(&[f32], usize) -> Option<(FourBitMatrix, f64)>;

/// The tensors of a quantised file, as far as they were read.
pub struct Portable<'p> {
    four_bits: Option<FourBits>,
    tensors: Vec<(String, Vec<usize>, Values)>,
    has_four_bits: bool,
    done: usize,
    progress: Option<&'p mut dyn FnMut(&QuantizedTensor<'_>)>,
}

impl Portable<'_> {
    /// None yet; matrices are to have 8 bits.
    pub fn int8() -> Self {
        Self { four_bits: None, tensors: Vec::new(), has_four_bits: false, done: 0, progress: None }
    }

    /// What there is: name, shape and values of each.
    pub fn tensors(self) -> Vec<(String, Vec<usize>, Values)> {
        self.tensors
    }

    /// Adds what a `reader` has read with `block`, of all that is `planned`.
    pub(super) fn add(
        &mut self,
        reader: &Reader,
        source: &dyn Source,
        planned: &[Planned],
        block: Option<usize>,
    ) -> Result<()> {
        // Scales and steps travel with their matrices.
        let kept = || planned.iter().filter(|tensor| tensor.role != Role::Steps);
        let all = kept().count();
        for Planned { name, shape, role, .. } in kept().filter(|tensor| tensor.block == block) {
            let (bits, sqnr) = match role {
                Role::Matrix => self.push_matrix(reader, source, name, shape)?,
                _ => {
                    self.push(name, shape, Values::F32(reader.values(name, shape)?));
                    (Bits::ThirtyTwo, None)
                }
            };
            self.done += 1;
            if let Some(progress) = &mut self.progress {
                progress(&QuantizedTensor { name, shape, sqnr, bits, done: (self.done, all) });
            }
        }
        Ok(())
    }

    fn push(&mut self, name: &str, shape: &[usize], values: Values) {
        self.tensors.push((name.into(), shape.into(), values));
    }

    /// Adds a matrix, or a convolution as one, in `bits` where that costs little. Gives the bits it has got, and its signal to noise where it was rounded.
    fn push_matrix(
        &mut self,
        reader: &Reader,
        source: &dyn Source,
        name: &str,
        stored: &[usize],
    ) -> Result<(Bits, Option<f64>)> {
        let (rows, columns) = (stored[0], stored[1..].iter().product());
        let shape = [rows, columns];
        match reader.tensors.bits(name) {
            Bits::Four => {
                self.push_four_bits(name, read_four_bits(reader.tensors, source, name, [rows, 2 * columns])?);
                Ok((Bits::Four, None))
            }
            Bits::Eight => {
                let int8 = read_quantized(reader.tensors, source, name, shape)?;
                if self.four_bits.is_some()
                    && let Some(sqnr) = self.try_four_bits(name, &int8.to_f32(), columns)
                {
                    return Ok((Bits::Four, Some(sqnr)));
                }
                self.push_int8(name, int8);
                Ok((Bits::Eight, None))
            }
            Bits::ThirtyTwo => {
                let weights = reader.values(name, stored)?;
                if let Some(sqnr) = self.try_four_bits(name, &weights, columns) {
                    return Ok((Bits::Four, Some(sqnr)));
                }
                let (int8, sqnr) = QuantizedMatrix::accurate(&weights, columns);
                let Some(int8) = int8 else {
                    self.push(name, stored, Values::F32(weights));
                    return Ok((Bits::ThirtyTwo, Some(sqnr)));
                };
                self.push_int8(name, int8);
                Ok((Bits::Eight, Some(sqnr)))
            }
        }
    }

    /// Adds a matrix in 4 bits if that costs little, and gives its signal to noise.
    fn try_four_bits(&mut self, name: &str, weights: &[f32], inputs: usize) -> Option<f64> {
        let (matrix, sqnr) = self.four_bits?(weights, inputs)?;
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
