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
    #[cfg(feature = "threads")]
    return rayon::current_num_threads();
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
    #[cfg(feature = "threads")]
    return pool::awake(work);
    #[cfg(not(feature = "threads"))]
    work()
}

/// rayon's pool, whose threads here don't sleep while a forward pass runs. Waking one up takes as long as most of what is shared: without
/// this, two threads ran ViT-Ti hardly faster than one.
#[cfg(feature = "threads")]
mod pool {
    use rayon::{Yield, yield_now};
    use std::cell::Cell;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    /// How often a thread looks for work in vain before it naps between looks: longer than most parts take. Where other programs need the
    /// cores, or there are fewer than threads, the one that all wait for may be without one.
    const LOOKS: usize = 2000;
    const NAP: Duration = Duration::from_micros(20);

    thread_local! {
        /// Whether this thread is in the midst of something that another waits for.
        static BUSY: Cell<bool> = const { Cell::new(false) };
    }

    /// A flag that is raised when this is dropped, after a panic too.
    struct Raise<'a>(&'a AtomicBool);

    impl Drop for Raise<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }

    pub fn join(left: impl FnOnce() + Send, right: impl FnOnce() + Send) {
        // In wasm the caller is one of the pool.
        if cfg!(not(target_arch = "wasm32")) && rayon::current_thread_index().is_none() {
            return rayon::scope(|_| join(left, right)); // the thread that does it is the busy one
        }
        let done = AtomicBool::new(false);
        let left = || {
            left();
            look_for_work_until(&done);
        };
        let right = || {
            let _done = Raise(&done);
            right();
        };
        busy(|| rayon::join(left, right));
    }

    pub fn awake<T>(work: impl FnOnce() -> T) -> T {
        let over = AtomicBool::new(false);
        rayon::in_place_scope(|scope| {
            let _over = Raise(&over);
            scope.spawn_broadcast(|_, _| stay_awake(&over));
            work()
        })
    }

    /// Each thread is asked once. One that is busy is awake anyway, and must be free to go on as soon as what it waits for is done.
    pub fn stay_awake(over: &AtomicBool) {
        if !BUSY.get() {
            busy(|| look_for_work_until(over));
        }
    }

    fn busy<T>(work: impl FnOnce() -> T) -> T {
        let outer = BUSY.replace(true);
        let result = work();
        BUSY.set(outer);
        result
    }

    fn look_for_work_until(flag: &AtomicBool) {
        let mut vain = 0;
        while !flag.load(Ordering::Acquire) {
            if yield_now() == Some(Yield::Executed) {
                vain = 0;
            } else if vain < LOOKS {
                vain += 1;
                std::hint::spin_loop();
            } else {
                std::thread::sleep(NAP);
            }
        }
    }
}

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
    fn who_is_busy_is_not_kept_awake() {
        let never = std::sync::atomic::AtomicBool::new(false);
        pool::join(|| pool::stay_awake(&never), || {});
    }
}
