//! Relative position bias: what is added to a score depends on how far query and key lie apart (BEiT; Bao et al., 2021).

use crate::alloc::matrix;
use crate::error::Result;
use crate::kernels::dot::dot;
use ndarray::Array2;

/// Entries of a table beside those for pairs of patches, where there is a class token: class token to patch, patch to class token, class token to itself.
const EXTRA: usize = 3;

/// A table for h × w patches, of a model with one token before them or of a window.
///
/// A pair of patches is looked up by row and column distance. Stored back to front, the keys of a row of patches are w entries one after
/// another, so no `[T, T]` matrix is ever made, and adding is a loop over h short runs.
pub struct RelativeBias {
    /// `[heads, (2 h − 1)(2 w − 1)]`, with a class token 3 more: the patches' part back to front, then the extra entries.
    table: Vec<f32>,
    /// h and w.
    grid: [usize; 2],
    /// Tokens before the patches: 0 or 1.
    prefix: usize,
}

impl RelativeBias {
    /// Rows and columns by which two patches of a grid may lie apart.
    pub fn distances(grid: [usize; 2]) -> [usize; 2] {
        grid.map(|edge| 2 * edge - 1)
    }

    /// Entries of a table for a grid of patches.
    pub fn entries(grid: [usize; 2], prefix: usize) -> usize {
        Self::distances(grid).iter().product::<usize>() + EXTRA * prefix.min(1)
    }

    /// The sum of tables as checkpoints hold them: `[entries, heads]`, where a query at (y, x) and a key at (v, u) have entry
    /// (y − v + h − 1)(2 w − 1) + (x − u + w − 1).
    pub fn new(tables: &[&[f32]], heads: usize, grid: [usize; 2], prefix: usize) -> Self {
        let entries = Self::entries(grid, prefix);
        let patches = Self::distances(grid).iter().product();
        let stored = |entry: usize| if entry < patches { patches - 1 - entry } else { entry };
        let mut own = Vec::with_capacity(entries * heads);
        for head in 0..heads {
            let sum = |place: usize| tables.iter().map(|table| table[place]).sum::<f32>();
            own.extend((0..entries).map(|entry| sum(stored(entry) * heads + head)));
        }
        Self { table: own, grid, prefix }
    }

    /// A table `[(2 h − 1)(2 w − 1), heads]` as checkpoints hold them, computed by an MLP of two layers from the logarithms of distances (Swin v2; Liu et al., 2022, equation 4).
    /// `trained`: the window that these are relative to, 0 where that is this one. `mlp`: weights `[M, 2]` and bias `[M]` of the first layer, weights `[heads, M]` of the second.
    pub fn continuous(window: [usize; 2], trained: usize, [first, bias, second]: [&[f32]; 3]) -> Result<Array2<f32>> {
        const RANGE: f32 = 8.0;
        const LARGEST: f64 = 16.0;
        let [rows, columns] = Self::distances(window);
        let coordinate = |distance: usize, edge: usize| {
            let of = if trained > 0 { trained } else { edge };
            let x = RANGE * ((distance as f32 - (edge - 1) as f32) / of.saturating_sub(1).max(1) as f32);
            x.signum() * ((f64::from(x.abs()) + 1.0).log2() as f32 / RANGE.log2())
        };
        let heads = second.len() / bias.len();
        let mut table = matrix("relative positions", rows * columns, heads)?;
        let mut hidden = vec![0.0; bias.len()];
        for (place, mut entries) in table.rows_mut().into_iter().enumerate() {
            let (y, x) = (coordinate(place / columns, window[0]), coordinate(place % columns, window[1]));
            for (hidden, (weights, bias)) in hidden.iter_mut().zip(first.as_chunks().0.iter().zip(bias)) {
                let [by_row, by_column]: &[f32; 2] = weights;
                *hidden = (by_row * y + by_column * x + bias).max(0.0);
            }
            for (entry, weights) in entries.iter_mut().zip(second.chunks_exact(bias.len())) {
                *entry = (LARGEST / (1.0 + (-f64::from(dot(weights, &hidden))).exp())) as f32;
            }
        }
        Ok(table)
    }

    /// Bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(self.table.as_slice())
    }

    /// `scores += bias` of token `query` to all tokens `[T]`, in one head; `seen`: which patches these are, if not all.
    pub(super) fn add_to(&self, head: usize, query: usize, seen: Option<&[usize]>, scores: &mut [f32]) {
        let [rows, columns] = self.grid;
        let entries = Self::entries(self.grid, self.prefix);
        let (table, extra) =
            self.table[head * entries..][..entries].split_at(Self::distances(self.grid).iter().product());
        let (prefix, patches) = scores.split_at_mut(self.prefix);
        let Some(query) = query.checked_sub(self.prefix) else {
            prefix.iter_mut().for_each(|class| *class += extra[2]);
            patches.iter_mut().for_each(|score| *score += extra[0]);
            return;
        };
        prefix.iter_mut().for_each(|class| *class += extra[1]);
        let query = seen.map_or(query, |seen| seen[query]);
        let (y, x) = (query / columns, query % columns);
        // Of the keys in row v, the one at column 0.
        let first = |v: usize| (v + rows - 1 - y) * (2 * columns - 1) + (columns - 1 - x);
        match seen {
            None => {
                for (v, scores) in patches.chunks_exact_mut(columns).enumerate() {
                    scores.iter_mut().zip(&table[first(v)..]).for_each(|(score, bias)| *score += bias);
                }
            }
            Some(seen) => {
                for (score, key) in patches.iter_mut().zip(seen) {
                    *score += table[first(key / columns) + key % columns];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// The formula, pair by pair.
    #[test]
    fn equals_the_lookup() {
        for grid in [[1, 1], [3, 2], [2, 5]] {
            let [h, w] = grid;
            let entries = RelativeBias::entries(grid, 1);
            let table: Vec<f32> = (0..2 * entries).map(|i| (i * i) as f32).collect();
            let bias = RelativeBias::new(&[&table], 2, grid, 1);
            let tokens = 1 + h * w;
            for head in 0..2 {
                for query in 0..tokens {
                    let mut scores = vec![0.5; tokens];
                    bias.add_to(head, query, None, &mut scores);
                    for (key, score) in scores.into_iter().enumerate() {
                        let entry = match (query, key) {
                            (0, 0) => entries - 1,
                            (_, 0) => entries - 2,
                            (0, _) => entries - 3,
                            _ => {
                                let (q, k) = (query - 1, key - 1);
                                (q / w + h - 1 - k / w) * (2 * w - 1) + (q % w + w - 1 - k % w)
                            }
                        };
                        assert_eq!(score, 0.5 + table[2 * entry + head], "{grid:?} {query} {key}");
                    }
                }
            }
        }
    }

    /// Patches that are left out take nothing with them: the others' biases stay.
    #[test]
    fn some_patches_have_the_biases_they_have_among_all() {
        let grid = [3, 4];
        let table: Vec<f32> = (0..RelativeBias::entries(grid, 1)).map(|i| (i * i) as f32).collect();
        let bias = RelativeBias::new(&[&table], 1, grid, 1);
        let seen = [1, 2, 6, 11];
        let token = |row: usize| if row == 0 { 0 } else { 1 + seen[row - 1] };
        for query in 0..=seen.len() {
            let (mut all, mut some) = (vec![0.0; 13], vec![0.0; 5]);
            bias.add_to(0, token(query), None, &mut all);
            bias.add_to(0, query, Some(&seen), &mut some);
            assert_eq!(some, (0..5).map(|key| all[token(key)]).collect::<Vec<_>>(), "query {query}");
        }
    }
}
