//! The tensors of a safetensors file: named, as a model within it sees them, and read one at a time.

use super::alias::Found;
use super::header::{Entry, Header};
use super::names::{telltale, wrapping};
use crate::alloc;
use crate::error::{Error, ErrorKind, Result, shown};
use crate::model::{Interpolation, Precision};
use crate::quant::{Bits, FORMAT_INT4, FORMAT_INT8, FORMAT_KEY, STEPS_SUFFIX};
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::borrow::Cow;
use zerocopy::IntoBytes;

/// Where the bytes of a file are. Reading in parts lets a browser keep them outside of wasm memory.
pub trait Source {
    /// Length in bytes, where it is known.
    fn size(&self) -> Option<u64>;

    /// Fills `target` from `offset`. The caller stays within [`Source::size`].
    fn read(&self, offset: u64, target: &mut [u8]);
}

impl Source for [u8] {
    fn size(&self) -> Option<u64> {
        Some(self.len() as u64)
    }

    fn read(&self, offset: u64, target: &mut [u8]) {
        target.copy_from_slice(&self[offset as usize..][..target.len()]);
    }
}

impl Source for Vec<u8> {
    fn size(&self) -> Option<u64> {
        self.as_slice().size()
    }

    fn read(&self, offset: u64, target: &mut [u8]) {
        self.as_slice().read(offset, target);
    }
}

/// A valid safetensors file, its tensors not yet read.
pub struct Tensors {
    /// The file's name, for messages.
    file: String,
    header: Header,
    /// What all names that are seen begin with in the file, which nobody else sees.
    wrapping: String,
    /// What the names of other models in the file begin with, which are not seen at all.
    others: Vec<String>,
    /// How positions are resampled, where not as their family does.
    pub(super) positions: Option<Interpolation>,
    /// Whether what their family takes for a head of classes projects features.
    pub(super) projects: bool,
}

/// What the header says of a tensor.
pub struct TensorSummary {
    /// Name, without what all names in the file begin with.
    pub name: String,
    /// Number format, as safetensors names it.
    pub dtype: String,
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Where its bytes begin in the file.
    pub begin: u64,
    /// Where they end.
    pub end: u64,
}

impl Tensors {
    /// Reads and checks the header. `file` names it in messages.
    pub fn open(file: &str, source: &dyn Source) -> Result<Self> {
        let header = Header::read(file, source)?;
        let names: Vec<_> = header.entries.iter().map(|entry| entry.name.clone()).collect();
        let wrapping = wrapping(&names, &[]).to_owned();
        let (others, positions, projects) = (Vec::new(), None, false);
        let tensors = Self { file: file.into(), header, wrapping, others, positions, projects };
        tensors.check_version()?;
        Ok(tensors)
    }

    /// The tensors of a model within a larger one: without what is of other parts, and without the prefixes that all the rest begin with.
    pub(super) fn part(mut self, found: &Found) -> Self {
        self.others = found.others_within(&self.wrapping);
        let more = wrapping(&self.names(), &found.prefixes).to_owned();
        self.wrapping.push_str(&more);
        (self.positions, self.projects) = (found.positions, found.projects);
        self
    }

    /// How the matrices of this file are stored.
    pub fn precision(&self) -> Precision {
        match self.format() {
            Some(FORMAT_INT8 | FORMAT_INT4) => Precision::Int8,
            _ => Precision::F32,
        }
    }

