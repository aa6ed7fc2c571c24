//! What takes long says so, and how long it took.

use std::time::Instant;

use anyhow::Result;

/// Two lines, since what runs beside it speaks between them; one where it fails.
pub fn timed<T>(what: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("{what} …");
    let start = Instant::now();
    let done = step()?;
    println!("{:6.1} s  {what}", start.elapsed().as_secs_f32());
    Ok(done)
}
