//! Where patches are: what a model learned of it stays as it was stored, for the grid that it was learned for; [`Places`] is what that is for the grid that
//! is run, which may be another at any time.

use super::attention::Attention;
use super::config::Config;
use super::decomposed::Decomposed;
use super::interpolate::{Interpolation, resize};
use super::positions::sinusoidal;
use super::relative_bias::RelativeBias;
use super::rotary::Rotations;
use super::stages::Window;
use super::vit::{Vit, Weights};
use super::windows::Windows;
use crate::alloc::room;
use crate::error::{ErrorKind, Result};
use ndarray::Array2;
use std::sync::Arc;

/// What was learned for each place of a grid.
pub struct LearnedGrid {
    /// A row for each place, and behind them those that belong to none.
    pub values: Arc<Array2<f32>>,
    /// Rows and columns of places.
    pub grid: [usize; 2],
    /// How the library makes those of another grid; none where it has no other.
    pub how: Option<Interpolation>,
}

/// Where the patches of one grid are.
pub struct Places {
    /// `[N, D]`: what is added to the patches, if they have any positions of their own.
    pub positions: Option<Arc<Array2<f32>>>,
    /// For each block.
    pub(super) blocks: Vec<BlockPlaces>,
}

/// What attention in a block knows of it; may be common to all blocks.
#[derive(Clone, Default)]
pub(super) struct BlockPlaces {
    /// Added to the scores by where query and key are (BEiT).
    pub bias: Option<Arc<RelativeBias>>,
    /// Added to the scores as the query and where both are have it (SAM).
    pub decomposed: Option<Arc<Decomposed>>,
    /// By which queries and keys of patches are turned, after their norm (RoPE).
    pub rotations: Option<Arc<Rotations>>,
    /// Within what tokens attend, if not all to all.
    pub windows: Option<Arc<Windows>>,
}

impl LearnedGrid {
    /// Bytes they take in memory.
    pub fn bytes(&self) -> usize {
        self.values.len() * size_of::<f32>()
    }

    /// The same of another grid, for images of the size that `config` says.
    fn at(&self, config: &Config, what: &'static str, grid: [usize; 2]) -> Result<Arc<Array2<f32>>> {
        if grid == self.grid {
            return Ok(Arc::clone(&self.values));
        }
        let Some(how) = self.how else {
            let ([height, width], [rows, columns]) = (config.image_size, self.grid);
            return Err(ErrorKind::InvalidArgument(format!(
                "an image size of {height} × {width} can't be run: this model has positions for its own {rows} × {columns} patches alone. Take its own size, \
                 or a model that computes them, as a native AIMv2 does."
            ))
            .into());
        };
        let width = self.values.ncols();
        room(what, &[self.grid[0] + grid[0], grid[1], width, size_of::<f32>()])?;
        let stored = self.values.as_slice().expect("it is contiguous");
        let (places, others) = stored.split_at(self.grid.iter().product::<usize>() * width);
        let mut values = resize(places, self.grid, grid, how);
        values.extend_from_slice(others);
        Ok(Arc::new(Array2::from_shape_vec((values.len() / width, width), values).expect("whole rows")))
    }
}

impl Places {
    /// Those of the grid that `config` says.
    pub fn new(config: &Config, weights: &Weights) -> Result<Self> {
        let positions = match &weights.embeddings.positions {
            Some(learned) => Some(learned.at(config, "positions", config.grid())?),
            None if config.positions.sinusoidal => Some(Arc::new(sinusoidal(config.grid(), config.hidden_size)?)),
            None => None,
        };
        let mut blocks = Vec::<BlockPlaces>::with_capacity(weights.blocks.len());
        let mut before: Option<(&Attention, BlockPlaces)> = None;
        let mut windows: Vec<([usize; 2], Window, Arc<Windows>)> = Vec::new();
        let stages: Vec<_> = (0..config.stage_count()).map(|stage| config.of_stage(stage)).collect();
        for (layer, block) in weights.blocks.iter().enumerate() {
            let stage = &stages[config.stage_of(layer)[0]];
            let window = config.window(layer);
            let mut places = BlockPlaces::new(stage, window.as_ref(), &block.attention, before.take())?;
            places.windows = match window {
                None => None,
                Some(window) => {
                    let grid = stage.grid();
                    let known = windows.iter().find(|(own, rule, _)| (*own, *rule) == (grid, window));
                    match known {
                        Some((.., known)) => Some(Arc::clone(known)),
                        None => {
                            let own = Arc::new(Windows::new(grid, &window)?);
                            windows.push((grid, window, Arc::clone(&own)));
                            Some(own)
                        }
                    }
                }
            };
            blocks.push(places.clone());
            before = Some((&block.attention, places));
        }
        Ok(Self { positions, blocks })
    }

