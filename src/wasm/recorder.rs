//! Records a forward pass in JavaScript's memory: wasm's own never shrinks, and needs to hold one layer only.

use super::js::{Float32Array, Object, Result};
use crate::alloc::zeros;
use crate::error::{self, Error, ErrorKind};
use crate::explain::{self, Attentions, HeadMap, Heads, Query, Rolled, Shape, mean};
use crate::model::{Config, Sink};
use ndarray::{ArrayView2, ArrayView3, ArrayViewMut3};
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
    /// `[windows, heads, n, n]` of the layer at work, or `[heads, rows, T]` of one that is recorded by rows, with room for the largest.
    layer: Vec<f32>,
    /// What each layer of the model has.
    shapes: Vec<Shape>,
    /// Those that are recorded, in order.
    layers: Vec<u32>,
    /// What is recorded, or what JavaScript threw meanwhile, of which the forward pass learns nothing. None between recordings.
    recorded: Option<Result<Recorded>>,
}

/// Of n layers.
struct Recorded {
    /// Of each `[windows, heads, n, n]`, or of the rows that are kept `[heads, rows, T]`.
    attentions: Option<Arrays>,
    /// The queries whose rows are kept,
    kept: Option<Vec<Query>>,
    /// and whether layers without windows compute no others.
    by_rows: bool,
    /// `[T, D]`, n + 1 of them: the embeddings, then the stream after each of the layers.
    hidden_states: Option<Arrays>,
    rolled: Option<Rolled>,
}

/// Parts of an array, or where no two need be alike an array each.
struct Arrays {
    arrays: Vec<Float32Array>,
    each: bool,
}

impl Recorder {
    /// Takes memory for a forward pass, before there is one to be interrupted.
    pub fn start(&mut self, config: &Config, wanted: Wanted) -> Result<()> {
        let Wanted { layers, attentions, hidden_states, .. } = wanted;
        let staged = config.is_staged();
        if staged && wanted.rollout.is_some() {
            return Err(explain::no_rollout().into());
        }
        let shapes: Vec<_> = (0..config.layers).map(|layer| Shape::of_layer(config, layer)).collect();
        let parse = |query: String| {
            let query = query.parse()?;
            // (Stages have grids of their own: one of them has to have it.)
            let known = shapes.iter().find_map(|shape| shape.query_tokens(query).ok());
            known.map_or_else(|| shapes[0].query_tokens(query), Ok).map(|_| query)
        };
        let kept = wanted.queries.map(|queries| queries.into_iter().map(parse).collect::<error::Result<Vec<_>>>());
        let roll = |(fusion, discard): (String, f64)| Rolled::new(&Shape::from(config), fusion.parse()?, discard);
        let (kept, rolled) = (kept.transpose()?, wanted.rollout.map(roll).transpose()?);
        let recorded = || layers.iter().filter_map(|layer| shapes.get(*layer as usize));

        // (The mean of all rows takes as long as all of them: in a plain ViT these are computed once, and fit.)
        let few = |kept: &Vec<Query>| staged || !kept.contains(&Query::Mean);
        let by_rows = rolled.is_none() && kept.as_ref().is_some_and(few);
        let whole = |shape: &Shape| size(shape, kept.as_deref().filter(|_| by_rows));
        let all = if rolled.is_some() { shapes.iter().map(whole).max() } else { None };
        let largest = all.max(if attentions { recorded().map(whole).max() } else { None }).unwrap_or(0);
        let sizes = recorded().map(|shape| match &kept {
            None => size(shape, None),
            Some(kept) => shape.heads * kept.len() * shape.tokens(),
        });
        let stream = |shape: &Shape| shape.tokens() * shape.hidden_size;
        let streams = shapes.iter().take(1).chain(recorded()).map(stream);
        let attentions = attentions.then(|| Arrays::new(ATTENTION, sizes.collect(), staged)).transpose()?;
        let hidden_states = hidden_states.then(|| Arrays::new(STREAMS, streams.collect(), staged)).transpose()?;
        // (Last, since this memory never shrinks.)
        if self.layer.len() < largest {
            self.layer = Vec::new(); // what it holds goes before more is asked for
            self.layer = zeros(ATTENTION, &[largest])?;
        }
        self.recorded = Some(Ok(Recorded { attentions, hidden_states, kept, by_rows, rolled }));
        (self.layers, self.shapes) = (layers, shapes);
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
        let put = |key, arrays: Option<Arrays>| arrays.map_or(Ok(()), |arrays| arrays.give(target, key));
        put("attentions", attentions)?;
        put("hiddenStates", hidden_states)?;
        let rollouts = rolled.map(|rolled| Float32Array::of(rolled.values())).transpose()?;
        rollouts.map_or(Ok(()), |rollouts| target.put("rollouts", &rollouts))
    }

