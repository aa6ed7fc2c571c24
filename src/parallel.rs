//! Work shared between threads: rows of matrices, cut into blocks that are done independently.
//!
//! Without the feature `threads` everything runs in the calling thread, through the same functions.

use ndarray::{ArrayViewMut2, ArrayViewMut3, Axis};
use std::ops::Range;

/// Rows that can be cut in two, each part owned by whoever works on it.
pub trait Rows: Send + Sized {
    /// The first `rows` rows, and the rest.
    fn split_at(self, rows: usize) -> (Self, Self);
}

/// What one thread works with at a time is about this many rows: enough to use a panel of weights often while it is in the first-level
/// cache, few enough to stay in the second-level cache themselves, wide ones too.
pub const BLOCK_ROWS: usize = 32;

/// Of tokens it is about as many as this, since each block of them streams all weights of a layer through the caches. What is wide or
/// as long as there are tokens, a block does in parts.
pub const TOKEN_ROWS: usize = 100;

/// How many threads work, the calling one included.
pub fn threads() -> usize {
    #[cfg(feature = "schedule")]
    if let Some(threads) = schedule::threads() {
        return threads;
    }
    #[cfg(feature = "threads")]
    return if pool::is_alone() { 1 } else { rayon::current_num_threads() };
    #[cfg(not(feature = "threads"))]
    1
}

/// Which of the threads this is.
pub fn thread_index() -> usize {
    #[cfg(feature = "threads")]
    return rayon::current_thread_index().unwrap_or(0);
    #[cfg(not(feature = "threads"))]
    0
}

/// The fewest blocks of at most `most` of `count` that `threads` threads can share evenly.
fn blocks(count: usize, most: usize, threads: usize) -> usize {
    (threads * count.div_ceil(most * threads)).clamp(1, count.max(1))
}

/// Calls `work(first, block)` for blocks of `rows` rows, `first` being the number of a block's first row.
///
/// The blocks differ by at most one row, so that threads which start together end together: 197 tokens are 4 × 2 blocks of 24 or 25
/// rows for two threads.
pub fn for_each_block<R: Rows>(items: R, rows: usize, work: &(dyn Fn(usize, R) + Sync)) {
    cut(items, 0..rows, 1, blocks(rows, BLOCK_ROWS, threads()), work);
}

/// The same for blocks of up to [`TOKEN_ROWS`] rows, each but the last a multiple of `step`: 197 tokens are 100 and 97 by fours.
pub fn for_each_token_block<R: Rows>(items: R, rows: usize, step: usize, work: &(dyn Fn(usize, R) + Sync)) {
    let steps = rows.div_ceil(step);
    cut(items, 0..steps, step, blocks(steps, TOKEN_ROWS / step, threads()), work);
}

/// Calls `work(index, item)` for every item.
pub fn for_each<T: Send>(items: &mut [T], work: &(dyn Fn(usize, &mut T) + Sync)) {
    let count = items.len();
    cut(items, 0..count, 1, count, &|first, items: &mut [T]| {
        items.iter_mut().enumerate().for_each(|(i, item)| work(first + i, item));
    });
}

/// `items`: the rows of these steps, to be cut into `blocks` blocks; a step has `step` rows, the last one maybe fewer. (In the
/// module once for each kind of rows, not for all that is done with them.)
fn cut<R: Rows>(items: R, steps: Range<usize>, step: usize, blocks: usize, work: &(dyn Fn(usize, R) + Sync)) {
    let (start, end) = (steps.start, steps.end);
    if blocks <= 1 {
        return work(start * step, items);
    }
    let before = blocks / 2;
    let middle = start + (steps.len() * before).div_ceil(blocks);
    let (left, right) = items.split_at((middle - start) * step);
    join(|| cut(left, start..middle, step, before, work), || cut(right, middle..end, step, blocks - before, work));
}

