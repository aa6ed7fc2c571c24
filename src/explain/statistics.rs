//! What a head does on average: how far it looks, and at how many tokens.

use super::attention::Attentions;
use super::shape::Shape;
use crate::alloc::matrix;
use crate::error::Result;
use crate::kernels::dot::dot;
use crate::kernels::entropy;
use crate::model::Windows;
use ndarray::Array2;

/// Mean attention distance in pixels `[L, heads]`: how far from a patch the patches lie that it attends to, weighted by attention, as a
/// mean over all patches (ViT paper, figure 7 right). What goes to other tokens or to padding does not count.
pub fn distance(shape: &Shape, attentions: &mut impl Attentions) -> Result<Array2<f32>> {
    each_layer(shape, |layer| distance_of(shape, layer, attentions))
}

/// The same of one layer `[heads]`, whose shape this is.
pub fn distance_of(shape: &Shape, layer: usize, attentions: &mut impl Attentions) -> Result<Vec<f32>> {
    let [count, n] = shape.window_size();
    let windows = shape.windows()?;
    let mut sums = vec![0.0; shape.heads];
    // Of one query: how far all others lie, and whether they are patches at all.
    let (mut apart, mut counts) = (vec![0.0; n], vec![0.0; n]);
    for window in 0..count {
        let patches: Vec<_> = (0..n).map(|slot| patch(shape, windows.as_ref(), window, slot)).collect();
        let heads = attentions.read(layer, window, 0..shape.heads, 0..n)?;
        for (query, [y, x]) in patches.iter().enumerate().filter_map(|(slot, patch)| Some((slot, (*patch)?))) {
            for (slot, key) in patches.iter().enumerate() {
                let axis = |a: usize, b: usize, size: f32| a.abs_diff(b) as f32 * size;
                let [height, width] = shape.patch_size;
                (apart[slot], counts[slot]) = key.map_or((0.0, 0.0), |[row, column]| {
                    let (down, across) = (axis(y, row, height), axis(x, column, width));
                    ((down * down + across * across).sqrt(), 1.0)
                });
            }
            for (sum, head) in sums.iter_mut().zip(heads.outer_iter()) {
                let row = head.row(query).to_slice().expect("rows are contiguous");
                *sum += dot(row, &apart) / dot(row, &counts).max(f32::MIN_POSITIVE);
            }
        }
    }
    sums.iter_mut().for_each(|sum| *sum /= shape.patches() as f32);
    Ok(sums)
}

/// Entropy of attention in nats `[L, heads]`, as a mean over all queries: 0 where each attends to one token, ln T where to all alike.
pub fn entropy(shape: &Shape, attentions: &mut impl Attentions) -> Result<Array2<f32>> {
    each_layer(shape, |layer| entropy_of(shape, layer, attentions))
}

/// The same of one layer `[heads]`, whose shape this is; padding doesn't ask.
pub fn entropy_of(shape: &Shape, layer: usize, attentions: &mut impl Attentions) -> Result<Vec<f32>> {
    let ([count, n], tokens) = (shape.window_size(), shape.tokens());
    let windows = shape.windows()?;
    let asks =
        |window, slot: usize| windows.as_ref().is_none_or(|windows| (windows.slots_of(window)[slot] as usize) < tokens);
    let mut sums = vec![0.0; shape.heads];
    for window in 0..count {
        let heads = attentions.read(layer, window, 0..shape.heads, 0..n)?;
        for (sum, head) in sums.iter_mut().zip(heads.outer_iter()) {
            let rows = (0..n).filter(|slot| asks(window, *slot)).map(|slot| head.row(slot));
            *sum += rows.map(|row| entropy::entropy(row.to_slice().expect("rows are contiguous"))).sum::<f32>();
        }
    }
    sums.iter_mut().for_each(|sum| *sum /= tokens as f32);
    Ok(sums)
}

fn each_layer(shape: &Shape, mut of: impl FnMut(usize) -> Result<Vec<f32>>) -> Result<Array2<f32>> {
    let mut measured = matrix("measures of heads", shape.layers, shape.heads)?;
    for (layer, mut measured) in measured.rows_mut().into_iter().enumerate() {
        measured.iter_mut().zip(of(layer)?).for_each(|(measured, own)| *measured = own);
    }
    Ok(measured)
}

/// Row and column of the patch in a slot of a window, if that is one; without windows a slot is a token.
fn patch(shape: &Shape, windows: Option<&Windows>, window: usize, slot: usize) -> Option<[usize; 2]> {
    let patch = match windows {
        None => slot.checked_sub(shape.prefix.len())?,
        Some(windows) => Some(windows.slots_of(window)[slot] as usize).filter(|token| *token < shape.patches())?,
    };
    Some([patch / shape.grid[1], patch % shape.grid[1]])
}
