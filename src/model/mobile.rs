//! What MobileViT has around its transformers (Mehta & Rastegari, 2022): convolutions that lead from pixels to the first, from one to the next, and
//! from the last to what is pooled.

use super::config::Config;
use super::convolution::{Convolution, InvertedResidual, each_place};
use super::linear::{Linear, Then};
use super::maps::{Bilinear, Map, interleave};
use super::norm::LayerNorm;
use super::scratch::Workers;
use crate::alloc::zeros;
use crate::error::Result;
use crate::kernels::gemm_i8::MAX_K;
use crate::parallel;
use ndarray::{ArrayView2, ArrayView3, ArrayViewMut2};

/// From pixels to a map of an eighth of their rows and columns.
pub struct Stem {
    /// Every second pixel.
    pub convolution: Convolution,
    /// Every second place, twice.
    pub residuals: Vec<InvertedResidual>,
    /// To the first transformer.
    pub enter: Enter,
}

/// From a map to a transformer: r is a map half as large, which [`Leave`] reads too; local(r) is what is projected to tokens.
pub struct Enter {
    /// r.
    pub residual: InvertedResidual,
    /// k × k.
    pub local: Convolution,
}

/// From a transformer to a map: fusion([r, projection(norm(stream))]).
pub struct Leave {
    /// Of the stream.
    pub norm: LayerNorm,
    /// D → C at each place.
    pub projection: Convolution,
    /// 2 C → C, k × k.
    pub fusion: Convolution,
}

/// From a transformer to the next.
pub struct Bridge {
    /// The one before.
    pub leave: Leave,
    /// The next.
    pub enter: Enter,
    /// C → D at each place.
    pub projection: Linear,
}

/// From the last transformer to what is pooled.
pub struct LastMap {
    /// That transformer.
    pub leave: Leave,
    /// At each place.
    pub expand: Convolution,
}

/// Widths of the maps.
#[derive(Clone, Debug, PartialEq)]
pub struct MapSizes {
    /// Channels of the stem, of the two maps after it, of one a stage and of the last: `neck_hidden_sizes`.
    pub channels: [usize; 7],
    /// Channels inside of an inverted residual, as a multiple of what it reads.
    pub expand_ratio: f64,
    /// k of the convolutions around a transformer.
    pub kernel: usize,
}

/// Buffers for maps.
#[derive(Default)]
pub(super) struct Maps {
    /// Rows and columns of each stage's tokens.
    grids: Vec<[usize; 2]>,
    /// The map that was made last.
    map: Vec<f32>,
    grid: [usize; 2],
    channels: usize,
    /// For the next.
    other: Vec<f32>,
    /// Inside of an inverted residual.
    expanded: Vec<f32>,
    /// r, its grid and channels.
    kept: Vec<f32>,
    kept_as: ([usize; 2], usize),
}

impl MapSizes {
    /// Channels inside of an inverted residual that reads `channels`, as transformers rounds them.
    pub fn expanded(&self, channels: usize) -> usize {
        let wide = (channels as f64 * self.expand_ratio).round_ties_even();
        let near = ((wide + 4.0) as usize / 8 * 8).max(8);
        if (near as f64) < 0.9 * wide { near.saturating_add(8) } else { near }
    }

    /// What a model can't have, for images of this size; `most` values are the most that a map may have.
    pub(super) fn problem(&self, image: [usize; 2], most: u64) -> Option<String> {
        let sizes =
            || self.channels.into_iter().chain(self.channels[..5].iter().map(|channels| self.expanded(*channels)));
        if let Some(size) = sizes().find(|size| !(1..=MAX_K).contains(size)) {
            return Some(format!("a map of {size} channels makes no sense."));
        }
        if !(1..=7).contains(&self.kernel) || self.kernel.is_multiple_of(2) || self.widest() > MAX_K {
            return Some(format!("convolutions of {0} × {0} are not run there; 1, 3, 5 and 7 are.", self.kernel));
        }
        let places = image.iter().map(|edge| edge.div_ceil(2) as u64).product::<u64>();
        let widest = sizes().max().unwrap_or(0);
        (places * widest as u64 > most)
            .then(|| format!("maps of {places} places and up to {widest} channels are too large."))
    }

