//! Rotary positions: queries and keys of a patch are turned by angles that say where it is, so that a score depends on how far two patches
//! lie apart (RoPE; Su et al., 2021), in both directions of an image (Heo et al., 2024).

use super::config::Config;
use crate::alloc::{reserve, zeros};
use crate::error::Result;
use crate::kernels::rotate::{Pairs, Turn, rotate};
use crate::kernels::sine::{cos, sin};
use std::f64::consts::{LN_2, TAU};

/// What a model's rotary positions are. Tokens before the patches are never turned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rotary {
    /// Which channels of a head turn together.
    pub pairs: Pairs,
    /// What the rows and columns of patches count as.
    pub coordinates: Coordinates,
    /// How fast each pair turns.
    pub frequencies: Frequencies,
}

/// Coordinates of the patch in row or column i of n.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Coordinates {
    /// 2π (2 (i + ½) / n − 1): the same image is within −2π..2π at any size (DINOv3).
    Centred,
    /// i + offset, or (i + offset) r / n: the grid of the training, r rows and columns, is squeezed to that of the image.
    Counted {
        /// Added to every row and column.
        offset: f64,
        /// Rows and columns of that training, where they count.
        reference: Option<[usize; 2]>,
    },
}

/// Radians a unit of the coordinates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Frequencies {
    /// temperature^(−m / (d_k / 4)) for the pairs m of the one axis, and for as many of the other after them.
    Falling {
        /// The last of them turns almost this many times slower than the first.
        temperature: f64,
        /// Whether columns are the first of the two axes.
        columns_first: bool,
    },
    /// For every layer, head and pair, of either axis.
    Learned,
}

/// The angles of all patches.
pub struct Rotations {
    /// `[heads or 1, N, d_k]`: of a patch, cosines of all pairs, then sines.
    table: Vec<f32>,
    pairs: Pairs,
    /// Tokens before the patches.
    prefix: usize,
    /// N d_k.
    of_a_head: usize,
    /// D, of a patch's queries or keys, and d_k of a head's.
    widths: [usize; 2],
}

impl Rotary {
    /// Coordinate of row, or column, i of n; `axis`: 0 for rows.
    fn coordinate(&self, i: usize, n: usize, axis: usize) -> f64 {
        let (i, n) = (i as f64, n as f64);
        match self.coordinates {
            Coordinates::Centred => TAU * (2.0 * (i + 0.5) / n - 1.0),
            Coordinates::Counted { offset, reference } => {
                (i + offset) * reference.map_or(1.0, |reference| reference[axis] as f64 / n)
            }
        }
    }

    /// `[n, pairs]`: cosine and sine of the angles of rows, or columns, 0 to n.
    fn turns(&self, n: usize, axis: usize, frequencies: &[f32]) -> Result<Vec<[f64; 2]>> {
        let mut turns = reserve("rotary positions", &[n, frequencies.len()])?;
        for i in 0..n {
            let angles = frequencies.iter().map(|frequency| self.coordinate(i, n, axis) * f64::from(*frequency));
            turns.extend(angles.map(|angle| [cos(angle), sin(angle)]));
        }
        Ok(turns)
    }

    /// Frequencies that follow from a rule: of columns for each pair, then of rows.
    pub fn falling(temperature: f64, columns_first: bool, pairs: usize) -> Vec<f32> {
        let mut frequencies = vec![0.0; 2 * pairs];
        let (quarter, first) = (pairs / 2, usize::from(!columns_first) * pairs);
        for m in 0..quarter {
            let frequency = (-(m as f64) / quarter as f64 * temperature.log2() * LN_2).exp() as f32;
            frequencies[first + m] = frequency;
            frequencies[pairs - first + quarter + m] = frequency;
        }
        frequencies
    }
}

impl Rotations {
    /// `by_rows` and `by_columns`: frequencies `[heads or 1, d_k / 2]`.
    pub fn new(config: &Config, rotary: &Rotary, [by_rows, by_columns]: &[Vec<f32>; 2]) -> Result<Self> {
        let ([rows, columns], size) = (config.grid(), config.head_size());
        let of_a_head = rows * columns * size;
        let mut table = zeros("rotary positions", &[2 * by_rows.len() / size, of_a_head])?;
        let frequencies = by_rows.chunks_exact(size / 2).zip(by_columns.chunks_exact(size / 2));
        for (table, (by_rows, by_columns)) in table.chunks_exact_mut(of_a_head).zip(frequencies) {
            // A patch's angle is one of its row and one of its column: there are few of either to take the sine of.
            let of_rows = rotary.turns(rows, 0, by_rows)?;
            let of_columns = rotary.turns(columns, 1, by_columns)?;
            for (patch, angles) in table.chunks_exact_mut(size).enumerate() {
                let row = of_rows[patch / columns * size / 2..].iter();
                let turns = row.zip(&of_columns[patch % columns * size / 2..]);
                let (cosines, sines) = angles.split_at_mut(size / 2);
                for ((cosine, sine), ([c, s], [d, t])) in cosines.iter_mut().zip(sines).zip(turns) {
                    (*cosine, *sine) = ((c * d - s * t) as f32, (s * d + c * t) as f32);
                }
            }
        }
        let (prefix, widths) = (config.prefix_tokens(), [config.hidden_size, size]);
        Ok(Self { table, pairs: rotary.pairs, prefix, of_a_head, widths })
    }

    /// Bytes they take in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(self.table.as_slice())
    }

    /// Turns queries and keys of token number `token`, of `qkv` `[3 D]`; `seen`: which patches there are, if not all.
    pub(super) fn apply(&self, token: usize, seen: Option<&[usize]>, qkv: &mut [f32], direction: Turn) {
        let Some(patch) = token.checked_sub(self.prefix) else { return };
        let (patch, [width, size]) = (seen.map_or(patch, |seen| seen[patch]), self.widths);
        let mut tables = self.table.chunks_exact(self.of_a_head).cycle();
        for head in qkv[..2 * width].chunks_exact_mut(size) {
            let angles = tables.next().map(|table| &table[patch * size..][..size]);
            angles.iter().for_each(|angles| rotate(head, self.pairs, angles, direction));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn rotary(coordinates: Coordinates) -> Rotary {
        Rotary { pairs: Pairs::Halves, coordinates, frequencies: Frequencies::Learned }
    }

    #[test]
    fn coordinates_are_what_they_say() {
        let centred = rotary(Coordinates::Centred);
        assert_eq!([0, 1].map(|i| centred.coordinate(i, 2, 0)), [-0.5, 0.5].map(|x| x * TAU));
        let plain = rotary(Coordinates::Counted { offset: 1.0, reference: None });
        assert_eq!(plain.coordinate(5, 7, 1), 6.0);
        let squeezed = rotary(Coordinates::Counted { offset: 0.0, reference: Some([4, 16]) });
        assert_eq!([0, 1].map(|axis| squeezed.coordinate(3, 8, axis)), [1.5, 6.0]);
    }

    /// Of eight channels: two pairs turn with the one axis, two with the other.
    #[test]
    fn frequencies_fall_for_one_axis_and_then_for_the_other() {
        let (zero, falling) = ([0.0, 0.0], [1.0, 0.1]);
        let expect = |rows: [[f32; 2]; 2], columns: [[f32; 2]; 2]| [columns.concat(), rows.concat()].concat();
        let close = |a: Vec<f32>, b: Vec<f32>| assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-7), "{a:?}");
        close(Rotary::falling(100.0, false, 4), expect([falling, zero], [zero, falling]));
        close(Rotary::falling(100.0, true, 4), expect([zero, falling], [falling, zero]));
    }
}
