//! Weights in the order the GEMM tiles read them: panels of [`TILE_COLUMNS`] outputs, each panel walked once per tile.

use super::TILE_COLUMNS;
use crate::alloc::{filled, grow};
use crate::error::Result;
use crate::simd::{DEPTH, I32x4, WeightStep, fits_16_bits, prefers_two_steps};
use ndarray::ArrayView2;
use std::ops::Range;

/// At an address that a vector load never takes from two cache lines; allocators promise 8 bytes only. A third of the speed depends on it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(16))]
pub struct Aligned<T>(pub T);

/// One input's weights to 8 outputs.
pub(super) type StepF32 = Aligned<[f32; TILE_COLUMNS]>;

/// [`DEPTH`] inputs' weights to 8 outputs.
pub(super) type StepI8 = Aligned<[i8; TILE_COLUMNS * DEPTH]>;

/// A matrix `[n, k]` (outputs × inputs, as `nn.Linear` stores it) in `f32` panels.
#[derive(Clone, Debug)]
pub struct PackedF32 {
    /// Panel p, step i, lane j holds `w[8p + j, i]`; lanes past n are zero.
    panels: Vec<StepF32>,
    n: usize,
    k: usize,
}

impl PackedF32 {
    /// A matrix of zeros.
    pub fn zeros(n: usize, k: usize) -> Result<Self> {
        let panels = filled("packed weights", &[n.div_ceil(TILE_COLUMNS), k], Aligned([0.0; _]))?;
        Ok(Self { panels, n, k })
    }

    /// Room for a matrix whose panels have up to `steps` steps together; see [`Self::reset`].
    pub fn with_capacity(steps: usize) -> Result<Self> {
        Ok(Self { panels: filled("packed weights", &[steps], Aligned([0.0; _]))?, n: 0, k: 0 })
    }

    /// Steps that a matrix `[n, k]` has.
    pub fn steps(n: usize, k: usize) -> usize {
        n.div_ceil(TILE_COLUMNS) * k
    }

    /// Becomes a matrix `[n, k]` that holds anything until all of it is written.
    pub fn reset(&mut self, n: usize, k: usize) {
        assert!(Self::steps(n, k) <= self.panels.len());
        (self.n, self.k) = (n, k);
    }

    /// Packs `w` `[n, k]`.
    pub fn new(w: ArrayView2<f32>) -> Result<Self> {
        let mut packed = Self::zeros(w.nrows(), w.ncols())?;
        for (output, row) in w.rows().into_iter().enumerate() {
            packed.write_output(output, row.iter().copied());
        }
        Ok(packed)
    }

    /// Writes row `output` of w.
    pub fn write_output(&mut self, output: usize, values: impl Iterator<Item = f32>) {
        let (first, lane) = (output / TILE_COLUMNS * self.k, output % TILE_COLUMNS);
        self.panels[first..][..self.k].iter_mut().zip(values).for_each(|(step, value)| step.0[lane] = value);
    }

    /// Writes column `input` of w.
    pub fn write_input(&mut self, input: usize, values: &[f32]) {
        assert!(input < self.k && values.len() == self.n);
        let k = self.k;
        let steps = self.panels_mut()[input..].iter_mut().step_by(k);
        for (step, values) in steps.zip(values.chunks(TILE_COLUMNS)) {
            step.0[..values.len()].copy_from_slice(values);
        }
    }

    /// Inputs.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Bytes taken.
    pub fn bytes(&self) -> usize {
        size_of_val(self.panels.as_slice())
    }

    /// The panels that have some of these outputs, with the index of their first.
    pub(super) fn panels(&self, outputs: Range<usize>) -> impl Iterator<Item = (usize, &[StepF32])> {
        numbers(outputs, self.n).map(|p| (p * TILE_COLUMNS, self.panel(p)))
    }

    /// The steps of panel number `panel`.
    pub(super) fn panel(&self, panel: usize) -> &[StepF32] {
        &self.panels[panel * self.k..][..self.k]
    }

