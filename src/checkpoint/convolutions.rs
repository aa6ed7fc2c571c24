//! Convolutions, with the BatchNorm behind them folded into their weights and biases.

use super::reader::Reader;
use super::stored::Stored;
use crate::alloc::reserve;
use crate::error::Result;
use crate::kernels::depthwise::{Depthwise, TAPS};
use crate::model::Linear;
use crate::quant::QuantizedMatrix;
use ndarray::Array2;

/// A BatchNorm at rest: y = scale · x + shift in each channel.
pub(super) struct BatchNorm {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

/// Shape of a convolution's weights `[out, in, k, k]`.
#[derive(Clone, Copy)]
pub(super) struct Kernel {
    pub inputs: usize,
    pub outputs: usize,
    /// k.
    pub size: usize,
}

impl Kernel {
    fn taps(&self) -> usize {
        self.size * self.size
    }

    fn shape(&self) -> [usize; 4] {
        [self.outputs, self.inputs, self.size, self.size]
    }

    /// Each row with the channels of a tap together, where it has the taps of a channel together.
    fn by_taps<T: Copy>(&self, weights: &[T]) -> Result<Vec<T>> {
        let mut ordered = reserve("weights", &[weights.len()])?;
        for row in weights.chunks_exact(self.taps() * self.inputs) {
            (0..self.taps()).for_each(|tap| ordered.extend(row[tap..].iter().step_by(self.taps())));
        }
        Ok(ordered)
    }
}

impl Reader<'_> {
    /// `NAME.weight`, `NAME.bias`, `NAME.running_mean` and `NAME.running_var`, each `[width]`.
    pub fn batch_norm(&mut self, name: &str, width: usize, eps: f32) -> Result<BatchNorm> {
        let mut scale = self.floats(&[name, ".weight"].concat(), &[width])?;
        let mut shift = self.floats(&[name, ".bias"].concat(), &[width])?;
        let mean = self.statistics(&[name, ".running_mean"].concat(), width)?;
        let variance_name = [name, ".running_var"].concat();
        let variance = self.statistics(&variance_name, width)?;
        if variance.iter().any(|variance| *variance < 0.0) {
            let problem =
                format!("tensor `{}` has a variance below 0. The checkpoint is damaged.", self.in_file(&variance_name));
            return Err(self.tensors.invalid(problem));
        }
        for (((scale, shift), mean), variance) in scale.iter_mut().zip(&mut shift).zip(mean).zip(variance) {
            *scale /= (variance + eps).sqrt();
            *shift -= mean * *scale;
        }
        Ok(BatchNorm { scale, shift })
    }

    /// A full convolution `NAME.weight` without a bias, and what follows it, as a matrix `[out, k · k · in]` that may be held in 8 bits. A file of
    /// ours has it as `[out, in · k · k]`, in the order of the weights it was made from.
    pub fn convolution(&mut self, name: &str, kernel: Kernel, norm: Option<BatchNorm>) -> Result<Linear> {
        let inputs = kernel.inputs * kernel.taps();
        let stored = self.stored(&[name, ".weight"].concat(), [kernel.outputs, inputs], &kernel.shape())?;
        let stored = match stored {
            Stored::Unread => Stored::Unread,
            Stored::F32(weights) => Stored::F32(kernel.by_taps(&weights)?),
            Stored::Int8(QuantizedMatrix { values, scales }) => {
                let values = kernel.by_taps(values.as_slice().expect("rows are contiguous"))?;
                let values = Array2::from_shape_vec((kernel.outputs, inputs), values).expect("as many as before");
                Stored::Int8(QuantizedMatrix { values, scales })
            }
        };
        let (scale, shift) = norm.map_or((None, vec![0.0; kernel.outputs]), |norm| (Some(norm.scale), norm.shift));
        self.assemble(vec![stored], inputs, shift, scale)
    }

    /// The same in f32 whatever the model is held in.
    pub fn f32_convolution(&mut self, name: &str, kernel: Kernel, norm: BatchNorm) -> Result<Linear> {
        let weights = kernel.by_taps(&self.floats(&[name, ".weight"].concat(), &kernel.shape())?)?;
        self.assemble(vec![Stored::F32(weights)], kernel.inputs * kernel.taps(), norm.shift, Some(norm.scale))
    }

    /// A depthwise convolution `NAME.weight` `[width, 1, 3, 3]`.
    pub fn depthwise(&mut self, name: &str, width: usize, norm: BatchNorm) -> Result<Depthwise> {
        let mut weights = self.floats(&[name, ".weight"].concat(), &[width, 1, 3, 3])?;
        for (weights, scale) in weights.chunks_exact_mut(TAPS).zip(norm.scale) {
            weights.iter_mut().for_each(|w| *w *= scale);
        }
        Depthwise::new(&weights, &norm.shift)
    }
}
