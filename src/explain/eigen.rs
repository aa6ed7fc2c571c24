//! The first eigenvectors of a symmetric matrix, by Lanczos' iteration.
//!
//! Three of a matrix of a few hundred rows are wanted; a library's full decomposition takes ten times as long as a view may.

use ndarray::Array2;

/// What a residual may be of the largest eigenvalue: a tenth of the matrix's own rounding.
const TOLERANCE: f64 = 1e-8;

/// Steps for one eigenvalue of a tridiagonal matrix; two or three do.
const QL_STEPS: usize = 50;

/// Eigenvectors of unit length of `matrix` `[n, n]`, symmetric without negative eigenvalues, for its `count` largest eigenvalues, the
/// largest first. Fewer where the matrix has no more that differ from 0.
///
/// The matrix in the basis of v, Mv, M²v, …, made orthonormal, is tridiagonal, and its outer eigenvalues are soon those of M (Lanczos, 1950).
pub(super) fn leading_eigenvectors(matrix: &Array2<f32>, count: usize) -> Vec<Vec<f64>> {
    let n = matrix.nrows();
    let mut basis = Basis::new(n);
    let (mut diagonal, mut beside) = (Vec::new(), Vec::new());
    let mut next_look = (2 * count).max(16);
    loop {
        let step = diagonal.len();
        let mut product = multiply(matrix, &basis.vectors[step]);
        diagonal.push(inner(&product, &basis.vectors[step]));
        let last = step + 1 == n;
        let length = if last { 0.0 } else { basis.extend(&mut product) };
        beside.push(length);
        if !last && step + 1 < next_look {
            continue;
        }
        next_look *= 2;

        let (values, mut vectors) = tridiagonal_eigen(diagonal.clone(), beside.clone());
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
        let largest = values[order[0]].max(f64::MIN_POSITIVE);
        order.truncate(count);
        order.retain(|index| values[*index] > TOLERANCE * largest);
        let converged = |index: &usize| (length * vectors[*index][step]).abs() <= TOLERANCE * largest;
        if last || order.iter().all(converged) {
            return order.iter().map(|index| basis.combine(&std::mem::take(&mut vectors[*index]))).collect();
        }
    }
}

/// Orthonormal vectors.
struct Basis {
    vectors: Vec<Vec<f64>>,
    random: u64,
}

impl Basis {
    /// One vector of `n` elements, any.
    fn new(n: usize) -> Self {
        let mut basis = Self { vectors: Vec::new(), random: 1 };
        let mut first = basis.any(n);
        basis.extend(&mut first);
        basis
    }

    /// Adds what is new in `vector`, and returns its length: 0 where there was nothing, and something else is added.
    fn extend(&mut self, vector: &mut [f64]) -> f64 {
        let before = inner(vector, vector).sqrt();
        let length = self.orthogonalise(vector);
        if length > 1e-13 * before.max(f64::MIN_POSITIVE) {
            self.push(vector, length);
            return length;
        }
        let mut other = self.any(vector.len());
        let length = self.orthogonalise(&mut other);
        self.push(&other, length);
        0.0
    }

    /// Twice, since the first time rounding leaves what is large beside a small remainder.
    fn orthogonalise(&self, vector: &mut [f64]) -> f64 {
        for _ in 0..2 {
            for other in &self.vectors {
                let along = inner(vector, other);
                vector.iter_mut().zip(other).for_each(|(x, y)| *x -= along * y);
            }
        }
        inner(vector, vector).sqrt()
    }

    fn push(&mut self, vector: &[f64], length: f64) {
        self.vectors.push(vector.iter().map(|x| x / length).collect());
    }

    /// A vector that has something of every eigenvector: numbers of a linear congruential generator (Knuth's MMIX).
    fn any(&mut self, n: usize) -> Vec<f64> {
        let mut next = || {
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.random >> 33) as f64 / f64::from(1u32 << 30) - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    /// Σ c v.
    fn combine(&self, coefficients: &[f64]) -> Vec<f64> {
        let mut sum = vec![0.0; self.vectors[0].len()];
        for (factor, vector) in coefficients.iter().zip(&self.vectors) {
            sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += factor * x);
        }
        sum
    }
}

fn multiply(matrix: &Array2<f32>, vector: &[f64]) -> Vec<f64> {
    matrix.rows().into_iter().map(|row| row.iter().zip(vector).map(|(a, b)| f64::from(*a) * b).sum()).collect()
}

