//! A pre-norm encoder block (ViT paper, equations 2 and 3).

use super::attention::{Attention, AttentionScratch};
use super::mlp::Mlp;
use super::norm::LayerNorm;
use super::scratch::Scratch;
use super::sink::Sink;

/// z' = z + attention(norm1(z)); z'' = z' + mlp(norm2(z')).
pub struct Block {
    /// Before attention.
    pub norm1: LayerNorm,
    /// Multi-head self-attention.
    pub attention: Attention,
    /// Before the MLP.
    pub norm2: LayerNorm,
    /// The MLP.
    pub mlp: Mlp,
}

impl Block {
    /// Takes the residual stream in `scratch` through block number `layer`.
    pub fn forward(&self, scratch: &mut Scratch, layer: usize, sink: &mut dyn Sink) {
        let Scratch { stream, normed, qkv, probabilities, context, hidden, head, quantized, .. } = scratch;

        self.norm1.forward(stream.view(), normed.view_mut());
        let buffers = AttentionScratch { qkv, probabilities, context, head, quantized };
        self.attention.add_to(stream.view_mut(), normed.view(), buffers, layer, sink);

        self.norm2.forward(stream.view(), normed.view_mut());
        self.mlp.add_to(stream.view_mut(), normed.view(), hidden.view_mut(), quantized);
    }
}
