//! Large buffers, with a typed error in place of an abort.

use crate::error::{Error, Result};
use ndarray::Array2;

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
    let count = dims.iter().try_fold(1usize, |product, dim| product.checked_mul(*dim));
    let mut buffer = Vec::new();
    match count.map(|count| buffer.try_reserve_exact(count)) {
        Some(Ok(())) => Ok(buffer),
        _ => {
            let elements = dims.iter().fold(1u128, |product, dim| product.saturating_mul(*dim as u128));
            Err(Error::OutOfMemory { what, bytes: elements.saturating_mul(size_of::<T>() as u128) })
        }
    }
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
    }
}
