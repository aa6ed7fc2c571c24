//! The pool of threads. JavaScript starts its workers (`pkg/lib/engine/threads.js`): each one calls [`run_thread`] and waits there
//! until [`build_pool`] hands it its place.

use rayon::ThreadBuilder;
use std::sync::{Condvar, Mutex};
use wasm_bindgen::prelude::*;

/// Places in the pool that no worker has taken yet.
static PLACES: Mutex<Vec<ThreadBuilder>> = Mutex::new(Vec::new());
static ADDED: Condvar = Condvar::new();

/// Makes the calling worker and `threads - 1` others a pool. Returns once all of them have entered it, so those must be on their
/// way to [`run_thread`]. A module has one pool, for as long as it lives.
#[wasm_bindgen]
pub fn build_pool(threads: usize) {
    let offer = |place| {
        PLACES.lock().expect("a panic ends the thread, not its lock").push(place);
        ADDED.notify_one();
        Ok(())
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).use_current_thread().spawn_handler(offer);
    pool.build_global().expect("a pool is built once");
}

/// Works for the pool, and never returns.
#[wasm_bindgen]
pub fn run_thread() {
    let places = PLACES.lock().expect("a panic ends the thread, not its lock");
    let mut places = ADDED.wait_while(places, |places| places.is_empty()).expect("likewise");
    let place = places.pop().expect("waited for");
    drop(places);
    place.run();
}

/// Threads of the pool, the calling one among them.
#[wasm_bindgen]
pub fn threads() -> usize {
    rayon::current_num_threads()
}
