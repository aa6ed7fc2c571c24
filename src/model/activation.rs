//! What an MLP does between its two layers.

use crate::kernels::gelu::{gelu_derivative_in_place, gelu_in_place};
use crate::kernels::gelu_tanh::{gelu_tanh_derivative_in_place, gelu_tanh_in_place};
use crate::kernels::relu::{relu_derivative_in_place, relu_in_place};
use crate::kernels::swish::{QUICK_GELU, SILU, swish_derivative_in_place, swish_in_place};

/// A nonlinearity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x Φ(x), by the error function.
    Gelu,
    /// The same, approximated by tanh.
    GeluTanh,
    /// x σ(1.702 x).
    QuickGelu,
    /// x σ(x).
    Silu,
    /// max(x, 0).
    Relu,
}

impl Activation {
    /// `x ← f(x)` for every element.
    pub(super) fn apply(self, values: &mut [f32]) {
        match self {
            Self::Gelu => gelu_in_place(values),
            Self::GeluTanh => gelu_tanh_in_place(values),
            Self::QuickGelu => swish_in_place(values, QUICK_GELU),
            Self::Silu => swish_in_place(values, SILU),
            Self::Relu => relu_in_place(values),
        }
    }

    /// `x ← f'(x)` for every element.
    pub(super) fn derivative(self, values: &mut [f32]) {
        match self {
            Self::Gelu => gelu_derivative_in_place(values),
            Self::GeluTanh => gelu_tanh_derivative_in_place(values),
            Self::QuickGelu => swish_derivative_in_place(values, QUICK_GELU),
            Self::Silu => swish_derivative_in_place(values, SILU),
            Self::Relu => relu_derivative_in_place(values),
        }
    }
}
