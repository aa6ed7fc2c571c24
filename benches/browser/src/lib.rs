//! The engine's matrix products, and the peaks they are held against, for JavaScript to time. Made for wasm alone: natively this crate
//! is empty. Kernels that have no peak to reach are in `benches/kernels.rs`.
#![cfg(target_arch = "wasm32")]

use ndarray::{Array2, Axis, s};
use std::hint::black_box;
use vitscope::kernels::attention::{AttendScratch, PackedHead, Wanted, attend};
use vitscope::kernels::gemm_f32::{BLOCK_INPUTS, accumulate, gemm_f32, hand_over, no_sums};
use vitscope::kernels::gemm_i8::{ColumnScale, Dequantize, gemm_i8};
use vitscope::kernels::pack::{PackedF32, PackedI8};
use vitscope::kernels::quantize::QuantizedRows;
use vitscope::kernels::{Epilogue, TILE_ROWS, Target};
use vitscope::parallel::BLOCK_ROWS;
use vitscope::quant::QuantizedMatrix;
use vitscope::simd::{DEPTH, F32x4, I32x4, WeightStep};
use wasm_bindgen::prelude::*;

/// One kernel with its data.
#[wasm_bindgen]
pub struct Kernel {
    run: Box<dyn FnMut()>,
    /// Multiply-accumulates of one run.
    pub work: f64,
}

/// Independent sums of a peak measurement: as many as a tile has.
const CHAINS: usize = 4;

/// Steps of a peak measurement.
const STEPS: usize = 100_000;

#[wasm_bindgen]
impl Kernel {
    /// The integer dot product of the backend with everything in registers: no engine runs it faster.
    pub fn peak_dot() -> Kernel {
        let macs = STEPS * CHAINS * 8 * DEPTH;
        kernel(macs, || {
            let x = black_box([1; DEPTH]);
            let w = WeightStep::load(&black_box([1; 8 * DEPTH]));
            let mut sums = [[I32x4::splat(0); 2]; CHAINS];
            for _ in 0..STEPS {
                sums.iter_mut().for_each(|sums| *sums = w.dot(&x, *sums));
            }
            black_box(sums);
        })
    }

    /// The same of the float multiply-add.
    pub fn peak_mul_add() -> Kernel {
        kernel(STEPS * CHAINS * 8, || {
            let (x, w) = (F32x4::splat(black_box(0.5)), F32x4::splat(black_box(1.0)));
            let mut sums = [F32x4::splat(0.0); 2 * CHAINS];
            for _ in 0..STEPS {
                sums.iter_mut().for_each(|sum| *sum = x.mul_add(w, *sum));
            }
            black_box(sums);
        })
    }

    /// `m` rows of `k` inputs to `n` outputs in 8-bit integers, in blocks of `most` rows.
    pub fn gemm_i8(m: usize, k: usize, n: usize, most: usize) -> Kernel {
        let blocks = blocks(m, 1, most).map(|rows| quantized(&random(rows, k))).collect::<Vec<_>>();
        let w = QuantizedMatrix::from_f32(normal(n, k).as_slice().expect("contiguous"), k).values;
        let w = PackedI8::new(n, k, w.rows().into_iter().filter_map(|row| row.to_slice())).expect("small");
        let mut out = Keep::new(most, n);
        let columns = vec![ColumnScale::default(); n.div_ceil(8)];
        kernel(m * k * n, move || {
            for rows in &blocks {
                gemm_i8(rows, &w, &mut Dequantize { rows, columns: &columns, then: &mut out });
            }
        })
    }

