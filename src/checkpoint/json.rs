//! Typed access to a JSON object, with errors that name the file and the key.

use super::CONFIG_FILE;
use crate::error::{Error, Result};
use serde_json::Value;

/// A JSON object from a model folder.
#[derive(Clone)]
pub(super) struct Json {
    pub file: &'static str,
    value: Value,
}

impl Json {
    pub fn parse(file: &'static str, text: &str) -> Result<Self> {
        match serde_json::from_str(text) {
            Ok(value @ Value::Object(_)) => Ok(Self { file, value }),
            Ok(_) => Err(problem_with(file, "it is not a JSON object.".into())),
            Err(error) => {
                Err(problem_with(file, format!("it is not valid JSON ({error}). Fetch or copy the file again.")))
            }
        }
    }

    /// The object under `key`, if there is one.
    pub fn object(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key)?;
        value.is_object().then(|| Self { file: self.file, value: value.clone() })
    }

    /// The raw value; an explicit null counts as absent.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.value.get(key).filter(|value| !value.is_null())
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.value.as_object().into_iter().flatten().map(|(key, _)| key.as_str())
    }

    pub fn optional_str(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    pub fn optional_bool(&self, key: &str) -> Result<Option<bool>> {
        self.typed(key, "true or false", Value::as_bool)
    }

    pub fn optional_f32(&self, key: &str) -> Result<Option<f32>> {
        self.typed(key, "a number", |value| value.as_f64().map(|x| x as f32))
    }

    pub fn optional_usize(&self, key: &str) -> Result<Option<usize>> {
        self.typed(key, "a whole number", as_usize)
    }

    /// `[height, width]`, from one number for both or from two.
    pub fn optional_pair(&self, key: &str) -> Result<Option<[usize; 2]>> {
        self.typed(key, "one whole number or two", as_pair)
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
            None => Err(self.problem(format!("`{key}` should be {expected}, not {}.", shorten(value)))),
        }
    }

    pub fn missing(&self, key: &str) -> Error {
        self.problem(format!("`{key}` is missing."))
    }

    /// An error about this file.
    pub fn problem(&self, problem: String) -> Error {
        problem_with(self.file, problem)
    }
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
    if file == CONFIG_FILE { Error::InvalidConfig(problem) } else { Error::InvalidPreprocessor { file, problem } }
}

/// A value as a message can carry it.
fn shorten(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