fn inner(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// Eigenvalues and, a row each, eigenvectors of a symmetric tridiagonal matrix, in no order. `beside[i]` stands beside `diagonal[i]`; the last
/// is not read.
///
/// QL with implicit shifts (Bowdler, Martin, Reinsch & Wilkinson, 1968).
fn tridiagonal_eigen(mut diagonal: Vec<f64>, mut beside: Vec<f64>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = diagonal.len();
    beside[n - 1] = 0.0;
    let unit = |row: usize| (0..n).map(|column| f64::from(u8::from(row == column))).collect();
    let mut vectors: Vec<Vec<f64>> = (0..n).map(unit).collect();
    for first in 0..n {
        for _ in 0..QL_STEPS {
            let negligible =
                |i: &usize| beside[*i].abs() <= f64::EPSILON * (diagonal[*i].abs() + diagonal[*i + 1].abs());
            let last = (first..n - 1).find(negligible).unwrap_or(n - 1);
            if last == first {
                break;
            }
            let ratio = (diagonal[first + 1] - diagonal[first]) / (2.0 * beside[first]);
            let shift = beside[first] / (ratio + ratio.hypot(1.0).copysign(ratio));
            chase(&mut diagonal[first..=last], &mut beside[first..=last], shift, &mut vectors[first..=last]);
        }
    }
    (diagonal, vectors)
}

/// One QL step on an unreduced part: a rotation at its end, and one after another to keep it tridiagonal.
fn chase(diagonal: &mut [f64], beside: &mut [f64], shift: f64, vectors: &mut [Vec<f64>]) {
    let last = diagonal.len() - 1;
    let mut g = diagonal[last] - diagonal[0] + shift;
    let (mut sine, mut cosine, mut moved) = (1.0, 1.0, 0.0);
    for i in (0..last).rev() {
        let (f, b) = (sine * beside[i], cosine * beside[i]);
        let length = f.hypot(g);
        beside[i + 1] = length;
        if length == 0.0 {
            diagonal[i + 1] -= moved;
            beside[last] = 0.0;
            return;
        }
        (sine, cosine) = (f / length, g / length);
        g = diagonal[i + 1] - moved;
        let r = (diagonal[i] - g) * sine + 2.0 * cosine * b;
        moved = sine * r;
        diagonal[i + 1] = g + moved;
        g = cosine * r - b;
        let (lower, upper) = vectors[i..].split_at_mut(1);
        for (x, y) in lower[0].iter_mut().zip(&mut upper[0]) {
            (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
        }
    }
    diagonal[0] -= moved;
    beside[0] = g;
    beside[last] = 0.0;
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Q diag(values) Qᵀ for a random orthogonal Q.
    fn with_eigenvalues(values: &[f64], seed: u64) -> (Array2<f32>, Vec<Vec<f64>>) {
        let n = values.len();
        let mut basis = Basis { vectors: Vec::new(), random: seed };
        while basis.vectors.len() < n {
            let mut vector = basis.any(n);
            basis.extend(&mut vector);
        }
        let q = &basis.vectors;
        let element = |(i, j): (usize, usize)| (0..n).map(|k| values[k] * q[k][i] * q[k][j]).sum::<f64>() as f32;
        (Array2::from_shape_fn((n, n), element), basis.vectors)
    }

    /// Far apart, close together, one alone, and fewer than are asked for.
    #[test]
    fn finds_the_leading_ones() {
        let decaying: Vec<f64> = (0..60).map(|i| 0.8f64.powi(i)).collect();
        let close: Vec<f64> =
            (0..40).map(|i| if i < 4 { 1.0 - 0.01 * f64::from(i) } else { 0.9 / f64::from(i) }).collect();
        let low_rank = [5.0, 2.0, 0.0, 0.0, 0.0, 0.0];
        for (values, wanted) in [(&decaying[..], 3), (&close[..], 3), (&low_rank[..], 2), (&[2.0][..], 1)] {
            let (matrix, exact) = with_eigenvalues(values, 7);
            let found = leading_eigenvectors(&matrix, 3);
            // (The tolerance of a low rank is that of the matrix's own rounding.)
            assert!(found.len() >= wanted, "{values:?}: {}", found.len());
            for (ours, exact) in found.iter().zip(&exact).take(wanted) {
                assert!((inner(ours, exact).abs() - 1.0).abs() < 1e-7, "{values:?}: {ours:?}");
            }
        }
    }

    /// A model whose tokens overflow must not keep the caller waiting for ever.
    #[test]
    fn what_is_not_a_number_ends() {
        let mut matrix = Array2::eye(40);
        matrix[[3, 5]] = f32::NAN;
        matrix[[7, 7]] = f32::INFINITY;
        assert!(leading_eigenvectors(&matrix, 3).len() <= 3);
    }

    /// All rows alike but for one: the iteration is over after two steps, and has to go on elsewhere.
    #[test]
    fn survives_an_invariant_subspace() {
        let mut matrix = Array2::eye(30);
        matrix[[4, 4]] = 3.0;
        let found = leading_eigenvectors(&matrix, 3);
        assert_eq!(found.len(), 3);
        assert!((found[0][4].abs() - 1.0).abs() < 1e-9);
        assert!(leading_eigenvectors(&Array2::zeros((5, 5)), 3).is_empty());
    }
}
