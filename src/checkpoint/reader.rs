//! Reads tensors into the model's layers and keeps count of what was used.
//!
//! Plain slices rather than `ndarray`: this runs once a model, and each of its operations would be code over the wire.

use super::Family;
use super::names::telltale;
use super::stored::{Stored, read_stored};
use super::tensors::{Source, Tensors};
use crate::alloc::{reserve, room, zeros};
use crate::error::{ErrorKind, Result};
use crate::model::{LayerNorm, Linear, Matrix, Precision};
use crate::quant::{Bits, SCALE_SUFFIX, STEPS_SUFFIX};
use ndarray::{Array2, ArrayView2};
use std::collections::BTreeMap;

/// A cursor-less reader: every access names its tensor, within a scope, and states the shape it must have.
pub(super) struct Reader<'a> {
    pub tensors: &'a Tensors,
    /// Where the bytes are. Without it everything is checked and noted as it would be, and all that is read is zeros: so it is known from the header alone
    /// what a model reads.
    source: Option<&'a dyn Source>,
    precision: Precision,
    /// Rows and columns of patches the file was made for.
    pub native_grid: [usize; 2],
    /// What every name begins with.
    scope: String,
    /// What was read, and when.
    used: BTreeMap<String, Use>,
    /// The block that is being read, if one is.
    block: Option<usize>,
    /// How names begin that belong to something the model doesn't use.
    left: Option<&'static str>,
    /// Whether blocks are equalised, see [`super::equalise`].
    pub equalises: bool,
    /// Whether norms are RMSNorms, which have no bias.
    rms: bool,
    /// What tensors are read with, by their names. (Few enough to look through: another map would be kilobytes of wasm.)
    factors: Vec<(String, Factors)>,
    /// Where the matrix that is read next will lie. So what it is made of lies behind it, and goes without leaving a hole that the next doesn't fit into: of a large
    /// model a tenth of its memory.
    place: Vec<u8>,
    parameters: usize,
}

/// Bytes that are kept beside each output of a matrix: its scale, sum and bias.
const BESIDE: usize = 12;
/// Outputs for which there is room besides, for what keeps buffers apart.
const MORE: usize = 8;

/// What a tensor is to the model.
#[derive(Clone, Copy)]
pub(super) struct Use {
    /// The block whose reading reads it.
    pub block: Option<usize>,
    pub role: Role,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A matrix that may be held in 8 bits.
    Matrix,
    /// What goes with such a matrix where it is quantised.
    Steps,
    Other,
}

/// Factors of a matrix's rows, or of a vector's entries, and of a matrix's columns; none where empty.
#[derive(Default)]
struct Factors {
    rows: Vec<f32>,
    columns: Vec<f32>,
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

impl<'a> Reader<'a> {
    pub fn new(
        tensors: &'a Tensors,
        source: Option<&'a dyn Source>,
        precision: Precision,
        native_grid: [usize; 2],
        rms: bool,
    ) -> Self {
        Self {
            tensors,
            source,
            precision,
            native_grid,
            scope: String::new(),
            used: BTreeMap::new(),
            block: None,
            left: None,
            equalises: false,
            rms,
            factors: Vec::new(),
            place: Vec::new(),
            parameters: 0,
        }
    }

    /// What `read` reads where all names begin with `scope`.
    pub fn within<T>(&mut self, scope: &str, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let outside = self.scope.len();
        self.scope.push_str(scope);
        let result = read(self);
        self.scope.truncate(outside);
        result
    }

    /// What `read` reads of block `i`, where all names begin with `scope`.
    pub fn within_block<T>(&mut self, scope: &str, i: usize, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.block = Some(i);
        let result = self.within(scope, read);
        self.block = None;
        result
    }

    /// With the scope it is within.
    pub fn full(&self, name: &str) -> String {
        [&self.scope, name].concat()
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors.has(&self.full(name))
    }

