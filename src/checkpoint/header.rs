//! The header of a safetensors file: which tensors there are, and where.
//!
//! Read here and not by the library, whose offsets are as wide as memory: files are larger than what wasm can address.

use super::json::read;
use super::tensors::Source;
use crate::alloc;
use crate::error::{Error, ErrorKind, Result};
use safetensors::Dtype;
use serde_json::{Map, Value};

/// What a byte of JSON becomes at most, in bytes: an element of an array, as a value.
pub(super) const PARSED: usize = 16;

/// Bytes of the number before the header that says how long it is.
const PREFIX: usize = 8;

/// The longest header, for every program.
const MOST: u64 = 100_000_000;

/// A valid header.
pub(super) struct Header {
    /// Every tensor, in the order of the file.
    pub entries: Vec<Entry>,
    /// The texts of its `__metadata__`.
    pub notes: Map<String, Value>,
    /// Bytes before the first tensor's.
    pub start: u64,
}

/// A tensor, its bytes being from `begin` to `end` in the file.
pub(super) struct Entry {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub begin: u64,
    pub end: u64,
}

/// Number formats by their names.
const DTYPES: [Dtype; 22] = [
    Dtype::BOOL,
    Dtype::F4,
    Dtype::F6_E2M3,
    Dtype::F6_E3M2,
    Dtype::U8,
    Dtype::I8,
    Dtype::F8_E5M2,
    Dtype::F8_E4M3,
    Dtype::F8_E8M0,
    Dtype::F8_E4M3FNUZ,
    Dtype::F8_E5M2FNUZ,
    Dtype::I16,
    Dtype::U16,
    Dtype::F16,
    Dtype::BF16,
    Dtype::I32,
    Dtype::U32,
    Dtype::F32,
    Dtype::C64,
    Dtype::F64,
    Dtype::I64,
    Dtype::U64,
];

impl Entry {
    /// As the header has it. (Read by hand: what serde derives for three fields is 3 kB to send.)
    fn of(name: String, stated: &Value) -> std::result::Result<Self, String> {
        let numbers = |key| stated.get(key)?.as_array()?.iter().map(Value::as_u64).collect::<Option<Vec<_>>>();
        let lacks = |what: &str| format!("{name}: {what}");
        let dtype = stated.get("dtype").and_then(Value::as_str).ok_or_else(|| lacks("`dtype` should be a text"))?;
        let known = DTYPES.into_iter().find(|known| known.to_string() == dtype);
        let known = known.ok_or_else(|| lacks(&format!("dtype `{dtype}` is unknown")))?;
        let shape = numbers("shape").ok_or_else(|| lacks("`shape` should be whole numbers"))?;
        let shape = shape.into_iter().map(usize::try_from).collect::<std::result::Result<_, _>>();
        let shape = shape.map_err(|_| lacks("`shape` is larger than memory"))?;
        match numbers("data_offsets").as_deref() {
            Some(&[begin, end]) => Ok(Self { name, dtype: known, shape, begin, end }),
            _ => Err(lacks("`data_offsets` should be two whole numbers")),
        }
    }
}

impl Header {
    /// Reads and checks the header. `file` names it in messages.
    pub fn read(file: &str, source: &dyn Source) -> Result<Self> {
        let size = source.size();
        if let Some(size) = size.filter(|size| *size < PREFIX as u64) {
            return Err(invalid(file, format!("the file is only {size} bytes long. Fetch or copy it again.")));
        }
        let mut prefix = [0; PREFIX];
        source.read(0, &mut prefix);
        if let Some(what) = impostor(&prefix) {
            return Err(invalid(file, what.into()));
        }
        let length = u64::from_le_bytes(prefix);
        if length > size.map_or(MOST, |size| MOST.min(size - PREFIX as u64)) {
            return Err(invalid(
                file,
                "the header is longer than the file: it is truncated, or not a safetensors file. Fetch or copy it again."
                    .into(),
            ));
        }
        let mut text = alloc::zeros("the safetensors header", &[length as usize])?;
        source.read(PREFIX as u64, &mut text);
        // Names and numbers take more room as values than as text.
        alloc::room("the safetensors header", &[text.len(), PARSED])?;
        let header = Self::parse(&text).map_err(|error| {
            invalid(file, format!("the header is damaged ({error}). Fetch or copy the file again."))
        })?;
        let Some(size) = size else { return Ok(header) };
        let (found, expected) = (size - header.start, header.data());
        if found != expected {
            let state = if found < expected { "truncated" } else { "longer than its header says" };
            return Err(invalid(
                file,
                format!(
                    "the file is {state}: it holds {found} bytes of tensors, its header lists {expected}. Fetch or copy it again."
                ),
            ));
        }
        Ok(header)
    }

    /// Bytes of all tensors.
    pub fn data(&self) -> u64 {
        self.entries.last().map_or(0, |last| last.end - self.start)
    }

    fn parse(text: &[u8]) -> std::result::Result<Self, String> {
        let start = (PREFIX + text.len()) as u64;
        let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
        let Value::Object(map) = read(text).map_err(|error| error.to_string())? else {
            return Err("it is not a JSON object".into());
        };
        let (mut entries, mut notes) = (Vec::with_capacity(map.len()), Map::new());
        for (name, value) in map {
            if name == "__metadata__" {
                match value {
                    Value::Object(texts) if texts.values().all(Value::is_string) => notes = texts,
                    Value::Null => {}
                    _ => return Err("`__metadata__` has more than texts".into()),
                }
                continue;
            }
            entries.push(Entry::of(name, &value)?);
        }
        entries.sort_by_key(|entry| (entry.begin, entry.end));
        let mut next = 0;
        for entry in &mut entries {
            let count = entry.shape.iter().try_fold(1u64, |count, dim| count.checked_mul(*dim as u64));
            let bits = count.and_then(|count| count.checked_mul(entry.dtype.bitsize() as u64));
            let fits = bits.is_some_and(|bits| bits % 8 == 0 && entry.begin.checked_add(bits / 8) == Some(entry.end));
            if entry.begin != next || !fits {
                return Err(format!("{} is not where its neighbours and its shape have it", entry.name));
            }
            next = entry.end;
        }
        if next.checked_add(start).is_none() {
            return Err("it has more than there can be".into());
        }
        entries.iter_mut().for_each(|entry| {
            entry.begin += start;
            entry.end += start;
        });
        Ok(Self { entries, notes, start })
    }
}

fn invalid(file: &str, problem: String) -> Error {
    ErrorKind::InvalidWeights { file: file.into(), problem }.into()
}

/// What people hand over in place of safetensors, by its first bytes.
fn impostor(prefix: &[u8; PREFIX]) -> Option<&'static str> {
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
