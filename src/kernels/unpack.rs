//! Packed weights read back and packed anew, 8 outputs × 8 inputs at a time: transposed, or as the floats that integers stand for.
//!
//! A square is 64 floats one after another in the panels of a matrix, and in those of its transpose as well.

use super::TILE_COLUMNS;
use super::gemm_i8::ColumnScale;
use super::pack::{PackedF32, PackedI8, StepF32};
use crate::parallel::{self, Rows};
use crate::simd::DEPTH;

/// `[input][output]`: the weights of 8 outputs, those of one panel, to 8 inputs, those of one block. What is past an end is zero.
pub type Square = [[f32; TILE_COLUMNS]; TILE_COLUMNS];

impl PackedF32 {
    /// The weights of panel `panel` to the inputs of block `block`.
    pub fn square(&self, panel: usize, block: usize) -> Square {
        let mut square = Square::default();
        let steps = &self.panel(panel)[block * TILE_COLUMNS..];
        square.iter_mut().zip(steps).for_each(|(input, step)| *input = step.0);
        square
    }

    /// Writes the whole matrix, threads sharing the panels: `square(panel, block)` are its weights.
    pub fn write_squares(&mut self, square: &(dyn Fn(usize, usize) -> Square + Sync)) {
        let k = self.k();
        let panels = Panels { steps: self.panels_mut(), k };
        let count = panels.steps.len() / k.max(1);
        parallel::for_each_block(panels, count, &|first, panels: Panels<'_>| {
            // Block by block, since that is a panel of the matrix that a transpose is made of, read from one end to the other.
            for block in 0..k.div_ceil(TILE_COLUMNS) {
                for (panel, steps) in panels.steps.chunks_exact_mut(k).enumerate() {
                    let square = square(first + panel, block);
                    let steps = steps[block * TILE_COLUMNS..].iter_mut();
                    steps.zip(square).for_each(|(step, input)| step.0 = input);
                }
            }
        });
    }
}

impl PackedI8 {
    /// The weights of panel `panel` to the inputs of block `block`; `scales`: those of the panel.
    pub fn square(&self, panel: usize, block: usize, scales: &ColumnScale) -> Square {
        let mut square = Square::default();
        let (panel, scales) = (self.panel(panel), scales.scales());
        let numbers = block * TILE_COLUMNS / DEPTH..self.steps();
        for (inputs, number) in square.chunks_exact_mut(DEPTH).zip(numbers) {
            let step = panel.step(number);
            for (h, input) in inputs.iter_mut().enumerate() {
                *input = std::array::from_fn(|j| f32::from(step[DEPTH * j + h]) * scales[j]);
            }
        }
        square
    }
}

/// Outputs for inputs.
pub fn transposed(square: Square) -> Square {
    std::array::from_fn(|i| std::array::from_fn(|j| square[j][i]))
}

/// Panels of `k` steps, which threads share.
struct Panels<'a> {
    steps: &'a mut [StepF32],
    k: usize,
}

impl Rows for Panels<'_> {
    fn split_at(self, rows: usize) -> (Self, Self) {
        let (left, right) = self.steps.split_at_mut(rows * self.k);
        (Self { steps: left, k: self.k }, Self { steps: right, k: self.k })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const SHAPES: [(usize, usize); 7] = [(1, 1), (3, 9), (8, 8), (9, 7), (16, 24), (21, 34), (260, 13)];

    /// Of every remainder of eight, in memory that held something else before.
    #[test]
    fn transposes() {
        let mut packed = PackedF32::with_capacity(PackedF32::steps(40, 300)).unwrap();
        packed.reset(40, 300);
        packed.write_squares(&|_, _| [[f32::NAN; 8]; 8]);
        for (n, k) in SHAPES {
            let w = Array2::from_shape_fn((n, k), |(r, c)| (100 * r + c) as f32);
            let straight = PackedF32::new(w.view()).unwrap();
            packed.reset(k, n);
            packed.write_squares(&|panel, block| transposed(straight.square(block, panel)));
            let expected = PackedF32::new(w.t()).unwrap();
            assert!(packed.panels(0..usize::MAX).eq(expected.panels(0..usize::MAX)), "{n} × {k}");
        }
    }

    /// Whether a step stands in its panel or behind it.
    #[test]
    fn integers_become_what_they_stand_for() {
        let mut rng = fastrand::Rng::with_seed(5);
        for (n, k) in SHAPES {
            let w = Array2::from_shape_fn((n, k), |_| rng.i8(..));
            let mut scales = vec![ColumnScale::default(); n.div_ceil(TILE_COLUMNS)];
            (0..n).for_each(|row| scales[row / TILE_COLUMNS].set_scale(row % TILE_COLUMNS, 0.5 + row as f32));
            let exact = Array2::from_shape_fn((n, k), |(r, c)| f32::from(w[[r, c]]) * (0.5 + r as f32));
            let expected = PackedF32::new(exact.view()).unwrap();

            let mut integers = PackedI8::zeros(n, k).unwrap();
            w.rows().into_iter().enumerate().for_each(|(row, w)| integers.write_output(row, w.to_slice().unwrap()));
            for _ in 0..2 {
                let mut packed = PackedF32::zeros(n, k).unwrap();
                packed.write_squares(&|panel, block| integers.square(panel, block, &scales[panel]));
                assert!(packed.panels(0..usize::MAX).eq(expected.panels(0..usize::MAX)), "{n} × {k}");
                integers.make_pairs_fit().unwrap();
            }
        }
    }
}
