//! Decomposed relative positions: what is added to a score is what the query makes of how many rows and columns the key lies away (MViTv2, Li et al., 2022; SAM).

use crate::kernels::dot::dots;

/// Rows and columns of keys that are gone through at a time.
const SQUARE: usize = 64;

/// For queries and keys that are an image or a window of h × w tokens: score(q, k) += q · Rh[y_q − y_k + h − 1] + q · Rw[x_q − x_k + w − 1].
///
/// A query costs h + w products of d values, not h · w. Stored back to front, what the keys of one query read lies in their order.
pub struct Decomposed {
    /// `[2 h − 1, d]`: Rh.
    rows: Vec<f32>,
    /// `[2 w − 1, d]`: Rw.
    columns: Vec<f32>,
    /// h and w.
    size: [usize; 2],
}

impl Decomposed {
    /// Of tables as checkpoints hold them: `[2 h − 1, d]` and `[2 w − 1, d]`.
    pub fn new([rows, columns]: [&[f32]; 2], size: [usize; 2]) -> Self {
        let reversed = |table: &[f32], edge: usize| {
            let width = table.len() / (2 * edge - 1);
            table.rchunks_exact(width).flatten().copied().collect()
        };
        Self { rows: reversed(rows, size[0]), columns: reversed(columns, size[1]), size }
    }

    /// Bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(self.rows.as_slice()) + size_of_val(self.columns.as_slice())
    }

    /// `scores += bias` of the query `[d]`, as it is before scores are scaled, at `place` (row by row) to all keys `[h · w]`.
    pub(super) fn add_to(&self, query: &[f32], place: usize, scores: &mut [f32]) {
        let [h, w] = self.size;
        let [mut down, mut across] = [[0.0; SQUARE]; 2];
        for first in (0..w).step_by(SQUARE) {
            let across = products(&self.columns, query, w - 1 - place % w + first, w - first, &mut across);
            for top in (0..h).step_by(SQUARE) {
                let down = products(&self.rows, query, h - 1 - place / w + top, h - top, &mut down);
                for (keys, down) in scores[top * w..].chunks_exact_mut(w).zip(down) {
                    keys[first..].iter_mut().zip(across).for_each(|(score, across)| *score += *down + across);
                }
            }
        }
    }
}

/// Those of a query with `count` entries of a table from number `first` on, or with as many as there is room for.
fn products<'o>(table: &[f32], query: &[f32], first: usize, count: usize, out: &'o mut [f32; SQUARE]) -> &'o [f32] {
    let out = &mut out[..count.min(SQUARE)];
    dots(query, &table[first * query.len()..][..out.len() * query.len()], out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// The formula, pair by pair; 70 are more than are gone through at once.
    #[test]
    fn equals_the_formula() {
        let mut rng = fastrand::Rng::with_seed(9);
        for (size, width) in [([1, 1], 1), ([3, 2], 4), ([2, 5], 7), ([2, 70], 3), ([70, 2], 5), ([14, 14], 8)] {
            let [h, w] = size;
            let mut values = |count: usize| (0..count).map(|_| rng.f32() - 0.5).collect::<Vec<f32>>();
            let (rows, columns) = (values((2 * h - 1) * width), values((2 * w - 1) * width));
            let bias = Decomposed::new([&rows, &columns], size);
            for place in 0..h * w {
                let query = values(width);
                let mut scores = vec![0.25; h * w];
                bias.add_to(&query, place, &mut scores);
                for (key, score) in scores.into_iter().enumerate() {
                    let part = |table: &[f32], distance: usize| -> f32 {
                        query.iter().zip(&table[distance * width..]).map(|(q, r)| q * r).sum()
                    };
                    let expected =
                        0.25 + part(&rows, place / w + h - 1 - key / w) + part(&columns, place % w + w - 1 - key % w);
                    assert!((score - expected).abs() < 1e-5, "{size:?} {place} {key}: {score} {expected}");
                }
            }
        }
    }
}
