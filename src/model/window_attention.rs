//! Attention of tokens within windows (Swin; Liu et al., 2021).

use super::attention::{Attention, rows_of};
use super::places::BlockPlaces;
use super::scratch::{WindowScratch, Worker, Workers};
use super::windows::Windows;
use crate::kernels::attention::{AddBias, Wanted, attend};
use crate::parallel::{self, BLOCK_ROWS, Items};
use ndarray::{ArrayViewMut2, ArrayViewMut3, s};

impl Attention {
    /// What the heads of each window gather, `context`: `[windows, heads, n, d_k]`. `qkv`: `[T + 1, 3 D]`, the last row for this to write what a zero makes, which
    /// is padding's; `recorded`: `[windows · heads, n, n]`. `stage` is whose buffers a worker takes.
    #[allow(clippy::too_many_arguments)] // All that a block has, from one place.
    pub(super) fn attend_within(
        &self,
        windows: &Windows,
        stage: usize,
        places: &BlockPlaces,
        mut qkv: ArrayViewMut2<f32>,
        context: &mut [f32],
        recorded: Option<ArrayViewMut3<f32>>,
        workers: &Workers,
    ) {
        let (n, width) = (windows.n(), qkv.ncols() / 3);
        let size = width / self.heads;
        if windows.pads() {
            let mut padding = qkv.row_mut(windows.places.len());
            let padding = padding.as_slice_mut().expect("rows are contiguous");
            self.qkv.write_bias(padding);
            self.normalise(padding, &mut workers.own().context[..size]);
        }
        let count = windows.count * self.heads;
        let context = Items::new(&mut context[..count * n * size], n * size);
        let recorded = recorded.map(|recorded| Items::new(recorded.into_slice().expect("it is contiguous"), n * n));
        let qkv = qkv.into_slice().expect("it is contiguous");
        let qkv = &*qkv;
        parallel::for_each_block((context, recorded), count, &|first, (context, mut recorded)| {
            let worker = &mut workers.own();
            for (item, context) in context.iter().enumerate() {
                let [window, head] = [(first + item) / self.heads, (first + item) % self.heads];
                let recorded = recorded.as_mut().map(|recorded| recorded.get(item));
                self.attend_in(windows, [stage, window, head], places, qkv, context, recorded, worker);
            }
        });
    }

    /// One head of one window; `qkv`: `[T + 1, 3 D]`, `context`: `[n, d_k]`, `recorded`: `[n, n]`.
    #[allow(clippy::too_many_arguments)]
    fn attend_in(
        &self,
        windows: &Windows,
        [stage, window, head]: [usize; 3],
        places: &BlockPlaces,
        qkv: &[f32],
        context: &mut [f32],
        mut recorded: Option<&mut [f32]>,
        worker: &mut Worker,
    ) {
        let Worker { attention, attend: scratch, windows: own, .. } = worker;
        let Some(WindowScratch { qkv: [q, k, v], head: packed }) = &mut own[stage] else { return };
        let (n, size) = q.dim();
        let width = self.heads * size;
        for (third, part) in [&mut *q, k, v].into_iter().enumerate() {
            let part = part.as_slice_mut().expect("it is contiguous").chunks_exact_mut(size);
            for (slot, own) in windows.slots_of(window).iter().zip(part) {
                own.copy_from_slice(&qkv[(3 * *slot as usize + third) * width + head * size..][..size]);
            }
        }
        packed.pack(k.view(), v.view());
        let cut = windows.is_cut(window);
        for first in (0..n).step_by(BLOCK_ROWS) {
            let rows = BLOCK_ROWS.min(n - first);
            let (attention, probabilities) = match &mut recorded {
                Some(recorded) => {
                    let own = &mut recorded[first * n..(first + rows) * n];
                    (ArrayViewMut2::from_shape((rows, n), own).expect("the slice has this size"), true)
                }
                None => (rows_of(attention, rows, n), false),
            };
            let q = q.slice(s![first..first + rows, ..]);
            let add_bias = |row: usize, scores: &mut [f32]| {
                let BlockPlaces { bias, decomposed, .. } = places;
                bias.iter().for_each(|bias| bias.add_to(head, first + row, None, scores));
                let query = q.row(row).to_slice().expect("rows are contiguous");
                decomposed.iter().for_each(|decomposed| decomposed.add_to(query, first + row, scores));
                if cut {
                    windows.mask(window, first + row, scores);
                }
            };
            let wanted = Wanted { probabilities, bias: Some(&add_bias as &AddBias) };
            attend(q, packed, scratch, attention, wanted, &mut context[first * size..], size);
        }
    }

    /// Puts together in `worker.context` what the heads gathered for `rows` tokens from `first` on.
    pub(super) fn gather(&self, windows: &Windows, first: usize, rows: usize, context: &[f32], worker: &mut Worker) {
        let width = self.projection.outputs();
        let (n, size) = (windows.n(), width / self.heads);
        for (row, target) in worker.context.chunks_exact_mut(width).take(rows).enumerate() {
            let [window, slot] = windows.place(first + row);
            for (head, target) in target.chunks_exact_mut(size).enumerate() {
                target.copy_from_slice(&context[((window * self.heads + head) * n + slot) * size..][..size]);
            }
        }
    }
}
