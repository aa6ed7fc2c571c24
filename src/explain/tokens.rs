//! What patch tokens say: their principal components, and which are alike.

use super::principal::Principal;
use super::rows::rows;
use super::shape::{Query, Shape};
use crate::alloc::room;
use crate::error::Result;
use crate::kernels::dot::dot;
use crate::kernels::rows::add_scaled;
use ndarray::{Array2, ArrayView2, s};

/// The first three principal components of the patch tokens, `[N, 3]`: scores, to be seen as red, green and blue (DINOv2; Oquab et al.,
/// 2024). `tokens`: `[T, D]` of a layer. The largest element of each component's direction is positive.
pub fn features(shape: &Shape, tokens: ArrayView2<f32>) -> Result<Array2<f32>> {
    let patches = tokens.slice(s![shape.prefix.len().., ..]);
    room("tokens", &[patches.len(), size_of::<f32>()])?;
    Ok(Principal::new(patches.to_owned(), 3)?.scores)
}

/// Cosine similarity `[N]` of the query's token with each patch's; of several tokens the mean. `tokens`: `[T, D]` of a layer.
pub fn similarity(shape: &Shape, tokens: ArrayView2<f32>, query: Query) -> Result<Vec<f32>> {
    let queries = shape.query_tokens(query)?;
    let share = 1.0 / queries.len() as f32;
    let inverse_length = |x: &[f32]| 1.0 / dot(x, x).sqrt().max(f32::MIN_POSITIVE);
    let mut direction = vec![0.0; tokens.ncols()];
    rows(tokens.slice(s![queries, ..]))
        .for_each(|query| add_scaled(&mut direction, share * inverse_length(query), query));
    let patches = rows(tokens.slice(s![shape.prefix.len().., ..]));
    Ok(patches.map(|patch| dot(&direction, patch) * inverse_length(patch)).collect())
}
