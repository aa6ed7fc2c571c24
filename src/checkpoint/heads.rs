//! The layers that turn features into classes.

use super::reader::{Bias, Reader};
use crate::error::Result;
use crate::model::{Config, Linear, Pooling};

/// The head `single`, or the two heads `pair` whose answers are averaged; none where there are no classes.
pub(super) fn read_heads(config: &Config, reader: &mut Reader, single: &str, pair: [&str; 2]) -> Result<Vec<Linear>> {
    let classes = config.classes();
    if classes == 0 {
        return Ok(Vec::new());
    }
    let mut read = |name: &str, inputs: usize, scale: Option<Vec<f32>>| {
        reader.linear(&[(name, Bias::Required)], inputs, classes, scale)
    };
    match config.pooling {
        Pooling::ClsDistillation => {
            pair.into_iter().map(|name| read(name, config.hidden_size, Some(vec![0.5; classes]))).collect()
        }
        _ => Ok(vec![read(single, config.feature_size(), None)?]),
    }
}
