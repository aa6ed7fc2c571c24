//! What a model has learned before it sees anything: positions and patch filters (ViT paper, figure 7 left and centre).

use super::principal::Principal;
use super::rows::rows;
use super::shape::invalid;
use crate::alloc::room;
use crate::error::Result;
use crate::kernels::dot::dot;
use crate::model::Vit;
use ndarray::Array2;

/// Cosine similarity of the position embeddings of each pair of patches `[N, N]`.
pub fn position_similarity(vit: &Vit) -> Result<Array2<f32>> {
    let Some(positions) = &vit.places.positions else {
        return Err(invalid("this model has no position embeddings of patches.".into()));
    };
    let rows: Vec<&[f32]> = rows(positions.view()).collect();
    let lengths: Vec<f32> = rows.iter().map(|row| dot(row, row).sqrt()).collect();
    let cosine = |(a, b): (usize, usize)| dot(rows[a], rows[b]) / (lengths[a] * lengths[b]).max(f32::MIN_POSITIVE);
    room("similarities", &[lengths.len(), lengths.len(), size_of::<f32>()])?;
    Ok(Array2::from_shape_fn((lengths.len(), lengths.len()), cosine))
}

/// The first principal components of the D filters of the patch projection `[count, 3 P_h P_w]`, each of unit length, channel by channel; the
/// largest element of each is positive.
pub fn filters(vit: &Vit, count: usize) -> Result<Array2<f32>> {
    let filters = vit.weights.embeddings.of_patches("patchFilters")?.weights()?;
    let most = filters.nrows().min(filters.ncols());
    if !(1..=most).contains(&count) {
        return Err(invalid(format!("{count} filters were asked for; there are 1 to {most}.")));
    }
    Ok(Principal::new(filters, count)?.loadings)
}
