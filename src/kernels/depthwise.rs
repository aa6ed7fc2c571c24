//! A depthwise 3 × 3 convolution: in each channel b + Σ w x over nine places of a map whose channels lie together.

use crate::alloc::zeros;
use crate::error::Result;
use crate::simd::F32x4;

/// Places that one output reads: 3 × 3.
pub const TAPS: usize = 9;

/// Its weights and biases.
pub struct Depthwise {
    /// Four channels side by side: their biases, then a weight each for every tap; zeros past the last channel.
    quads: Vec<[[f32; 4]; 1 + TAPS]>,
    /// `[C]`, what lies outside of a map.
    outside: Vec<f32>,
}

impl Depthwise {
    /// `weights`: `[C, 9]`; `bias`: `[C]`.
    pub fn new(weights: &[f32], bias: &[f32]) -> Result<Self> {
        let mut quads = zeros("depthwise weights", &[bias.len().div_ceil(4)])?;
        for (channel, (weights, bias)) in weights.chunks_exact(TAPS).zip(bias).enumerate() {
            let quad: &mut [[f32; 4]; 1 + TAPS] = &mut quads[channel / 4];
            let values = std::iter::once(bias).chain(weights);
            quad.iter_mut().zip(values).for_each(|(lanes, value)| lanes[channel % 4] = *value);
        }
        Ok(Self { quads, outside: zeros("depthwise weights", &[bias.len()])? })
    }

    /// Bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(self.quads.as_slice()) + size_of_val(self.outside.as_slice())
    }

    /// `taps`, `out`: `[C]` each; a tap outside of the map reads zeros. Products and sums round each, in the order of the taps, in every engine.
    #[inline(never)]
    pub fn forward(&self, taps: [Option<&[f32]>; TAPS], out: &mut [f32]) {
        let (quads, rest) = out.as_chunks_mut::<4>();
        let taps = taps.map(|x| x.unwrap_or(&self.outside).as_chunks::<4>());
        let whole = taps.map(|(x, _)| &x[..quads.len()]);
        for (i, (out, weights)) in quads.iter_mut().zip(&self.quads).enumerate() {
            sum(weights, |tap| &whole[tap][i]).store(out);
        }
        if let Some(weights) = self.quads.get(quads.len()) {
            let taps = taps.map(|(_, rest)| padded(rest));
            let mut lanes = [0.0; 4];
            sum(weights, |tap| &taps[tap]).store(&mut lanes);
            rest.copy_from_slice(&lanes[..rest.len()]);
        }
    }
}

#[inline(always)]
fn sum<'x>([bias, weights @ ..]: &[[f32; 4]; 1 + TAPS], x: impl Fn(usize) -> &'x [f32; 4]) -> F32x4 {
    let taps = weights.iter().enumerate();
    taps.fold(F32x4::load(bias), |sum, (tap, w)| sum + F32x4::load(w) * F32x4::load(x(tap)))
}

fn padded(values: &[f32]) -> [f32; 4] {
    std::array::from_fn(|i| values.get(i).copied().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Every remainder of four channels, with and without taps outside, against the sum in f64.
    #[test]
    fn is_the_sum_over_taps() {
        let mut rng = fastrand::Rng::with_seed(3);
        for channels in 1..=13 {
            let mut random = |count: usize| (0..count).map(|_| rng.f32() - 0.5).collect::<Vec<_>>();
            let (weights, bias, x) = (random(channels * TAPS), random(channels), random(TAPS * channels));
            let mut out = vec![f32::NAN; channels];
            let inside = |tap: usize| channels % 2 == 0 || !tap.is_multiple_of(3);
            let taps = std::array::from_fn(|tap| inside(tap).then(|| &x[tap * channels..][..channels]));
            Depthwise::new(&weights, &bias).unwrap().forward(taps, &mut out);
            for (c, y) in out.iter().enumerate() {
                let product = |tap: usize| f64::from(weights[c * TAPS + tap]) * f64::from(x[tap * channels + c]);
                let exact = f64::from(bias[c]) + (0..TAPS).filter(|tap| inside(*tap)).map(product).sum::<f64>();
                assert!((f64::from(*y) - exact).abs() < 1e-6, "channel {c} of {channels}: {y}, exactly {exact}");
            }
        }
    }
}
