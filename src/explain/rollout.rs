//! Attention rollout: what a token gathers of each patch through all layers, as far as attention and residuals say
//! (Abnar & Zuidema, 2020).

use super::attention::Attentions;
use super::heads::Fusion;
use super::rows::rows;
use super::shape::{Query, Shape, invalid};
use crate::alloc::matrix;
use crate::error::{Error, ErrorKind, Result, shown};
use crate::kernels::dot::sum;
use crate::kernels::rows::add_scaled;
use ndarray::ArrayView2;

/// R = Â_L ⋯ Â_1 with Â = rownorm(fuse(A) + I).
#[derive(Clone, Copy, Debug)]
pub struct Rollout {
    /// How a layer's heads become one matrix.
    pub fusion: Fusion,
    /// Share of a fused matrix, its smallest elements, that is made 0 first: 0 to below 1.
    pub discard: f64,
    /// Whose row of R.
    pub query: Query,
}

impl Rollout {
    /// `[N]`.
    pub fn compute(&self, shape: &Shape, attentions: &mut dyn Attentions) -> Result<Vec<f32>> {
        let discard = check_discard(self.discard)?;
        let mut row = Row::new(shape, self.query)?;
        let tokens = shape.tokens();
        let mut fused = matrix("a layer's attention", tokens, tokens)?;
        for layer in (0..shape.layers).rev() {
            self.fusion.fuse(attentions.read(layer, 0, 0..shape.heads, 0..tokens)?, &mut fused);
            discard_smallest(fused.as_slice_mut().expect("it is contiguous"), discard);
            row.multiply_normalised(fused.view());
        }
        Ok(row.patches())
    }
}

/// Why a model with stages or windows has none.
pub fn no_rollout() -> Error {
    let why = "it multiplies the attention of all layers, between the same tokens, and here tokens attend within windows or are merged.";
    ErrorKind::UnsupportedView { view: "rollout", why }.into()
}

/// `discard`, if it is a share that leaves something.
pub(super) fn check_discard(discard: f64) -> Result<f64> {
    if (0.0..1.0).contains(&discard) {
        return Ok(discard);
    }
    Err(invalid(format!("discard is {}; it must be 0 or more and below 1.", shown(discard))))
}

/// A query's row of a product of `[T, T]` matrices, which grows from its left end: only this row is ever computed.
pub(super) struct Row {
    values: Vec<f32>,
    next: Vec<f32>,
    prefix: usize,
}

impl Row {
    /// Of the empty product I; for several tokens the mean of their rows.
    pub fn new(shape: &Shape, query: Query) -> Result<Self> {
        let tokens = shape.query_tokens(query)?;
        let mut values = vec![0.0; shape.tokens()];
        let share = 1.0 / tokens.len() as f32;
        values[tokens].fill(share);
        Ok(Self { next: values.clone(), values, prefix: shape.prefix.len() })
    }

    /// row ← row · rownorm(M + I)
    pub fn multiply_normalised(&mut self, matrix: ArrayView2<f32>) {
        self.multiply(matrix, &|row| 1.0 / (1.0 + sum(row)));
    }

    /// row ← row · (M + I)
    pub fn multiply_plain(&mut self, matrix: ArrayView2<f32>) {
        self.multiply(matrix, &|_| 1.0);
    }

    fn multiply(&mut self, matrix: ArrayView2<f32>, scale: &dyn Fn(&[f32]) -> f32) {
        self.next.fill(0.0);
        for (token, (value, row)) in self.values.iter().zip(rows(matrix)).enumerate() {
            let factor = value * scale(row);
            add_scaled(&mut self.next, factor, row);
            self.next[token] += factor;
        }
        std::mem::swap(&mut self.values, &mut self.next);
    }

    /// What it says of the patches.
    pub fn patches(&self) -> Vec<f32> {
        self.values[self.prefix..].to_vec()
    }
}

/// Makes the smallest ⌊share · elements⌋ of elements ≥ 0 zero; of equal ones the first.
pub(super) fn discard_smallest(matrix: &mut [f32], share: f64) {
    let count = (share * matrix.len() as f64) as usize;
    let Some(last) = count.checked_sub(1) else { return };
    let limit = nth_smallest(matrix, last);
    // Of those that equal the limit only as many as the count asks for.
    let mut equal = count - matrix.iter().filter(|x| **x < limit).count();
    for x in matrix {
        if *x < limit || (*x == limit && equal > 0) {
            equal -= usize::from(*x == limit);
            *x = 0.0;
        }
    }
}

/// The element of number `n`, from 0, in the order of size; all are ≥ 0, and so ordered as their bits are.
///
/// Eleven bits at a time: how many begin with each says with which the wanted one begins. (The standard library's selection, built for size, takes
/// seconds where half of the elements are equal, as they are behind a relu.)
fn nth_smallest(values: &[f32], mut n: usize) -> f32 {
    const DIGIT: u32 = 11;
    let (mut begin, mut known) = (0, 0);
    for shift in [21, 10, 0] {
        let digit = |bits: u32| (bits >> shift & ((1 << DIGIT) - 1)) as usize;
        let mut counts = [0usize; 1 << DIGIT];
        let bits = values.iter().map(|value| value.to_bits());
        bits.filter(|bits| bits & known == begin).for_each(|bits| counts[digit(bits & !known)] += 1);
        let mut found = 0;
        while found + 1 < counts.len() && n >= counts[found] {
            n -= counts[found];
            found += 1;
        }
        begin |= (found as u32) << shift;
        known |= ((1 << DIGIT) - 1) << shift;
    }
    f32::from_bits(begin)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Exactly so many, equal ones too.
    #[test]
    fn discards_the_share() {
        for (share, left) in [(0.0, 4), (0.24, 4), (0.25, 3), (0.5, 2), (0.75, 1), (0.99, 1)] {
            let mut matrix = [2.0, 1.0, 2.0, 2.0];
            discard_smallest(&mut matrix, share);
            assert_eq!(matrix.iter().filter(|x| **x > 0.0).count(), left, "{share}: {matrix:?}");
        }
    }

    /// Whatever is equal, and however far apart the others are, against sorting.
    #[test]
    fn selects_as_sorting_does() {
        let mut rng = fastrand::Rng::with_seed(11);
        for n in [1, 2, 7, 300] {
            let value = |i: usize| match i % 4 {
                0 => 0.0,
                1 => 0.25,
                _ => (rng.f32() * 80.0 - 70.0).exp(),
            };
            let values: Vec<f32> = (0..n).map(value).collect();
            let mut sorted = values.clone();
            sorted.sort_by(f32::total_cmp);
            let selected: Vec<f32> = (0..n).map(|i| nth_smallest(&values, i)).collect();
            assert_eq!(selected, sorted);
        }
    }

    /// 0.7 of 10 elements is 7, though 0.7 in 32 bits is a little less.
    #[test]
    fn shares_are_not_rounded_away() {
        let mut matrix: [f32; 10] = std::array::from_fn(|i| 1.0 + i as f32);
        discard_smallest(&mut matrix, 0.7);
        assert_eq!(matrix.iter().filter(|x| **x == 0.0).count(), 7);
    }
}