    /// The most that a layer reads at one place.
    pub(super) fn widest(&self) -> usize {
        let area = self.kernel * self.kernel;
        let [stem, after, rest @ ..] = self.channels;
        let around = rest[1..4].iter().map(|channels| 2 * area * channels);
        let expanded = [stem, after].into_iter().chain(rest).map(|channels| self.expanded(channels));
        around.chain(expanded).chain([27]).max().unwrap_or(0)
    }
}

impl Maps {
    /// Room for all maps of an image; none where the model has no such.
    pub fn new(config: &Config) -> Result<Self> {
        let Some(sizes) = &config.maps else { return Ok(Self::default()) };
        let image = config.image_size;
        let stages: Vec<_> = (0..config.stage_count()).map(|stage| config.of_stage(stage)).collect();
        let places = |grid: [usize; 2]| grid[0].saturating_mul(grid[1]);
        let [stem, wide, ..] = sizes.channels;
        let mut grid = image.map(|edge| edge.div_ceil(2));
        let mut map = (3 * places(image)).max(places(grid) * stem.max(wide));
        let mut expanded = places(grid) * sizes.expanded(stem);
        let mut kept = 0;
        // Each of these reads a map, and makes one of half its rows and columns.
        for (i, channels) in sizes.channels[1..6].windows(2).enumerate() {
            expanded = expanded.max(places(grid) * sizes.expanded(channels[0]));
            grid = grid.map(|edge| edge.div_ceil(2));
            map = map.max(places(grid) * channels[1]);
            match i {
                0 => expanded = expanded.max(places(grid) * sizes.expanded(channels[1])),
                _ => kept = kept.max(places(grid) * channels[1]),
            }
        }
        for stage in &stages {
            map = map.max(stage.tokens() * stage.hidden_size);
        }
        Ok(Self {
            grids: stages.iter().map(Config::grid).collect(),
            map: zeros("a map", &[map])?,
            other: zeros("a map", &[map])?,
            expanded: zeros("an expanded map", &[expanded])?,
            kept: zeros("a map", &[kept])?,
            ..Self::default()
        })
    }

    /// The map that was made last.
    pub fn last(&self) -> Map<'_> {
        Map::new(&self.map, self.grid, self.channels)
    }

    /// Makes the next map of the last.
    fn convolve(&mut self, convolution: &Convolution, workers: &Workers) {
        let last = Map::new(&self.map, self.grid, self.channels);
        let made = convolution.forward(&[last], &mut self.other, workers);
        (self.grid, self.channels) = (made.grid, made.channels);
        std::mem::swap(&mut self.map, &mut self.other);
    }

    fn residual(&mut self, residual: &InvertedResidual, workers: &Workers) {
        let last = Map::new(&self.map, self.grid, self.channels);
        let made = residual.forward(last, &mut self.expanded, &mut self.other, workers);
        (self.grid, self.channels) = (made.grid, made.channels);
        std::mem::swap(&mut self.map, &mut self.other);
    }

    /// The tokens `[T, D]` that stage number `stage` begins with, of the last map.
    fn tokens(&self, projection: &Linear, stage: usize, mut stream: ArrayViewMut2<f32>, workers: &Workers) {
        let resized = Bilinear { from: self.grid, to: self.grids[stage] };
        let stream = stream.as_slice_mut().expect("it is contiguous");
        each_place(projection, Then::Store, None, stream, workers, &|place, x| resized.read(self.last(), place, x));
    }
}

