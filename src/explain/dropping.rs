//! Leaving patches out, and measuring what that does to a class: a ViT can simply not see them.
//!
//! Patches are dropped after their positions were added and before the first block, so the others keep their places and nothing stands where
//! they were. A model of stages or windows can't do without any: there [`Filling`] puts what stands for nothing in place of their pixels.

use super::filling::Filling;
use super::shape::{Shape, invalid};
use crate::alloc::room;
use crate::error::{Error, Result};
use crate::model::{Precision, Scratch, Vit, likeliest};
use std::ops::Range;

/// Forward passes that see some of the patches, one after another, and the class's score in each.
pub struct Dropping {
    seen: Vec<Vec<usize>>,
    scores: Vec<f32>,
    target: Option<usize>,
    filling: Option<Filling>,
    /// Of the pass that is under way, and its pixels where some are filled.
    pass: Option<(Scratch, Option<Vec<f32>>)>,
}

impl Dropping {
    /// One pass for each set of patches. Without a target it is the likeliest class of the first pass.
    pub fn new(seen: Vec<Vec<usize>>, target: Option<usize>) -> Self {
        Self { seen, scores: Vec::new(), target, filling: None, pass: None }
    }

    /// The same, the patches being cells of an image that are filled in place of being left out, where there is a filling.
    pub fn filling(self, filling: Option<Filling>) -> Self {
        Self { filling, ..self }
    }

    /// The class, if it is known.
    pub fn target(&self) -> Option<usize> {
        self.target
    }

    /// How many passes there are.
    pub fn passes(&self) -> usize {
        self.seen.len()
    }

    /// The class's score in each of the passes that were made.
    pub fn scores(&self) -> &[f32] {
        &self.scores
    }

    /// Goes on with the passes until one is over or `pause`, asked between two blocks, says so. False where all were made.
    pub fn advance(
        &mut self,
        vit: &Vit,
        precision: Precision,
        pixels: &[f32],
        pause: &dyn Fn() -> bool,
    ) -> Result<bool> {
        let Some(patches) = self.seen.get(self.scores.len()) else { return Ok(false) };
        let (mut scratch, filled) = match (self.pass.take(), &self.filling) {
            (Some(pass), _) => pass,
            (None, None) => (Scratch::seeing(&vit.config, precision, patches.clone())?, None),
            (None, Some(filling)) => (Scratch::new(&vit.config, precision)?, Some(filling.fill(pixels, patches)?)),
        };
        if vit.advance(filled.as_deref().unwrap_or(pixels), &mut scratch, &mut (), pause)? {
            self.pass = Some((scratch, filled));
        } else {
            let mut scores = scratch.logits().to_vec();
            let target = *self.target.get_or_insert_with(|| likeliest(&scores));
            vit.config.scores.apply(&mut scores);
            self.scores.push(scores[target]);
        }
        Ok(true)
    }
}

/// Occlusion: square windows are left out in turn, and a patch's value is how much the class's score falls without it, as a mean over
/// the windows that cover it (after Zeiler & Fergus, 2014, with tokens in place of grey squares).
#[derive(Clone, Debug)]
pub struct Occlusion {
    grid: [usize; 2],
    windows: Vec<[Range<usize>; 2]>,
}

impl Occlusion {
    /// Windows of `window` × `window` patches, `stride` apart; the last of a row or column touches the edge. A window is an eighth of the
    /// longer edge unless told, and windows lie side by side.
    pub fn new(shape: &Shape, window: Option<usize>, stride: Option<usize>) -> Result<Self> {
        let [rows, columns] = shape.grid;
        let window = window.unwrap_or(rows.max(columns).div_ceil(8));
        let stride = stride.unwrap_or(window);
        if !(1..=rows.max(columns)).contains(&window) {
            return Err(invalid(format!(
                "a window of {window} patches does not fit: the image has {rows} × {columns}."
            )));
        }
        if !(1..=window).contains(&stride) {
            return Err(invalid(format!(
                "a stride of {stride} would miss patches: it must lie in 1..={window}, the window."
            )));
        }
        let (across, down) = (starts(columns, window, stride), starts(rows, window, stride));
        room("the windows", &[across.len() * down.len() + 1, rows * columns, size_of::<usize>()])?;
        let windows =
            down.into_iter().flat_map(|top| across.iter().map(move |left| [top.clone(), left.clone()])).collect();
        Ok(Self { grid: shape.grid, windows })
    }

    /// What the passes see: everything, then all but each window.
    pub fn seen(&self) -> Vec<Vec<usize>> {
        let all = || 0..self.grid[0] * self.grid[1];
        let without = self.windows.iter().map(|window| all().filter(|patch| !self.covers(window, *patch)).collect());
        std::iter::once(all().collect()).chain(without).collect()
    }

    /// `[N]` from the scores of those passes.
    pub fn map(&self, scores: &[f32]) -> Vec<f32> {
        let Some((full, without)) = scores.split_first() else { return Vec::new() };
        let value = |patch| {
            let covering = self.windows.iter().zip(without).filter(|(window, _)| self.covers(window, patch));
            let (count, sum) =
                covering.fold((0, 0.0), |(count, sum), (_, without)| (count + 1, sum + (full - without)));
            sum / count as f32
        };
        (0..self.grid[0] * self.grid[1]).map(value).collect()
    }

