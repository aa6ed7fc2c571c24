//! Matrices as files hold them, in f32, in 8 bits or in 4.

use super::tensors::{Source, Tensors};
use crate::alloc::room;
use crate::error::Result;
use crate::quant::four_bits::{FourBitMatrix, GROUP, MAX_STEP};
use crate::quant::{Bits, QuantizedMatrix, SCALE_SUFFIX, STEPS_SUFFIX};
use ndarray::{Array1, Array2};

/// The rows of a matrix as the file holds them; 4 bits become 8.
pub(super) enum Stored {
    F32(Vec<f32>),
    Int8(QuantizedMatrix),
    /// Not read: the file is not there yet.
    Unread,
}

impl Stored {
    /// bias + W input.
    pub fn apply(self, input: &[f32], mut bias: Vec<f32>) -> Result<Vec<f32>> {
        let rows = self.into_f32()?;
        for (sum, row) in bias.iter_mut().zip(rows.chunks_exact(input.len())) {
            *sum += row.iter().zip(input).map(|(w, x)| w * x).sum::<f32>();
        }
        Ok(bias)
    }

    pub fn into_f32(self) -> Result<Vec<f32>> {
        match self {
            Self::F32(weights) => Ok(weights),
            Self::Unread => Ok(Vec::new()),
            Self::Int8(quantized) => {
                room("weights", &[quantized.values.len(), size_of::<f32>()])?;
                Ok(quantized.to_f32())
            }
        }
    }

    /// The first `rows` rows of `inputs` weights, and the others.
    pub fn split_at(self, rows: usize, inputs: usize) -> (Self, Self) {
        match self {
            Self::Unread => (Self::Unread, Self::Unread),
            Self::F32(mut weights) => {
                let rest = weights.split_off(rows * inputs);
                (Self::F32(weights), Self::F32(rest))
            }
            Self::Int8(QuantizedMatrix { values, scales }) => {
                let (mut values, mut scales) = (values.into_raw_vec_and_offset().0, scales.into_raw_vec_and_offset().0);
                let rest = (values.split_off(rows * inputs), scales.split_off(rows));
                (Self::int8(values, scales, inputs), Self::int8(rest.0, rest.1, inputs))
            }
        }
    }

    fn int8(values: Vec<i8>, scales: Vec<f32>, inputs: usize) -> Self {
        let values = Array2::from_shape_vec((scales.len(), inputs), values).expect("whole rows");
        Self::Int8(QuantizedMatrix { values, scales: Array1::from_vec(scales) })
    }

    /// In 8 bits, unless that costs accuracy.
    pub fn quantized(self, inputs: usize) -> Result<Self> {
        let Self::F32(weights) = self else { return Ok(self) };
        room("quantised weights", &[weights.len()])?;
        Ok(QuantizedMatrix::accurate(&weights, inputs).0.map_or(Self::F32(weights), Self::Int8))
    }
}

/// A matrix of this shape, in floats of that of `floats`, as the file holds it, 4 bits as 8; checked, where there is nothing to read it from.
pub(super) fn read_stored(
    tensors: &Tensors,
    source: Option<&dyn Source>,
    name: &str,
    shape: [usize; 2],
    floats: &[usize],
) -> Result<Stored> {
    let bits = tensors.bits(name);
    let Some(source) = source else {
        match bits {
            Bits::ThirtyTwo => drop(tensors.check_floats(name, floats)?),
            Bits::Eight => {
                tensors.check_bytes(name, &shape, true)?;
                tensors.check_floats(&[name, SCALE_SUFFIX].concat(), &shape[..1])?;
            }
            Bits::Four => drop(check_four_bits(tensors, name, shape)?),
        }
        return Ok(Stored::Unread);
    };
    match bits {
        Bits::ThirtyTwo => Ok(Stored::F32(tensors.floats(source, name, floats)?)),
        _ => Ok(Stored::Int8(read_quantized(tensors, source, name, shape)?)),
    }
}

/// A quantised matrix with its scales, in 8 bits however it is stored.
pub(super) fn read_quantized(
    tensors: &Tensors,
    source: &dyn Source,
    name: &str,
    shape: [usize; 2],
) -> Result<QuantizedMatrix> {
    if tensors.bits(name) == Bits::Four {
        let four_bits = read_four_bits(tensors, source, name, shape)?;
        room("a tensor", &shape)?;
        return Ok(four_bits.expand(shape[1]));
    }
    let values = tensors.int8s(source, name, &shape)?;
    let scales = tensors.floats(source, &[name, SCALE_SUFFIX].concat(), &shape[..1])?;
    Ok(QuantizedMatrix {
        values: Array2::from_shape_vec(shape, values).expect("shape was checked"),
        scales: Array1::from_vec(scales),
    })
}

/// A matrix in 4 bits, as it is stored.
pub(super) fn read_four_bits(
    tensors: &Tensors,
    source: &dyn Source,
    name: &str,
    shape: [usize; 2],
) -> Result<FourBitMatrix> {
    let [nibbles, scales, steps] = check_four_bits(tensors, name, shape)?;
    let [rows, inputs] = shape;
    let nibbles = tensors.uint8s(source, &nibbles, &[rows, inputs / 2])?;
    let scales = tensors.floats(source, &scales, &[rows])?;
    let name = steps;
    let steps = tensors.uint8s(source, &name, &[rows, inputs.div_ceil(GROUP)])?;
    match steps.iter().find(|step| **step > MAX_STEP) {
        None => Ok(FourBitMatrix { nibbles, steps, scales }),
        Some(step) => Err(tensors.invalid(format!(
            "tensor `{}` contains {step}, more than {MAX_STEP}. Quantise the model again with `vitscope quantize`.",
            tensors.in_file(&name)
        ))),
    }
}

/// The names of a matrix in 4 bits, of its scales and of its steps, all of which have the shapes they need.
fn check_four_bits(tensors: &Tensors, name: &str, [rows, inputs]: [usize; 2]) -> Result<[String; 3]> {
    tensors.check_bytes(name, &[rows, inputs / 2], false)?;
    if inputs % 2 == 1 {
        let name = tensors.in_file(name);
        return Err(tensors.invalid(format!("tensor `{name}` has 4 bits a weight, which rows of {inputs} can't have.")));
    }
    let names = ["", SCALE_SUFFIX, STEPS_SUFFIX].map(|suffix| [name, suffix].concat());
    tensors.check_floats(&names[1], &[rows])?;
    tensors.check_bytes(&names[2], &[rows, inputs.div_ceil(GROUP)], false)?;
    Ok(names)
}