fn join(left: impl FnOnce() + Send, right: impl FnOnce() + Send) {
    #[cfg(feature = "schedule")]
    if schedule::threads().is_some() {
        return schedule::join(left, right);
    }
    #[cfg(feature = "threads")]
    pool::join(left, right);
    #[cfg(not(feature = "threads"))]
    {
        left();
        right();
    }
}

/// Does `work` with all threads awake until it is done, so that none has to be woken up for each part of it.
pub fn awake<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(feature = "schedule")]
    if schedule::threads().is_some() {
        return work();
    }
    #[cfg(feature = "threads")]
    return pool::awake(work);
    #[cfg(not(feature = "threads"))]
    work()
}

/// Does `work` in this thread alone: what others could share is not cut, and nobody waits for anybody. Buffers made for it are for one thread.
pub fn alone<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(feature = "threads")]
    return pool::alone(work);
    #[cfg(not(feature = "threads"))]
    work()
}

/// Does `own` in this thread, and `each` of the items by others, every one of them alone.
pub fn beside<I: Send, T>(items: &mut [I], each: &(dyn Fn(&mut I) + Sync), own: impl FnOnce() -> T) -> T {
    #[cfg(feature = "threads")]
    return rayon::in_place_scope(|scope| {
        items.iter_mut().for_each(|item| scope.spawn(|_| alone(|| each(item))));
        alone(own)
    });
    #[cfg(not(feature = "threads"))]
    {
        let done = own();
        items.iter_mut().for_each(each);
        done
    }
}

#[cfg(feature = "threads")]
mod pool;
#[cfg(feature = "schedule")]
pub mod schedule;

impl<T: Send> Rows for &mut [T] {
    fn split_at(self, rows: usize) -> (Self, Self) {
        self.split_at_mut(rows)
    }
}

impl Rows for ArrayViewMut2<'_, f32> {
    fn split_at(self, rows: usize) -> (Self, Self) {
        ArrayViewMut2::split_at(self, Axis(0), rows)
    }
}

/// A matrix a head, cut through the rows of all.
impl Rows for ArrayViewMut3<'_, f32> {
    fn split_at(self, rows: usize) -> (Self, Self) {
        ArrayViewMut3::split_at(self, Axis(1), rows)
    }
}

/// Items of some values each, one after another.
pub struct Items<'a> {
    values: &'a mut [f32],
    size: usize,
}

impl<'a> Items<'a> {
    /// `values` as items of `size`.
    pub fn new(values: &'a mut [f32], size: usize) -> Self {
        Self { values, size }
    }

    /// One after another.
    pub fn iter(self) -> impl Iterator<Item = &'a mut [f32]> {
        self.values.chunks_exact_mut(self.size)
    }

    /// Number `index`.
    pub fn get(&mut self, index: usize) -> &mut [f32] {
        &mut self.values[index * self.size..][..self.size]
    }
}

impl Rows for Items<'_> {
    fn split_at(self, rows: usize) -> (Self, Self) {
        let (left, right) = self.values.split_at_mut(rows * self.size);
        (Self::new(left, self.size), Self::new(right, self.size))
    }
}

impl<A: Rows, B: Rows> Rows for (A, B) {
    fn split_at(self, rows: usize) -> (Self, Self) {
        let (a, b) = (self.0.split_at(rows), self.1.split_at(rows));
        ((a.0, b.0), (a.1, b.1))
    }
}

