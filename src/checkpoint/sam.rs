//! What SAM's image encoders have in common, whoever wrote their files (Kirillov et al., 2023).

use super::blocks;
use super::reader::{Bias, Reader, matrix};
use crate::error::Result;
use crate::model::{Block, Config, Embeddings, Interpolation, LayerNorm, Linear, Weights};

/// What tensors are called.
pub(super) struct Names {
    pub patches: &'static str,
    /// Of a convolution at each place, of its norm, of one of 3 × 3 places and of its norm.
    pub neck: [&'static str; 4],
    /// How positions are resampled, if they are.
    pub how: Option<Interpolation>,
}

/// All but the blocks; `before` is a norm before them, `after` one in place of a neck.
pub(super) fn read_weights(
    config: &Config,
    reader: &mut Reader,
    (blocks, heads): (Vec<Block>, Vec<Linear>),
    [before, after]: [Option<LayerNorm>; 2],
    names: &Names,
) -> Result<Weights> {
    let width = config.stages[0].hidden_size;
    let positions = if config.positions.learned { Some(reader.grid("pos_embed", width, names.how)?) } else { None };
    let mut transitions = Vec::new();
    if config.stage_count() > 1 {
        transitions.push(blocks::read_neck(reader, [width, config.hidden_size], names.neck)?);
    }
    let bias = if before.is_some() { Bias::Optional } else { Bias::Required };
    let patch_projection = reader.patch_projection(names.patches, width, config.patch_size, bias)?;
    let prefix = matrix(Vec::new(), width);
    let embeddings = Embeddings { stem: None, patch_projection, patch_norm: None, prefix, positions, norm: before };
    Ok(Weights { embeddings, blocks, transitions, norm: after, fc_norm: None, pool: None, projection: None, heads })
}
