//! Records a forward pass in JavaScript's memory: wasm's own never shrinks, and needs to hold one layer only.

use super::js::{Float32Array, Object, Result};
use crate::alloc::zeros;
use crate::error;
use crate::explain::{Rolled, Shape, mean};
use crate::model::Sink;
use ndarray::{Array3, ArrayView2, ArrayViewMut3};
use std::ops::Range;

/// What is to be recorded.
pub struct Wanted {
    /// Of these layers, in order.
    pub layers: Vec<u32>,
    /// The attention of every head,
    pub attentions: bool,
    /// of these queries, if not of all.
    pub queries: Option<Vec<String>>,
    /// The residual stream.
    pub hidden_states: bool,
    /// And of all layers the rollout by this fusion, with this share discarded.
    pub rollout: Option<(String, f64)>,
}

/// The attention of every head and the residual stream, copied to JavaScript layer by layer.
#[derive(Default)]
pub struct Recorder {
    /// `[heads, T, T]` of the layer at work, made for the first recording of attention.
    layer: Array3<f32>,
    /// Those that are recorded, in order.
    layers: Vec<u32>,
    /// What is recorded, or what JavaScript threw meanwhile, of which the forward pass learns nothing. None between recordings.
    recorded: Option<Result<Recorded>>,
}

/// Of n layers.
struct Recorded {
    /// `[n, heads, T, T]`, or of the rows that are kept `[n, heads, rows, T]`.
    attentions: Option<Float32Array>,
    /// The tokens of each query whose row is kept: several for the mean of theirs.
    kept: Option<Vec<Range<usize>>>,
    /// `[n + 1, T, D]`: the embeddings, then the stream after each of the layers.
    hidden_states: Option<Float32Array>,
    rolled: Option<Rolled>,
}

impl Recorder {
    /// Takes memory for a forward pass, before there is one to be interrupted.
    pub fn start(&mut self, shape: &Shape, wanted: Wanted) -> Result<()> {
        let (count, tokens) = (wanted.layers.len(), shape.tokens());
        let tokens_of = |query: String| shape.query_tokens(query.parse()?);
        let kept = wanted.queries.map(|queries| queries.into_iter().map(tokens_of).collect::<error::Result<Vec<_>>>());
        let roll = |(fusion, discard): (String, f64)| Rolled::new(shape, fusion.parse()?, discard);
        let (kept, rolled) = (kept.transpose()?, wanted.rollout.map(roll).transpose()?);
        if (wanted.attentions || rolled.is_some()) && self.layer.is_empty() {
            let shape = [shape.heads, tokens, tokens];
            let layer = zeros("recorded attention", &shape)?;
            self.layer = Array3::from_shape_vec(shape, layer).expect("the buffer has this size");
        }
        let rows = kept.as_ref().map_or(tokens, Vec::len);
        let array = |wanted: bool, length| wanted.then(|| Float32Array::zeros(length)).transpose();
        self.recorded = Some(Ok(Recorded {
            attentions: array(wanted.attentions, count * shape.heads * rows * tokens)?,
            kept,
            hidden_states: array(wanted.hidden_states, (count + 1) * tokens * shape.hidden_size)?,
            rolled,
        }));
        self.layers = wanted.layers;
        Ok(())
    }

    /// Gives up what is recorded.
    pub fn stop(&mut self) {
        self.recorded = None;
    }

    /// Gives what was recorded to `target`.
    pub fn finish(&mut self, target: &Object) -> Result<()> {
        let Some(recorded) = self.recorded.take() else { return Ok(()) };
        let Recorded { attentions, hidden_states, rolled, .. } = recorded?;
        let put = |key, array: Option<Float32Array>| array.map_or(Ok(()), |array| target.put(key, &array));
        put("attentions", attentions)?;
        put("hiddenStates", hidden_states)?;
        put("rollouts", rolled.map(|rolled| Float32Array::of(rolled.values())).transpose()?)
    }

    /// Which of the recorded layers this is.
    fn place(&self, layer: usize) -> Option<usize> {
        self.layers.iter().position(|recorded| *recorded as usize == layer)
    }

    /// Takes what there is behind `depth` blocks.
    fn write(&mut self, depth: usize, stream: ArrayView2<'_, f32>) -> Result<()> {
        let layer = depth.checked_sub(1);
        let row = layer.map_or(Some(0), |layer| Some(self.place(layer)? + 1));
        let Some(Ok(Recorded { attentions, kept, hidden_states, rolled })) = &mut self.recorded else { return Ok(()) };
        if let (Some(rolled), Some(_)) = (rolled, layer) {
            rolled.add(self.layer.view());
        }
        let Some(row) = row else { return Ok(()) };
        if let (Some(attentions), Some(_)) = (attentions, layer) {
            match kept {
                None => put(attentions, row - 1, self.layer.as_slice())?,
                Some(kept) => put_rows(attentions, row - 1, &self.layer, kept)?,
            }
        }
        hidden_states.as_ref().map_or(Ok(()), |states| put(states, row, stream.as_slice()))
    }
}

impl Sink for Recorder {
    fn attention(&mut self, layer: usize) -> Option<ArrayViewMut3<'_, f32>> {
        let Some(Ok(Recorded { attentions, rolled, .. })) = &self.recorded else { return None };
        let wanted = rolled.is_some() || (attentions.is_some() && self.place(layer).is_some());
        wanted.then(|| self.layer.view_mut())
    }

    fn hidden_state(&mut self, depth: usize, stream: ArrayView2<'_, f32>) {
        if let Err(thrown) = self.write(depth, stream) {
            self.recorded = Some(Err(thrown));
        }
    }
}

/// Writes these rows of every head of a layer, which is number `index` of those in the array.
fn put_rows(array: &Float32Array, index: usize, layer: &Array3<f32>, kept: &[Range<usize>]) -> Result<()> {
    let (heads, tokens, _) = layer.dim();
    let layer = layer.as_slice().expect("allocated in standard order");
    for (head, attention) in (index * heads..).zip(layer.chunks_exact(tokens * tokens)) {
        for (place, rows) in kept.iter().enumerate() {
            let values = &attention[rows.start * tokens..rows.end * tokens];
            let rows = ArrayView2::from_shape((rows.len(), tokens), values).expect("whole rows");
            put(array, head * kept.len() + place, Some(&mean(rows)))?;
        }
    }
    Ok(())
}

/// Writes part number `index` of an array of such parts.
fn put(array: &Float32Array, index: usize, part: Option<&[f32]>) -> Result<()> {
    let part = part.expect("allocated in standard order");
    array.write(index * part.len(), part)
}