impl Stem {
    /// Bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        let residuals = self.residuals.iter().map(InvertedResidual::bytes);
        self.convolution.bytes() + residuals.sum::<usize>() + self.enter.bytes()
    }

    /// Begins the stream `[T, D]`. `pixels`: `[3, H, W]`; `projection`: C → D at each place.
    pub(super) fn forward(
        &self,
        pixels: ArrayView3<f32>,
        projection: &Linear,
        stream: ArrayViewMut2<f32>,
        maps: &mut Maps,
        workers: &Workers,
    ) {
        interleave(pixels, &mut maps.map);
        (maps.grid, maps.channels) = ([pixels.shape()[1], pixels.shape()[2]], 3);
        maps.convolve(&self.convolution, workers);
        self.residuals.iter().for_each(|residual| maps.residual(residual, workers));
        self.enter.forward(maps, workers);
        maps.tokens(projection, 0, stream, workers);
    }
}

impl Enter {
    fn bytes(&self) -> usize {
        self.residual.bytes() + self.local.bytes()
    }

    fn forward(&self, maps: &mut Maps, workers: &Workers) {
        let last = Map::new(&maps.map, maps.grid, maps.channels);
        let kept = self.residual.forward(last, &mut maps.expanded, &mut maps.kept, workers);
        maps.kept_as = (kept.grid, kept.channels);
        let local = self.local.forward(&[kept], &mut maps.map, workers);
        (maps.grid, maps.channels) = (local.grid, local.channels);
    }
}

impl Leave {
    fn bytes(&self) -> usize {
        self.norm.bytes() + self.projection.bytes() + self.fusion.bytes()
    }

    /// `stream`: `[T, D]`, of the tokens of stage number `stage`.
    fn forward(&self, stream: ArrayView2<f32>, stage: usize, maps: &mut Maps, workers: &Workers) {
        let (stream, grid) = (stream.to_slice().expect("it is contiguous"), maps.grids[stage]);
        let width = self.norm.weight.len();
        let normed = &mut maps.other[..stream.len()];
        let rows = ArrayViewMut2::from_shape((stream.len() / width, width), normed).expect("whole rows");
        parallel::for_each_block(rows, stream.len() / width, &|first, mut rows| {
            for (row, mut out) in rows.rows_mut().into_iter().enumerate() {
                let out = out.as_slice_mut().expect("rows are contiguous");
                self.norm.forward(&stream[(first + row) * width..][..width], out);
            }
        });
        let (kept_grid, channels) = maps.kept_as;
        let (normed, resized) = (Map::new(&maps.other, grid, width), Bilinear { from: grid, to: kept_grid });
        let projected = &mut maps.map[..kept_grid[0] * kept_grid[1] * channels];
        let Convolution { layer, activation, .. } = &self.projection;
        each_place(layer, Then::Store, *activation, projected, workers, &|place, x| resized.read(normed, place, x));
        let both = [&maps.kept, &maps.map].map(|values| Map::new(values, kept_grid, channels));
        let fused = self.fusion.forward(&both, &mut maps.other, workers);
        (maps.grid, maps.channels) = (fused.grid, fused.channels);
        std::mem::swap(&mut maps.map, &mut maps.other);
    }
}

impl Bridge {
    /// Bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        self.leave.bytes() + self.enter.bytes() + self.projection.bytes()
    }

    /// Writes the stream `after` `[T', D']` of stage number `stage` from the one `before` it `[T, D]`.
    pub(super) fn forward(
        &self,
        before: ArrayView2<f32>,
        after: ArrayViewMut2<f32>,
        stage: usize,
        maps: &mut Maps,
        workers: &Workers,
    ) {
        self.leave.forward(before, stage - 1, maps, workers);
        self.enter.forward(maps, workers);
        maps.tokens(&self.projection, stage, after, workers);
    }
}

impl LastMap {
    /// Bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        self.leave.bytes() + self.expand.bytes()
    }

    /// The same; the places of the map are the tokens.
    pub(super) fn forward(
        &self,
        before: ArrayView2<f32>,
        mut after: ArrayViewMut2<f32>,
        stage: usize,
        maps: &mut Maps,
        workers: &Workers,
    ) {
        self.leave.forward(before, stage - 1, maps, workers);
        self.expand.forward(&[maps.last()], after.as_slice_mut().expect("it is contiguous"), workers);
    }
}
