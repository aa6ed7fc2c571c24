//! Weights split over several files, read as one.

use super::json::{Json, read};
use super::names::wrapping;
use super::tensors::{Source, Tensors};
use super::{CONFIG_FILE, INDEX_FILE, alias};
use crate::error::{ErrorKind, Result};
use serde_json::{Value, json};

/// The files of a split checkpoint behind one another, under a header that lists the tensors of all.
pub struct Shards<S> {
    header: Vec<u8>,
    parts: Vec<Part<S>>,
    length: usize,
}

/// The tensors of one file.
struct Part<S> {
    /// Where its tensors begin in the whole.
    first: usize,
    /// Where they begin in the file.
    start: usize,
    source: S,
}

impl<S: Source> Shards<S> {
    /// The names of the files to be read, from the text of `model.safetensors.index.json`: those that have more than other parts' tensors, if by the text of
    /// `config.json` the model is part of something larger.
    pub fn files(index: &str, config: &str) -> Result<Vec<String>> {
        let invalid = |problem: &str| ErrorKind::InvalidWeights { file: INDEX_FILE.into(), problem: problem.into() };
        let index = read(index).map_err(|error| invalid(&format!("it is not valid JSON ({error}).")))?;
        let map = index.get("weight_map").and_then(Value::as_object).filter(|map| !map.is_empty());
        let map = map.ok_or_else(|| invalid("it has no `weight_map` that says which file each tensor is in."))?;
        let names: Vec<_> = map.keys().cloned().collect();
        let others = others(config, &names);
        let mut files: Vec<String> = Vec::new();
        for (name, file) in map {
            let file = file.as_str().filter(|file| is_plain(file));
            let file = file.ok_or_else(|| invalid("its `weight_map` should name files of the same folder."))?;
            let place = files.partition_point(|known| known.as_str() < file);
            let known = files.get(place).is_some_and(|known| known == file);
            if !known && !others.iter().any(|other| name.starts_with(other)) {
                files.insert(place, file.into());
            }
        }
        Ok(files)
    }

    /// From the name and the bytes of each file.
    pub fn new(files: Vec<(String, S)>) -> Result<Self> {
        let mut header = serde_json::Map::new();
        let mut parts: Vec<Part<S>> = Vec::with_capacity(files.len());
        let mut total = 0usize;
        for (name, source) in files {
            let tensors = Tensors::open(&name, &source)?;
            // (As this file has them: what the names of all begin with shows in the whole.)
            for tensor in tensors.metadata().offset_keys() {
                let info = tensors.metadata().info(&tensor).expect("it is listed");
                let offsets = [info.data_offsets.0 + total, info.data_offsets.1 + total];
                let entry = json!({"dtype": info.dtype.to_string(), "shape": info.shape, "data_offsets": offsets});
                if header.insert(tensor.clone(), entry).is_some() {
                    return Err(tensors.invalid(format!("tensor `{tensor}` is in another file too.")));
                }
            }
            if let Some(notes) = tensors.metadata().metadata() {
                header.entry("__metadata__").or_insert_with(|| json!(notes));
            }
            let (start, size) = (tensors.start(), source.len() - tensors.start());
            total = total
                .checked_add(size)
                .ok_or_else(|| ErrorKind::OutOfMemory { what: "the weights", bytes: total as u128 + size as u128 })?;
            parts.push(Part { first: total - size, start, source });
        }
        let text = Value::Object(header).to_string();
        let header = [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
        let length = header.len().checked_add(total);
        let length = length.ok_or(ErrorKind::OutOfMemory { what: "the weights", bytes: total as u128 })?;
        Ok(Self { header, parts, length })
    }
}

/// What the names of tensors begin with that no encoder has. (What is wrong with a config, its reader says.)
fn others(config: &str, names: &[String]) -> Vec<String> {
    let found = Json::parse(CONFIG_FILE, config).and_then(|config| alias::find(&config));
    let wrapping = wrapping(names, &[]);
    let mut others = found.map(|found| found.others_within(wrapping)).unwrap_or_default();
    others.push([wrapping, "text_model."].concat());
    others
}

/// Whether a name can't lead out of its folder, as part of a path or of a URL.
fn is_plain(name: &str) -> bool {
    let escaped = |escape: &str| name.to_ascii_lowercase().contains(escape);
    !matches!(name, "" | "." | "..")
        && !name.contains(['/', '\\', ':'])
        && !["%2e", "%2f", "%5c"].into_iter().any(escaped)
}

impl<S: Source> Source for Shards<S> {
    fn len(&self) -> usize {
        self.length
    }

    fn read(&self, offset: usize, target: &mut [u8]) {
        let (header, tensors) = target.split_at_mut(target.len().min(self.header.len().saturating_sub(offset)));
        header.copy_from_slice(&self.header[offset.min(self.header.len())..][..header.len()]);
        let mut from = (offset + header.len()).saturating_sub(self.header.len());
        let mut rest = tensors;
        // A tensor is in one file; whoever reads across is served too.
        while !rest.is_empty() {
            let part = &self.parts[self.parts.partition_point(|part| part.first <= from) - 1];
            let inside = part.start + from - part.first;
            let count = rest.len().min(part.source.len() - inside);
            let (now, later) = rest.split_at_mut(count);
            part.source.read(inside, now);
            from += count;
            rest = later;
        }
    }
}
