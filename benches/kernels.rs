//! Each kernel alone, at the shapes of ViT-Ti/16 and ViT-B/16 at 224 pixels. Times are comparable within one run only.

#[cfg(not(target_arch = "wasm32"))]
use criterion::Criterion;
use ndarray::{Array2, s};
use std::hint::black_box;
use vitscope::kernels::attention::{PackedHead, attend};
use vitscope::kernels::gelu::gelu_in_place;
use vitscope::kernels::gemm_f32::gemm_f32;
use vitscope::kernels::gemm_i8::gemm_i8;
use vitscope::kernels::layer_norm::layer_norm;
use vitscope::kernels::pack::{PackedF32, PackedI8};
use vitscope::kernels::quantize::quantize_row;
use vitscope::kernels::softmax::softmax_in_place;
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

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_bench)]
fn gemm(c: &mut Criterion) {
    for (name, k, n) in SHAPES {
        let megamacs = TOKENS * k * n / 1_000_000;
        let a = random(TOKENS, *k);
        let w = PackedF32::new(random(*n, *k).view());
        c.bench_function(&format!("gemm f32 {name} ({megamacs} MMAC)"), |b| {
            b.iter(|| {
                gemm_f32(a.view(), &w, |_, _, lanes| {
                    black_box(lanes);
                })
            })
        });

        let mut pairs = vec![[0; 2]; TOKENS * k.div_ceil(2)];
        for (row, pairs) in a.rows().into_iter().zip(pairs.chunks_exact_mut(k.div_ceil(2))) {
            quantize_row(row.to_slice().unwrap(), pairs);
        }
        let w = PackedI8::new(random(*n, *k).mapv(|x| (x * 254.0) as i8).view());
        c.bench_function(&format!("gemm i8 {name} ({megamacs} MMAC)"), |b| {
            b.iter(|| {
                gemm_i8(&pairs, &w, |_, _, lanes| {
                    black_box(lanes);
                })
            })
        });
    }
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_bench)]
fn head(c: &mut Criterion) {
    let qkv = random(TOKENS, 3 * 64);
    let third = |i: usize| qkv.slice(s![.., i * 64..(i + 1) * 64]);
    let mut packed = PackedHead::default();
    let mut probabilities = Array2::zeros((TOKENS, TOKENS));
    let mut context = Array2::zeros((TOKENS, 64));
    c.bench_function("attention, one head of 64", |b| {
        b.iter(|| attend(third(0), third(1), third(2), &mut packed, probabilities.view_mut(), context.view_mut()))
    });
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_bench)]
fn elementwise(c: &mut Criterion) {
    let mut row = random(1, TOKENS).into_raw_vec_and_offset().0;
    c.bench_function("softmax, a row of 197", |b| b.iter(|| softmax_in_place(black_box(&mut row), 1.0)));
    let mut hidden = random(1, 3072).into_raw_vec_and_offset().0;
    c.bench_function("gelu, 3072 values", |b| b.iter(|| gelu_in_place(black_box(&mut hidden))));
    let x = random(TOKENS, 768);
    let (weight, bias) = (vec![1.0; 768], vec![0.0; 768]);
    let mut out = Array2::zeros(x.raw_dim());
    c.bench_function("layer_norm, 197 × 768", |b| {
        b.iter(|| layer_norm(x.view(), &weight, &bias, 1e-6, black_box(out.view_mut())))
    });
    let mut pairs = vec![[0; 2]; 384];
    c.bench_function("quantize, a row of 768", |b| {
        b.iter(|| quantize_row(x.row(0).to_slice().unwrap(), black_box(&mut pairs)))
    });
}

#[cfg(not(target_arch = "wasm32"))]
criterion::criterion_group!(kernels, gemm, head, elementwise);
#[cfg(not(target_arch = "wasm32"))]
criterion::criterion_main!(kernels);

#[cfg(target_arch = "wasm32")]
fn main() {}
