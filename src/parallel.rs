//! Work shared between threads: rows of matrices, cut into blocks that are done independently.
//!
//! Without the feature `threads` everything runs in the calling thread, through the same functions.

use ndarray::{ArrayViewMut2, ArrayViewMut3, Axis};

/// Rows that can be cut in two, each part owned by whoever works on it.
pub trait Rows: Send + Sized {
    /// The first `rows` rows, and the rest.
    fn split_at(self, rows: usize) -> (Self, Self);
}

/// What one thread works with at a time is about this many rows: enough to use a panel of weights often while it is in the first-level
/// cache, few enough to stay in the second-level cache themselves.
pub const BLOCK_ROWS: usize = 32;

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

/// The fewest blocks of at most [`BLOCK_ROWS`] rows that `threads` threads can share evenly.
fn blocks(rows: usize, threads: usize) -> usize {
    (threads * rows.div_ceil(BLOCK_ROWS * threads)).clamp(1, rows.max(1))
}

/// Calls `work(first, block)` for blocks of `rows` rows, `first` being the number of a block's first row.
///
/// The blocks differ by at most one row, so that threads which start together end together: 197 tokens are 4 × 2 blocks of 24 or 25
/// rows for two threads.
pub fn for_each_block<R: Rows>(items: R, rows: usize, work: &(impl Fn(usize, R) + Sync)) {
    cut(items, 0, rows, blocks(rows, threads()), work);
}

/// Calls `work(index, item)` for every item.
pub fn for_each<T: Send>(items: &mut [T], work: &(impl Fn(usize, &mut T) + Sync)) {
    let count = items.len();
    cut(items, 0, count, count, &|first, items: &mut [T]| {
        items.iter_mut().enumerate().for_each(|(i, item)| work(first + i, item));
    });
}

/// `items`: rows `first..end`, to be cut into `blocks` blocks.
fn cut<R: Rows>(items: R, first: usize, end: usize, blocks: usize, work: &(impl Fn(usize, R) + Sync)) {
    if blocks <= 1 {
        return work(first, items);
    }
    let before = blocks / 2;
    let middle = first + (end - first) * before / blocks;
    let (left, right) = items.split_at(middle - first);
    join(|| cut(left, first, middle, before, work), || cut(right, middle, end, blocks - before, work));
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
    use rayon::{Scope, Yield, yield_now};
    use std::sync::atomic::{AtomicBool, Ordering};

    /// How often a waiting thread looks for work before it lets what waits below it look whether it may go on.
    const LOOKS: usize = 1000;

    /// A flag that is raised when this is dropped, after a panic too.
    struct Raise<'a>(&'a AtomicBool);

    impl Drop for Raise<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }

    pub fn join(left: impl FnOnce() + Send, right: impl FnOnce() + Send) {
        let done = AtomicBool::new(false);
        let left = || {
            left();
            while !done.load(Ordering::Acquire) {
                look_for_work();
            }
        };
        let right = || {
            let _done = Raise(&done);
            right();
        };
        rayon::join(left, right);
    }

    pub fn awake<T>(work: impl FnOnce() -> T) -> T {
        let over = AtomicBool::new(false);
        rayon::in_place_scope(|scope| {
            let _over = Raise(&over);
            (1..rayon::current_num_threads()).for_each(|_| scope.spawn(|scope| stay_awake(scope, &over)));
            work()
        })
    }

    /// Looks for work until all is over. Now and then it ends and starts anew: whoever picked it up may himself wait for something.
    fn stay_awake<'s>(scope: &Scope<'s>, over: &'s AtomicBool) {
        for _ in 0..LOOKS {
            if over.load(Ordering::Acquire) {
                return;
            }
            look_for_work();
        }
        scope.spawn(|scope| stay_awake(scope, over));
    }

    fn look_for_work() {
        if yield_now() != Some(Yield::Executed) {
            std::hint::spin_loop();
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
    fn threads_get_equally_many_blocks() {
        for threads in 1..=16 {
            for rows in [65, 197, 257, 1370] {
                assert!(blocks(rows, threads).is_multiple_of(threads));
            }
        }
        assert_eq!(blocks(3, 8), 3, "no block is empty");
    }

    #[test]
    fn items_keep_their_index() {
        let mut items = [0; 7];
        for_each(&mut items, &|index, item| *item = index * index);
        assert_eq!(items, [0, 1, 4, 9, 16, 25, 36]);
    }
}
