//! What a forward pass shares between threads, recorded in one: a schedule for any number of threads can be made of it (`benches/schedule.rs`).

pub use super::pool::{LOOKS, NAP};
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// Where work is cut in two that threads can share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// Before the left half.
    Fork,
    /// Between both.
    Next,
    /// After the right one.
    Join,
}

struct Recording {
    threads: usize,
    events: Vec<(Duration, Option<Event>)>,
    since: Instant,
}

thread_local! {
    static RECORDING: RefCell<Option<Recording>> = const { RefCell::new(None) };
}

/// Does `work` in this thread alone, cut as for so many. Returns how long it took up to each event since the one before, and at last up to its end.
pub fn record(threads: usize, work: impl FnOnce()) -> Vec<(Duration, Option<Event>)> {
    RECORDING.set(Some(Recording { threads, events: Vec::new(), since: Instant::now() }));
    work();
    note(None);
    RECORDING.take().map(|recording| recording.events).unwrap_or_default()
}

/// For how many threads this one records, if it does.
pub(super) fn threads() -> Option<usize> {
    RECORDING.with_borrow(|recording| recording.as_ref().map(|recording| recording.threads))
}

pub(super) fn join(left: impl FnOnce(), right: impl FnOnce()) {
    note(Some(Event::Fork));
    left();
    note(Some(Event::Next));
    right();
    note(Some(Event::Join));
}

fn note(event: Option<Event>) {
    RECORDING.with_borrow_mut(|recording| {
        if let Some(Recording { events, since, .. }) = recording {
            events.push((since.elapsed(), event));
            *since = Instant::now();
        }
    });
}
