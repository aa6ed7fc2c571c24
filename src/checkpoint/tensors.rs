//! The safetensors container: a header, checked before anything else, and tensors read one at a time.

use super::alias::Found;
use super::interpolate::Interpolation;
use super::names::{telltale, wrapping};
use crate::alloc;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Precision;
use crate::quant::{Bits, FORMAT_INT4, FORMAT_INT8, FORMAT_KEY, STEPS_SUFFIX};
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo, TensorView};
use std::borrow::Cow;
use std::collections::HashMap;
use zerocopy::IntoBytes;

/// Where the bytes of a file are. Reading in parts lets a browser keep the file outside of wasm memory.
pub trait Source {
    /// Length in bytes.
    fn len(&self) -> usize;

    /// Fills `target` from `offset`. The caller stays within [`Source::len`].
    fn read(&self, offset: usize, target: &mut [u8]);

    /// Whether there is nothing.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Source for [u8] {
    fn len(&self) -> usize {
        <[u8]>::len(self)
    }

    fn read(&self, offset: usize, target: &mut [u8]) {
        target.copy_from_slice(&self[offset..][..target.len()]);
    }
}

impl Source for Vec<u8> {
    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn read(&self, offset: usize, target: &mut [u8]) {
        self.as_slice().read(offset, target);
    }
}

/// What a byte of JSON becomes at most, in bytes: an element of an array, as a value.
pub(super) const PARSED: usize = 16;

/// A valid safetensors file, its tensors not yet read.
pub struct Tensors<'a> {
    /// The file's name, for messages.
    file: &'a str,
    source: &'a dyn Source,
    metadata: Metadata,
    /// What all names that are seen begin with in the file, which nobody else sees.
    wrapping: String,
    /// What the names of other models in the file begin with, which are not seen at all.
    others: Vec<String>,
    /// How positions are resampled, where not as their family does.
    pub(super) positions: Option<Interpolation>,
    /// Whether what their family takes for a head of classes projects features.
    pub(super) projects: bool,
    /// Offset of the first tensor's data.
    start: usize,
}

/// What the header says of a tensor.
pub struct TensorSummary {
    /// Name, without what all names in the file begin with.
    pub name: String,
    /// Number format, as safetensors names it.
    pub dtype: String,
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Bytes of data.
    pub bytes: usize,
}

