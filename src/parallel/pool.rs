//! rayon's pool, whose threads here don't sleep while a forward pass runs. Waking one up takes as long as most of what is shared: without
//! this, two threads ran ViT-Ti hardly faster than one.

use rayon::{Yield, yield_now};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a thread looks for work in vain before it naps between looks: longer than most parts take. Where other programs need the
/// cores, or there are fewer than threads, the one that all wait for may be without one.
pub const LOOKS: usize = 2000;
/// How long.
pub const NAP: Duration = Duration::from_micros(20);

thread_local! {
    /// Whether this thread is in the midst of something that another waits for.
    static BUSY: Cell<bool> = const { Cell::new(false) };
    /// Whether what this thread does is its own.
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

pub fn is_alone() -> bool {
    ALONE.get()
}

pub fn alone<T>(work: impl FnOnce() -> T) -> T {
    /// What was before comes back, after a panic too.
    struct Outer(bool);
    impl Drop for Outer {
        fn drop(&mut self) {
            ALONE.set(self.0);
        }
    }
    let _outer = Outer(ALONE.replace(true));
    work()
}

/// A flag that is raised when this is dropped, after a panic too.
struct Raise<'a>(&'a AtomicBool);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

pub fn join(left: impl FnOnce() + Send, right: impl FnOnce() + Send) {
    if is_alone() {
        left();
        return right();
    }
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
    if is_alone() {
        return work();
    }
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