    /// Which of the recorded layers this is.
    fn place(&self, layer: usize) -> Option<usize> {
        self.layers.iter().position(|recorded| *recorded as usize == layer)
    }

    /// Takes what there is behind `depth` blocks.
    fn write(&mut self, depth: usize, stream: ArrayView2<'_, f32>) -> Result<()> {
        let layer = depth.checked_sub(1);
        let row = layer.map_or(Some(0), |layer| Some(self.place(layer)? + 1));
        let Some(Ok(recorded)) = &mut self.recorded else { return Ok(()) };
        if let Some(shape) = layer.and_then(|layer| self.shapes.get(layer)) {
            let size = recorded.size(shape);
            let Recorded { attentions, kept, by_rows, rolled, .. } = recorded;
            let values = self.layer.get(..size).unwrap_or_default();
            if let Some(rolled) = rolled {
                let tokens = shape.tokens();
                let layer = ArrayView3::from_shape((shape.heads, tokens, tokens), values);
                rolled.add(layer.expect("the slice has this size"));
            }
            if let (Some(attentions), Some(row)) = (attentions, row) {
                match kept {
                    Some(kept) if shape.window.is_some() || !*by_rows => {
                        attentions.put(row - 1, &kept_rows(shape, values, kept)?)?
                    }
                    _ => attentions.put(row - 1, values)?,
                }
            }
        }
        match (&recorded.hidden_states, row) {
            (Some(states), Some(row)) => states.put(row, stream.as_slice().expect("allocated in standard order")),
            _ => Ok(()),
        }
    }
}

impl Sink for Recorder {
    fn watches(&self, layer: usize) -> usize {
        let Some(Ok(recorded)) = &self.recorded else { return 0 };
        let Recorded { attentions, hidden_states, kept, by_rows, rolled } = recorded;
        match (self.shapes.get(layer), self.place(layer)) {
            _ if rolled.is_some() => usize::MAX,
            (Some(shape), Some(_)) if hidden_states.is_none() => match (attentions, kept) {
                (None, _) => 0,
                (_, Some(kept)) if *by_rows && shape.window.is_none() => {
                    kept.iter().filter_map(|query| Some(shape.query_tokens(*query).ok()?.end)).max().unwrap_or(0)
                }
                _ => usize::MAX,
            },
            (_, Some(_)) => usize::MAX,
            _ => 0,
        }
    }

    fn attention(&mut self, layer: usize) -> Option<ArrayViewMut3<'_, f32>> {
        let Some(Ok(recorded)) = &self.recorded else { return None };
        let shape = self.shapes.get(layer)?;
        let wanted = recorded.rolled.is_some() || (recorded.attentions.is_some() && self.place(layer).is_some());
        let whole = wanted && (shape.window.is_some() || !recorded.by_rows);
        let [windows, n] = shape.window_size();
        let values = self.layer.get_mut(..size(shape, None)).filter(|_| whole)?;
        ArrayViewMut3::from_shape((windows * shape.heads, n, n), values).ok()
    }

    fn rows(&mut self, layer: usize) -> Option<(Vec<Range<usize>>, ArrayViewMut3<'_, f32>)> {
        self.place(layer)?;
        let Some(Ok(Recorded { attentions: Some(_), kept: Some(kept), by_rows: true, .. })) = &self.recorded else {
            return None;
        };
        let shape = self.shapes.get(layer)?;
        let rows = kept.iter().map(|query| shape.query_tokens(*query).unwrap_or(0..0)).collect();
        let values = self.layer.get_mut(..size(shape, Some(kept)))?;
        let view = ArrayViewMut3::from_shape((shape.heads, kept.len(), shape.tokens()), values);
        Some((rows, view.ok()?))
    }

    fn hidden_state(&mut self, depth: usize, stream: ArrayView2<'_, f32>) {
        if let Err(thrown) = self.write(depth, stream) {
            self.recorded = Some(Err(thrown));
        }
    }
}

