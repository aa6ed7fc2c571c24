//! The arithmetic of the forward pass and of its gradients: one operation a file, slices and views in, the caller's buffers out.
//!
//! Each kernel states its formula, shapes and error bound, and keeps its naive reference in its own tests. None allocates,
//! none knows the model. Matrices are row-major `ndarray` views whose rows are contiguous.

pub mod attention;
pub mod depthwise;
pub mod dot;
pub mod entropy;
pub mod exp;
pub mod gelu;
pub mod gelu_tanh;
pub mod gemm_f32;
pub mod gemm_i8;
pub mod layer_norm;
pub mod pack;
pub mod quantize;
pub mod relu;
pub mod rotate;
pub mod rows;
pub mod sine;
pub mod softmax;
pub mod swish;
pub mod unpack;

use crate::simd::F32x4;
use std::ops::Range;

/// Width of a GEMM tile: how many outputs a packed panel holds side by side.
pub const TILE_COLUMNS: usize = 8;

/// Height of a tile: 4 × 8 keeps 8 accumulators, 2 weight vectors and a broadcast in the 16 registers of x86-64.
pub const TILE_ROWS: usize = 4;

/// Rows of sums that a product keeps before its epilogue takes them: an even number, and at least two blocks of rows.
///
/// Products and epilogues are separate loops, and functions of their own: in one, V8 runs out of registers, and a third of the speed is
/// lost. What passes between them stays in the first-level cache. An engine switches to optimised code when a function is called
/// next, so what runs for long must be called often; once a panel is often enough, and once a tile would cost a tenth of the speed.
const HELD_ROWS: usize = 64;

/// What becomes of the sums of a matrix product: scale, bias, activation, residual, wherever they apply.
pub trait Epilogue<Lanes> {
    /// The outputs that are wanted: panels before and behind theirs are not multiplied.
    fn outputs(&self) -> Range<usize> {
        0..usize::MAX
    }

    /// `sums` are C[row, column..column + 8] for the rows from `first` on; lanes at or past the last column are zero.
    fn rows(&mut self, first: usize, column: usize, sums: impl Iterator<Item = [Lanes; 2]>);
}

/// Where an epilogue writes: rows of `columns` values, `stride` values apart.
pub struct Target<'a> {
    /// From the first value of the first row on.
    pub values: &'a mut [f32],
    /// From row to row.
    pub stride: usize,
    /// Of a row.
    pub columns: usize,
}

impl Target<'_> {
    /// Lets `write` put each of `lanes` into columns `column..column + 8` of a row, from row `first` on; what is past the end is dropped.
    #[inline(always)]
    pub fn put(
        &mut self,
        first: usize,
        column: usize,
        lanes: impl Iterator<Item = [F32x4; 2]>,
        write: impl Fn(&mut [f32; TILE_COLUMNS], [F32x4; 2]),
    ) {
        let rows = self.values[first * self.stride..].chunks_mut(self.stride);
        let inside = self.columns - column;
        if inside >= TILE_COLUMNS {
            for (row, lanes) in rows.zip(lanes) {
                write(row[column..].first_chunk_mut().expect("a row of eight"), lanes);
            }
        } else {
            for (row, lanes) in rows.zip(lanes) {
                let row = &mut row[column..][..inside];
                let mut padded = [0.0; TILE_COLUMNS];
                padded[..inside].copy_from_slice(row);
                write(&mut padded, lanes);
                row.copy_from_slice(&padded[..inside]);
            }
        }
    }
}

/// Sums as they are.
impl Epilogue<F32x4> for Target<'_> {
    #[inline(always)]
    fn rows(&mut self, first: usize, column: usize, sums: impl Iterator<Item = [F32x4; 2]>) {
        self.put(first, column, sums, store_lanes);
    }
}

/// Rows of the next tile where `rest` rows are left and tiles have `rows` rows: so many, or one more, or 1.
///
/// A tile one row higher takes up what is left over: a tile of a single row takes as long as one of four, its two accumulators waiting
/// for each other.
#[inline(always)]
fn tile_height(rest: usize, rows: usize) -> usize {
    match rest {
        _ if rest < rows => 1,
        _ if rest.is_multiple_of(rows) => rows,
        _ => rows + 1,
    }
}