    /// Bytes they take in memory beside what is stored.
    pub fn bytes(&self, weights: &Weights) -> usize {
        let mut shared = SharedBytes::default();
        weights.embeddings.positions.iter().for_each(|stored| shared.add(&stored.values, 0));
        self.positions.iter().for_each(|own| shared.add(own, own.len() * size_of::<f32>()));
        for BlockPlaces { bias, decomposed, rotations, windows } in &self.blocks {
            windows.iter().for_each(|windows| shared.add(windows, windows.bytes()));
            bias.iter().for_each(|bias| shared.add(bias, bias.bytes()));
            decomposed.iter().for_each(|decomposed| shared.add(decomposed, decomposed.bytes()));
            rotations.iter().for_each(|rotations| shared.add(rotations, rotations.bytes()));
        }
        shared.sum
    }
}

impl BlockPlaces {
    /// Those of a block's attention; `before`: those of the block before, which are shared where both learned the same.
    fn new(
        config: &Config,
        window: Option<&Window>,
        attention: &Attention,
        before: Option<(&Attention, Self)>,
    ) -> Result<Self> {
        let Attention { tables, decomposed, frequencies, .. } = attention;
        let (same_tables, same_frequencies) = match &before {
            Some((other, _)) => {
                (same(tables, &other.tables), same(frequencies.as_slice(), other.frequencies.as_slice()))
            }
            None => (false, false),
        };
        let mut places = before.map(|(_, places)| places).unwrap_or_default();
        if !same_tables {
            places.bias = RelativeBias::of(config, window, tables)?.map(Arc::new);
        }
        let grid = window.map_or(config.grid(), |window| window.size);
        places.decomposed = match decomposed {
            Some(tables) => Some(Arc::new(Decomposed::of(config, tables, grid)?)),
            None => None,
        };
        if !same_frequencies {
            places.rotations = match (frequencies, &config.positions.rotary) {
                (Some(frequencies), Some(rotary)) => Some(Arc::new(Rotations::new(config, rotary, frequencies)?)),
                _ => None,
            };
        }
        Ok(places)
    }
}

impl Decomposed {
    /// What was learned for each distance along an axis, at `grid` of keys.
    fn of(config: &Config, [rows, columns]: &[LearnedGrid; 2], grid: [usize; 2]) -> Result<Self> {
        let at = |table: &LearnedGrid, edge: usize| table.at(config, "relative positions", [2 * edge - 1, 1]);
        let tables = [at(rows, grid[0])?, at(columns, grid[1])?];
        Ok(Self::new([0, 1].map(|axis| tables[axis].as_slice().unwrap_or_default()), grid))
    }
}

impl RelativeBias {
    /// The sum of what was learned for each distance of two patches, at the grid that `config` says.
    fn of(config: &Config, window: Option<&Window>, tables: &[Arc<LearnedGrid>]) -> Result<Option<Self>> {
        const WHAT: &str = "relative positions";
        let Some(first) = tables.first() else { return Ok(None) };
        let grid = window.map_or(config.grid(), |window| window.size);
        if window.is_some() && Self::distances(grid) != first.grid {
            let ([height, width], [rows, columns]) = (config.image_size, grid);
            return Err(ErrorKind::InvalidArgument(format!(
                "an image size of {height} × {width} can't be run: a window would have {rows} × {columns} tokens there, and this model learned relative positions of {} × {}. Take a larger size.",
                first.grid[0].div_ceil(2), first.grid[1].div_ceil(2)
            ))
            .into());
        }
        let prefix = config.prefix_tokens();
        // (The model has a copy, in another order.)
        room(WHAT, &[Self::entries(grid, prefix), config.heads, size_of::<f32>()])?;
        let tables =
            tables.iter().map(|table| table.at(config, WHAT, Self::distances(grid))).collect::<Result<Vec<_>>>()?;
        let tables: Vec<&[f32]> = tables.iter().flat_map(|table| table.as_slice()).collect();
        Ok(Some(Self::new(&tables, config.heads, grid, prefix)))
    }
}

impl Vit {
    /// The same model for images of another size, as it would be had it been loaded for them: it has the same weights, not a copy.
    pub fn resized(&self, image_size: [usize; 2]) -> Result<Self> {
        let config = self.config.resized(image_size)?;
        Ok(Self {
            places: Arc::new(Places::new(&config, &self.weights)?),
            config,
            weights: Arc::clone(&self.weights),
            similarity: self.similarity,
            classes: self.classes.clone(),
        })
    }
}

/// Whether both have the very same.
fn same<T>(own: &[Arc<T>], other: &[Arc<T>]) -> bool {
    own.len() == other.len() && own.iter().zip(other).all(|(own, other)| Arc::ptr_eq(own, other))
}

/// Bytes of what several may share, each counted once.
#[derive(Default)]
pub(super) struct SharedBytes {
    /// Where those lie that were counted.
    known: Vec<*const u8>,
    pub sum: usize,
}

impl SharedBytes {
    pub fn add<T>(&mut self, shared: &Arc<T>, bytes: usize) {
        self.count(Arc::as_ptr(shared).cast(), bytes);
    }

    #[inline(never)]
    fn count(&mut self, place: *const u8, bytes: usize) {
        if !self.known.contains(&place) {
            self.known.push(place);
            self.sum += bytes;
        }
    }
}
