//! Taking away parts of the image where no token can be left out, since tokens have windows or are merged: what stands for nothing is put in their place.

use super::shape::invalid;
use crate::alloc::zeros;
use crate::error::Result;
use crate::model::Config;

/// Cells of an image, which can be filled.
#[derive(Clone, Debug, PartialEq)]
pub struct Filling {
    /// Height and width of the image.
    image: [usize; 2],
    /// Where rows of cells begin and the last one ends, then columns, in pixels.
    edges: [Vec<usize>; 2],
    /// What stands for nothing in each channel.
    value: [f32; 3],
}

impl Filling {
    /// For a model whose tokens can't be left out; none for a plain ViT. Cells are those of the last stage, or of the stage that has `grid`.
    pub fn of(config: &Config, grid: Option<[usize; 2]>, value: [f32; 3]) -> Result<Option<Self>> {
        if !config.is_staged() {
            return Ok(None);
        }
        let stages = || (0..config.stage_count()).map(|stage| config.of_stage(stage));
        let stage = match grid {
            None => config.last_stage(),
            Some(grid) => stages().find(|stage| stage.grid() == grid).ok_or_else(|| {
                let grids: Vec<_> =
                    stages().map(|stage| stage.grid().map(|edge| edge.to_string()).join(" × ")).collect();
                invalid(format!(
                    "a map of {} × {} is of no stage of this model: these have {}.",
                    grid[0],
                    grid[1],
                    grids.join(", ")
                ))
            })?,
        };
        let edges = |axis: usize| {
            // (A stage may have the image stretched to whole cells.)
            let (image, seen, patch) = (config.image_size[axis], stage.image_size[axis], stage.patch_size[axis]);
            (0..=stage.grid()[axis]).map(|cell| (cell * patch * image / seen.max(image)).min(image)).collect()
        };
        Ok(Some(Self { image: config.image_size, edges: [edges(0), edges(1)], value }))
    }

    /// `pixels` `[3, H, W]` of which only these cells are left. (What no cell has stays as it is: no token reads it.)
    pub(super) fn fill(&self, pixels: &[f32], seen: &[usize]) -> Result<Vec<f32>> {
        let Self { image: [height, width], edges: [rows, columns], value } = self;
        let across = columns.len() - 1;
        let mut left = vec![false; (rows.len() - 1) * across];
        for cell in seen {
            *left.get_mut(*cell).ok_or_else(|| invalid(format!("there is no patch {cell} in the map's grid.")))? = true;
        }
        if pixels.len() != 3 * height * width {
            let given = pixels.len();
            return Err(invalid(format!(
                "{given} pixel values were given where the model takes 3 × {height} × {width}."
            )));
        }
        let mut filled = zeros("pixel values", &[3, *height, *width])?;
        filled.copy_from_slice(pixels);
        for (channel, value) in filled.chunks_exact_mut(height * width).zip(value) {
            for cell in (0..left.len()).filter(|cell| !left[*cell]) {
                let (row, column) = (cell / across, cell % across);
                for y in rows[row]..rows[row + 1] {
                    channel[y * width + columns[column]..y * width + columns[column + 1]].fill(*value);
                }
            }
        }
        Ok(filled)
    }
}