    /// All panels, one after another.
    pub(super) fn panels_mut(&mut self) -> &mut [StepF32] {
        &mut self.panels[..Self::steps(self.n, self.k)]
    }
}

/// A matrix `[n, k]` in `i8` panels whose steps hold [`DEPTH`] inputs, as the backend multiplies them.
///
/// Where the backend is faster with two steps at once, [`PackedI8::new`] makes sure that their products fit into 16 bits: a step
/// that is too much for its neighbour becomes zeros in the panel and stands behind it as an extra step, with its number.
#[derive(Clone, Debug)]
pub struct PackedI8 {
    /// Panel p, step i, lane DEPTH · j + h holds `w[8p + j, DEPTH · i + h]`; lanes past n or k are zero.
    steps: Vec<StepI8>,
    extra: Extra,
    n: usize,
    k: usize,
}

/// The extra steps of all panels. In trained models they are about one in fifty.
#[derive(Clone, Debug, Default)]
struct Extra {
    steps: Vec<StepI8>,
    /// Which step of the activations each belongs to.
    places: Vec<u16>,
    /// `[panels]`: where those of a panel end. Empty where steps are multiplied one by one.
    ends: Vec<u32>,
}

/// Eight outputs of a [`PackedI8`].
#[derive(Clone, Copy)]
pub(super) struct PanelI8<'a> {
    /// One a step of activations.
    pub steps: &'a [StepI8],
    /// Whether they may be multiplied two at once.
    pub two_steps: bool,
    /// More of them, and which step of activations each belongs to.
    pub extra: &'a [StepI8],
    pub places: &'a [u16],
}

impl PackedI8 {
    /// A matrix of zeros, whose steps are multiplied one by one whatever is written to it.
    pub fn zeros(n: usize, k: usize) -> Result<Self> {
        let steps = filled("packed weights", &[n.div_ceil(TILE_COLUMNS), k.div_ceil(DEPTH)], Aligned([0; _]))?;
        Ok(Self { steps, extra: Extra::default(), n, k })
    }

    /// Packs the `n` rows of a matrix `[n, k]`, in the form that is the fastest here.
    pub fn new<'a>(n: usize, k: usize, rows: impl Iterator<Item = &'a [i8]>) -> Result<Self> {
        let mut packed = Self::zeros(n, k)?;
        rows.enumerate().for_each(|(output, row)| packed.write_output(output, row));
        if prefers_two_steps() {
            packed.make_pairs_fit()?;
        }
        Ok(packed)
    }

    /// Prepares the panels for two steps at once.
    #[inline(never)]
    pub(super) fn make_pairs_fit(&mut self) -> Result<()> {
        let steps = self.steps();
        let Extra { steps: extra, places, ends } = &mut self.extra;
        for panel in self.steps.chunks_exact_mut(steps.max(1)) {
            let (pairs, _) = panel.as_chunks_mut::<2>();
            grow("packed weights", extra, pairs.len())?;
            grow("packed weights", places, pairs.len())?;
            for (number, pair) in pairs.iter_mut().enumerate() {
                if !fits_16_bits(pair.each_ref().map(|step| WeightStep::load(&step.0))) {
                    extra.push(std::mem::replace(&mut pair[1], Aligned([0; _])));
                    places.push(2 * number as u16 + 1);
                }
            }
            ends.push(extra.len() as u32);
        }
        Ok(())
    }

    /// Writes row `output` of w.
    #[inline(never)]
    pub fn write_output(&mut self, output: usize, values: &[i8]) {
        assert!(output < self.n && values.len() == self.k);
        let steps = self.steps();
        let (first, lane) = (output / TILE_COLUMNS * steps, output % TILE_COLUMNS * DEPTH);
        let panel = &mut self.steps[first..][..steps];
        let (whole, rest) = values.as_chunks::<DEPTH>();
        for (step, values) in panel.iter_mut().zip(whole) {
            step.0[lane..][..DEPTH].copy_from_slice(values);
        }
        if !rest.is_empty() {
            panel[whole.len()].0[lane..][..rest.len()].copy_from_slice(rest);
        }
    }

    /// Writes the weights of 8 outputs, panel `panel`, to the inputs of step `step`.
    #[inline(always)]
    pub fn write_step(&mut self, panel: usize, step: usize, weights: [i8; TILE_COLUMNS * DEPTH]) {
        let steps = self.steps();
        self.steps[panel * steps..][..steps][step].0 = weights;
    }

    /// Σ w over the inputs, of the 8 outputs of each panel.
    pub fn sums(&self) -> impl Iterator<Item = [i32; TILE_COLUMNS]> {
        self.panels(0..usize::MAX).map(|(_, panel)| panel.sums())
    }

    /// Inputs.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Steps a row of activations must hold.
    pub fn steps(&self) -> usize {
        self.k.div_ceil(DEPTH)
    }

    /// Bytes taken.
    pub fn bytes(&self) -> usize {
        let Extra { steps, places, ends } = &self.extra;
        size_of_val(&*self.steps) + size_of_val(&**steps) + size_of_val(&**places) + size_of_val(&**ends)
    }

    /// The panels that have some of these outputs, with the index of their first.
    pub(super) fn panels(&self, outputs: Range<usize>) -> impl Iterator<Item = (usize, PanelI8<'_>)> {
        numbers(outputs, self.n).map(|p| (p * TILE_COLUMNS, self.panel(p)))
    }

    /// Panel number `panel`.
    pub(super) fn panel(&self, panel: usize) -> PanelI8<'_> {
        let Extra { steps: extra, places, ends } = &self.extra;
        let end = |panel: usize| ends.get(panel).map_or(0, |end| *end as usize);
        let own = if panel == 0 { 0 } else { end(panel - 1) }..end(panel);
        let steps = &self.steps[panel * self.steps()..][..self.steps()];
        PanelI8 { steps, two_steps: !ends.is_empty(), extra: &extra[own.clone()], places: &places[own] }
    }
}

