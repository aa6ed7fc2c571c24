//! Learned positions of tokens, and tables of relative ones: with the grid that each is of, and how it is resampled to another.

use super::reader::{Reader, matrix};
use crate::alloc::room;
use crate::error::{Error, Result};
use crate::model::{Config, Interpolation, LearnedGrid, RelativeBias};
use std::sync::Arc;

/// Positions of tokens.
pub(super) struct Positions {
    /// Those of tokens before the patches, one after another.
    pub prefix: Vec<f32>,
    /// `[N, D]`.
    pub patches: LearnedGrid,
}

impl Reader<'_> {
    /// Learned positions, `batch` being the dimensions before tokens and width: of `prefix` tokens and of the patches. `how` these are resampled, none where they
    /// never are.
    pub fn positions(
        &mut self,
        name: &str,
        batch: &[usize],
        [prefix, width]: [usize; 2],
        how: impl Into<Option<Interpolation>>,
    ) -> Result<Positions> {
        let grid = self.native_grid;
        let shape = [batch, &[prefix + grid[0] * grid[1], width]].concat();
        let mut rows = self.floats(name, &shape)?;
        room("positions", &[rows.len(), size_of::<f32>()])?;
        let values = Arc::new(matrix(rows.split_off(prefix * width), width));
        let how = self.tensors.positions.or(how.into());
        Ok(Positions { prefix: rows, patches: LearnedGrid { values, grid, how } })
    }

    /// Whether the file has positions `[1, N, D]` without rows for other tokens.
    pub fn has_positions_of_patches_alone(&self, name: &str) -> bool {
        let rows = self.tensors.shape(&self.full(name)).ok().and_then(|shape| shape.get(1));
        rows == Some(&self.native_grid.iter().product())
    }

    /// Learned positions that are stored as a grid, `[1, rows, columns, width]`.
    pub fn grid(&mut self, name: &str, width: usize, how: impl Into<Option<Interpolation>>) -> Result<LearnedGrid> {
        let grid = self.native_grid;
        let values = self.floats(name, &[1, grid[0], grid[1], width])?;
        Ok(LearnedGrid { values: Arc::new(matrix(values, width)), grid, how: how.into() })
    }

    /// Tables of a block's decomposed relative positions, `[2 n − 1, size]` by rows and by columns, `size` wide; `window`: within what its tokens attend, if not
    /// all to all.
    pub fn decomposed(&mut self, size: usize, window: Option<[usize; 2]>) -> Result<[LearnedGrid; 2]> {
        let edges = window.unwrap_or(self.native_grid);
        let mut table = |name: &str, edge: usize| {
            let grid = [2 * edge - 1, 1];
            let values = Arc::new(matrix(self.floats(name, &[grid[0], size])?, size));
            Ok::<_, Error>(LearnedGrid { values, grid, how: Some(Interpolation::Bilinear) })
        };
        Ok([table("attn.rel_pos_h", edges[0])?, table("attn.rel_pos_w", edges[1])?])
    }

    /// `[entries, heads]` of relative positions, and how they are resampled.
    pub fn relative_table(&mut self, name: &str, heads: usize, how: Interpolation) -> Result<LearnedGrid> {
        let native = self.native_grid;
        let values = self.floats(name, &[RelativeBias::entries(native, 1), heads])?;
        // transformers, which resamples linearly, takes rows for columns here: that shows where the native grid is not square.
        let grid = if how == Interpolation::Bilinear { [native[1], native[0]] } else { native };
        let grid = RelativeBias::distances(grid);
        Ok(LearnedGrid { values: Arc::new(matrix(values, heads)), grid, how: Some(how) })
    }

    /// Rows and columns of the window of layer `layer` at the grid the file was made for.
    pub fn native_window(&self, config: &Config, layer: usize) -> Option<[usize; 2]> {
        config.window_among(self.native_grid, layer).map(|window| window.size)
    }

    /// `[entries, heads]` of relative positions within a window.
    pub fn window_table(&mut self, name: &str, heads: usize, window: [usize; 2]) -> Result<LearnedGrid> {
        let values = self.floats(name, &[RelativeBias::entries(window, 0), heads])?;
        Ok(LearnedGrid { values: Arc::new(matrix(values, heads)), grid: RelativeBias::distances(window), how: None })
    }
}