    /// The same in f32; many inputs come in slices, as the MLP's second layer reads them.
    pub fn gemm_f32(m: usize, k: usize, n: usize, most: usize) -> Kernel {
        let slices = (0..k).step_by(BLOCK_INPUTS).map(|from| (from, BLOCK_INPUTS.min(k - from)));
        let blocks: Vec<Vec<_>> = blocks(m, TILE_ROWS, most)
            .map(|rows| slices.clone().map(|(from, width)| (from, random(rows, width))).collect())
            .collect();
        let w = PackedF32::new(random(n, k).view()).expect("small");
        let (mut out, mut sums) = (Keep::new(most, n), vec![no_sums(); most * n.div_ceil(8)]);
        kernel(m * k * n, move || {
            for slices in &blocks {
                if let [(_, a)] = &slices[..] {
                    gemm_f32::<true>(a.view(), &w, &mut &mut out);
                    continue;
                }
                let rows = slices[0].1.nrows();
                let sums = &mut sums[..rows * n.div_ceil(8)];
                sums.fill(no_sums());
                slices.iter().for_each(|(from, a)| accumulate::<true>(a.view(), &w, *from, sums));
                hand_over(sums, rows, &mut &mut out);
            }
        })
    }

    /// Attention of a head of `size` channels between `tokens` tokens: two products of `tokens` × `size` × `tokens`, softmax between them.
    pub fn attention(tokens: usize, size: usize, int8: bool) -> Kernel {
        let build = if int8 { PackedHead::int8 } else { PackedHead::f32 };
        let (mut head, x) = (build(tokens, size).expect("small"), random(tokens, size) * 4.0);
        head.pack(x.view(), x.view());
        let mut scratch = AttendScratch::new(BLOCK_ROWS, tokens, size).expect("small");
        let (mut attention, mut context) = (Array2::zeros((BLOCK_ROWS, tokens)), vec![0.0; BLOCK_ROWS * size]);
        kernel(2 * tokens * size * tokens, move || {
            for q in x.axis_chunks_iter(Axis(0), BLOCK_ROWS) {
                let attention = attention.slice_mut(s![..q.nrows(), ..]);
                attend(q, &head, &mut scratch, attention, Wanted::default(), &mut context, size);
            }
        })
    }

    /// Runs it `rounds` times.
    pub fn run(&mut self, rounds: usize) {
        (0..rounds).for_each(|_| (self.run)());
    }
}

/// Writes the sums, as they are.
struct Keep {
    values: Vec<f32>,
    columns: usize,
}

impl Keep {
    fn new(rows: usize, columns: usize) -> Self {
        Self { values: vec![0.0; rows * columns], columns }
    }
}

impl Epilogue<F32x4> for &mut Keep {
    #[inline(always)]
    fn rows(&mut self, first: usize, column: usize, sums: impl Iterator<Item = [F32x4; 2]>) {
        let Keep { values, columns } = self;
        Target { values, stride: *columns, columns: *columns }.rows(first, column, sums);
    }
}

fn kernel(work: usize, run: impl FnMut() + 'static) -> Kernel {
    Kernel { run: Box::new(run), work: work as f64 }
}

/// The sizes of the blocks that a forward pass makes of `m` rows, nearly: each but the last a multiple of `step`.
fn blocks(m: usize, step: usize, most: usize) -> impl Iterator<Item = usize> {
    let (count, steps) = (m.div_ceil(most), m.div_ceil(step));
    let end = move |i: usize| m.min((i * steps).div_ceil(count) * step);
    (0..count).map(move |i| end(i + 1) - end(i))
}

fn random(rows: usize, columns: usize) -> Array2<f32> {
    let mut rng = fastrand::Rng::with_seed(1);
    Array2::from_shape_fn((rows, columns), |_| rng.f32() - 0.5)
}

/// Weights are distributed like this, and how fast they are multiplied depends on it: few are near the largest of a row.
fn normal(rows: usize, columns: usize) -> Array2<f32> {
    let mut rng = fastrand::Rng::with_seed(2);
    Array2::from_shape_fn((rows, columns), |_| (0..12).map(|_| rng.f32()).sum::<f32>() - 6.0)
}

fn quantized(x: &Array2<f32>) -> QuantizedRows {
    let mut rows = QuantizedRows::default();
    rows.reset(x.nrows(), x.ncols());
    x.rows().into_iter().enumerate().for_each(|(i, row)| rows.write(i, row.to_slice().expect("contiguous")));
    rows
}
