//! An encoder block (ViT paper, equations 2 and 3).

use super::attention::{Attention, Tokens};
use super::linear::Linear;
use super::mlp::Mlp;
use super::norm::LayerNorm;
use super::places::BlockPlaces;
use super::scratch::{Scratch, StageScratch};
use super::sink::Sink;
use crate::parallel;
use ndarray::s;

/// z' = z + attention(norm1(z)); z'' = z' + mlp(norm2(z')). Where norms come after: z' = z + norm1(attention(z)); z'' = z' + norm2(mlp(z')) (Swin v2; Liu et al., 2022).
pub struct Block {
    /// Whether the norms come after attention and MLP.
    pub post_norm: bool,
    /// Before attention.
    pub norm1: LayerNorm,
    /// Multi-head self-attention.
    pub attention: Attention,
    /// Before the MLP.
    pub norm2: LayerNorm,
    /// The MLP.
    pub mlp: Mlp,
    /// What its channels were divided by to share scales; see `checkpoint/equalise.rs`.
    pub equalised: Equalised,
}

/// Powers of two by which channels within a block are smaller than the checkpoint has them, what reads them being larger; each `[D]` or `[M]`, or empty where
/// all are as they were.
#[derive(Default)]
pub struct Equalised {
    /// `[D]`, of what the first norm gives.
    pub norm1: Vec<f32>,
    /// `[D]`, of the values.
    pub values: Vec<f32>,
    /// `[D]`, of what the second norm gives.
    pub norm2: Vec<f32>,
    /// `[M]`, of what the MLP's second layer reads; of a gated one's linear half.
    pub hidden: Vec<f32>,
}

impl Block {
    /// Bytes its weights take in memory.
    pub fn bytes(&self) -> usize {
        let inner = self.attention.norm.iter().chain(&self.mlp.norm);
        let norms = [&self.norm1, &self.norm2].into_iter().chain(self.attention.qk_norm.iter().flatten()).chain(inner);
        norms.map(LayerNorm::bytes).sum::<usize>() + self.layers().map(Linear::bytes).iter().sum::<usize>()
    }

    /// Its linear layers.
    pub(super) fn layers(&self) -> [&Linear; 4] {
        [&self.attention.qkv, &self.attention.projection, &self.mlp.fc1, &self.mlp.fc2]
    }

    /// Takes the residual stream of stage `stage` in `scratch` through block number `layer`: its first `read` tokens, where nobody reads the others.
    ///
    /// Threads share it by tokens. They wait for each other where a query needs the keys and values of others, and at the end; where tokens attend within
    /// windows also when all have, since rows of windows are no rows of the stream.
    pub(super) fn forward(
        &self,
        places: &BlockPlaces,
        scratch: &mut Scratch,
        [stage, layer]: [usize; 2],
        read: usize,
        sink: &mut dyn Sink,
    ) {
        let Scratch { seen, intervention, stages, workers, .. } = scratch;
        let step = self.mlp.fc1.tile_rows();
        let StageScratch { stream, qkv, heads, context } = &mut stages[stage];
        let (seen, tokens, left_out) = (seen.as_deref(), stream.nrows(), intervention.without_heads_of(layer));
        let (norm1, after) = if self.post_norm { (None, Some(&self.norm1)) } else { (Some(&self.norm1), None) };

        parallel::for_each_token_block(qkv.slice_mut(s![..tokens, ..]), tokens, step, &|first, mut qkv| {
            let (rows, width) = (qkv.nrows(), stream.ncols());
            let out = qkv.as_slice_mut().expect("a block of rows is contiguous");
            // All are asked for keys and values, those that are read ask.
            let asking = rows.min(read.saturating_sub(first));
            let (asks, answers) = out.split_at_mut(3 * width * asking);
            for (from, to, ask, out) in [(0, asking, true, asks), (asking, rows, false, answers)] {
                if from < to {
                    let own = stream.slice(s![first + from..first + to, ..]);
                    let tokens = Tokens { first: first + from, seen, places };
                    self.attention.project(norm1, own, tokens, ask, out, &mut workers.own());
                }
            }
        });
        let Some(windows) = places.windows.as_deref() else {
            parallel::for_each(heads, &|index, head| self.attention.pack(index, qkv.slice(s![..tokens, ..]), head));
            if let Some((queries, rows)) = sink.rows(layer) {
                let qkv = qkv.slice(s![..tokens, ..]);
                self.attention.attend_rows(&queries, Tokens { first: 0, seen, places }, qkv, heads, rows, workers);
            }
            let recorded = sink.attention(layer);
            let stream = stream.slice_mut(s![..read, ..]);
            parallel::for_each_token_block((stream, recorded), read, step, &|first, (mut stream, recorded)| {
                let worker = &mut workers.own();
                let qkv = qkv.slice(s![first..first + stream.nrows(), ..]);
                let stream = stream.as_slice_mut().expect("a block of rows is contiguous");
                self.attention.attend(Tokens { first, seen, places }, qkv, heads, 0..heads.len(), recorded, worker);
                self.attention.add_to(stream, &left_out, after, worker);
                self.mlp.add_to(stream, &self.norm2, self.post_norm, worker);
            });
            return;
        };

        self.attention.attend_within(windows, stage, places, qkv.view_mut(), context, sink.attention(layer), workers);
        parallel::for_each_token_block(stream.view_mut(), tokens, step, &|first, mut stream| {
            let worker = &mut workers.own();
            let stream = stream.as_slice_mut().expect("a block of rows is contiguous");
            self.attention.gather(windows, first, stream.len() / self.attention.projection.outputs(), context, worker);
            self.attention.add_to(stream, &left_out, after, worker);
            self.mlp.add_to(stream, &self.norm2, self.post_norm, worker);
        });
    }
}
