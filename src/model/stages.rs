//! What sets a hierarchical transformer apart from a plain ViT: stages, and windows within which tokens attend (Swin; Liu et al., 2021).
//!
//! A stage is a plain ViT of larger patches and a width of its own, which reads what the stage before it left. A plain ViT is one stage whose tokens all
//! attend to each other.

use super::config::Config;
use crate::error::{ErrorKind, Result};
use crate::kernels::gemm_i8::MAX_K;
use std::ops::Range;

/// Layers that work on one grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Encoder blocks; the last stage of a model may have none, where something follows its blocks (SAM's neck).
    pub layers: usize,
    /// Whether its grid has half the rows and columns of the stage before, rounded up.
    pub halves: bool,
    /// Width D of a token.
    pub hidden_size: usize,
    /// Attention heads a block.
    pub heads: usize,
    /// Hidden width M of the MLP.
    pub mlp_size: usize,
    /// Within what tokens attend; none where each sees all.
    pub windows: Option<WindowRule>,
}

/// How a stage's layers get their windows.
#[derive(Clone, Debug, PartialEq)]
pub enum WindowRule {
    /// Those of every second layer are shifted (Swin).
    Shifted {
        /// Rows and columns of tokens.
        size: [usize; 2],
        /// By how many of them.
        shift: [usize; 2],
        /// What becomes of it where the grid as it is run is no larger.
        cut: Cut,
        /// Whether the grid is padded to whole windows before it is rolled (transformers), or after (timm).
        pads_first: bool,
        /// Whether what rolling brings together is kept apart by twice the usual (transformers' Swin v2).
        twice_apart: bool,
        /// The window that a bias computed from distances was trained with, 0 where that is this one (Swin v2).
        trained: usize,
    },
    /// All layers but some have the same, and these see all (SAM).
    Some {
        /// Rows and columns of tokens.
        size: [usize; 2],
        /// Layers without windows, counted through all stages.
        global: Vec<usize>,
    },
    /// Tokens attend to those at the same place within a cell (MobileViT).
    Strided {
        /// Rows and columns of a cell.
        size: [usize; 2],
    },
}

/// What becomes of a window that is no smaller than the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It stays, and the grid is padded (transformers' Swin v2, which cuts it when the model is built).
    Nowhere,
    /// Both its edges are cut to the smaller one of the grid, and it is not shifted (transformers' Swin).
    Both,
    /// Each edge is cut to that of the grid, and not shifted along it (timm).
    Each,
}

/// Which tokens of a layer attend to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// What a window is.
    pub kind: WindowKind,
    /// Rows and columns of a window's tokens; where it is strided, of a cell.
    pub size: [usize; 2],
    /// Rows and columns by which the grid is rolled up and to the left before it is cut.
    pub shift: [usize; 2],
    /// Whether the grid is padded to whole windows before it is rolled, or after.
    pub pads_first: bool,
    /// Whether what rolling brings together is kept apart by twice the usual.
    pub twice_apart: bool,
}

impl Window {
    /// How many there are in a grid of rows and columns, and tokens n of each, padding included.
    pub fn dim(&self, grid: [usize; 2]) -> [usize; 2] {
        let size = self.size[0] * self.size[1];
        let across = grid[0].div_ceil(self.size[0]) * grid[1].div_ceil(self.size[1]);
        match self.kind {
            WindowKind::Tiles => [across, size],
            WindowKind::Strided => [size, across],
        }
    }
}

/// How a grid is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WindowKind {
    /// Into rectangles side by side.
    Tiles,
    /// Into tokens at the same place within cells.
    Strided,
}

impl Stage {
    /// Makes of a plain ViT's `config` one whose tokens attend within windows (SAM).
    pub fn windowed(config: &mut Config, windows: Option<WindowRule>) {
        config.stages = vec![Self {
            layers: config.layers,
            halves: false,
            hidden_size: config.hidden_size,
            heads: config.heads,
            mlp_size: config.mlp_size,
            windows,
        }];
    }

    /// Puts behind the stages of `config` one without blocks: a map of `channels`, on the grid of the last.
    pub fn follow(config: &mut Config, channels: usize) {
        config.hidden_size = channels;
        config.stages.push(Self {
            layers: 0,
            halves: false,
            hidden_size: channels,
            heads: 1,
            mlp_size: 1,
            windows: None,
        });
    }

    /// Rows and columns that its grid is a multiple of: as many cells as cover the image.
    pub(super) fn cell(&self) -> [usize; 2] {
        match self.windows {
            Some(WindowRule::Strided { size }) => size,
            _ => [1; 2],
        }
    }
}

impl WindowRule {
    /// The window of layer `layer`, which is number `index` of its stage.
    fn of(&self, layer: usize, index: usize, grid: [usize; 2]) -> Option<Window> {
        let window =
            Window { kind: WindowKind::Tiles, size: self.size(), shift: [0; 2], pads_first: true, twice_apart: false };
        let smaller = grid[0].min(grid[1]);
        match *self {
            Self::Shifted { size, shift, cut, pads_first, twice_apart, .. } => {
                let cuts = |axis: usize| match cut {
                    Cut::Nowhere => false,
                    Cut::Both => smaller <= size[axis],
                    Cut::Each => grid[axis] <= size[axis],
                };
                let edge = |axis: usize| match (cuts(axis), cut) {
                    (false, _) => size[axis],
                    (true, Cut::Each) => grid[axis],
                    (true, _) => smaller,
                };
                let rolls = |axis: usize| if index % 2 == 1 && !cuts(axis) { shift[axis] } else { 0 };
                let (size, shift) = ([edge(0), edge(1)], [rolls(0), rolls(1)]);
                Some(Window { size, shift, pads_first, twice_apart, ..window })
            }
            Self::Some { ref global, .. } => (!global.contains(&layer)).then_some(window),
            Self::Strided { .. } => Some(Window { kind: WindowKind::Strided, ..window }),
        }
    }

