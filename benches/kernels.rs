//! Each kernel alone, at the shapes of ViT-Ti/16 and ViT-B/16 at 224 pixels. Times are comparable within one run only.

#[cfg(not(target_arch = "wasm32"))]
use criterion::Criterion;
use ndarray::{Array2, s};
use std::hint::black_box;
use vitscope::kernels::Epilogue;
use vitscope::kernels::attention::{AttendScratch, PackedHead, Wanted, attend};
use vitscope::kernels::gelu::gelu_in_place;
use vitscope::kernels::gemm_f32::gemm_f32;
use vitscope::kernels::gemm_i8::gemm_i8;
use vitscope::kernels::layer_norm::layer_norm;
use vitscope::kernels::pack::{PackedF32, PackedI8};
use vitscope::kernels::quantize::QuantizedRows;
use vitscope::kernels::softmax::softmax_in_place;
use vitscope::parallel::BLOCK_ROWS;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::{Criterion, wasm_bindgen_bench};

/// 196 patches and the class token.
const TOKENS: usize = 197;

/// (name, inputs, outputs)
const SHAPES: &[(&str, usize, usize)] = &[
    ("Ti qkv", 192, 576),
    ("Ti fc1", 192, 768),
    ("Ti fc2", 768, 192),
    ("B qkv", 768, 2304),
    ("B fc1", 768, 3072),
    ("B fc2", 3072, 768),
];

fn random(rows: usize, columns: usize) -> Array2<f32> {
    let mut rng = fastrand::Rng::with_seed(1);
    Array2::from_shape_fn((rows, columns), |_| rng.f32() - 0.5)
}

/// Lets the sums be computed and nothing else.
struct Drop;

impl<Lanes> Epilogue<Lanes> for Drop {
    #[inline(always)]
    fn rows(&mut self, _first: usize, _column: usize, sums: impl Iterator<Item = [Lanes; 2]>) {
        sums.for_each(|sums| {
            black_box(sums);
        });
    }
}

fn quantized(x: &Array2<f32>) -> QuantizedRows {
    let mut rows = QuantizedRows::default();
    rows.reset(x.nrows(), x.ncols());
    x.rows().into_iter().enumerate().for_each(|(i, row)| rows.write(i, row.to_slice().unwrap()));
    rows
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_bench)]
fn gemm(c: &mut Criterion) {
    for (name, k, n) in SHAPES {
        let megamacs = BLOCK_ROWS * k * n / 1_000_000;
        let a = random(BLOCK_ROWS, *k);
        let w = PackedF32::new(random(*n, *k).view()).unwrap();
        c.bench_function(&format!("gemm f32 {name} ({megamacs} MMAC)"), |b| {
            b.iter(|| gemm_f32::<true>(a.view(), &w, &mut Drop))
        });

        let a = quantized(&a);
        let w = random(*n, *k).mapv(|x| (x * 254.0) as i8);
        let w = PackedI8::new(*n, *k, w.rows().into_iter().filter_map(|row| row.to_slice())).unwrap();
        c.bench_function(&format!("gemm i8 {name} ({megamacs} MMAC)"), |b| b.iter(|| gemm_i8(&a, &w, &mut Drop)));
    }
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_bench)]
fn head(c: &mut Criterion) {
    let qkv = random(TOKENS, 3 * 64);
    let third = |i: usize| qkv.slice(s![.., i * 64..(i + 1) * 64]);
    let mut scratch = AttendScratch::new(BLOCK_ROWS, TOKENS, 64).unwrap();
    let mut attention = Array2::zeros((BLOCK_ROWS, TOKENS));
    let mut context = vec![0.0; BLOCK_ROWS * 64];
    for (name, head) in [("f32", PackedHead::f32(TOKENS, 64)), ("int8", PackedHead::int8(TOKENS, 64))] {
        let mut head = head.unwrap();
        c.bench_function(&format!("packing a head of 64 in {name}"), |b| b.iter(|| head.pack(third(1), third(2))));
        let q = third(0).slice_move(s![..BLOCK_ROWS, ..]);
        c.bench_function(&format!("attention of {BLOCK_ROWS} queries, a head of 64 in {name}"), |b| {
            b.iter(|| attend(q, &head, &mut scratch, attention.view_mut(), Wanted::default(), &mut context, 64))
        });
    }
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_bench)]
fn elementwise(c: &mut Criterion) {
    let mut row = random(1, TOKENS).into_raw_vec_and_offset().0;
    c.bench_function("softmax, a row of 197", |b| b.iter(|| softmax_in_place(black_box(&mut row))));
    let mut hidden = random(1, 3072).into_raw_vec_and_offset().0;
    c.bench_function("gelu, 3072 values", |b| b.iter(|| gelu_in_place(black_box(&mut hidden))));
    let x = random(1, 768).into_raw_vec_and_offset().0;
    let (weight, bias) = (vec![1.0; 768], vec![0.0; 768]);
    let mut out = vec![0.0; 768];
    c.bench_function("layer_norm, 768 values", |b| {
        b.iter(|| layer_norm(black_box(&x), &weight, &bias, 1e-6, true, black_box(&mut out)))
    });
    let mut rows = QuantizedRows::default();
    rows.reset(1, 768);
    c.bench_function("quantize, 768 values", |b| b.iter(|| rows.write(0, black_box(&x))));
}

#[cfg(not(target_arch = "wasm32"))]
criterion::criterion_group!(kernels, gemm, head, elementwise);
#[cfg(not(target_arch = "wasm32"))]
criterion::criterion_main!(kernels);

#[cfg(target_arch = "wasm32")]
fn main() {}
