//! Typed access to a JSON object, with errors that name the file and the key.

use super::CONFIG_FILE;
use crate::error::{Error, ErrorKind, Result};
use serde_json::Value;
use std::ops::RangeInclusive;

/// A JSON object from a model folder.
#[derive(Clone)]
pub(super) struct Json {
    pub file: &'static str,
    value: Value,
}

impl From<Json> for Value {
    fn from(json: Json) -> Self {
        json.value
    }
}

impl Json {
    pub fn parse(file: &'static str, text: &str) -> Result<Self> {
        match read(text) {
            Ok(value @ Value::Object(_)) => Ok(Self { file, value }),
            Ok(_) => Err(problem_with(file, "it is not a JSON object.".into())),
            Err(error) => {
                Err(problem_with(file, format!("it is not valid JSON ({error}). Fetch or copy the file again.")))
            }
        }
    }

    /// The object under `key`, if there is one.
    pub fn object(&self, key: &str) -> Option<Self> {
        self.nested(key).ok().flatten()
    }

    /// An object of the same file that has nothing.
    pub fn empty(&self) -> Self {
        Self { file: self.file, value: Value::Null }
    }

    /// The object under `key`; absent is fine, another type is not.
    pub fn nested(&self, key: &str) -> Result<Option<Self>> {
        let object = self.typed(key, "an object", |value| value.is_object().then_some(value))?;
        Ok(object.map(|value| Self { file: self.file, value: value.clone() }))
    }

    /// The raw value; an explicit null counts as absent.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.value.get(key).filter(|value| !value.is_null())
    }

    pub fn remove(&mut self, key: &str) {
        self.put(key, Value::Null);
    }

    /// Puts `value` under `key` of an object.
    pub fn put(&mut self, key: &str, value: Value) {
        if let Value::Object(object) = &mut self.value {
            object.insert(key.into(), value);
        }
    }

    /// The same where there is nothing.
    pub fn fill(&mut self, key: &str, value: Value) {
        if self.get(key).is_none() {
            self.put(key, value);
        }
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.value.as_object().into_iter().flatten().map(|(key, _)| key.as_str())
    }

    pub fn optional_str(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// The text under `key`, where another type would be a mistake.
    pub fn text(&self, key: &str) -> Result<Option<&str>> {
        self.typed(key, "a text", Value::as_str)
    }

    pub fn optional_bool(&self, key: &str) -> Result<Option<bool>> {
        self.typed(key, "true or false", Value::as_bool)
    }

    pub fn optional_f32(&self, key: &str) -> Result<Option<f32>> {
        Ok(self.optional_f64(key)?.map(|x| x as f32))
    }

    pub fn optional_f64(&self, key: &str) -> Result<Option<f64>> {
        self.typed(key, "a number", Value::as_f64)
    }

    pub fn optional_usize(&self, key: &str) -> Result<Option<usize>> {
        self.typed(key, "a whole number", as_usize)
    }

    /// `[height, width]`, from one number for both or from two.
    pub fn optional_pair(&self, key: &str) -> Result<Option<[usize; 2]>> {
        self.typed(key, "one whole number or two", as_pair)
    }

    /// A list of whole numbers, `lengths` of them.
    pub fn list(&self, key: &str, expected: &str, lengths: RangeInclusive<usize>) -> Result<Option<Vec<usize>>> {
        self.typed(key, expected, |value| {
            let values = value.as_array().filter(|values| lengths.contains(&values.len()))?;
            let mut list = Vec::with_capacity(values.len());
            for value in values {
                list.push(as_usize(value)?);
            }
            Some(list)
        })
    }

    /// The value under `key` as `read` takes it; absent is fine, another type is not.
    pub fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(self.mistyped(key, expected, value)),
        }
    }

    /// (A function of its own, since the one that calls it is compiled for every type.)
    #[cold]
    #[inline(never)]
    fn mistyped(&self, key: &str, expected: &str, value: &Value) -> Error {
        self.problem(format!("`{key}` should be {expected}, not {}.", shorten(value)))
    }

    pub fn missing(&self, key: &str) -> Error {
        self.problem(format!("`{key}` is missing."))
    }

    /// An error about this file.
    pub fn problem(&self, problem: String) -> Error {
        problem_with(self.file, problem)
    }
}

/// JSON as Python writes it: a byte order mark may come first, and NaN and the infinities have names. These become the texts that `str()` makes of them, so
/// that they hurt nobody but who asks for a number.
pub(super) fn read(text: &str) -> serde_json::Result<Value> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).as_bytes();
    serde_json::from_slice(text).or_else(|_| serde_json::from_slice(&quote_names(text)))
}

/// The same text with Python's names of numbers quoted, where they are not within a text.
fn quote_names(text: &[u8]) -> Vec<u8> {
    const NAMES: [(&[u8], &[u8]); 3] = [(b"NaN", b"\"nan\""), (b"-Infinity", b"\"-inf\""), (b"Infinity", b"\"inf\"")];
    let mut quoted = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut within = false;
    while let Some(next) = rest.first() {
        let mut length = 1;
        if let Some((name, text)) = NAMES.iter().find(|(name, _)| !within && rest.starts_with(name)) {
            quoted.extend_from_slice(text);
            rest = &rest[name.len()..];
            continue;
        } else if *next == b'"' {
            within = !within;
        } else if *next == b'\\' && rest.len() > 1 {
            length = 2;
        }
        quoted.extend_from_slice(&rest[..length]);
        rest = &rest[length..];
    }
    quoted
}

/// What Python's `str()` makes of a value.
pub(super) fn as_text(value: &Value) -> Option<String> {
    Some(match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Null => "None".into(),
        Value::Array(_) | Value::Object(_) => return None,
    })
}

/// A number past what this machine can count becomes the largest: whoever bounds it then says the same on 32 and 64 bits.
pub(super) fn as_usize(value: &Value) -> Option<usize> {
    value.as_u64().map(|number| usize::try_from(number).unwrap_or(usize::MAX))
}

pub(super) fn as_pair(value: &Value) -> Option<[usize; 2]> {
    match value {
        Value::Array(edges) => match edges.as_slice() {
            [height, width] => Some([as_usize(height)?, as_usize(width)?]),
            _ => None,
        },
        _ => as_usize(value).map(|edge| [edge, edge]),
    }
}

fn problem_with(file: &'static str, problem: String) -> Error {
    if file == CONFIG_FILE {
        ErrorKind::InvalidConfig(problem).into()
    } else {
        ErrorKind::InvalidPreprocessor { file, problem }.into()
    }
}

/// A value as JSON. (Its `Display` does the same by code of its own.)
pub(super) fn text_of(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A value as a message can carry it.
fn shorten(value: &Value) -> String {
    let mut text = text_of(value);
    let end = text.char_indices().nth(60).map(|(end, _)| end);
    if let Some(end) = end {
        text.truncate(end);
        text.push('…');
    }
    text
}
