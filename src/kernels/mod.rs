//! The arithmetic of the forward pass: one operation a file, slices and views in, the caller's buffers out.
//!
//! Each kernel states its formula, shapes and error bound, and keeps its naive reference in its own tests. None allocates,
//! none knows the model. Matrices are row-major `ndarray` views whose rows are contiguous.

pub mod attention;
pub mod exp;
pub mod gelu;
pub mod gemm_f32;
pub mod gemm_i8;
pub mod layer_norm;
pub mod pack;
pub mod quantize;
pub mod softmax;

use crate::simd::F32x4;
use ndarray::ArrayViewMut2;

/// Width of a GEMM tile: how many outputs a packed panel holds side by side.
pub const TILE_COLUMNS: usize = 8;

/// Height of a GEMM tile. 4 × 8 keeps 8 accumulators, 2 weight vectors and a broadcast in the 16 registers of x86-64.
pub const TILE_ROWS: usize = 4;

/// `x ← f(x)` for every element, four at a time; the last lanes of a remainder see zeros.
#[inline(always)]
pub fn map_in_place(values: &mut [f32], f: impl Fn(F32x4) -> F32x4) {
    let (quads, rest) = values.as_chunks_mut::<4>();
    for quad in quads {
        f(F32x4::load(quad)).store(quad);
    }
    if !rest.is_empty() {
        let mut padded = [0.0; 4];
        padded[..rest.len()].copy_from_slice(rest);
        f(F32x4::load(&padded)).store(&mut padded);
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

/// Writes eight lanes to `row[column..]`, dropping those past its end.
#[inline(always)]
pub fn store_lanes(row: &mut [f32], column: usize, lanes: [F32x4; 2]) {
    let target = &mut row[column..];
    if let Some(target) = target.first_chunk_mut::<TILE_COLUMNS>() {
        let (halves, _) = target.as_chunks_mut::<4>();
        lanes[0].store(&mut halves[0]);
        lanes[1].store(&mut halves[1]);
    } else {
        let mut padded = [0.0; TILE_COLUMNS];
        store_lanes(&mut padded, 0, lanes);
        target.copy_from_slice(&padded[..target.len()]);
    }
}

/// Eight lanes of `values`.
#[inline(always)]
pub fn load_lanes(values: &[f32; TILE_COLUMNS]) -> [F32x4; 2] {
    let (halves, _) = values.as_chunks::<4>();
    [F32x4::load(&halves[0]), F32x4::load(&halves[1])]
}

/// A row of a matrix as a slice, for the lanes to be written to.
#[inline(always)]
pub fn row_of<'a>(matrix: &'a mut ArrayViewMut2<f32>, row: usize) -> &'a mut [f32] {
    matrix.row_mut(row).into_slice().expect("rows are contiguous")
}