    /// Every tensor, in the order of the file.
    pub fn summaries(&self) -> Vec<TensorSummary> {
        let summary = |name: String| {
            let Entry { dtype, shape, begin, end, .. } = self.entry(&name)?;
            Some(TensorSummary { dtype: dtype.to_string(), shape: shape.clone(), begin: *begin, end: *end, name })
        };
        self.names().into_iter().filter_map(summary).collect()
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn names(&self) -> Vec<String> {
        let seen = |name: &&str| !self.others.iter().any(|other| name.starts_with(other));
        let names = self.header.entries.iter().map(|entry| entry.name.as_str()).filter(seen);
        names.map(|name| name.get(self.wrapping.len()..).unwrap_or_default().to_owned()).collect()
    }

    /// The name of a tensor as the file has it, for messages.
    pub(super) fn in_file<'n>(&self, name: &'n str) -> Cow<'n, str> {
        if self.wrapping.is_empty() { name.into() } else { [&self.wrapping, name].concat().into() }
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        let name = self.in_file(name);
        self.header.entries.iter().find(|entry| entry.name == name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    /// The dimensions of a tensor.
    pub fn shape(&self, name: &str) -> Result<&[usize]> {
        Ok(&self.entry(name).ok_or_else(|| self.missing(name))?.shape)
    }

    /// An error that says how the tensors there are called.
    pub(super) fn missing(&self, name: &str) -> Error {
        let found = telltale(&self.names()).map(|name| self.in_file(name).into());
        ErrorKind::MissingTensor { file: self.file.clone(), name: self.in_file(name).into(), found }.into()
    }

    /// Inputs of a matrix, however it is stored; 0 if it has no second dimension, which reading it finds out.
    pub(super) fn inputs(&self, name: &str) -> Result<usize> {
        let columns = self.shape(name)?.get(1).copied().unwrap_or(0);
        Ok(if self.bits(name) == Bits::Four { columns.saturating_mul(2) } else { columns })
    }

    /// Bits of a matrix's weights. 4 bits are told by their steps, since others store bytes too.
    pub(super) fn bits(&self, name: &str) -> Bits {
        match self.entry(name).map(|entry| entry.dtype) {
            Some(Dtype::I8) => Bits::Eight,
            Some(Dtype::U8) if self.has(&[name, STEPS_SUFFIX].concat()) => Bits::Four,
            _ => Bits::ThirtyTwo,
        }
    }

    /// Refuses a tensor that [`Self::floats`] could not read.
    pub(super) fn check_floats(&self, name: &str, shape: &[usize]) -> Result<&Entry> {
        let entry = self.checked(name, shape)?;
        match entry.dtype {
            Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16 => Ok(entry),
            _ => Err(self.wrong_dtype(entry, "F64, F32, F16 or BF16")),
        }
    }

    /// A tensor of floats of any width, as `f32`, refused if one is not finite.
    pub fn floats(&self, source: &dyn Source, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let entry = self.check_floats(name, shape)?;
        let mut values;
        if entry.dtype == Dtype::F32 {
            values = alloc::zeros::<f32>("a tensor", shape)?;
            source.read(entry.begin, values.as_mut_slice().as_mut_bytes());
            values.iter_mut().for_each(|value| *value = f32::from_bits(u32::from_le(value.to_bits())));
        } else {
            let bytes = bytes(source, entry)?;
            values = alloc::reserve::<f32>("a tensor", shape)?;
            match entry.dtype {
                Dtype::F64 => values.extend(bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32)),
                Dtype::F16 => values.extend(bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32())),
                _ => values.extend(bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32())),
            }
        }
        match values.iter().find(|value| !value.is_finite()) {
            None => Ok(values),
            Some(value) => Err(self.invalid(format!(
                "tensor `{}` contains {}. The checkpoint is damaged.",
                self.in_file(name),
                shown(*value)
            ))),
        }
    }

    /// Refuses a tensor that is not of 8-bit integers, signed or not.
    pub(super) fn check_bytes(&self, name: &str, shape: &[usize], signed: bool) -> Result<&Entry> {
        let entry = self.checked(name, shape)?;
        let (dtype, expected) = if signed { (Dtype::I8, "I8") } else { (Dtype::U8, "U8") };
        if entry.dtype == dtype { Ok(entry) } else { Err(self.wrong_dtype(entry, expected)) }
    }

    /// A tensor of signed 8-bit integers.
    pub(super) fn int8s(&self, source: &dyn Source, name: &str, shape: &[usize]) -> Result<Vec<i8>> {
        let entry = self.check_bytes(name, shape, true)?;
        let mut values = alloc::zeros("a tensor", shape)?;
        source.read(entry.begin, values.as_mut_slice().as_mut_bytes());
        Ok(values)
    }

    /// A tensor of unsigned 8-bit integers.
    pub(super) fn uint8s(&self, source: &dyn Source, name: &str, shape: &[usize]) -> Result<Vec<u8>> {
        bytes(source, self.check_bytes(name, shape, false)?)
    }

    fn checked(&self, name: &str, shape: &[usize]) -> Result<&Entry> {
        let entry = self.entry(name).ok_or_else(|| self.missing(name))?;
        if entry.shape != shape {
            return Err(ErrorKind::TensorShape {
                file: self.file.clone(),
                name: entry.name.clone(),
                found: entry.shape.clone(),
                expected: shape.into(),
            }
            .into());
        }
        Ok(entry)
    }

    fn wrong_dtype(&self, entry: &Entry, expected: &'static str) -> Error {
        let (file, name) = (self.file.clone(), entry.name.clone());
        ErrorKind::TensorDtype { file, name, dtype: entry.dtype.to_string(), expected }.into()
    }

    pub(super) fn invalid(&self, problem: String) -> Error {
        ErrorKind::InvalidWeights { file: self.file.clone(), problem }.into()
    }

    /// The file's name, for messages.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// An entry of the file's `__metadata__`.
    pub(super) fn note(&self, key: &str) -> Option<&str> {
        self.header.notes.get(key)?.as_str()
    }

    /// Name and version of its format, if it says so.
    pub fn format(&self) -> Option<&str> {
        self.note(FORMAT_KEY)
    }

    /// Refuses a file of ours in another version: its numbers could mean something else. Other programs' formats say nothing here.
    fn check_version(&self) -> Result<()> {
        match self.format().filter(|format| format.starts_with("vitscope")) {
            None | Some(FORMAT_INT8 | FORMAT_INT4) => Ok(()),
            Some(other) => Err(self.invalid(format!(
                "its format is `{other}`, where this program reads `{FORMAT_INT8}` and `{FORMAT_INT4}`. \
                 Quantise it again with `vitscope quantize`, or update."
            ))),
        }
    }
}

