//! Reads tensors into the model's layers and keeps count of what was used.

use super::Family;
use super::tensors::Tensors;
use crate::error::{Error, Result};
use crate::model::{LayerNorm, Linear, Matrix, Precision};
use crate::quant::{QuantizedMatrix, SCALE_SUFFIX};
use ndarray::{Array1, Array2, Axis, concatenate};
use std::collections::BTreeSet;

/// A cursor-less reader: every access names its tensor and states the shape it must have.
pub(super) struct Reader<'a> {
    tensors: &'a Tensors<'a>,
    precision: Precision,
    used: BTreeSet<String>,
    /// Matrices that may be held in 8 bits.
    matrices: BTreeSet<String>,
    parameters: usize,
}

/// Whether a linear layer has a bias.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bias {
    Required,
    /// Zero where the file has none.
    Optional,
}

/// A matrix as the file holds it.
enum Stored {
    F32(Array2<f32>),
    Int8(QuantizedMatrix),
}

impl<'a> Reader<'a> {
    pub fn new(tensors: &'a Tensors<'a>, precision: Precision) -> Self {
        Self { tensors, precision, used: BTreeSet::new(), matrices: BTreeSet::new(), parameters: 0 }
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors.has(name)
    }

    /// A tensor of floats of exactly this shape, flattened.
    pub fn floats(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        self.used.insert(name.into());
        let values = self.tensors.floats(name, shape)?;
        self.parameters += values.len();
        Ok(values)
    }

    /// A tensor of `shape`, its leading dimensions folded so that rows are `columns` wide.
    pub fn array2(&mut self, name: &str, shape: &[usize], columns: usize) -> Result<Array2<f32>> {
        let values = self.floats(name, shape)?;
        Ok(Array2::from_shape_vec((values.len() / columns, columns), values).expect("shape was checked"))
    }

    /// `PREFIX.weight` and `PREFIX.bias`, each `[width]`.
    pub fn layer_norm(&mut self, prefix: &str, width: usize, eps: f32) -> Result<LayerNorm> {
        Ok(LayerNorm {
            weight: self.floats(&format!("{prefix}.weight"), &[width])?,
            bias: self.floats(&format!("{prefix}.bias"), &[width])?,
            eps,
        })
    }

    /// A linear layer inputs → outputs whose rows are those of `prefixes` one after another (split q, k, v become one matrix).
    pub fn linear(&mut self, prefixes: &[String], inputs: usize, outputs: usize, bias: Bias) -> Result<Linear> {
        let rows = outputs / prefixes.len();
        let mut parts = Vec::with_capacity(prefixes.len());
        let mut biases = Vec::with_capacity(outputs);
        for prefix in prefixes {
            parts.push(self.stored(&format!("{prefix}.weight"), [rows, inputs])?);
            let name = format!("{prefix}.bias");
            if bias == Bias::Required || self.has(&name) {
                biases.extend(self.floats(&name, &[rows])?);
            } else {
                biases.resize(biases.len() + rows, 0.0);
            }
        }
        let matrix = match self.precision {
            Precision::F32 => Matrix::f32(stack(parts.into_iter().map(Stored::into_f32)).view()),
            Precision::Int8 => {
                let parts: Vec<_> = parts.into_iter().map(Stored::into_int8).collect();
                Matrix::int8(&parts)
            }
        };
        Ok(Linear::new(matrix?, &biases))
    }

    /// A convolution with stride = kernel: a linear layer on flattened patches, always in f32.
    pub fn patch_projection(&mut self, prefix: &str, width: usize, patch: [usize; 2]) -> Result<Linear> {
        let [height, columns] = patch;
        let shape = [width, 3, height, columns];
        let weights = self.array2(&format!("{prefix}.weight"), &shape, 3 * height * columns)?;
        let bias = self.floats(&format!("{prefix}.bias"), &[width])?;
        let matrix = match self.precision {
            Precision::F32 => Matrix::f32(weights.view()),
            Precision::Int8 => Matrix::unfused(weights.view()),
        };
        Ok(Linear::new(matrix?, &bias))
    }

    /// Fails if the file has a tensor that nothing read and the family does not know to ignore.
    pub fn refuse_unused(&self, family: &Family) -> Result<()> {
        let stray = |name: &String| !self.used.contains(name) && !(family.ignores)(name);
        match self.tensors.names().into_iter().find(stray) {
            Some(name) => Err(Error::UnexpectedTensor { file: self.tensors.file().into(), name, family: family.name }),
            None => Ok(()),
        }
    }

    /// Values read so far, scales not counted.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Whether the model used this tensor, and if so whether as a matrix that may be held in 8 bits.
    pub fn role(&self, name: &str) -> Option<Role> {
        if self.matrices.contains(name) { Some(Role::Matrix) } else { self.used.contains(name).then_some(Role::Other) }
    }

    fn stored(&mut self, name: &str, shape: [usize; 2]) -> Result<Stored> {
        self.matrices.insert(name.into());
        if !self.tensors.is_int8(name) {
            return Ok(Stored::F32(self.array2(name, &shape, shape[1])?));
        }
        self.used.insert(name.into());
        self.parameters += shape[0] * shape[1];
        let scale_name = format!("{name}{SCALE_SUFFIX}");
        let quantized = read_quantized(self.tensors, name, shape)?;
        self.used.insert(scale_name);
        Ok(Stored::Int8(quantized))
    }
}

/// What a tensor is to the model.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Matrix,
    Other,
}

/// An I8 matrix with its scales.
pub(super) fn read_quantized(tensors: &Tensors, name: &str, shape: [usize; 2]) -> Result<QuantizedMatrix> {
    let values = tensors.int8s(name, &shape)?;
    let scales = tensors.floats(&format!("{name}{SCALE_SUFFIX}"), &shape[..1])?;
    Ok(QuantizedMatrix {
        values: Array2::from_shape_vec(shape, values).expect("shape was checked"),
        scales: Array1::from_vec(scales),
    })
}

impl Stored {
    fn into_f32(self) -> Array2<f32> {
        match self {
            Self::F32(weights) => weights,
            Self::Int8(quantized) => quantized.to_f32(),
        }
    }

    fn into_int8(self) -> QuantizedMatrix {
        match self {
            Self::F32(weights) => QuantizedMatrix::from_f32(weights.view()),
            Self::Int8(quantized) => quantized,
        }
    }
}

/// The rows of all parts, one part after another. A single part is not copied.
fn stack<T: Clone>(parts: impl ExactSizeIterator<Item = Array2<T>>) -> Array2<T> {
    let mut parts: Vec<_> = parts.collect();
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    concatenate(Axis(0), &views).expect("all parts were read with the same width")
}