/// First row and height of the tile that row `row` of `rows` is in, where tiles have `height` rows: what [`tile_height`] comes to tile by tile.
#[inline(always)]
fn tile_of(row: usize, rows: usize, height: usize) -> [usize; 2] {
    let (whole, left) = (rows / height, rows % height);
    let higher = whole.min(left) * (height + 1);
    let (from, height) = match () {
        () if row < higher => (0, height + 1),
        () if left <= whole => (higher, height),
        () => (higher, 1),
    };
    [row - (row - from) % height, height]
}

/// Fills `sums` from row `first` of `rows` on, as far as whole tiles go, and returns the number of rows: `height(rest)` is that of the
/// next tile where `rest` rows are left, `tile(row, height, sums)` does it.
#[inline(always)]
fn hold<Lanes>(
    first: usize,
    rows: usize,
    height: impl Fn(usize) -> usize,
    sums: &mut [[Lanes; 2]; HELD_ROWS],
    mut tile: impl FnMut(usize, usize, &mut [[Lanes; 2]]),
) -> usize {
    let mut done = 0;
    while first + done < rows {
        let row = first + done;
        let height = height(rows - row);
        let Some(sums) = sums.get_mut(done..done + height) else { break };
        tile(row, height, sums);
        done += height;
    }
    done
}

/// `x ← f(x)` for every element, four at a time; the last lanes of a remainder see zeros.
#[inline(always)]
pub fn map_in_place(values: &mut [f32], f: impl Fn(F32x4) -> F32x4) {
    let (quads, rest) = values.as_chunks_mut::<4>();
    let mut padded = [0.0; 4];
    if !rest.is_empty() {
        padded[..rest.len()].copy_from_slice(rest);
    }
    // (In one loop, so that `f` is in the module once, and inside of it.)
    for quad in quads.iter_mut().chain((!rest.is_empty()).then_some(&mut padded)) {
        f(F32x4::load(quad)).store(quad);
    }
    if !rest.is_empty() {
        rest.copy_from_slice(&padded[..rest.len()]);
    }
}

/// Folds `values` lane by lane with `f`; a remainder is padded with `identity`.
#[inline(always)]
pub fn fold(values: &[f32], identity: f32, f: impl Fn(F32x4, F32x4) -> F32x4) -> F32x4 {
    let (quads, rest) = values.as_chunks::<4>();
    let mut folded = F32x4::splat(identity);
    for quad in quads {
        folded = f(folded, F32x4::load(quad));
    }
    if !rest.is_empty() {
        let mut padded = [identity; 4];
        padded[..rest.len()].copy_from_slice(rest);
        folded = f(folded, F32x4::load(&padded));
    }
    folded
}

/// Writes eight lanes.
#[inline(always)]
pub fn store_lanes(target: &mut [f32; TILE_COLUMNS], lanes: [F32x4; 2]) {
    let (halves, _) = target.as_chunks_mut::<4>();
    lanes[0].store(&mut halves[0]);
    lanes[1].store(&mut halves[1]);
}

/// Eight lanes of `values`.
#[inline(always)]
pub fn load_lanes(values: &[f32; TILE_COLUMNS]) -> [F32x4; 2] {
    let (halves, _) = values.as_chunks::<4>();
    [F32x4::load(&halves[0]), F32x4::load(&halves[1])]
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_row_is_in_the_tile_that_holds_it() {
        for (rows, tile_rows) in (1..=70).flat_map(|rows| [(rows, 3), (rows, 4)]) {
            let mut first = 0;
            while first < rows {
                let height = tile_height(rows - first, tile_rows);
                for row in first..first + height {
                    assert_eq!(tile_of(row, rows, tile_rows), [first, height], "row {row} of {rows}");
                }
                first += height;
            }
        }
    }
}
