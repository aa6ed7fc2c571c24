//! The names of classes, as `config.json` may have them.

use super::json::{Json, as_text};
use crate::error::Result;
use serde_json::Value;

/// The names under `key`, an array or an object by class, of as many classes as there are names, or of `classes`, which may then lack some.
pub(super) fn read(json: &Json, key: &str, classes: Option<usize>) -> Result<Option<Vec<String>>> {
    let Some(names) = json.get(key) else { return Ok(None) };
    let count = names.as_array().map(Vec::len).or(names.as_object().map(|names| names.len()));
    let mut labels = numbered(classes.or(count).unwrap_or(0));
    let mut put = |class: Option<usize>, name: &Value| {
        let place = class.and_then(|class| labels.get_mut(class)).zip(as_text(name));
        place.map(|(place, name)| *place = name).is_some()
    };
    let fits = match names {
        Value::Array(names) => {
            classes.is_none_or(|classes| classes == names.len())
                && names.iter().enumerate().all(|(class, name)| put(Some(class), name))
        }
        Value::Object(names) => names.iter().all(|(class, name)| put(class.parse().ok(), name)),
        _ => false,
    };
    if !fits {
        let count = labels.len();
        return Err(json.problem(format!(
            "`{key}` should be an object or an array of the names of {count} classes, counted from 0."
        )));
    }
    Ok(Some(labels))
}

/// Whether somebody named these classes: transformers calls them `LABEL_0`, `LABEL_1`, … where nobody did.
pub(super) fn are_names(labels: &[String]) -> bool {
    labels.iter().enumerate().any(|(class, label)| *label != format!("LABEL_{class}"))
}

/// Labels for classes nobody named. The count comes from a file: one past what a config may hold is left for its check to refuse.
pub(super) fn numbered(classes: usize) -> Vec<String> {
    (0..classes.min(crate::kernels::gemm_i8::MAX_K + 1)).map(|class| format!("class {class}")).collect()
}