impl<A: Rows> Rows for Option<A> {
    fn split_at(self, rows: usize) -> (Self, Self) {
        match self.map(|a| a.split_at(rows)) {
            Some((a, b)) => (Some(a), Some(b)),
            None => (None, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn every_row_is_done_once_and_blocks_are_even() {
        for rows in [1, 2, 31, 32, 33, 65, 197, 1000] {
            let mut items = vec![0; rows];
            let sizes = Mutex::new(Vec::new());
            for_each_block(items.as_mut_slice(), rows, &|first, block: &mut [usize]| {
                block.iter_mut().enumerate().for_each(|(i, item)| *item += first + i + 1);
                sizes.lock().unwrap().push(block.len());
            });
            assert!(items.iter().enumerate().all(|(i, item)| *item == i + 1), "{rows} rows");
            let sizes = sizes.into_inner().unwrap();
            let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            assert!(most - least <= 1 && *most <= BLOCK_ROWS, "{rows} rows: {sizes:?}");
        }
    }

    #[test]
    fn blocks_of_tokens_are_whole_tiles() {
        for (rows, step) in [1, 3, 4, 5, 99, 100, 101, 197, 257, 577, 1370].into_iter().flat_map(|n| [(n, 1), (n, 4)]) {
            let mut items = vec![0; rows];
            let sizes = Mutex::new(Vec::new());
            for_each_token_block(items.as_mut_slice(), rows, step, &|first, block: &mut [usize]| {
                block.iter_mut().enumerate().for_each(|(i, item)| *item += first + i + 1);
                assert!(first.is_multiple_of(step) && !block.is_empty() && block.len() <= TOKEN_ROWS);
                assert!(block.len().is_multiple_of(step) || first + block.len() == rows);
                sizes.lock().unwrap().push(block.len().div_ceil(step));
            });
            assert!(items.iter().enumerate().all(|(i, item)| *item == i + 1), "{rows} rows");
            let sizes = sizes.into_inner().unwrap();
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{rows} rows: {sizes:?}");
        }
    }

    #[test]
    fn threads_get_equally_many_blocks() {
        for threads in 1..=16 {
            for rows in [65, 197, 257, 1370] {
                assert!(blocks(rows, BLOCK_ROWS, threads).is_multiple_of(threads));
            }
        }
        assert_eq!(blocks(3, BLOCK_ROWS, 8), 3, "no block is empty");
    }

    #[test]
    fn items_keep_their_index() {
        let mut items = [0; 7];
        for_each(&mut items, &|index, item| *item = index * index);
        assert_eq!(items, [0, 1, 4, 9, 16, 25, 36]);
    }

    /// Parts of next to nothing, and more threads than cores: all that can happen between threads does.
    #[test]
    #[cfg(all(feature = "threads", not(target_arch = "wasm32")))]
    fn no_thread_waits_for_ever() {
        for threads in [2, 3, 2 * std::thread::available_parallelism().unwrap().get()] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut items = [0_usize; 64];
            pool.install(|| {
                for _ in 0..20_000 {
                    awake(|| (0..4).for_each(|_| for_each(&mut items, &|_, item| *item += 1)));
                }
            });
            assert_eq!(items, [80_000; 64], "{threads} threads");
        }
    }

    #[test]
    #[cfg(all(feature = "threads", not(target_arch = "wasm32")))]
    fn alone_is_one_thread_and_beside_it_are_others() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        pool.install(|| {
            let mut seen = vec![Vec::new(); 2];
            let note = |seen: &mut Vec<_>| {
                assert_eq!(threads(), 1);
                let here = std::thread::current().id();
                let mut rows = [here; 65];
                awake(|| for_each(&mut rows, &|_, row| *row = std::thread::current().id()));
                assert_eq!(rows, [here; 65]);
                seen.push(here);
            };
            let mut first = Vec::new();
            beside(&mut seen, &note, || note(&mut first));
            assert_eq!([first.len(), seen[0].len(), seen[1].len()], [1; 3]);
            assert_eq!(threads(), 3, "afterwards");
            drop(std::panic::catch_unwind(|| alone(|| panic!("in the midst of it"))));
            assert_eq!(threads(), 3, "after a panic");
        });
    }

    #[test]
    #[cfg(all(feature = "threads", not(target_arch = "wasm32")))]
    fn who_is_busy_is_not_kept_awake() {
        let never = std::sync::atomic::AtomicBool::new(false);
        pool::join(|| pool::stay_awake(&never), || {});
    }
}
