//! What a linear layer reads, in the form it multiplies.

use super::config::Precision;
use crate::alloc::zeros;
use crate::error::Result;
use crate::kernels::gemm_f32::Sums;
use crate::kernels::quantize::QuantizedRows;
use ndarray::ArrayView2;

/// Rows of activations.
#[derive(Clone, Copy)]
pub(super) enum Input<'a> {
    F32(ArrayView2<'a, f32>),
    Int8(&'a QuantizedRows),
    /// What f32 products of all inputs came to, part by part: `[panels, rows]`.
    Sums {
        rows: usize,
        sums: &'a [Sums],
    },
}

/// The memory behind an [`Input`].
pub(super) struct Activations {
    /// Rows on their way; the 8-bit form needs only one at a time.
    values: Vec<f32>,
    quantized: QuantizedRows,
}

impl Activations {
    /// Room for `rows` rows: up to `produced` values wide where they are produced here, up to `quantized` in 8 bits.
    pub fn new(rows: usize, produced: usize, quantized: usize) -> Result<Self> {
        Ok(Self {
            values: zeros("activations", &[rows, produced])?,
            quantized: QuantizedRows::with_capacity(rows, quantized)?,
        })
    }

    /// `rows` rows of `width` values that `produce(row, target)` writes. A row is quantised as soon as it is there.
    pub fn produce(
        &mut self,
        precision: Precision,
        [rows, width]: [usize; 2],
        produce: &mut dyn FnMut(usize, &mut [f32]),
    ) -> Input<'_> {
        match precision {
            Precision::F32 => {
                let values = &mut self.values[..rows * width];
                values.chunks_exact_mut(width).enumerate().for_each(|(row, target)| produce(row, target));
                Input::F32(ArrayView2::from_shape((rows, width), values).expect("the slice has this size"))
            }
            Precision::Int8 => {
                self.quantized.reset(rows, width);
                let values = &mut self.values[..width];
                for row in 0..rows {
                    produce(row, values);
                    self.quantized.write(row, values);
                }
                Input::Int8(&self.quantized)
            }
        }
    }

    /// The rows of `x`, as they are where they can be.
    pub fn take<'a>(&'a mut self, precision: Precision, x: ArrayView2<'a, f32>) -> Input<'a> {
        match precision {
            Precision::F32 => Input::F32(x),
            Precision::Int8 => {
                self.quantized.reset(x.nrows(), x.ncols());
                for (row, x) in x.rows().into_iter().enumerate() {
                    self.quantized.write(row, x.to_slice().expect("rows are contiguous"));
                }
                Input::Int8(&self.quantized)
            }
        }
    }
}
