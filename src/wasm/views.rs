//! Views of a recorded trace: they need no model, so a page can have them in an instance of its own.

use super::js::{Float32Array, Result};
use crate::alloc::{matrix, zeros};
use crate::error::{self, Error, ErrorKind};
use crate::explain::{self, Attentions, HeadMap, Query, Rollout, Shape};
use crate::model::{Prefix, Window, WindowKind};
use ndarray::{Array2, ArrayView3};
use std::ops::Range;
use wasm_bindgen::prelude::*;

/// What the traces of a model of this shape show.
#[wasm_bindgen]
pub struct Views {
    shape: Shape,
    /// Of which queries attention has rows, if not of all: the number of the one that is read, and how many there are.
    kept: Option<[usize; 2]>,
    /// What is read of a trace at a time.
    buffer: Vec<f32>,
}

#[wasm_bindgen]
impl Views {
    /// `prefix`: `class`, `distillation` or `register`, in order.
    #[allow(clippy::too_many_arguments)] // JavaScript's side of it is one line in one place.
    #[wasm_bindgen(constructor)]
    pub fn new(
        layers: usize,
        heads: usize,
        prefix: Vec<String>,
        rows: usize,
        cols: usize,
        patch_height: f32,
        patch_width: f32,
        hidden_size: usize,
    ) -> Self {
        let kind = |name: &String| match name.as_str() {
            "class" => Prefix::Class,
            "distillation" => Prefix::Distillation,
            _ => Prefix::Register,
        };
        let prefix = prefix.iter().map(kind).collect();
        let (grid, patch_size) = ([rows, cols], [patch_height, patch_width]);
        let shape = Shape { layers, heads, prefix, grid, patch_size, hidden_size, window: None };
        Self { shape, kept: None, buffer: Vec::new() }
    }

    /// What is read from now on has the rows of `count` queries alone, of which number `place` is the one that is asked for.
    pub fn keep(&mut self, place: usize, count: usize) {
        self.kept = Some([place, count]);
    }

    /// Its tokens attend within windows: `strided`, or tiles, rolled so far down and to the right.
    pub fn cut(&mut self, strided: bool, height: usize, width: usize, down: usize, right: usize, pads_first: bool) {
        let kind = if strided { WindowKind::Strided } else { WindowKind::Tiles };
        let (size, shift) = ([height, width], [down, right]);
        self.shape.window = Some(Window { kind, size, shift, pads_first, twice_apart: false });
    }

    /// `[rows · cols]`: the patches that a query's own window lets it look at; none where it sees all, or is several tokens.
    pub fn within(&self, query: Option<String>) -> Result<Option<Vec<u8>>> {
        let seen = self.shape.within(parse_query(query.as_deref(), self.shape.default_query())?)?;
        Ok(seen.map(|seen| seen.into_iter().map(u8::from).collect()))
    }

    /// `[rows · cols]`; `head`: a number, `mean`, `max` or `min`.
    #[wasm_bindgen(js_name = headMap)]
    pub fn head_map(
        &mut self,
        attentions: &Float32Array,
        head: &str,
        query: Option<String>,
        mass: Option<f32>,
        clip: Option<f32>,
    ) -> Result<Float32Array> {
        self.view(attentions, &|shape, attentions| {
            let map = HeadMap {
                layer: 0,
                heads: head.parse()?,
                query: parse_query(query.as_deref(), shape.default_query())?,
                mass,
                clip,
            };
            map.compute(shape, attentions)
        })
    }

    /// `[rows · cols]`; `fusion`: `mean`, `max` or `min`.
    pub fn rollout(
        &mut self,
        attentions: &Float32Array,
        fusion: &str,
        discard: f64,
        query: Option<String>,
    ) -> Result<Float32Array> {
        self.view(attentions, &|shape, attentions| {
            let rollout = Rollout {
                fusion: fusion.parse()?,
                discard,
                query: parse_query(query.as_deref(), shape.default_query())?,
            };
            rollout.compute(shape, attentions)
        })
    }

    /// `[layers · heads]`, in pixels.
    pub fn distance(&mut self, attentions: &Float32Array) -> Result<Float32Array> {
        self.view(attentions, &|shape, attentions| {
            Ok(explain::distance(shape, attentions)?.into_raw_vec_and_offset().0)
        })
    }

    /// `[layers · heads]`, in nats.
    pub fn entropy(&mut self, attentions: &Float32Array) -> Result<Float32Array> {
        self.view(attentions, &|shape, attentions| Ok(explain::entropy(shape, attentions)?.into_raw_vec_and_offset().0))
    }

