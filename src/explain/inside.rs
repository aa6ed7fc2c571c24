//! What happens inside a block and before the first: queries, keys and values of a head (ViT paper, equations 5 to 7), hidden units of the MLP, how long vectors
//! are, how a patch becomes a token. All of it is in f32 and in the checkpoint's own scale; see [`model::Inside`](crate::model::Inside).

use super::shape::{Query, Shape, check, invalid};
use crate::error::{ErrorKind, Result};
use crate::model::{self, HeadInside, MlpInside, Norms, PatchInside, Vit};
use ndarray::Array2;

/// A block of a model that has run, and the stream that it read.
#[derive(Clone, Copy)]
pub struct Inside<'a> {
    /// Number of the block.
    pub layer: usize,
    /// `[T, D]` the stream before it.
    pub stream: &'a [f32],
    /// Rows and columns of patches that the model had then.
    pub grid: [usize; 2],
    /// Whether rotary and relative positions had a part in it.
    pub positions: bool,
    /// Heads of the block for which the projection read zeros.
    pub without: &'a [usize],
}

impl Inside<'_> {
    /// What a token asks in `head`, the class token or the middle patch unless told, and its number.
    pub fn head(&self, vit: &Vit, head: usize, query: Option<Query>) -> Result<(usize, HeadInside)> {
        self.open(vit, |inside, shape| {
            let token = shape.token(query)?;
            Ok((token, inside.head(shape.check_head(head)?, token)?))
        })
    }

    /// What the MLP makes of a token, and its number; the same one unless told.
    pub fn mlp(&self, vit: &Vit, query: Option<Query>) -> Result<(usize, MlpInside)> {
        self.open(vit, |inside, shape| {
            let token = shape.token(query)?;
            Ok((token, inside.mlp(token)?))
        })
    }

    /// The value `[N]` of a hidden unit of the MLP at every patch.
    pub fn unit(&self, vit: &Vit, unit: usize) -> Result<Vec<f32>> {
        check("hidden unit", unit, vit.config.mlp_size)?;
        self.open(vit, |inside, shape| Ok(inside.unit(unit)?.split_off(shape.prefix.len())))
    }

    /// How long the vectors of all tokens are.
    pub fn norms(&self, vit: &Vit) -> Result<Norms> {
        self.open(vit, |inside, _| inside.norms())
    }

    /// What `look` sees in the block, with the places of the grid that it ran on.
    fn open<T>(&self, vit: &Vit, look: impl FnOnce(&model::Inside, &Shape) -> Result<T>) -> Result<T> {
        if vit.config.is_staged() {
            let why = "it is computed again of all tokens of one grid, and here they have stages or windows.";
            return Err(ErrorKind::UnsupportedView { view: "the inside of a block", why }.into());
        }
        let (Self { layer, stream, grid, positions, without }, [height, width]) = (*self, vit.config.patch_size);
        let other = if grid == vit.config.grid() {
            None
        } else {
            Some(vit.resized([grid[0].saturating_mul(height), grid[1].saturating_mul(width)])?)
        };
        let vit = other.as_ref().unwrap_or(vit);
        let shape = Shape::from(&vit.config);
        shape.check_layer(layer)?;
        without.iter().try_for_each(|head| shape.check_head(*head).map(drop))?;
        let length = shape.tokens() * shape.hidden_size;
        if stream.len() != length {
            return Err(invalid(format!(
                "a stream of {} × {} patches has {length} values in this model, not {}.",
                grid[0],
                grid[1],
                stream.len()
            )));
        }
        look(&model::Inside::new(vit, layer, stream, positions, without), &shape)
    }
}

/// How the patch in this row and column of `pixel_values` `[3, H, W]` becomes a token.
pub fn patch_inside(vit: &Vit, pixel_values: &[f32], [row, column]: [usize; 2]) -> Result<PatchInside> {
    let shape = Shape::from(&vit.config.of_stage(0));
    let token = shape.token(Some(Query::Patch(row, column)))?;
    vit.patch_inside(pixel_values, token - shape.prefix.len())
}

/// The weights `[n, 3 P_h P_w]` of these outputs of the patch projection, channel by channel.
pub fn filters_of(vit: &Vit, outputs: &[usize]) -> Result<Array2<f32>> {
    let projection = vit.weights.embeddings.of_patches("patchFilters")?;
    let width = vit.config.of_stage(0).hidden_size;
    outputs.iter().try_for_each(|output| check("output", *output, width).map(drop))?;
    projection.weights_of(outputs.iter().copied())
}