impl<'a> Tensors<'a> {
    /// Reads and checks the header. `file` names it in messages.
    pub fn open(file: &'a str, source: &'a dyn Source) -> Result<Self> {
        let invalid = |problem: String| ErrorKind::InvalidWeights { file: file.into(), problem }.into();
        const PREFIX: usize = 8;
        let length = source.len();
        if length < PREFIX {
            return Err(invalid(format!("the file is only {length} bytes long. Fetch or copy it again.")));
        }
        let mut prefix = [0; PREFIX];
        source.read(0, &mut prefix);
        if let Some(what) = impostor(&prefix) {
            return Err(invalid(what.into()));
        }
        let header = usize::try_from(u64::from_le_bytes(prefix)).ok().filter(|size| *size <= length - PREFIX);
        let Some(header) = header else {
            return Err(invalid(
                "the header is longer than the file: it is truncated, or not a safetensors file. Fetch or copy it again."
                    .into(),
            ));
        };
        let mut text = alloc::zeros("the safetensors header", &[header])?;
        source.read(PREFIX, &mut text);
        // Names and numbers take more room as maps than as text.
        alloc::room("the safetensors header", &[header, PARSED])?;
        let metadata: Metadata = serde_json::from_slice(&text)
            .map_err(|error| invalid(format!("the header is damaged ({error}). Fetch or copy the file again.")))?;

        let start = PREFIX + header;
        let (found, expected) = (length - start, metadata.data_len());
        if found != expected {
            let state = if found < expected { "truncated" } else { "longer than its header says" };
            return Err(invalid(format!(
                "the file is {state}: it holds {found} bytes of tensors, its header lists {expected}. Fetch or copy it again."
            )));
        }
        let wrapping = wrapping(&metadata.offset_keys(), &[]).to_owned();
        let (others, positions, projects) = (Vec::new(), None, false);
        let tensors = Self { file, source, metadata, wrapping, others, positions, projects, start };
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
            let info = self.info(&name)?;
            let (first, end) = info.data_offsets;
            Some(TensorSummary { dtype: info.dtype.to_string(), shape: info.shape.clone(), bytes: end - first, name })
        };
        self.names().into_iter().filter_map(summary).collect()
    }

    /// Bytes before the first tensor's.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    pub(super) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    pub(super) fn names(&self) -> Vec<String> {
        let mut names = self.metadata.offset_keys();
        names.retain(|name| !self.others.iter().any(|other| name.starts_with(other)));
        names.iter_mut().for_each(|name| drop(name.drain(..self.wrapping.len())));
        names
    }

    /// The name of a tensor as the file has it, for messages.
    pub(super) fn in_file<'n>(&self, name: &'n str) -> Cow<'n, str> {
        if self.wrapping.is_empty() { name.into() } else { [&self.wrapping, name].concat().into() }
    }

    fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.metadata.info(&self.in_file(name))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.info(name).is_some()
    }

    /// The dimensions of a tensor.
    pub fn shape(&self, name: &str) -> Result<&[usize]> {
        Ok(&self.info(name).ok_or_else(|| self.missing(name))?.shape)
    }

    /// An error that says how the tensors there are called.
    pub(super) fn missing(&self, name: &str) -> Error {
        let found = telltale(&self.names()).map(|name| self.in_file(name).into());
        ErrorKind::MissingTensor { file: self.file.into(), name: self.in_file(name).into(), found }.into()
    }

    /// Inputs of a matrix, however it is stored; 0 if it has no second dimension, which reading it finds out.
    pub(super) fn inputs(&self, name: &str) -> Result<usize> {
        let columns = self.shape(name)?.get(1).copied().unwrap_or(0);
        Ok(if self.bits(name) == Bits::Four { columns.saturating_mul(2) } else { columns })
    }

    /// Bits of a matrix's weights. 4 bits are told by their steps, since others store bytes too.
    pub(super) fn bits(&self, name: &str) -> Bits {
        match self.info(name).map(|info| info.dtype) {
            Some(Dtype::I8) => Bits::Eight,
            Some(Dtype::U8) if self.has(&[name, STEPS_SUFFIX].concat()) => Bits::Four,
            _ => Bits::ThirtyTwo,
        }
    }

    /// A tensor of floats of any width, as `f32`, refused if one is not finite.
    pub fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let info = self.checked(name, shape)?;
        let bytes = self.bytes(info)?;
        let mut values = alloc::reserve::<f32>("a tensor", shape)?;
        match info.dtype {
            Dtype::F64 => values.extend(bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32)),
            Dtype::F32 => values.extend(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b))),
            Dtype::F16 => values.extend(bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32())),
            Dtype::BF16 => values.extend(bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32())),
            _ => return Err(self.wrong_dtype(name, info, "F64, F32, F16 or BF16")),
        }
        match values.iter().find(|value| !value.is_finite()) {
            None => Ok(values),
            Some(value) => {
                Err(self
                    .invalid(format!("tensor `{}` contains {value}. The checkpoint is damaged.", self.in_file(name))))
            }
        }
    }

    /// A tensor of signed 8-bit integers.
    pub(super) fn int8s(&self, name: &str, shape: &[usize]) -> Result<Vec<i8>> {
        let info = self.stored_as(Dtype::I8, "I8", name, shape)?;
        let (first, end) = info.data_offsets;
        let mut values = alloc::zeros("a tensor", &[end - first])?;
        self.source.read(self.start + first, values.as_mut_slice().as_mut_bytes());
        Ok(values)
    }

    /// A tensor of unsigned 8-bit integers.
    pub(super) fn uint8s(&self, name: &str, shape: &[usize]) -> Result<Vec<u8>> {
        self.bytes(self.stored_as(Dtype::U8, "U8", name, shape)?)
    }

    fn stored_as(&self, dtype: Dtype, expected: &'static str, name: &str, shape: &[usize]) -> Result<&TensorInfo> {
        let info = self.checked(name, shape)?;
        if info.dtype == dtype { Ok(info) } else { Err(self.wrong_dtype(name, info, expected)) }
    }

    fn checked(&self, name: &str, shape: &[usize]) -> Result<&TensorInfo> {
        let found = self.shape(name)?;
        if found != shape {
            return Err(ErrorKind::TensorShape {
                file: self.file.into(),
                name: self.in_file(name).into(),
                found: found.into(),
                expected: shape.into(),
            }
            .into());
        }
        Ok(self.info(name).expect("it has a shape"))
    }

    fn bytes(&self, info: &TensorInfo) -> Result<Vec<u8>> {
        let (first, end) = info.data_offsets;
        let mut bytes = alloc::zeros("a tensor", &[end - first])?;
        self.source.read(self.start + first, &mut bytes);
        Ok(bytes)
    }

    fn wrong_dtype(&self, name: &str, info: &TensorInfo, expected: &'static str) -> Error {
        let name = self.in_file(name).into();
        ErrorKind::TensorDtype { file: self.file.into(), name, dtype: info.dtype.to_string(), expected }.into()
    }

    pub(super) fn invalid(&self, problem: String) -> Error {
        ErrorKind::InvalidWeights { file: self.file.into(), problem }.into()
    }

    /// The file's name, for messages.
    pub(super) fn file(&self) -> &str {
        self.file
    }

    /// A tensor of one number, `[]` or `[1]`.
    pub(super) fn scalar(&self, name: &str) -> Result<f32> {
        let shape = self.shape(name)?.to_vec();
        let expected: &[usize] = if shape.is_empty() { &[] } else { &[1] };
        Ok(self.floats(name, expected)?[0])
    }

    /// An entry of the file's `__metadata__`.
    pub(super) fn note(&self, key: &str) -> Option<&str> {
        self.metadata.metadata().as_ref()?.get(key).map(String::as_str)
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

/// What people hand over in place of safetensors, by its first bytes.
fn impostor(prefix: &[u8; 8]) -> Option<&'static str> {
    match prefix {
        b"version " => Some("it is a Git LFS pointer, not the weights. Run `git lfs pull` in the model's folder."),
        [b'P', b'K', 3, 4, ..] | [0x80, 2, 0x8a, ..] => {
            Some("it is a PyTorch pickle. Save the model with safetensors (`save_pretrained`).")
        }
        [b'G', b'G', b'U', b'F', ..] => Some("it is GGUF, llama.cpp's format. Take the checkpoint it was made from."),
        [0x89, b'H', b'D', b'F', ..] => Some("it is HDF5, TensorFlow's format. Save the model with safetensors."),
        [b'<', b'!' | b'h', ..] => Some("it is an HTML page, not the weights. Check the address it came from."),
        _ => None,
    }
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

/// A safetensors file of `tensors` (name, shape, values), `format` being noted in its metadata.
pub fn write(tensors: Vec<(String, Vec<usize>, Values)>, format: Option<&str>) -> Result<Vec<u8>> {
    let stored: Vec<(String, Vec<usize>, Dtype, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, shape, values)| match values {
            Values::F32(values) => (name, shape, Dtype::F32, values.into_iter().flat_map(f32::to_le_bytes).collect()),
            Values::Int8(values) => (name, shape, Dtype::I8, values.into_iter().map(i8::cast_unsigned).collect()),
            Values::Uint8(values) => (name, shape, Dtype::U8, values),
        })
        .collect();
    let views = stored.iter().map(|(name, shape, dtype, bytes)| {
        TensorView::new(*dtype, shape.clone(), bytes).map(|view| (name.as_str(), view))
    });
    let views: Vec<_> = views.collect::<std::result::Result<_, _>>().map_err(unwritable)?;
    let metadata = format.map(|format| HashMap::from([(FORMAT_KEY.to_owned(), format.to_owned())]));
    safetensors::serialize(views, metadata).map_err(unwritable)
}

fn unwritable(error: safetensors::SafeTensorError) -> Error {
    ErrorKind::InvalidArgument(format!("these tensors can't be written as safetensors: {error}.")).into()
}