    fn covers(&self, [rows, columns]: &[Range<usize>; 2], patch: usize) -> bool {
        rows.contains(&(patch / self.grid[1])) && columns.contains(&(patch % self.grid[1]))
    }
}

/// Where windows lie on an axis.
fn starts(size: usize, window: usize, stride: usize) -> Vec<Range<usize>> {
    let last = size.saturating_sub(window);
    let first = (0..last).step_by(stride).chain([last]);
    first.map(|first| first..size.min(first + window)).collect()
}

/// How the patches of a map go, or come, the most important ones first (RISE; Petsiuk, Das & Saenko, 2018).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// They are taken away: the better the map, the sooner the score falls.
    Deletion,
    /// They are put in: the better the map, the sooner it rises.
    Insertion,
}

impl std::str::FromStr for Curve {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "deletion" => Ok(Self::Deletion),
            "insertion" => Ok(Self::Insertion),
            _ => Err(invalid(format!("curve `{text}` is unknown. Use `deletion` or `insertion`."))),
        }
    }
}

impl Curve {
    /// What the passes see at 0, 1, … `steps` of `steps` parts of the patches, which `map` `[N]` orders, equal ones by number. `fewest` patches
    /// are seen at least.
    pub fn seen(self, map: &[f32], steps: usize, fewest: usize) -> Result<Vec<Vec<usize>>> {
        let patches = map.len();
        if !(1..=patches).contains(&steps) {
            return Err(invalid(format!(
                "{steps} steps can't be made with {patches} patches: it must lie in 1..={patches}."
            )));
        }
        if let Some(patch) = map.iter().position(|value| value.is_nan()) {
            return Err(invalid(format!("the map's value {patch} is not a number.")));
        }
        room("the steps", &[steps + 2, patches, size_of::<usize>()])?;
        let mut order: Vec<usize> = (0..patches).collect();
        // (Not by total_cmp, to which 0 and −0 differ.)
        order.sort_by(|a, b| map[*b].partial_cmp(&map[*a]).expect("all are numbers"));
        let part = |step: usize| (patches * step + steps / 2) / steps;
        let seen = |step: usize| {
            let mut seen = match self {
                Self::Deletion => order[part(step).min(patches - fewest)..].to_vec(),
                Self::Insertion => order[..part(step).max(fewest)].to_vec(),
            };
            seen.sort_unstable();
            seen
        };
        Ok((0..=steps).map(seen).collect())
    }
}

/// Area under a curve of values at equal distances from 0 to 1, by the trapezoid rule.
pub fn area(values: &[f32]) -> f32 {
    let inner: f32 = values.windows(2).map(|pair| 0.5 * (pair[0] + pair[1])).sum();
    inner / (values.len().max(2) - 1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn shape(grid: [usize; 2]) -> Shape {
        Shape { layers: 1, heads: 1, prefix: Vec::new(), grid, patch_size: [1.0; 2], hidden_size: 1, window: None }
    }

    /// Whatever window and stride, every patch is left out at least once, and a window never reaches past the edge.
    #[test]
    fn windows_cover_the_image() {
        for grid in [[1, 1], [3, 7], [8, 8], [14, 14]] {
            for window in 1..=grid[1] {
                for stride in 1..=window {
                    let occlusion = Occlusion::new(&shape(grid), Some(window), Some(stride)).unwrap();
                    let seen = occlusion.seen();
                    let patches = grid[0] * grid[1];
                    assert_eq!(seen[0].len(), patches);
                    for patch in 0..patches {
                        assert!(
                            seen[1..].iter().any(|seen| !seen.contains(&patch)),
                            "{grid:?} {window} {stride}: {patch}"
                        );
                    }
                    assert!(seen[1..].iter().all(|seen| seen.len() == patches - window.min(grid[0]) * window));
                }
            }
        }
        assert!(Occlusion::new(&shape([2, 3]), Some(4), None).is_err());
        assert!(Occlusion::new(&shape([2, 3]), Some(2), Some(3)).is_err());
    }

    /// Deletion and insertion are each other's complement, whole at one end and empty at the other.
    #[test]
    fn curves_go_from_all_to_none() {
        let map = [0.2, 0.9, 0.2, 0.0, 0.5];
        let deletion = Curve::Deletion.seen(&map, 3, 0).unwrap();
        assert_eq!(deletion, [vec![0, 1, 2, 3, 4], vec![0, 2, 3], vec![2, 3], vec![]].map(|v: Vec<usize>| v).to_vec());
        let insertion = Curve::Insertion.seen(&map, 3, 1).unwrap();
        assert_eq!(insertion, vec![vec![1], vec![1, 4], vec![0, 1, 4], vec![0, 1, 2, 3, 4]]);
        assert!(Curve::Deletion.seen(&map, 6, 0).is_err());
        assert!(Curve::Deletion.seen(&[f32::NAN], 1, 0).is_err());
    }

    #[test]
    fn area_of_a_line() {
        assert_eq!(area(&[0.0, 1.0]), 0.5);
        assert_eq!(area(&[1.0, 1.0, 1.0]), 1.0);
        assert_eq!(area(&[0.0, 0.0, 1.0]), 0.25);
    }
}
