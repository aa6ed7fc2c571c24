//! What a head does on average: how far it looks, and at how many tokens.

use super::attention::Attentions;
use super::rows::rows;
use super::shape::Shape;
use crate::alloc::{matrix, reserve};
use crate::error::Result;
use crate::kernels::dot::{dot, sum};
use crate::kernels::entropy;
use ndarray::{Array2, ArrayView2};

/// Mean attention distance in pixels `[L, heads]`: how far from a patch the patches lie that it attends to, weighted by attention, as a
/// mean over all patches (ViT paper, figure 7 right). What goes to other tokens does not count.
pub fn distance(shape: &Shape, attentions: &mut impl Attentions) -> Result<Array2<f32>> {
    let (first, patches) = (shape.prefix.len(), shape.patches());
    let apart = distances(shape)?;
    each_head(shape, attentions, |attention| {
        let queries = rows(attention).skip(first).zip(apart.chunks_exact(patches));
        let looks = queries.map(|(row, apart)| {
            let given = &row[first..];
            dot(given, apart) / sum(given).max(f32::MIN_POSITIVE)
        });
        looks.sum::<f32>() / patches as f32
    })
}

/// Entropy of attention in nats `[L, heads]`, as a mean over all queries: 0 where each attends to one token, ln T where to all alike.
pub fn entropy(shape: &Shape, attentions: &mut impl Attentions) -> Result<Array2<f32>> {
    each_head(shape, attentions, |attention| rows(attention).map(entropy::entropy).sum::<f32>() / shape.tokens() as f32)
}

fn each_head(
    shape: &Shape,
    attentions: &mut impl Attentions,
    measure: impl Fn(ArrayView2<f32>) -> f32,
) -> Result<Array2<f32>> {
    let mut measured = matrix("measures of heads", shape.layers, shape.heads)?;
    for (layer, mut measured) in measured.rows_mut().into_iter().enumerate() {
        let heads = attentions.read(layer, 0..shape.heads, 0..shape.tokens())?;
        measured.iter_mut().zip(heads.outer_iter()).for_each(|(measured, head)| *measured = measure(head));
    }
    Ok(measured)
}

/// `[N, N]`: from patch to patch, between their centres.
fn distances(shape: &Shape) -> Result<Vec<f32>> {
    let (columns, patches) = (shape.grid[1], shape.patches());
    let axis = |a: usize, b: usize, size: usize| (a.abs_diff(b) * size) as f32;
    let apart = |a: usize, b: usize| {
        let down = axis(a / columns, b / columns, shape.patch_size[0]);
        let across = axis(a % columns, b % columns, shape.patch_size[1]);
        (down * down + across * across).sqrt()
    };
    let mut distances = reserve("distances", &[patches, patches])?;
    distances.extend((0..patches).flat_map(|a| (0..patches).map(move |b| apart(a, b))));
    Ok(distances)
}