const ATTENTION: &str = "recorded attention (`queries` or fewer `layers` take less)";
const STREAMS: &str = "recorded hidden states (fewer `layers` take less)";

/// What is recorded of models whose layers differ takes no more: 2 GiB.
const MOST: u128 = 1 << 31;

/// Values that a layer's attention takes while it is at work: where there is no window, of these rows alone.
fn size(shape: &Shape, rows: Option<&[Query]>) -> usize {
    match (rows, shape.window_size()) {
        (Some(rows), [_, tokens]) if shape.window.is_none() => shape.heads * rows.len() * tokens,
        (_, [windows, n]) => windows * shape.heads * n * n,
    }
}

impl Recorded {
    fn size(&self, shape: &Shape) -> usize {
        size(shape, self.kept.as_deref().filter(|_| self.by_rows))
    }
}

/// `[heads, rows, T]` of a layer's attention: the row of each query, in image order; zeros where its grid has no such patch.
fn kept_rows(shape: &Shape, values: &[f32], kept: &[Query]) -> error::Result<Vec<f32>> {
    let ([_, n], tokens) = (shape.window_size(), shape.tokens());
    let mut rows = zeros("recorded rows of attention", &[shape.heads, kept.len(), tokens])?;
    for (index, row) in rows.chunks_exact_mut(tokens).enumerate() {
        let (head, query) = (index / kept.len(), kept[index % kept.len()]);
        let Ok(queries) = shape.query_tokens(query) else { continue };
        if shape.window.is_some() {
            let map = HeadMap { layer: 0, heads: Heads::One(head), query, mass: None, clip: None };
            row.copy_from_slice(&map.row(shape, &mut OneHead { values, heads: shape.heads, n })?);
        } else {
            let first = (head * n + queries.start) * n;
            let own = ArrayView2::from_shape((queries.len(), n), &values[first..first + queries.len() * n]);
            row.copy_from_slice(&mean(own.expect("whole rows")));
        }
    }
    Ok(rows)
}

/// A layer's attention `[windows, heads, n, n]`, of which one head is read at a time.
struct OneHead<'a> {
    values: &'a [f32],
    heads: usize,
    n: usize,
}

impl Attentions for OneHead<'_> {
    fn read(
        &mut self,
        _layer: usize,
        window: usize,
        heads: Range<usize>,
        queries: Range<usize>,
    ) -> error::Result<ArrayView3<'_, f32>> {
        let (n, rows) = (self.n, queries.len());
        let first = ((window * self.heads + heads.start) * n + queries.start) * n;
        let own = &self.values[first..first + rows * n];
        Ok(ArrayView3::from_shape((1, rows, n), own).expect("whole rows"))
    }
}

impl Arrays {
    /// Parts of these lengths.
    fn new(what: &'static str, lengths: Vec<usize>, each: bool) -> Result<Self> {
        let all = lengths.iter().map(|length| *length as u128).sum::<u128>();
        let bytes = all * size_of::<f32>() as u128;
        let full = || Error::from(ErrorKind::OutOfMemory { what, bytes });
        // (What it throws is that there is no room.)
        let array = |length| Float32Array::zeros(length).map_err(|_| full());
        let arrays = if each && bytes > MOST {
            return Err(full().into());
        } else if each {
            lengths.into_iter().map(array).collect::<error::Result<_>>()?
        } else {
            vec![array(all as usize)?]
        };
        Ok(Self { arrays, each })
    }

    /// Writes part number `index`; of parts in one array all have this length.
    fn put(&self, index: usize, part: &[f32]) -> Result<()> {
        let (array, start) = if self.each { (index, 0) } else { (0, index * part.len()) };
        self.arrays.get(array).map_or(Ok(()), |array| array.write(start, part))
    }

    /// Gives them to `target`, as a list or as the one array.
    fn give(self, target: &Object, key: &str) -> Result<()> {
        if !self.each {
            return self.arrays.iter().try_for_each(|array| target.put(key, array));
        }
        let list = Object::of(&[(); 0])?;
        self.arrays.iter().enumerate().try_for_each(|(index, array)| list.put(&index.to_string(), array))?;
        target.put(key, &list)
    }
}
