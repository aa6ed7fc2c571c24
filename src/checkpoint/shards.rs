//! Weights split over several files, read as one.

use super::header::{Entry, Header};
use super::json::{Json, read, text_of};
use super::names::{holds, wrapping};
use super::tensors::{Source, Tensors};
use super::{CONFIG_FILE, INDEX_FILE, alias};
use crate::error::{ErrorKind, Result};
use serde_json::{Map, Value};

/// The files of a split checkpoint behind one another, under a header that lists the tensors of all.
pub struct Shards<S> {
    header: Vec<u8>,
    parts: Vec<Part<S>>,
    length: u64,
}

/// The tensors of one file.
struct Part<S> {
    /// Where its tensors begin in the whole.
    first: u64,
    /// Where they begin in the file.
    start: u64,
    /// Where they end in it.
    end: u64,
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
        let mut header = Map::new();
        let mut parts: Vec<Part<S>> = Vec::with_capacity(files.len());
        let mut total = 0u64;
        for (name, source) in files {
            let tensors = Tensors::open(&name, &source)?;
            // (As this file has them: what the names of all begin with shows in the whole.)
            let &Header { ref entries, ref notes, start } = tensors.header();
            for Entry { name: tensor, dtype, shape, begin, end } in entries {
                let offsets = [begin, end].map(|offset| offset - start + total);
                let shape: Vec<u64> = shape.iter().map(|dim| *dim as u64).collect();
                let mut entry = Map::new();
                entry.insert("dtype".into(), dtype.to_string().into());
                entry.insert("shape".into(), shape.into());
                entry.insert("data_offsets".into(), offsets.to_vec().into());
                if header.insert(tensor.clone(), entry.into()).is_some() {
                    return Err(tensors.invalid(format!("tensor `{tensor}` is in another file too.")));
                }
            }
            if !notes.is_empty() {
                header.entry("__metadata__").or_insert_with(|| notes.clone().into());
            }
            let size = tensors.header().data();
            parts.push(Part { first: total, start, end: start + size, source });
            total = total.checked_add(size).ok_or_else(|| ErrorKind::OutOfMemory {
                what: "the weights",
                bytes: u128::from(total) + u128::from(size),
            })?;
        }
        let text = text_of(&Value::Object(header));
        let header = [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
        let length = total.saturating_add(header.len() as u64);
        Ok(Self { header, parts, length })
    }

    /// Which file has what lies at an offset, and where in it.
    pub fn place(&self, offset: u64) -> (usize, u64) {
        let offset = offset.saturating_sub(self.header.len() as u64);
        let file = self.parts.partition_point(|part| part.first <= offset).saturating_sub(1);
        let part = &self.parts[file];
        (file, part.start + (offset - part.first))
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
    let escaped = |escape: &str| holds(&name.to_ascii_lowercase(), escape);
    !matches!(name, "" | "." | "..")
        && !name.contains(['/', '\\', ':'])
        && !["%2e", "%2f", "%5c"].into_iter().any(escaped)
}

impl<S: Source> Source for Shards<S> {
    fn size(&self) -> Option<u64> {
        Some(self.length)
    }

    fn read(&self, offset: u64, target: &mut [u8]) {
        let own = self.header.get(offset.min(self.header.len() as u64) as usize..).unwrap_or_default();
        let (header, tensors) = target.split_at_mut(target.len().min(own.len()));
        header.copy_from_slice(&own[..header.len()]);
        let mut from = offset + header.len() as u64;
        let mut rest = tensors;
        // A tensor is in one file; whoever reads across is served too.
        while !rest.is_empty() {
            let (file, inside) = self.place(from);
            let part = &self.parts[file];
            let count = rest.len().min(usize::try_from(part.end - inside).unwrap_or(usize::MAX));
            let (now, later) = rest.split_at_mut(count);
            part.source.read(inside, now);
            from += count as u64;
            rest = later;
        }
    }
}
