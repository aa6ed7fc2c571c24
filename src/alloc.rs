//! Large buffers, with a typed error in place of an abort.
//!
//! Each leaves some room, so that the many small allocations between them, which nobody checks, are never the ones that fail.

use crate::error::{ErrorKind, Result};
use ndarray::Array2;
use std::hint::black_box;

/// Bytes that a checked buffer leaves.
const HEADROOM: usize = 1 << 20;

/// As many copies of `value` as the product of `dims`, or an error that names the buffer.
pub fn filled<T: Clone>(what: &'static str, dims: &[usize], value: T) -> Result<Vec<T>> {
    let mut buffer = reserve(what, dims)?;
    buffer.resize(dims.iter().product(), value);
    Ok(buffer)
}

/// As many zeros as the product of `dims`.
pub fn zeros<T: Clone + Default>(what: &'static str, dims: &[usize]) -> Result<Vec<T>> {
    filled(what, dims, T::default())
}

/// `[rows, columns]` of zeros.
pub fn matrix(what: &'static str, rows: usize, columns: usize) -> Result<Array2<f32>> {
    let buffer = zeros(what, &[rows, columns])?;
    Ok(Array2::from_shape_vec((rows, columns), buffer).expect("the buffer has this many elements"))
}

/// An empty vector with room for the product of `dims`.
pub fn reserve<T>(what: &'static str, dims: &[usize]) -> Result<Vec<T>> {
    let mut buffer = Vec::new();
    let count = dims.iter().try_fold(1usize, |product, dim| product.checked_mul(*dim));
    if count.is_some_and(|count| buffer.try_reserve_exact(count).is_ok()) && has_headroom() {
        return Ok(buffer);
    }
    let elements = dims.iter().fold(1u128, |product, dim| product.saturating_mul(*dim as u128));
    Err(ErrorKind::OutOfMemory { what, bytes: elements.saturating_mul(size_of::<T>() as u128) }.into())
}

/// Fails where as many bytes as the product of `dims` can't be had: asked before code that takes them unchecked.
pub fn room(what: &'static str, dims: &[usize]) -> Result<()> {
    reserve::<u8>(what, dims).map(|buffer| drop(black_box(buffer)))
}

/// Whether so many bytes can be had, in buffers none of which is very large: one alone may be half of what wasm can address.
pub fn has_room(bytes: u64) -> bool {
    const PART: usize = isize::MAX as usize / 2;
    let (mut parts, mut left) = (Vec::new(), bytes);
    while left > 0 {
        let mut part = Vec::<u8>::new();
        let most = usize::try_from(left).map_or(PART, |left| left.min(PART));
        if part.try_reserve_exact(most).is_err() {
            return false;
        }
        parts.push(black_box(part));
        left -= most as u64;
    }
    has_headroom()
}

/// Room for `count` more elements.
pub fn grow<T>(what: &'static str, buffer: &mut Vec<T>, count: usize) -> Result<()> {
    let full = buffer.capacity() - buffer.len() < count;
    if full && (buffer.try_reserve(count).is_err() || !has_headroom()) {
        let bytes = (buffer.len() as u128 + count as u128) * size_of::<T>() as u128;
        return Err(ErrorKind::OutOfMemory { what, bytes }.into());
    }
    Ok(())
}

/// (The compiler may take an allocation that nobody uses for one that succeeds.)
fn has_headroom() -> bool {
    let mut probe = Vec::<u8>::new();
    let fits = probe.try_reserve_exact(HEADROOM).is_ok();
    drop(black_box(probe));
    fits
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Hostile dimensions must end in an error, not in a capacity panic or a wrapped product.
    #[test]
    fn impossible_sizes_are_errors() {
        for dims in [&[usize::MAX, 2][..], &[usize::MAX / 4], &[1 << 16, 1 << 16, 1 << 30]] {
            let error = zeros::<f32>("scores", dims).unwrap_err();
            assert_eq!(error.code(), "out-of-memory");
            assert!(error.to_string().contains("scores"));
        }
        assert!(zeros::<f32>("scores", &[2, 0]).unwrap().is_empty());
        assert_eq!(room("scores", &[usize::MAX / 2, 2]).unwrap_err().code(), "out-of-memory");
        assert!(has_room(0) && has_room(1 << 20) && !has_room(u64::MAX));
        assert_eq!(grow("scores", &mut vec![0u64], usize::MAX / 16).unwrap_err().code(), "out-of-memory");
    }
}