/// The panels that have some of these outputs, of `n`.
fn numbers(outputs: Range<usize>, n: usize) -> Range<usize> {
    outputs.start / TILE_COLUMNS..outputs.end.min(n).div_ceil(TILE_COLUMNS)
}

impl PanelI8<'_> {
    /// The weights to the inputs of step `number`, wherever they stand.
    pub(super) fn step(&self, number: usize) -> &[i8; TILE_COLUMNS * DEPTH] {
        match self.places.binary_search(&(number as u16)) {
            Ok(extra) => &self.extra[extra].0,
            Err(_) => &self.steps[number].0,
        }
    }

    #[inline(never)]
    fn sums(self) -> [i32; TILE_COLUMNS] {
        let sums = self
            .steps
            .iter()
            .chain(self.extra)
            .fold([I32x4::splat(0); 2], |sums, step| WeightStep::load(&step.0).dot(&[1; DEPTH], sums));
        let [low, high] = sums.map(I32x4::to_array);
        std::array::from_fn(|j| if j < 4 { low[j] } else { high[j - 4] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Activation, BACKEND};
    use ndarray::Array2;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Whether two steps are added in fewer bits than they can take.
    const MAY_OVERFLOW: bool = matches!(BACKEND.as_bytes(), b"relaxed" | b"SSSE3" | b"VNNI");

    fn packed(w: &Array2<i8>) -> PackedI8 {
        let mut packed = PackedI8::zeros(w.nrows(), w.ncols()).unwrap();
        w.rows().into_iter().enumerate().for_each(|(output, row)| packed.write_output(output, &row.to_vec()));
        packed
    }

    /// Attention packs keys by outputs and values by inputs; both must make the same matrix.
    #[test]
    fn by_output_and_by_input_are_the_same_matrix() {
        for (n, k) in [(1, 1), (3, 5), (8, 4), (9, 7), (17, 13)] {
            let w = Array2::from_shape_fn((n, k), |(r, c)| (7 * r + 3 * c) as i8);
            let expected = packed(&w);
            let mut written = PackedI8::zeros(n, k).unwrap();
            for (panel, step) in
                (0..n.div_ceil(TILE_COLUMNS)).flat_map(|panel| (0..k.div_ceil(DEPTH)).map(move |s| (panel, s)))
            {
                let weight =
                    |j: usize, h: usize| w.get([panel * TILE_COLUMNS + j, step * DEPTH + h]).copied().unwrap_or(0);
                written.write_step(panel, step, std::array::from_fn(|i| weight(i / DEPTH, i % DEPTH)));
            }
            assert_eq!(written.steps, expected.steps, "{n} × {k}");

            let w = w.mapv(f32::from);
            let expected = PackedF32::new(w.view()).unwrap();
            let mut packed = PackedF32::zeros(n, k).unwrap();
            (0..k).for_each(|input| packed.write_input(input, &w.column(input).to_vec()));
            assert_eq!(packed.panels, expected.panels, "{n} × {k}");
        }
    }

    #[test]
    fn sums_are_of_each_output() {
        let w = Array2::from_shape_fn((11, 70), |(r, c)| (31 * r + 17 * c) as i8);
        let mut packed = packed(&w);
        for _ in 0..2 {
            let sums: Vec<i32> = packed.sums().flatten().collect();
            for (row, sum) in w.rows().into_iter().zip(&sums) {
                assert_eq!(*sum, row.iter().map(|w| i32::from(*w)).sum::<i32>());
            }
            assert_eq!(sums[11..], [0; 5]);
            packed.make_pairs_fit().unwrap(); // moves steps behind the panels, where they still count
        }
    }

    /// Every pair fits, and with the extra steps the panels are what they were.
    #[test]
    fn pairs_are_made_to_fit() {
        let mut rng = fastrand::Rng::with_seed(9);
        let plain = packed(&Array2::from_shape_fn((19, 101), |_| rng.i8(..)));
        let mut fitted = plain.clone();
        fitted.make_pairs_fit().unwrap();
        for ((_, plain), (_, fitted)) in plain.panels(0..usize::MAX).zip(fitted.panels(0..usize::MAX)) {
            assert!(fitted.two_steps && !plain.two_steps);
            assert!(fitted.steps.as_chunks::<2>().0.iter().all(fits));
            let moved = if MAY_OVERFLOW { 1..fitted.steps.len() / 2 } else { 0..1 };
            assert!(moved.contains(&fitted.extra.len()), "the test needs pairs of both kinds");
            let mut restored = fitted.steps.to_vec();
            for (step, place) in fitted.extra.iter().zip(fitted.places) {
                restored[usize::from(*place)] = *step;
            }
            assert_eq!(restored, plain.steps);
        }
    }

    fn fits(pair: &[StepI8; 2]) -> bool {
        fits_16_bits(pair.each_ref().map(|step| WeightStep::load(&step.0)))
    }

    /// Wherever two steps are said to fit, they must be as exact as one by one, at the largest activations and one weight below too much.
    #[test]
    fn what_fits_is_exact_and_sixteen_bits_hold_258_each_way() {
        let x: [[Activation; DEPTH]; 2] = [[127; DEPTH], std::array::from_fn(|h| if h % 2 == 0 { 127 } else { 0 })];
        for (sign, lane) in
            [1, -1].into_iter().flat_map(|sign| (0..TILE_COLUMNS * DEPTH / 2).map(move |lane| (sign, 2 * lane)))
        {
            let mut pair = [Aligned([0; TILE_COLUMNS * DEPTH]); 2];
            (pair[0].0[lane], pair[0].0[lane + 1]) = (sign * 127, sign * 127);
            (pair[1].0[lane], pair[1].0[lane + 1]) = (sign * 4, -sign * 100);
            assert!(fits(&pair));
            let w = pair.map(|step| WeightStep::load(&step.0));
            let zero = [I32x4::splat(0); 2];
            let one_by_one = w[1].dot(&x[1], w[0].dot(&x[0], zero));
            let at_once = WeightStep::dot_two(w, x.each_ref(), zero);
            assert_eq!(at_once.map(I32x4::to_array), one_by_one.map(I32x4::to_array));
            pair[1].0[lane] = sign * 5;
            assert_eq!(fits(&pair), !MAY_OVERFLOW);
        }
    }
}