    fn size(&self) -> [usize; 2] {
        match *self {
            Self::Shifted { size, .. } | Self::Some { size, .. } | Self::Strided { size } => size,
        }
    }
}

impl Config {
    /// Whether tokens attend within windows, or the grid changes from layer to layer.
    pub fn is_staged(&self) -> bool {
        !self.stages.is_empty()
    }

    /// How many stages there are: 1 of a plain ViT.
    pub fn stage_count(&self) -> usize {
        self.stages.len().max(1)
    }

    /// The stage that layer `layer` belongs to, and which of its layers that is.
    pub fn stage_of(&self, layer: usize) -> [usize; 2] {
        let mut index = layer;
        for (stage, own) in self.stages.iter().enumerate() {
            if index < own.layers {
                return [stage, index];
            }
            index -= own.layers;
        }
        [0, layer]
    }

    /// Rows and columns of tokens of stage number `stage`.
    pub fn grid_of(&self, stage: usize) -> [usize; 2] {
        self.halved(self.patches_along(), stage)
    }

    /// The same where the image has so many rows and columns of patches.
    fn halved(&self, patches: [usize; 2], stage: usize) -> [usize; 2] {
        let cell = self.stages.get(stage).map_or([1; 2], Stage::cell);
        let halvings = self.halvings(stage);
        // (Half of an odd grid is rounded up, to whole cells where it has any.)
        [0, 1].map(|axis| patches[axis].div_ceil(1 << halvings).next_multiple_of(cell[axis]))
    }

    /// How often the grid was halved when stage number `stage` begins.
    fn halvings(&self, stage: usize) -> usize {
        self.stages.iter().take(stage + 1).filter(|stage| stage.halves).count()
    }

    /// Stage number `stage` as a plain ViT of its own: its grid, width, heads and MLP.
    pub fn of_stage(&self, stage: usize) -> Self {
        let Some(own) = self.stages.get(stage) else { return self.clone() };
        let (grid, halvings, cell) = (self.grid_of(stage), self.halvings(stage), own.cell());
        let patch_size = self.patch_size.map(|edge| edge << halvings);
        let seen = [0, 1].map(|axis| match (cell[axis], self.pads) {
            (1, true) => self.image_size[axis],
            (1, false) => self.patches_along()[axis].saturating_mul(self.patch_size[axis]),
            _ => grid[axis] * patch_size[axis],
        });
        Self {
            image_size: seen,
            pads: true,
            patch_size,
            layers: own.layers,
            hidden_size: own.hidden_size,
            heads: own.heads,
            mlp_size: own.mlp_size,
            stages: Vec::new(),
            ..self.clone()
        }
    }

    /// The stage whose stream is pooled, as a plain ViT of its own.
    pub fn last_stage(&self) -> Self {
        self.of_stage(self.stage_count() - 1)
    }

    /// Rows and columns of what is pooled.
    pub fn last_grid(&self) -> [usize; 2] {
        self.grid_of(self.stage_count() - 1)
    }

    /// Layers whose stream the head could read, had the blocks behind them not been: those of the last stage.
    pub fn layers_read(&self) -> Range<usize> {
        self.layers - self.stages.last().map_or(self.layers, |last| last.layers)..self.layers
    }

    /// Heads of layer `layer`.
    pub fn heads_of(&self, layer: usize) -> usize {
        self.stages.get(self.stage_of(layer)[0]).map_or(self.heads, |stage| stage.heads)
    }

    /// Within what the tokens of layer `layer` attend; none where each sees all.
    pub fn window(&self, layer: usize) -> Option<Window> {
        self.window_among(self.patches_along(), layer)
    }

    /// The same where the image has so many rows and columns of patches.
    pub(crate) fn window_among(&self, patches: [usize; 2], layer: usize) -> Option<Window> {
        let [stage, index] = self.stage_of(layer);
        self.stages.get(stage)?.windows.as_ref()?.of(layer, index, self.halved(patches, stage))
    }

    /// Checks the stages one by one; [`Config::validate`] calls it.
    pub(super) fn validate_stages(&self) -> Result<()> {
        const MOST: usize = 8;
        let invalid = |problem: String| Err(ErrorKind::InvalidConfig(problem).into());
        if self.stages.len() > MOST {
            return invalid(format!("{} stages are too many; at most {MOST} are supported.", self.stages.len()));
        }
        let mut layers = 0usize;
        for (number, stage) in self.stages.iter().enumerate() {
            layers = layers.saturating_add(stage.layers);
            let size = stage.windows.as_ref().map_or([1; 2], WindowRule::size);
            if size.iter().any(|edge| !(1..=MAX_K).contains(edge)) {
                return invalid(format!("a window of {} × {} tokens makes no sense.", size[0], size[1]));
            }
            let last = number + 1 == self.stages.len();
            let sizes =
                [stage.layers + usize::from(last && number > 0), stage.hidden_size, stage.heads, stage.mlp_size];
            if sizes.iter().any(|size| !(1..=MAX_K).contains(size)) {
                return invalid(format!("stage {number} has a size that does not lie in 1..={MAX_K}."));
            }
            if !stage.hidden_size.is_multiple_of(stage.heads) {
                return invalid(format!(
                    "{} heads do not divide the width {} of stage {number}.",
                    stage.heads, stage.hidden_size
                ));
            }
        }
        let width = self.stages.last().map(|last| last.hidden_size);
        if self.is_staged() && (layers != self.layers || width != Some(self.hidden_size)) {
            return invalid("the stages do not make up the model.".into());
        }
        Ok(())
    }
}
