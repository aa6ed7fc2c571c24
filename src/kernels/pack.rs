//! Weights in the order the GEMM micro-kernels read them: panels of [`TILE_COLUMNS`] outputs, each panel walked once per tile.

use super::TILE_COLUMNS;
use ndarray::ArrayView2;

/// A matrix `[n, k]` (outputs × inputs, as `nn.Linear` stores it) in `f32` panels.
#[derive(Clone, Debug, Default)]
pub struct PackedF32 {
    /// Panel p, step i, lane j holds `w[8p + j, i]`; lanes past n are zero.
    panels: Vec<[f32; TILE_COLUMNS]>,
    n: usize,
    k: usize,
}

impl PackedF32 {
    /// Packs `w` `[n, k]`.
    pub fn new(w: ArrayView2<f32>) -> Self {
        let mut packed = Self::default();
        packed.repack(w);
        packed
    }

    /// Packs `w` into this matrix' own memory, growing it only if it is too small.
    pub fn repack(&mut self, w: ArrayView2<f32>) {
        (self.n, self.k) = w.dim();
        self.panels.clear();
        for panel in 0..self.n.div_ceil(TILE_COLUMNS) {
            let first = panel * TILE_COLUMNS;
            let columns = TILE_COLUMNS.min(self.n - first);
            for i in 0..self.k {
                let mut step = [0.0; TILE_COLUMNS];
                for (j, lane) in step[..columns].iter_mut().enumerate() {
                    *lane = w[[first + j, i]];
                }
                self.panels.push(step);
            }
        }
    }

    /// Outputs.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Inputs.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The panels with the index of their first output.
    pub(super) fn panels(&self) -> impl Iterator<Item = (usize, &[[f32; TILE_COLUMNS]])> {
        self.panels.chunks_exact(self.k.max(1)).enumerate().map(|(p, panel)| (p * TILE_COLUMNS, panel))
    }
}

/// A matrix `[n, k]` in `i8` panels of input pairs, for the 16-bit dot product.
#[derive(Clone, Debug)]
pub struct PackedI8 {
    /// Panel p, step i, lane 2j + h holds `w[8p + j, 2i + h]`; lanes past n or k are zero.
    panels: Vec<[i8; 2 * TILE_COLUMNS]>,
    n: usize,
    k: usize,
}

impl PackedI8 {
    /// Packs `w` `[n, k]`.
    pub fn new(w: ArrayView2<i8>) -> Self {
        let (n, k) = w.dim();
        let steps = k.div_ceil(2);
        let mut panels = Vec::with_capacity(n.div_ceil(TILE_COLUMNS) * steps);
        for first in (0..n).step_by(TILE_COLUMNS) {
            for i in 0..steps {
                panels.push(std::array::from_fn(|lane| {
                    w.get([first + lane / 2, 2 * i + lane % 2]).copied().unwrap_or(0)
                }));
            }
        }
        Self { panels, n, k }
    }

    /// Outputs.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Inputs.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Pairs of inputs: what a row of activations must hold, the odd one padded with a zero.
    pub fn pairs(&self) -> usize {
        self.k.div_ceil(2)
    }

    /// The panels with the index of their first output.
    pub(super) fn panels(&self) -> impl Iterator<Item = (usize, &[[i8; 2 * TILE_COLUMNS]])> {
        self.panels.chunks_exact(self.pairs().max(1)).enumerate().map(|(p, panel)| (p * TILE_COLUMNS, panel))
    }
}
