//! What tells a model where a patch is.

use super::rotary::Rotary;
use crate::alloc::matrix;
use crate::error::Result;
use crate::kernels::sine::{cos, sin};
use ndarray::Array2;
use std::f64::consts::LN_2;

/// What tells a model where a patch is: one of these, or several.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Positions {
    /// Learned for each patch, and added to it (ViT).
    pub learned: bool,
    /// Sines and cosines of where a patch is, added to it (Vaswani et al., 2017; AIMv2 for any size).
    pub sinusoidal: bool,
    /// Learned for each distance of two patches, and added to their score (BEiT).
    pub relative: bool,
    /// By which queries and keys are turned (DINOv3, EVA-02).
    pub rotary: Option<Rotary>,
}

impl Positions {
    /// None at all.
    pub const NONE: Self = Self { learned: false, sinusoidal: false, relative: false, rotary: None };

    /// ViT's.
    pub const LEARNED: Self = Self { learned: true, ..Self::NONE };

    /// What they are called: kinds joined by a hyphen.
    pub fn name(&self) -> &'static str {
        match (self.learned, self.relative, self.rotary.is_some()) {
            (false, false, false) if self.sinusoidal => "sinusoidal",
            (false, false, false) => "none",
            (true, false, false) => "learned",
            (false, true, false) => "relative",
            (true, true, _) => "learned-relative",
            (true, false, true) => "learned-rotary",
            (false, _, true) => "rotary",
        }
    }
}

/// Positions `[N, D]` of a grid of patches: sines and cosines of the column, then of the row, by frequencies that fall from 1 to almost 1 / 10,000.
pub fn sinusoidal([rows, columns]: [usize; 2], width: usize) -> Result<Array2<f32>> {
    let mut positions = matrix("positions", rows * columns, width)?;
    let quarter = width / 4;
    for (patch, mut position) in positions.rows_mut().into_iter().enumerate() {
        for (m, value) in position.iter_mut().enumerate() {
            let coordinate = if m < 2 * quarter { patch % columns } else { patch / columns };
            let frequency = (-((m % quarter) as f64) / quarter as f64 * 10_000f64.log2() * LN_2).exp();
            let f = if (m / quarter).is_multiple_of(2) { sin } else { cos };
            *value = f(coordinate as f64 * frequency) as f32;
        }
    }
    Ok(positions)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Of eight channels: two frequencies, 1 and 1 / 100.
    #[test]
    fn sines_and_cosines_of_columns_come_before_those_of_rows() {
        let positions = sinusoidal([3, 5], 8).unwrap();
        for (patch, position) in positions.rows().into_iter().enumerate() {
            let (x, y) = ((patch % 5) as f64, (patch / 5) as f64);
            let expected = [
                x.sin(),
                (x / 100.0).sin(),
                x.cos(),
                (x / 100.0).cos(),
                y.sin(),
                (y / 100.0).sin(),
                y.cos(),
                (y / 100.0).cos(),
            ];
            for (ours, expected) in position.iter().zip(expected) {
                assert!((f64::from(*ours) - expected).abs() < 1e-7, "patch {patch}: {ours} instead of {expected}");
            }
        }
    }
}
