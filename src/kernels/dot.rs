//! Sums of one row or of the product of two.

use super::fold;
use crate::simd::F32x4;

/// Σ x.
pub fn sum(x: &[f32]) -> f32 {
    fold(x, 0.0, |sum, x| sum + x).sum()
}

/// Σ x y, for rows of one length.
#[inline(never)]
pub fn dot(x: &[f32], y: &[f32]) -> f32 {
    assert_eq!(x.len(), y.len());
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<4>(), y.as_chunks::<4>());
    let zero = F32x4::splat(0.0);
    // Two sums, so that an addition need not wait for the one before.
    let mut sums = [zero; 2];
    for (x, y) in x.chunks(2).zip(y.chunks(2)) {
        for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *sum = F32x4::load(x) * F32x4::load(y) + *sum;
        }
    }
    x_rest.iter().zip(y_rest).fold((sums[0] + sums[1]).sum(), |sum, (x, y)| sum + x * y)
}

/// `out = rows x`: the products of `x` `[k]` with `rows` `[n, k]`, `out`: `[n]`.
#[inline(never)]
pub fn dots(x: &[f32], rows: &[f32], out: &mut [f32]) {
    let (fours, rest) = out.as_chunks_mut::<4>();
    let (left, last) = rows.split_at(4 * fours.len() * x.len());
    for (out, rows) in fours.iter_mut().zip(left.chunks_exact(4 * x.len())) {
        *out = four_dots(x, rows);
    }
    rest.iter_mut().zip(last.chunks_exact(x.len())).for_each(|(out, row)| *out = dot(x, row));
}

/// With four rows at once: none waits for the addition before.
#[inline(always)]
fn four_dots(x: &[f32], rows: &[f32]) -> [f32; 4] {
    let (quads, x_rest) = x.as_chunks::<4>();
    let rows: [_; 4] = std::array::from_fn(|i| rows[i * x.len()..][..x.len()].as_chunks::<4>());
    let row_quads = rows.map(|(row, _)| &row[..quads.len()]);
    let mut sums = [F32x4::splat(0.0); 4];
    for (i, x) in quads.iter().enumerate() {
        let x = F32x4::load(x);
        for (sum, row) in sums.iter_mut().zip(&row_quads) {
            *sum = F32x4::load(&row[i]) * x + *sum;
        }
    }
    std::array::from_fn(|i| x_rest.iter().zip(rows[i].1).fold(sums[i].sum(), |sum, (x, y)| sum + x * y))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Every remainder.
    #[test]
    fn equal_the_formulas() {
        let mut rng = fastrand::Rng::with_seed(5);
        for n in 0..=41 {
            let mut row = || (0..n).map(|_| rng.f32() - 0.5).collect::<Vec<f32>>();
            let (x, y) = (row(), row());
            let exact = |y: &dyn Fn(usize) -> f32| (0..n).map(|i| f64::from(x[i]) * f64::from(y(i))).sum::<f64>();
            assert!((f64::from(sum(&x)) - exact(&|_| 1.0)).abs() < 1e-6, "n = {n}");
            assert!((f64::from(dot(&x, &y)) - exact(&|i| y[i])).abs() < 1e-6, "n = {n}");
        }
    }

    /// Every remainder of both.
    #[test]
    fn several_equal_each() {
        let mut rng = fastrand::Rng::with_seed(6);
        for (k, n) in (1..=13).flat_map(|k| (0..=9).map(move |n| (k, n))) {
            let mut values = |count: usize| (0..count).map(|_| rng.f32() - 0.5).collect::<Vec<f32>>();
            let (x, rows) = (values(k), values(n * k));
            let mut out = vec![f32::NAN; n];
            dots(&x, &rows, &mut out);
            for (row, y) in rows.chunks_exact(k).zip(out) {
                let exact: f64 = x.iter().zip(row).map(|(x, r)| f64::from(*x) * f64::from(*r)).sum();
                assert!((f64::from(y) - exact).abs() < 1e-6, "{n} rows of {k}: {y}, exactly {exact}");
            }
        }
    }
}
