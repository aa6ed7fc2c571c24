//! Weights in the order the GEMM tiles read them: panels of [`TILE_COLUMNS`] outputs, each panel walked once per tile.

use super::TILE_COLUMNS;
use crate::alloc::filled;
use crate::error::Result;
use crate::simd::DEPTH;
use ndarray::ArrayView2;

/// A matrix `[n, k]` (outputs × inputs, as `nn.Linear` stores it) in `f32` panels.
#[derive(Clone, Debug)]
pub struct PackedF32 {
    /// Panel p, step i, lane j holds `w[8p + j, i]`; lanes past n are zero.
    panels: Vec<[f32; TILE_COLUMNS]>,
    n: usize,
    k: usize,
}

impl PackedF32 {
    /// A matrix of zeros.
    pub fn zeros(n: usize, k: usize) -> Result<Self> {
        let panels = filled("packed weights", &[n.div_ceil(TILE_COLUMNS), k], [0.0; _])?;
        Ok(Self { panels, n, k })
    }

    /// Packs `w` `[n, k]`.
    pub fn new(w: ArrayView2<f32>) -> Result<Self> {
        let mut packed = Self::zeros(w.nrows(), w.ncols())?;
        for (output, row) in w.rows().into_iter().enumerate() {
            packed.write_output(output, row.iter().copied());
        }
        Ok(packed)
    }

    /// Writes row `output` of w.
    pub fn write_output(&mut self, output: usize, values: impl Iterator<Item = f32>) {
        let (first, lane) = (output / TILE_COLUMNS * self.k, output % TILE_COLUMNS);
        self.panels[first..][..self.k].iter_mut().zip(values).for_each(|(step, value)| step[lane] = value);
    }

    /// Writes column `input` of w.
    pub fn write_input(&mut self, input: usize, values: &[f32]) {
        assert!(input < self.k && values.len() == self.n);
        let steps = self.panels[input..].iter_mut().step_by(self.k);
        for (step, values) in steps.zip(values.chunks(TILE_COLUMNS)) {
            step[..values.len()].copy_from_slice(values);
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

    /// Bytes taken.
    pub fn bytes(&self) -> usize {
        size_of_val(self.panels.as_slice())
    }

    /// The panels with the index of their first output.
    pub(super) fn panels(&self) -> impl Iterator<Item = (usize, &[[f32; TILE_COLUMNS]])> {
        self.panels.chunks_exact(self.k.max(1)).enumerate().map(|(p, panel)| (p * TILE_COLUMNS, panel))
    }
}

/// A matrix `[n, k]` in `i8` panels whose steps hold [`DEPTH`] inputs, as the backend multiplies them.
#[derive(Clone, Debug)]
pub struct PackedI8 {
    /// Panel p, step i, lane DEPTH · j + h holds `w[8p + j, DEPTH · i + h]`; lanes past n or k are zero.
    panels: Vec<[i8; TILE_COLUMNS * DEPTH]>,
    n: usize,
    k: usize,
}

impl PackedI8 {
    /// A matrix of zeros.
    pub fn zeros(n: usize, k: usize) -> Result<Self> {
        let panels = filled("packed weights", &[n.div_ceil(TILE_COLUMNS), k.div_ceil(DEPTH)], [0; _])?;
        Ok(Self { panels, n, k })
    }

    /// Packs `w` `[n, k]`.
    pub fn new(w: ArrayView2<i8>) -> Result<Self> {
        let mut packed = Self::zeros(w.nrows(), w.ncols())?;
        for (output, row) in w.rows().into_iter().enumerate() {
            packed.write_output(output, row.to_slice().expect("rows are contiguous"));
        }
        Ok(packed)
    }

    /// Writes row `output` of w.
    pub fn write_output(&mut self, output: usize, values: &[i8]) {
        assert!(output < self.n && values.len() == self.k);
        let steps = self.steps();
        let (first, lane) = (output / TILE_COLUMNS * steps, output % TILE_COLUMNS * DEPTH);
        for (step, values) in self.panels[first..][..steps].iter_mut().zip(values.chunks(DEPTH)) {
            let target = &mut step[lane..][..DEPTH];
            match values.first_chunk::<DEPTH>() {
                Some(values) => target.copy_from_slice(values),
                None => target[..values.len()].copy_from_slice(values),
            }
        }
    }

    /// Writes the columns of w that step `step` holds.
    pub fn write_step(&mut self, step: usize, inputs: [&[i8]; DEPTH]) {
        let steps = self.steps();
        assert!(step < steps && inputs.iter().all(|values| values.len() == self.n));
        for (panel, target) in self.panels[step..].iter_mut().step_by(steps).enumerate() {
            let inputs = inputs.map(|values| &values[panel * TILE_COLUMNS..]);
            for (h, values) in inputs.into_iter().enumerate() {
                match values.first_chunk::<TILE_COLUMNS>() {
                    Some(values) => (0..TILE_COLUMNS).for_each(|j| target[j * DEPTH + h] = values[j]),
                    None => values.iter().enumerate().for_each(|(j, value)| target[j * DEPTH + h] = *value),
                }
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

    /// Steps a row of activations must hold.
    pub fn steps(&self) -> usize {
        self.k.div_ceil(DEPTH)
    }

    /// Bytes taken.
    pub fn bytes(&self) -> usize {
        size_of_val(self.panels.as_slice())
    }

    /// The panels with the index of their first output.
    pub(super) fn panels(&self) -> impl Iterator<Item = (usize, &[[i8; TILE_COLUMNS * DEPTH]])> {
        self.panels.chunks_exact(self.steps().max(1)).enumerate().map(|(p, panel)| (p * TILE_COLUMNS, panel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Attention packs keys by outputs and values by inputs; both must make the matrix that `new` makes.
    #[test]
    fn by_output_and_by_input_are_the_same_matrix() {
        for (n, k) in [(1, 1), (3, 5), (8, 4), (9, 7), (17, 13)] {
            let w = Array2::from_shape_fn((n, k), |(r, c)| (7 * r + 3 * c) as i8);
            let expected = PackedI8::new(w.view()).unwrap();
            let mut packed = PackedI8::zeros(n, k).unwrap();
            for step in 0..packed.steps() {
                let columns: [Vec<i8>; DEPTH] = std::array::from_fn(|h| match step * DEPTH + h {
                    input if input < k => w.column(input).to_vec(),
                    _ => vec![0; n],
                });
                packed.write_step(step, columns.each_ref().map(Vec::as_slice));
            }
            assert_eq!(packed.panels, expected.panels, "{n} × {k}");

            let w = w.mapv(f32::from);
            let expected = PackedF32::new(w.view()).unwrap();
            let mut packed = PackedF32::zeros(n, k).unwrap();
            (0..k).for_each(|input| packed.write_input(input, &w.column(input).to_vec()));
            assert_eq!(packed.panels, expected.panels, "{n} × {k}");
        }
    }
}
