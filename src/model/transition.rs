//! From one stage to the next.

use super::linear::{Linear, Then};
use super::mobile::{Bridge, LastMap};
use super::neck::Neck;
use super::norm::LayerNorm;
use super::scratch::{Scratch, Workers};
use crate::parallel;
use ndarray::{ArrayView2, ArrayViewMut2};

/// What leads from a stage to the next.
#[allow(clippy::large_enum_variant)] // A model has three.
pub enum Transition {
    /// Four neighbours become one (Swin; Liu et al., 2021).
    Merge(Merge),
    /// By way of maps (MobileViT).
    Bridge(Bridge),
    /// To a last map.
    LastMap(LastMap),
    /// Blocks become the map that is pooled (SAM).
    Neck(Neck),
}

/// reduction(norm([x₀₀, x₁₀, x₀₁, x₁₁])), a row of x being numbered before its column; beyond the grid are zeros. Where the norm comes after:
/// norm(reduction(…)).
pub struct Merge {
    /// `[4 D]`, or `[D']` where it comes after.
    pub norm: LayerNorm,
    /// Whether it comes after.
    pub post_norm: bool,
    /// 4 D → D'.
    pub reduction: Linear,
}

impl Transition {
    /// Bytes its weights take in memory.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Merge(Merge { norm, reduction, .. }) => norm.bytes() + reduction.bytes(),
            Self::Bridge(bridge) => bridge.bytes(),
            Self::LastMap(last) => last.bytes(),
            Self::Neck(neck) => neck.bytes(),
        }
    }

    /// Writes the stream of stage `stage` from that of the one before; `grid`: rows and columns of tokens before.
    pub(super) fn forward(&self, scratch: &mut Scratch, stage: usize, grid: [usize; 2]) {
        let Scratch { stages, workers, maps, .. } = scratch;
        let (before, after) = stages.split_at_mut(stage);
        let (before, after) = (before[stage - 1].stream.view(), &mut after[0]);
        let stream = after.stream.view_mut();
        match self {
            Self::Merge(merge) => merge.forward(before, stream, grid, workers),
            Self::Bridge(bridge) => bridge.forward(before, stream, stage, maps, workers),
            Self::LastMap(last) => last.forward(before, stream, stage, maps, workers),
            Self::Neck(neck) => neck.forward(before, after, grid, workers),
        }
    }
}

impl Merge {
    fn forward(
        &self,
        before: ArrayView2<f32>,
        after: ArrayViewMut2<f32>,
        [rows, columns]: [usize; 2],
        workers: &Workers,
    ) {
        let (width, merged) = (before.ncols(), columns.div_ceil(2));
        let tokens = after.nrows();
        parallel::for_each_block(after, tokens, &|first, mut out| {
            let worker = &mut *workers.own();
            let size = [out.nrows(), 4 * width];
            let mut four = std::mem::take(&mut worker.merged);
            let x = worker.activations.produce(self.reduction.precision(), size, |row, target| {
                let (y, x) = ((first + row) / merged * 2, (first + row) % merged * 2);
                for (part, target) in four.chunks_exact_mut(width).take(4).enumerate() {
                    let (y, x) = (y + part % 2, x + part / 2);
                    if y < rows && x < columns {
                        let token = before.row(y * columns + x);
                        target.copy_from_slice(token.to_slice().expect("rows are contiguous"));
                    } else {
                        target.fill(0.0);
                    }
                }
                let four = &four[..4 * width];
                if self.post_norm { target.copy_from_slice(four) } else { self.norm.forward(four, target) }
            });
            let out = out.as_slice_mut().expect("a block of rows is contiguous");
            self.reduction.forward(x, Then::Store, out);
            if self.post_norm {
                let width = self.reduction.outputs();
                out.chunks_exact_mut(width).for_each(|row| self.norm.in_place(row, &mut four[..width]));
            }
            worker.merged = four;
        });
    }
}
