//! Reads tensors into the model's layers and keeps count of what was used.

use super::Family;
use super::interpolate::{Interpolation, resize};
use super::tensors::Tensors;
use crate::error::{Error, Result};
use crate::model::{LayerNorm, Linear, Matrix, Precision, RelativeBias};
use crate::quant::{QuantizedMatrix, SCALE_SUFFIX};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, concatenate, s};
use std::collections::BTreeSet;

/// A cursor-less reader: every access names its tensor and states the shape it must have.
pub(super) struct Reader<'a> {
    tensors: &'a Tensors<'a>,
    precision: Precision,
    /// Rows and columns of patches the file was made for.
    native_grid: [usize; 2],
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
    /// Zero.
    Absent,
}

/// A matrix as the file holds it.
enum Stored {
    F32(Array2<f32>),
    Int8(QuantizedMatrix),
}

impl<'a> Reader<'a> {
    pub fn new(tensors: &'a Tensors<'a>, precision: Precision, native_grid: [usize; 2]) -> Self {
        Self { tensors, precision, native_grid, used: BTreeSet::new(), matrices: BTreeSet::new(), parameters: 0 }
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

    /// Rows of learned positions, `shape` being what the file has with one row a patch: those of `prefix` tokens, and those of the
    /// patches, resampled where `grid` is not what the file was made for.
    pub fn positions(
        &mut self,
        name: &str,
        (batch, prefix, width): (&[usize], usize, usize),
        grid: [usize; 2],
        how: Interpolation,
    ) -> Result<(Array2<f32>, Array2<f32>)> {
        let native = self.native_grid;
        let shape = [batch, &[prefix + native[0] * native[1], width]].concat();
        let all = self.array2(name, &shape, width)?;
        let patches = all.slice(s![prefix.., ..]);
        let patches = if native == grid { patches.to_owned() } else { resize(patches, native, grid, how) };
        Ok((all.slice(s![..prefix, ..]).to_owned(), patches))
    }

    /// Whether the file has positions `[1, N, D]` without rows for other tokens.
    pub fn has_positions_of_patches_alone(&self, name: &str) -> bool {
        let rows = self.tensors.shape(name).ok().and_then(|shape| shape.get(1));
        rows == Some(&self.native_grid.iter().product())
    }

    /// `[entries, heads]` of relative positions, resampled like [`Self::positions`].
    pub fn relative_bias(
        &mut self,
        name: &str,
        heads: usize,
        grid: [usize; 2],
        how: Interpolation,
    ) -> Result<Array2<f32>> {
        let native = self.native_grid;
        let table = self.array2(name, &[RelativeBias::entries(native), heads], heads)?;
        if native == grid && (how != Interpolation::Bilinear || native[0] == native[1]) {
            return Ok(table);
        }
        let distances = |grid: [usize; 2]| grid.map(|edge| 2 * edge - 1);
        let (patches, extra) = table.view().split_at(Axis(0), distances(native).iter().product());
        // transformers, which resamples linearly, takes rows for columns here: that shows where the native grid is not square.
        let from = if how == Interpolation::Bilinear { [native[1], native[0]] } else { native };
        let patches = resize(patches, distances(from), distances(grid), how);
        Ok(concatenate(Axis(0), &[patches.view(), extra]).expect("both have a column a head"))
    }

    /// `PREFIX.weight` and `PREFIX.bias`, each `[width]`.
    pub fn layer_norm(&mut self, prefix: &str, width: usize, eps: f32) -> Result<LayerNorm> {
        Ok(LayerNorm {
            weight: self.floats(&format!("{prefix}.weight"), &[width])?,
            bias: self.floats(&format!("{prefix}.bias"), &[width])?,
            eps,
        })
    }

    /// A linear layer inputs → outputs whose rows are those of `parts` one after another (split q, k, v become one matrix). With `scale`
    /// `[outputs]` its results are scaled, which is folded into rows and bias.
    pub fn linear(
        &mut self,
        parts: &[(String, Bias)],
        inputs: usize,
        outputs: usize,
        scale: Option<Vec<f32>>,
    ) -> Result<Linear> {
        let rows = outputs / parts.len();
        let mut stored = Vec::with_capacity(parts.len());
        let mut biases = Vec::with_capacity(outputs);
        for (prefix, bias) in parts {
            stored.push(self.stored(&format!("{prefix}.weight"), [rows, inputs])?);
            let name = format!("{prefix}.bias");
            match bias {
                Bias::Required => biases.extend(self.floats(&name, &[rows])?),
                Bias::Optional if self.has(&name) => biases.extend(self.floats(&name, &[rows])?),
                Bias::Optional | Bias::Absent => biases.resize(biases.len() + rows, 0.0),
            }
        }
        self.assemble(stored, biases, scale)
    }

    /// A linear layer of the matrix `name` and a bias that is somewhere else.
    pub fn linear_with_bias(&mut self, name: &str, inputs: usize, bias: Vec<f32>) -> Result<Linear> {
        let stored = self.stored(name, [bias.len(), inputs])?;
        self.assemble(vec![stored], bias, None)
    }

    /// Of a matrix `name` whose first rows are for queries: what these make of `input` `[inputs]`, and a layer of the other rows.
    pub fn query_and_rest(
        &mut self,
        name: &str,
        input: Array1<f32>,
        query_bias: Vec<f32>,
        rest_bias: Vec<f32>,
    ) -> Result<(Vec<f32>, Linear)> {
        let queries = query_bias.len();
        let stored = self.stored(name, [queries + rest_bias.len(), input.len()])?;
        let (first, rest) = stored.split_at(queries);
        let query = first.into_f32().dot(&input) + Array1::from(query_bias);
        Ok((query.to_vec(), self.assemble(vec![rest], rest_bias, None)?))
    }

    fn assemble(&self, parts: Vec<Stored>, mut bias: Vec<f32>, scale: Option<Vec<f32>>) -> Result<Linear> {
        let scale = scale.map(Array1::from_vec);
        if let Some(scale) = &scale {
            bias.iter_mut().zip(scale).for_each(|(bias, scale)| *bias *= scale);
        }
        let parts: Vec<_> = match self.precision {
            Precision::F32 => parts,
            Precision::Int8 => parts.into_iter().map(Stored::quantized).collect(),
        };
        let matrix = if self.precision == Precision::Int8 && parts.iter().all(|part| matches!(part, Stored::Int8(_))) {
            let (values, scales): (Vec<_>, Vec<_>) =
                parts.into_iter().map(Stored::into_int8).map(|part| (part.values, part.scales)).unzip();
            let mut scales: Array1<f32> = scales.into_iter().flatten().collect();
            scale.iter().for_each(|scale| scales *= scale);
            Matrix::int8(&QuantizedMatrix { values: stack(values.into_iter()), scales })
        } else {
            let mut weights = stack(parts.into_iter().map(Stored::into_f32));
            scale.iter().for_each(|scale| weights *= &scale.view().insert_axis(Axis(1)));
            self.f32_matrix(weights.view())
        };
        Ok(Linear::new(matrix?, &bias))
    }

    /// In an int8 model even what is f32 gives the same bits everywhere.
    fn f32_matrix(&self, weights: ArrayView2<f32>) -> Result<Matrix> {
        match self.precision {
            Precision::F32 => Matrix::f32(weights),
            Precision::Int8 => Matrix::unfused(weights),
        }
    }

    /// A convolution with stride = kernel: a linear layer on flattened patches, always in f32.
    pub fn patch_projection(&mut self, prefix: &str, width: usize, patch: [usize; 2], bias: Bias) -> Result<Linear> {
        let [height, columns] = patch;
        let shape = [width, 3, height, columns];
        let weights = self.array2(&format!("{prefix}.weight"), &shape, 3 * height * columns)?;
        let name = format!("{prefix}.bias");
        let bias = match bias {
            Bias::Required => self.floats(&name, &[width])?,
            Bias::Optional if self.has(&name) => self.floats(&name, &[width])?,
            Bias::Optional | Bias::Absent => vec![0.0; width],
        };
        Ok(Linear::new(self.f32_matrix(weights.view())?, &bias))
    }

    /// A head whose weights `[classes, features]` come from elsewhere, always in f32.
    pub fn head_of(&self, weights: ArrayView2<f32>, bias: &[f32]) -> Result<Linear> {
        Ok(Linear::new(self.f32_matrix(weights)?, bias))
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

    /// The first `rows` rows, and the others.
    fn split_at(self, rows: usize) -> (Self, Self) {
        match self {
            Self::F32(weights) => {
                let (first, rest) = weights.view().split_at(Axis(0), rows);
                (Self::F32(first.to_owned()), Self::F32(rest.to_owned()))
            }
            Self::Int8(QuantizedMatrix { values, scales }) => {
                let (first, rest) = values.view().split_at(Axis(0), rows);
                let (first_scales, rest_scales) = scales.view().split_at(Axis(0), rows);
                let part = |values: ArrayView2<i8>, scales: ArrayView1<f32>| {
                    Self::Int8(QuantizedMatrix { values: values.to_owned(), scales: scales.to_owned() })
                };
                (part(first, first_scales), part(rest, rest_scales))
            }
        }
    }

    /// In 8 bits, unless that costs accuracy.
    fn quantized(self) -> Self {
        match self {
            Self::F32(weights) => QuantizedMatrix::accurate(weights.view()).0.map_or(Self::F32(weights), Self::Int8),
            Self::Int8(_) => self,
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
