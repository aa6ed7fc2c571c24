//! The names of classes, as `config.json` may have them.

use super::json::Json;
use crate::error::Result;
use serde_json::Value;
use std::collections::BTreeMap;

/// The names under `key` by class: an object by index, or an array.
pub(super) fn read(json: &Json, key: &str) -> Result<Option<BTreeMap<usize, String>>> {
    let refuse = |what: String| json.problem(format!("`{key}` {what}."));
    let name = |class: usize, value: &Value| match as_text(value) {
        Some(name) => Ok((class, name)),
        None => Err(refuse(format!("should have a text for class {class}, not {value}"))),
    };
    match json.get(key) {
        None => return Ok(None),
        Some(Value::Array(names)) => names.iter().enumerate().map(|(class, value)| name(class, value)).collect(),
        Some(Value::Object(names)) => {
            let class = |key: &str| {
                key.trim().parse().map_err(|_| refuse(format!("has the key `{key}`, which is no index of a class")))
            };
            names.iter().map(|(key, value)| name(class(key)?, value)).collect()
        }
        Some(other) => Err(refuse(format!("should be an object or an array of names, not {other}"))),
    }
    .map(Some)
}

/// What Python's `str()` makes of a value.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(true) => Some("True".into()),
        Value::Bool(false) => Some("False".into()),
        Value::Null => Some("None".into()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether somebody named these classes: transformers calls them `LABEL_0`, `LABEL_1`, … where nobody did.
pub(super) fn are_names(labels: &[String]) -> bool {
    labels.iter().enumerate().any(|(class, label)| *label != format!("LABEL_{class}"))
}

/// Labels for classes nobody named. The count comes from a file: one past what a config may hold is left for its check to refuse.
pub(super) fn numbered(classes: usize) -> Vec<String> {
    (0..classes.min(crate::kernels::gemm_i8::MAX_K + 1)).map(numbered_one).collect()
}

/// The label of a class that nobody named.
pub(super) fn numbered_one(class: usize) -> String {
    format!("class {class}")
}
