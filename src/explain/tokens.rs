//! What patch tokens say: their principal components, and which are alike.

use super::principal::Principal;
use super::shape::{Query, Shape};
use crate::error::Result;
use crate::kernels::dot::dot;
use ndarray::{Array2, ArrayView2, Axis, s};

/// The first three principal components of the patch tokens, `[N, 3]`: scores, to be seen as red, green and blue (DINOv2; Oquab et al.,
/// 2024). `tokens`: `[T, D]` of a layer. The largest element of each component's direction is positive.
pub fn features(shape: &Shape, tokens: ArrayView2<f32>) -> Result<Array2<f32>> {
    let patches = tokens.slice(s![shape.prefix.len().., ..]);
    Ok(Principal::new(patches.to_owned(), 3)?.scores)
}

/// Cosine similarity `[N]` of the query's token with each patch's; of all patches their mean. `tokens`: `[T, D]` of a layer.
pub fn similarity(shape: &Shape, tokens: ArrayView2<f32>, query: Query) -> Result<Vec<f32>> {
    let queries = shape.query_tokens(query)?;
    let query = tokens.slice(s![queries, ..]).mean_axis(Axis(0)).expect("a query has a token");
    let query = query.as_slice().expect("it is contiguous");
    let patches = tokens.slice(s![shape.prefix.len().., ..]);
    Ok(patches.outer_iter().map(|patch| cosine(query, patch.to_slice().expect("rows are contiguous"))).collect())
}

/// x · y / (|x| |y|); 0 where one of them is 0.
pub(super) fn cosine(x: &[f32], y: &[f32]) -> f32 {
    dot(x, y) / (dot(x, x) * dot(y, y)).sqrt().max(f32::MIN_POSITIVE)
}
