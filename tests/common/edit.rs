//! Models made wrong on purpose, or otherwise than they were: copies of fixtures with changes.

use super::named;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;
use std::collections::BTreeMap;
use vitscope::checkpoint::ConfigFiles;
use vitscope::{Classifier, Error};

/// Format, shape and bytes of a tensor.
pub type Stored = (Dtype, Vec<usize>, Vec<u8>);

/// A model of these files alone.
pub fn load(config: &str, weights: &[u8]) -> Result<Classifier, Error> {
    Classifier::load(ConfigFiles { config, preprocessor: None, processor: None }, &weights.to_vec(), None)
}

/// The error of loading, which must have this code and mention all of `parts`.
#[track_caller]
pub fn refused(result: Result<Classifier, Error>, code: &str, parts: &[&str]) {
    let error = result.err().expect("this should have been refused");
    let message = error.to_string();
    assert_eq!(error.code(), code, "{message}");
    for part in parts {
        assert!(message.contains(part), "`{message}` should mention `{part}`");
    }
}

/// A copy of a config with changes; null removes a key.
pub fn edited(fixture: &str, changes: Value) -> String {
    let mut config: Value = serde_json::from_str(named(fixture).config).unwrap();
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(config.as_object_mut().unwrap().remove(key)),
            value => config[key] = value.clone(),
        }
    }
    config.to_string()
}

/// A safetensors file with this header text and body.
pub fn file(header: &str, body: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), body].concat()
}

/// A `text_embeddings.safetensors` of these tensors whose metadata has `labels` as this text.
pub fn texts(tensors: &[(&str, &[usize], &[f32])], labels: &str) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(.., values)| values.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap()));
    let metadata = [("labels".to_owned(), labels.to_owned())].into_iter().collect();
    safetensors::serialize(views, Some(metadata)).unwrap()
}

/// The fixture's file with its header edited.
pub fn reheaded(fixture: &str, edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    let weights = named(fixture).weights;
    let length = u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&weights[8..8 + length]).unwrap();
    edit(&mut header);
    file(&header.to_string(), &weights[8 + length..])
}

/// A safetensors file whose tensors are changed.
pub fn rewritten(weights: &[u8], change: impl FnOnce(&mut BTreeMap<String, Stored>)) -> Vec<u8> {
    let mut tensors: BTreeMap<String, Stored> = SafeTensors::deserialize(weights)
        .unwrap()
        .iter()
        .map(|(name, view)| (name.to_owned(), (view.dtype(), view.shape().to_vec(), view.data().to_vec())))
        .collect();
    change(&mut tensors);
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, bytes))| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

/// The same file with every tensor called otherwise.
pub fn renamed(weights: &[u8], name: impl Fn(&str) -> String) -> Vec<u8> {
    rewritten(weights, |tensors| {
        *tensors = std::mem::take(tensors).into_iter().map(|(old, tensor)| (name(&old), tensor)).collect();
    })
}

/// The same file in F64.
pub fn doubled(weights: &[u8]) -> Vec<u8> {
    rewritten(weights, |tensors| {
        for (dtype, _, bytes) in tensors.values_mut().filter(|(dtype, _, _)| *dtype == Dtype::F32) {
            *dtype = Dtype::F64;
            let values = bytes.as_chunks().0.iter().map(|value| f64::from(f32::from_le_bytes(*value)));
            *bytes = values.flat_map(f64::to_le_bytes).collect();
        }
    })
}

/// The same file with one more tensor of F32.
pub fn with_tensor(weights: &[u8], name: &str, shape: &[usize]) -> Vec<u8> {
    rewritten(weights, |tensors| {
        let bytes = vec![0; 4 * shape.iter().product::<usize>()];
        tensors.insert(name.into(), (Dtype::F32, shape.into(), bytes));
    })
}
