//! Which class a name means.

use super::Config;
use crate::error::{Error, ErrorKind, Result};

/// Indices that an error lists.
const LISTED: usize = 20;

impl Config {
    /// The class that `name` means, if any: by the first of these steps that fits a label.
    ///
    /// 1. The label as it is written;
    /// 2. the label, whatever the case;
    /// 3. a part of it between commas as it is written: `tabby` of `tabby, tabby cat`;
    /// 4. such a part, whatever the case;
    /// 5. its index.
    ///
    /// What fits several labels at a step is an error. The package has the same rule (`pkg/lib/views/target.js`), and `tests/class_names.json`
    /// holds both to the same answers.
    pub fn class_named(&self, name: &str) -> Result<Option<usize>> {
        meant(&self.labels, name)
    }
}

fn meant(labels: &[String], name: &str) -> Result<Option<usize>> {
    let (folded, part) = (fold(name), trim(name));
    let folded_part = fold(part);
    let steps: [&dyn Fn(&str) -> bool; 4] = [
        &|label| label == name,
        &|label| fold(label) == folded,
        &|label| parts(label).any(|own| own == part),
        &|label| parts(label).any(|own| fold(own) == folded_part),
    ];
    for fits in steps {
        let found: Vec<usize> = (0..labels.len()).filter(|index| fits(&labels[*index])).collect();
        match *found {
            [] => {}
            [only] => return Ok(Some(only)),
            _ => return Err(ambiguous(name, &found)),
        }
    }
    let index = Some(part).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    Ok(index.and_then(|digits| digits.parse().ok()).filter(|index| *index < labels.len()))
}

fn ambiguous(name: &str, found: &[usize]) -> Error {
    let mut list: Vec<_> = found.iter().take(LISTED).map(usize::to_string).collect();
    if let Some(more) = found.len().checked_sub(LISTED).filter(|more| *more > 0) {
        list.push(format!("and {more} more"));
    }
    ErrorKind::InvalidArgument(format!(
        "`{name}` fits several classes: {}. Give the index of the one that is meant.",
        list.join(", ")
    ))
    .into()
}

/// Between commas, without the space around; what is empty is no name.
fn parts(label: &str) -> impl Iterator<Item = &str> {
    label.split(',').map(trim).filter(|part| !part.is_empty())
}

/// White space as JavaScript sees it.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| (c.is_whitespace() && c != '\u{85}') || c == '\u{feff}')
}

/// Each character in lower case by itself, so that no neighbour decides, and a final sigma as any other.
fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_str};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// The package's test reads the same table.
    #[test]
    fn names_mean_what_the_table_says() {
        let table: Value = from_str(include_str!("../../tests/class_names.json")).unwrap();
        for group in table.as_array().unwrap() {
            let labels = group["labels"].as_array().unwrap().iter().map(|label| label.as_str().unwrap().to_owned());
            let labels: Vec<_> = labels.collect();
            for (name, expected) in group["names"].as_object().unwrap() {
                let meant = meant(&labels, name);
                match expected {
                    Value::Array(indices) => {
                        let list: Vec<_> = indices
                            .iter()
                            .map(|entry| entry.as_str().map_or(entry.to_string(), str::to_owned))
                            .collect();
                        let error = meant.unwrap_err().to_string();
                        assert!(error.contains(&format!(": {}. ", list.join(", "))), "`{name}`: {error}");
                    }
                    _ => assert_eq!(Value::from(meant.unwrap()), *expected, "`{name}` among {labels:?}"),
                }
            }
        }
    }
}