    /// The first of `scopes` in which the file has `name`; the first of all where none has, so that messages name what was expected.
    pub fn choose(&self, scopes: &[&'static str], name: &str) -> &'static str {
        scopes.iter().find(|scope| self.has(&[scope, name].concat())).unwrap_or(&scopes[0])
    }

    /// A tensor of floats of exactly this shape, flattened.
    pub fn floats(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let values = self.values(name, shape)?;
        self.note(self.full(name), Role::Other);
        self.parameters += values.len();
        Ok(values)
    }

    /// A tensor of one number, `[]` or `[1]`. It is not counted as learned.
    pub fn scalar(&mut self, name: &str) -> Result<f32> {
        let shape: &[usize] = if self.tensors.shape(&self.full(name))?.is_empty() { &[] } else { &[1] };
        Ok(self.uncounted(name, shape)?[0])
    }

    /// What was seen while the model learned, `[width]`. It is not counted as learned.
    pub fn statistics(&mut self, name: &str, width: usize) -> Result<Vec<f32>> {
        self.uncounted(name, &[width])
    }

    fn uncounted(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let values = self.values(name, shape)?;
        self.note(self.full(name), Role::Other);
        Ok(values)
    }

    /// The name of a tensor as the file has it, for messages.
    pub fn in_file(&self, name: &str) -> String {
        self.tensors.in_file(&self.full(name)).into_owned()
    }

    fn note(&mut self, full: String, role: Role) {
        self.used.insert(full, Use { block: self.block, role });
    }

    /// The same without counting it as used.
    pub fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let name = self.full(name);
        let Some(source) = self.source else {
            self.tensors.check_floats(&name, shape)?;
            return zeros("a tensor", shape);
        };
        let mut values = self.tensors.floats(source, &name, shape)?;
        self.apply_factors(&name, &mut values);
        Ok(values)
    }

    fn apply_factors(&self, name: &str, values: &mut [f32]) {
        let Some((_, Factors { rows, columns })) = self.factors.iter().find(|(own, _)| own == name) else { return };
        if !rows.is_empty() {
            let length = values.len() / rows.len();
            values
                .chunks_exact_mut(length)
                .zip(rows)
                .for_each(|(row, factor)| row.iter_mut().for_each(|w| *w *= factor));
        }
        if !columns.is_empty() {
            values.chunks_exact_mut(columns.len()).for_each(|row| scale_by(row, columns));
        }
    }

    /// Whether a matrix is stored in floats.
    pub fn is_f32(&self, name: &str) -> bool {
        self.tensors.bits(&self.full(name)) == Bits::ThirtyTwo
    }

    /// From now on the last of the `count` rows of a matrix, or entries of a vector, are read divided by `factors`.
    pub fn divide_last_rows(&mut self, name: &str, count: usize, factors: &[f32]) {
        let rows = &mut self.factors_of(name).rows;
        *rows = vec![1.0; count];
        rows[count - factors.len()..].iter_mut().zip(factors).for_each(|(row, factor)| *row = 1.0 / factor);
    }

    /// From now on the columns of a matrix are read multiplied by `factors`.
    pub fn multiply_columns(&mut self, name: &str, factors: &[f32]) {
        self.factors_of(name).columns = factors.to_vec();
    }

    fn factors_of(&mut self, name: &str) -> &mut Factors {
        let name = self.full(name);
        let place = self.factors.iter().position(|(own, _)| *own == name).unwrap_or_else(|| {
            self.factors.push((name, Factors::default()));
            self.factors.len() - 1
        });
        &mut self.factors[place].1
    }

    /// `NAME.weight` and, unless norms are RMSNorms, `NAME.bias`, each `[width]`.
    pub fn layer_norm(&mut self, name: &str, width: usize, eps: f32) -> Result<LayerNorm> {
        Ok(LayerNorm {
            weight: self.floats(&[name, ".weight"].concat(), &[width])?,
            bias: self.bias(name, width, if self.rms { Bias::Absent } else { Bias::Required })?,
            eps,
            centred: !self.rms,
        })
    }

    /// The same where the file has it.
    pub fn optional_norm(&mut self, name: &str, width: usize, eps: f32) -> Result<Option<LayerNorm>> {
        if self.has(&[name, ".weight"].concat()) { self.layer_norm(name, width, eps).map(Some) } else { Ok(None) }
    }

    /// `NAME.bias`, `[width]`, or zeros.
    fn bias(&mut self, name: &str, width: usize, bias: Bias) -> Result<Vec<f32>> {
        let name = [name, ".bias"].concat();
        match bias {
            Bias::Optional if !self.has(&name) => Ok(vec![0.0; width]),
            Bias::Required | Bias::Optional => self.floats(&name, &[width]),
            Bias::Absent => Ok(vec![0.0; width]),
        }
    }

    /// A linear layer inputs → outputs whose rows are those of `parts` one after another (split q, k, v become one matrix). With `scale`
    /// `[outputs]` its results are scaled, which is folded into rows and bias.
    pub fn linear(
        &mut self,
        parts: &[(&str, Bias)],
        inputs: usize,
        outputs: usize,
        scale: Option<Vec<f32>>,
    ) -> Result<Linear> {
        self.keep_place(outputs, inputs)?;
        let rows = outputs / parts.len();
        let mut stored = Vec::with_capacity(parts.len());
        let mut biases = Vec::with_capacity(outputs);
        for (name, bias) in parts {
            stored.push(self.matrix(&[name, ".weight"].concat(), [rows, inputs])?);
            biases.extend(self.bias(name, rows, *bias)?);
        }
        if let Some(scale) = &scale {
            scale_by(&mut biases, scale);
        }
        self.assemble(stored, inputs, biases, scale)
    }

    /// A linear layer of the matrix `name` and a bias that is somewhere else.
    pub fn linear_with_bias(&mut self, name: &str, inputs: usize, bias: Vec<f32>) -> Result<Linear> {
        self.keep_place(bias.len(), inputs)?;
        let stored = self.matrix(name, [bias.len(), inputs])?;
        self.assemble(vec![stored], inputs, bias, None)
    }

    fn keep_place(&mut self, outputs: usize, inputs: usize) -> Result<()> {
        if self.source.is_some() {
            let bytes = self.precision.bytes().saturating_mul(inputs).saturating_add(BESIDE);
            self.place = reserve("weights", &[outputs.saturating_add(MORE), bytes])?;
        }
        Ok(())
    }

    /// Of a matrix `name` whose first rows are for queries: what these make of `input` `[inputs]`, and a layer of the other rows.
    pub fn query_and_rest(&mut self, name: &str, input: &[f32], mut bias: Vec<f32>) -> Result<(Vec<f32>, Linear)> {
        let (inputs, outputs) = (input.len(), bias.len());
        let rest_bias = bias.split_off(inputs);
        let whole = self.matrix(name, [outputs, inputs])?;
        room("a tensor", &[outputs, inputs, size_of::<f32>()])?;
        let (first, rest) = whole.split_at(inputs, inputs);
        Ok((first.apply(input, bias)?, self.assemble(vec![rest], inputs, rest_bias, None)?))
    }

    /// What a layer `name` from `input` `[inputs]` to as many makes of it.
    pub fn applied(&mut self, name: &str, input: &[f32]) -> Result<Vec<f32>> {
        let inputs = input.len();
        let whole = self.matrix(&[name, ".weight"].concat(), [inputs, inputs])?;
        whole.apply(input, self.bias(name, inputs, Bias::Required)?)
    }

    /// The layer of the rows of all `parts`, each times its `scale`, and of this bias.
    pub fn assemble(
        &mut self,
        parts: Vec<Stored>,
        inputs: usize,
        bias: Vec<f32>,
        scale: Option<Vec<f32>>,
    ) -> Result<Linear> {
        if parts.iter().any(|part| matches!(part, Stored::Unread)) {
            return Ok(Linear::new(self.f32_matrix(&[], inputs)?, &[]));
        }
        let scales = scale.unwrap_or_default();
        if self.precision == Precision::Int8 && parts.iter().all(|part| matches!(part, Stored::Int8(_))) {
            let mut scales = scales.into_iter();
            let mut quantized = Vec::with_capacity(parts.len());
            for part in parts {
                let Stored::Int8(mut part) = part else { continue };
                part.scales.iter_mut().zip(&mut scales).for_each(|(own, scale)| *own *= scale);
                quantized.push(part);
            }
            self.place = Vec::new();
            return Ok(Linear::new(Matrix::int8(&quantized)?, &bias));
        }
        let mut weights = reserve("weights", &[bias.len(), inputs])?;
        for part in parts {
            weights.extend(part.into_f32()?);
        }
        weights.chunks_exact_mut(inputs).zip(&scales).for_each(|(row, scale)| row.iter_mut().for_each(|w| *w *= scale));
        self.place = Vec::new();
        Ok(Linear::new(self.f32_matrix(&weights, inputs)?, &bias))
    }

    fn f32_matrix(&self, weights: &[f32], inputs: usize) -> Result<Matrix> {
        let weights = ArrayView2::from_shape((weights.len() / inputs, inputs), weights).expect("whole rows");
        Matrix::floats(weights, self.precision)
    }

    /// A convolution with stride = kernel: a linear layer on flattened patches, always in f32.
    pub fn patch_projection(&mut self, name: &str, width: usize, patch: [usize; 2], bias: Bias) -> Result<Linear> {
        let [height, columns] = patch;
        let weights = self.floats(&[name, ".weight"].concat(), &[width, 3, height, columns])?;
        let bias = self.bias(name, width, bias)?;
        Ok(Linear::new(self.f32_matrix(&weights, 3 * height * columns)?, &bias))
    }

    /// A linear layer on patches whose channels come last, put into the order that images have: [`Self::patch_projection`] for the rest.
    pub fn flat_patch_projection(&mut self, name: &str, width: usize, patch: [usize; 2]) -> Result<Linear> {
        let pixels = patch[0] * patch[1];
        let stored = self.floats(&[name, ".weight"].concat(), &[width, 3 * pixels])?;
        let bias = self.bias(name, width, Bias::Required)?;
        let mut weights = reserve("weights", &[stored.len()])?;
        for row in stored.chunks_exact(3 * pixels) {
            (0..3).for_each(|channel| weights.extend(row[channel..].iter().step_by(3)));
        }
        Ok(Linear::new(self.f32_matrix(&weights, 3 * pixels)?, &bias))
    }

    /// A layer without a bias whose matrix is stored with an input a row, always in f32.
    pub fn transposed(&mut self, name: &str, inputs: usize, outputs: usize) -> Result<Linear> {
        let stored = self.floats(name, &[inputs, outputs])?;
        let mut weights = reserve("weights", &[outputs, inputs])?;
        (0..outputs).for_each(|output| weights.extend(stored[output..].iter().step_by(outputs)));
        Ok(Linear::new(self.f32_matrix(&weights, inputs)?, &vec![0.0; outputs]))
    }

    /// Fails if the file has a tensor that nothing read and the family does not know to ignore.
    pub fn refuse_unused(&self, family: &Family) -> Result<()> {
        let mut stray = self.tensors.names();
        let left = |name: &str| self.left.is_some_and(|start| name.starts_with(start)) || (family.ignores)(name);
        stray.retain(|name| !self.used.contains_key(name) && !left(name));
        match telltale(&stray) {
            Some(name) => Err(ErrorKind::UnexpectedTensor {
                file: self.tensors.file().into(),
                name: self.tensors.in_file(name).into(),
                family: family.name,
            }
            .into()),
            None => Ok(()),
        }
    }

    /// Values read so far, scales not counted.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Says that tensors whose names begin so belong to something this model doesn't use.
    pub fn leave(&mut self, start: &'static str) {
        self.left = Some(start);
    }

    /// What was read, by name.
    pub fn used(&self) -> &BTreeMap<String, Use> {
        &self.used
    }

    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Stored> {
        self.stored(name, shape, &shape)
    }

    /// A matrix, quantised where the model holds it so.
    /// `floats` is its shape where it is stored in floats.
    pub fn stored(&mut self, name: &str, shape: [usize; 2], floats: &[usize]) -> Result<Stored> {
        let full = self.full(name);
        let mut stored = read_stored(self.tensors, self.source, &full, shape, floats)?;
        if let Stored::F32(weights) = &mut stored {
            self.apply_factors(&full, weights);
        }
        self.parameters = self.parameters.saturating_add(shape[0].saturating_mul(shape[1]));
        if self.tensors.bits(&full) != Bits::ThirtyTwo {
            for suffix in [SCALE_SUFFIX, STEPS_SUFFIX] {
                self.note([&full, suffix].concat(), Role::Steps);
            }
        }
        self.note(full, Role::Matrix);
        if self.precision == Precision::Int8 { stored.quantized(shape[1]) } else { Ok(stored) }
    }
}

/// Rows of `columns` values.
pub(super) fn matrix(values: Vec<f32>, columns: usize) -> Array2<f32> {
    Array2::from_shape_vec((values.len() / columns, columns), values).expect("whole rows")
}

/// `target += other`, value by value.
pub(super) fn add(target: &mut [f32], other: &[f32]) {
    target.iter_mut().zip(other).for_each(|(target, other)| *target += other);
}

/// `target *= other`, value by value.
fn scale_by(target: &mut [f32], other: &[f32]) {
    target.iter_mut().zip(other).for_each(|(target, other)| *target *= other);
}
