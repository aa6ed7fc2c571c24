//! What a query attends to, in a head or in all heads of a layer.

use super::attention::Attentions;
use super::rows::{mean, rows};
use super::shape::{Query, Shape, invalid};
use crate::alloc::{matrix, zeros};
use crate::error::{Error, Result, shown};
use crate::kernels::rows::add_scaled;
use crate::kernels::softmax::scale_in_place;
use crate::model::Windows;
use ndarray::{Array2, ArrayView3};
use std::ops::Range;

/// How the heads of a layer become one matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fusion {
    /// The mean over the heads.
    Mean,
    /// The largest value of any head.
    Max,
    /// The smallest.
    Min,
}

/// One head, or all of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heads {
    /// By number.
    One(usize),
    /// Fused.
    All(Fusion),
}

impl std::str::FromStr for Fusion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "mean" => Ok(Self::Mean),
            "max" => Ok(Self::Max),
            "min" => Ok(Self::Min),
            _ => Err(invalid(format!("heads can't be fused by `{text}`. Use `mean`, `max` or `min`."))),
        }
    }
}

impl std::str::FromStr for Heads {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text.parse(), text.parse()) {
            (Ok(head), _) => Ok(Self::One(head)),
            (_, Ok(fusion)) => Ok(Self::All(fusion)),
            _ => Err(invalid(format!("head `{text}` is unknown. Use a number, `mean`, `max` or `min`."))),
        }
    }
}

impl Fusion {
    /// `[heads, rows, T]` → `[rows, T]`.
    pub(super) fn fuse(self, attention: ArrayView3<f32>, fused: &mut Array2<f32>) {
        let (heads, _, tokens) = attention.dim();
        let fused = fused.as_slice_mut().expect("it is contiguous");
        for (number, head) in attention.outer_iter().enumerate() {
            for (fused, row) in fused.chunks_exact_mut(tokens).zip(rows(head)) {
                match self {
                    _ if number == 0 => fused.copy_from_slice(row),
                    Self::Mean => add_scaled(fused, 1.0, row),
                    Self::Max => combine(fused, row, |max, x| if x > max { x } else { max }),
                    Self::Min => combine(fused, row, |min, x| if x < min { x } else { min }),
                }
            }
        }
        if self == Self::Mean && heads > 1 {
            scale_in_place(fused, 1.0 / heads as f32);
        }
    }
}

fn combine(fused: &mut [f32], row: &[f32], choose: impl Fn(f32, f32) -> f32) {
    fused.iter_mut().zip(row).for_each(|(fused, x)| *fused = choose(*fused, *x));
}

/// The attention a query gives to each patch; what goes to other tokens is left out.
#[derive(Clone, Copy, Debug)]
pub struct HeadMap {
    /// Number of the block.
    pub layer: usize,
    /// Which head, or how all are fused.
    pub heads: Heads,
    /// Whose attention.
    pub query: Query,
    /// Keep the patches that together hold this share of the map, 0 to 1, and make the others 0 (DINO; Caron et al., 2021).
    pub mass: Option<f32>,
    /// Cut what is above this percentile, 0 to 100, down to it: some patches of large models hold a great deal of nothing.
    pub clip: Option<f32>,
}

impl HeadMap {
    /// `[N]`.
    pub fn compute(&self, shape: &Shape, attentions: &mut dyn Attentions) -> Result<Vec<f32>> {
        let mut map = self.row(shape, attentions)?.split_off(shape.prefix.len());
        if let Some(mass) = self.mass {
            keep_mass(&mut map, within("mass", mass, 1.0)?);
        }
        if let Some(percentile) = self.clip {
            let percentile = within("clip", percentile, 100.0)?;
            match shape.within(self.query)? {
                None => clip(&mut map, percentile),
                // (What lies outside is 0 whatever it is, and no measure.)
                Some(seen) => {
                    let own = || seen.iter().enumerate().filter(|(_, seen)| **seen).map(|(patch, _)| patch);
                    let mut values: Vec<f32> = own().map(|patch| map[patch]).collect();
                    clip(&mut values, percentile);
                    own().zip(values).for_each(|(patch, value)| map[patch] = value);
                }
            }
        }
        Ok(map)
    }