    /// `[rows · cols · 3]`.
    pub fn features(&self, tokens: &Float32Array) -> Result<Float32Array> {
        let tokens = self.tokens(tokens)?;
        answer(explain::features(&self.shape, tokens.view())?.into_raw_vec_and_offset().0)
    }

    /// `[rows · cols]`.
    pub fn similarity(&self, tokens: &Float32Array, query: Option<String>) -> Result<Float32Array> {
        let tokens = self.tokens(tokens)?;
        answer(explain::similarity(
            &self.shape,
            tokens.view(),
            parse_query(query.as_deref(), self.shape.default_query())?,
        )?)
    }
}

/// Makes a view of what was recorded.
type Compute<'a> = dyn Fn(&Shape, &mut dyn Attentions) -> error::Result<Vec<f32>> + 'a;

impl Views {
    fn view(&mut self, array: &Float32Array, compute: &Compute) -> Result<Float32Array> {
        let Self { shape, kept, buffer } = self;
        let ([windows, n], tokens) = (shape.window_size(), shape.tokens());
        match *kept {
            None => check_length("attentions", array, &[shape.layers, windows, shape.heads, n, n])?,
            Some([_, count]) => check_length("attentions", array, &[shape.layers, shape.heads, count, tokens])?,
        }
        let mut recorded = Recorded { array, shape, kept: *kept, buffer, thrown: None };
        let map = compute(shape, &mut recorded);
        match recorded.thrown {
            Some(thrown) => Err(thrown),
            None => answer(map?),
        }
    }

    /// `[T, D]`.
    fn tokens(&self, tokens: &Float32Array) -> Result<Array2<f32>> {
        let shape = [self.shape.tokens(), self.shape.hidden_size];
        check_length("hiddenStates", tokens, &shape)?;
        let mut values = matrix("tokens", shape[0], shape[1])?;
        tokens.read(0, values.as_slice_mut().expect("allocated in standard order"))?;
        Ok(values)
    }
}

/// Attention in JavaScript's memory `[L, windows, heads, n, n]`, or of the rows that were kept `[L, heads, rows, T]`.
struct Recorded<'a> {
    array: &'a Float32Array,
    shape: &'a Shape,
    kept: Option<[usize; 2]>,
    buffer: &'a mut Vec<f32>,
    /// What JavaScript threw, which is no error of a view's.
    thrown: Option<JsValue>,
}

impl Attentions for Recorded<'_> {
    fn read(
        &mut self,
        layer: usize,
        window: usize,
        heads: Range<usize>,
        queries: Range<usize>,
    ) -> error::Result<ArrayView3<'_, f32>> {
        let [windows, n] = self.shape.window_size();
        let (matrices, queries, rows, keys) = match self.kept {
            None => (layer * windows + window, queries, n, n),
            Some([place, count]) => (layer, place..place + 1, count, self.shape.tokens()),
        };
        let (shape, size) = ((heads.len(), queries.len(), keys), queries.len() * keys);
        if self.buffer.len() != heads.len() * size {
            *self.buffer = Vec::new(); // what it holds goes before more is asked for
            *self.buffer = zeros("attention", &[heads.len(), size])?;
        }
        for (head, target) in heads.zip(self.buffer.chunks_exact_mut(size)) {
            let first = ((matrices * self.shape.heads + head) * rows + queries.start) * keys;
            if let Err(thrown) = self.array.read(first, target) {
                self.thrown = Some(thrown);
            }
        }
        Ok(ArrayView3::from_shape(shape, self.buffer.as_slice()).expect("the buffer has this size"))
    }

    fn unrolled(&self) -> bool {
        self.kept.is_some()
    }
}

/// The query that was asked for, or the usual one.
pub(super) fn parse_query(query: Option<&str>, usual: Query) -> error::Result<Query> {
    query.map_or(Ok(usual), str::parse)
}

pub(super) fn check_length(what: &str, array: &Float32Array, shape: &[usize]) -> Result<()> {
    let length = array.len()?;
    if length == shape.iter().product::<usize>() {
        return Ok(());
    }
    Err(Error::from(ErrorKind::InvalidArgument(format!("{what} has {length} values, where this model has {shape:?}.")))
        .into())
}

pub(super) fn answer(values: Vec<f32>) -> Result<Float32Array> {
    Float32Array::of(&values)
}