/// The bytes of a tensor, as they are stored.
fn bytes(source: &dyn Source, entry: &Entry) -> Result<Vec<u8>> {
    let mut bytes = alloc::zeros("a tensor", &[(entry.end - entry.begin) as usize])?;
    source.read(entry.begin, &mut bytes);
    Ok(bytes)
}

/// A tensor to be written.
pub enum Values {
    /// Written as F32.
    F32(Vec<f32>),
    /// Written as I8.
    Int8(Vec<i8>),
    /// Written as U8.
    Uint8(Vec<u8>),
}

impl Values {
    /// How safetensors names their format, and the bytes of it.
    pub fn stored(&self) -> (Dtype, Cow<'_, [u8]>) {
        match self {
            Self::F32(values) if cfg!(target_endian = "little") => (Dtype::F32, values.as_bytes().into()),
            Self::F32(values) => (Dtype::F32, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Self::Int8(values) => (Dtype::I8, values.as_bytes().into()),
            Self::Uint8(values) => (Dtype::U8, values.into()),
        }
    }
}

/// A safetensors file of `tensors` (name, shape, values), `format` being noted in its metadata.
pub fn write(tensors: Vec<(String, Vec<usize>, Values)>, format: Option<&str>) -> Result<Vec<u8>> {
    let stored: Vec<_> = tensors.iter().map(|(name, shape, values)| (name, shape, values.stored())).collect();
    let views = stored.iter().map(|(name, shape, (dtype, bytes))| {
        TensorView::new(*dtype, shape.to_vec(), bytes).map(|view| (name.as_str(), view))
    });
    let views: Vec<_> = views.collect::<std::result::Result<_, _>>().map_err(unwritable)?;
    let metadata = format.map(|format| [(FORMAT_KEY.to_owned(), format.to_owned())].into_iter().collect());
    safetensors::serialize(views, metadata).map_err(unwritable)
}

fn unwritable(error: safetensors::SafeTensorError) -> Error {
    ErrorKind::InvalidArgument(format!("these tensors can't be written as safetensors: {error}.")).into()
}