    /// `[T]`: what is given to every token, before any is left out.
    pub fn row(&self, shape: &Shape, attentions: &mut dyn Attentions) -> Result<Vec<f32>> {
        let layer = shape.check_layer(self.layer)?;
        let queries = shape.query_tokens(self.query)?;
        let (heads, fusion) = match self.heads {
            Heads::One(head) => (shape.check_head(head)?..head + 1, Fusion::Mean),
            Heads::All(fusion) => (0..shape.heads, fusion),
        };
        if let Some(windows) = shape.windows()?.filter(|_| !attentions.unrolled()) {
            return in_windows(&windows, queries, (layer, heads, fusion), attentions);
        }
        let attention = attentions.read(layer, 0, heads, queries)?;
        let mut fused = matrix("attention", attention.dim().1, shape.tokens())?;
        fusion.fuse(attention, &mut fused);
        Ok(mean(fused.view()))
    }
}

/// `[T]`: the mean of what these tokens give each, every one in its window; what goes to padding is left out.
fn in_windows(
    windows: &Windows,
    queries: Range<usize>,
    (layer, heads, fusion): (usize, Range<usize>, Fusion),
    attentions: &mut dyn Attentions,
) -> Result<Vec<f32>> {
    let (tokens, n, share) = (windows.places.len(), windows.n(), 1.0 / queries.len() as f32);
    let (read_of, slots) = match queries.len() {
        1 => {
            let [window, slot] = windows.place(queries.start);
            (window..window + 1, slot..slot + 1)
        }
        _ => (0..windows.count, 0..n),
    };
    let mut fused = matrix("attention", slots.len(), n)?;
    let mut map = zeros("a map", &[tokens])?;
    for window in read_of {
        fusion.fuse(attentions.read(layer, window, heads.clone(), slots.clone())?, &mut fused);
        let keys = windows.slots_of(window);
        for (slot, row) in slots.clone().zip(rows(fused.view())) {
            if (keys[slot] as usize) < tokens {
                for (key, x) in keys.iter().zip(row) {
                    if let Some(sum) = map.get_mut(*key as usize) {
                        *sum += share * x;
                    }
                }
            }
        }
    }
    Ok(map)
}

fn within(what: &str, value: f32, most: f32) -> Result<f32> {
    if value > 0.0 && value <= most {
        return Ok(value);
    }
    Err(invalid(format!("{what} is {}; it must be above 0 and at most {}.", shown(value), shown(most))))
}

/// Makes the smallest values 0 that together hold no more than 1 − `mass` of the sum.
fn keep_mass(map: &mut [f32], mass: f32) {
    let total: f32 = map.iter().sum();
    let mut order: Vec<usize> = (0..map.len()).collect();
    order.sort_by(|a, b| map[*a].total_cmp(&map[*b]));
    let mut sum = 0.0;
    for patch in order {
        sum += map[patch];
        if sum > (1.0 - mass) * total {
            break;
        }
        map[patch] = 0.0;
    }
}

/// Cuts values above a percentile, interpolated between the two nearest, down to it.
fn clip(map: &mut [f32], percentile: f32) {
    let mut sorted = map.to_vec();
    sorted.sort_by(f32::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return };
    let at = percentile / 100.0 * last as f32;
    let below = (at as usize).min(last);
    let limit = sorted[below] + (at - below as f32) * (sorted[last.min(below + 1)] - sorted[below]);
    map.iter_mut().for_each(|value| *value = value.min(limit));
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// What is kept is the fewest patches that hold the mass, whatever their order.
    #[test]
    fn mass_keeps_the_largest() {
        for (mass, kept) in
            [(0.05, vec![0.0, 4.0, 0.0, 0.0]), (0.6, vec![0.0, 4.0, 3.0, 0.0]), (1.0, vec![1.0, 4.0, 3.0, 2.0])]
        {
            let mut map = vec![1.0, 4.0, 3.0, 2.0];
            keep_mass(&mut map, mass);
            assert_eq!(map, kept, "{mass}");
        }
    }

    /// numpy.percentile([1, 4, 3, 2], 50) is 2.5.
    #[test]
    fn clipping_interpolates() {
        for (percentile, limit) in [(50.0, 2.5), (100.0, 4.0), (1e-3, 1.00003)] {
            let mut map = vec![1.0, 4.0, 3.0, 2.0];
            clip(&mut map, percentile);
            let most = map.iter().fold(0.0f32, |max, x| max.max(*x));
            assert!((most - limit).abs() < 1e-5, "{percentile}: {map:?}");
        }
    }
}
