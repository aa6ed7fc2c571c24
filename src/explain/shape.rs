//! Which tokens there are, and how people name them.

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Config, Prefix, Window, Windows};
use std::ops::Range;

/// The shape of what a model records, for views that need no more of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Encoder blocks L.
    pub layers: usize,
    /// Attention heads a block.
    pub heads: usize,
    /// Tokens before the patches, in order.
    pub prefix: Vec<Prefix>,
    /// Rows and columns of patches.
    pub grid: [usize; 2],
    /// Height and width of a patch in pixels of the image: no whole ones where it is stretched to whole cells (MobileViT).
    pub patch_size: [f32; 2],
    /// Width D of a token.
    pub hidden_size: usize,
    /// Within what tokens attend; none where each sees all.
    pub window: Option<Window>,
}

impl From<&Config> for Shape {
    fn from(config: &Config) -> Self {
        Self {
            layers: config.layers,
            heads: config.heads,
            prefix: config.prefix.clone(),
            grid: config.grid(),
            patch_size: config.patch_size.map(|edge| edge as f32),
            hidden_size: config.hidden_size,
            window: None,
        }
    }
}

/// Whose view of the image it is: the row of an attention matrix that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// The class token.
    Class,
    /// The distillation token (DeiT).
    Distillation,
    /// A register, by number.
    Register(usize),
    /// A patch, by row and column.
    Patch(usize, usize),
    /// All patches: the mean over their rows.
    Mean,
}

impl std::str::FromStr for Query {
    type Err = Error;

    /// `cls`, `distillation`, `register:I`, `ROW,COL` or `mean`.
    fn from_str(text: &str) -> Result<Self> {
        let number = |text: &str| text.trim().parse().ok();
        let query = match text.trim() {
            "cls" => Some(Self::Class),
            "distillation" => Some(Self::Distillation),
            "mean" => Some(Self::Mean),
            other => match (other.strip_prefix("register:"), other.split_once(',')) {
                (Some(index), _) => number(index).map(Self::Register),
                (None, Some((row, column))) => number(row).zip(number(column)).map(|(row, col)| Self::Patch(row, col)),
                (None, None) => None,
            },
        };
        query.ok_or_else(|| {
            invalid(format!("query `{text}` is unknown. Use `cls`, `ROW,COL`, `mean`, `distillation` or `register:I`."))
        })
    }
}

impl Shape {
    /// What layer `layer` of a model records: with stages or windows not what others do.
    pub fn of_layer(config: &Config, layer: usize) -> Self {
        let own = config.of_stage(config.stage_of(layer)[0]);
        let patch = |axis: usize| {
            let (image, seen) = (config.image_size[axis], own.image_size[axis]);
            (own.patch_size[axis] * image) as f32 / seen.max(image) as f32
        };
        let (layers, window) = (config.layers, config.window(layer));
        Self { layers, window, patch_size: [patch(0), patch(1)], ..Self::from(&own) }
    }

    /// Windows of its layer, where it has some.
    pub fn windows(&self) -> Result<Option<Windows>> {
        self.window.map(|window| Windows::new(self.grid, &window)).transpose()
    }

    /// Number of windows and tokens n of each, padding included; without windows one of all tokens.
    pub fn window_size(&self) -> [usize; 2] {
        self.window.map_or([1, self.tokens()], |window| window.dim(self.grid))
    }

    /// Patches N.
    pub fn patches(&self) -> usize {
        self.grid.iter().product()
    }

    /// Tokens T.
    pub fn tokens(&self) -> usize {
        self.prefix.len() + self.patches()
    }

    /// `[N]`: the patches that a query's own window lets it look at; none where it sees all, or is several tokens.
    pub fn within(&self, query: Query) -> Result<Option<Vec<bool>>> {
        let (queries, windows) = (self.query_tokens(query)?, self.windows()?);
        Ok(windows.filter(|_| query != Query::Mean).map(|windows| {
            let [window, slot] = windows.place(queries.start);
            let mut seen = vec![false; self.patches()];
            for (key, token) in windows.slots_of(window).iter().enumerate() {
                if windows.sees(window, slot, key) {
                    seen[*token as usize] = true;
                }
            }
            seen
        }))
    }

    /// What stands for the image as a whole: the class token, or in a model without one all patches.
    pub fn default_query(&self) -> Query {
        if self.prefix.contains(&Prefix::Class) { Query::Class } else { Query::Mean }
    }

    /// The tokens of a query, as rows of an attention matrix.
    pub fn query_tokens(&self, query: Query) -> Result<Range<usize>> {
        let first = self.prefix.len();
        let token = match query {
            Query::Mean => return Ok(first..self.tokens()),
            Query::Class => self.prefix_token(Prefix::Class, 0)?,
            Query::Distillation => self.prefix_token(Prefix::Distillation, 0)?,
            Query::Register(index) => self.prefix_token(Prefix::Register, index)?,
            Query::Patch(row, column) => {
                let [rows, columns] = self.grid;
                if row >= rows || column >= columns {
                    let last = format!("{},{}", rows - 1, columns - 1);
                    return Err(invalid(format!(
                        "there is no patch {row},{column}: the last of {rows} × {columns} is {last}."
                    )));
                }
                first + row * columns + column
            }
        };
        Ok(token..token + 1)
    }

    /// The one token that a query names; unless told the class token, or in a model without one the patch in the middle.
    pub fn token(&self, query: Option<Query>) -> Result<usize> {
        let [rows, columns] = self.grid;
        let usual =
            if self.prefix.contains(&Prefix::Class) { Query::Class } else { Query::Patch(rows / 2, columns / 2) };
        match query.unwrap_or(usual) {
            Query::Mean => Err(invalid("`mean` is no one token. Name one, as the patch `ROW,COL`.".into())),
            query => self.query_tokens(query).map(|tokens| tokens.start),
        }
    }

    fn prefix_token(&self, kind: Prefix, index: usize) -> Result<usize> {
        let mut tokens = self.prefix.iter().enumerate().filter(|(_, prefix)| **prefix == kind).map(|(token, _)| token);
        let count = tokens.clone().count();
        tokens.nth(index).ok_or_else(|| {
            let kind = match kind {
                Prefix::Class => "class token",
                Prefix::Distillation => "distillation token",
                Prefix::Register => "register",
            };
            match count {
                0 => invalid(format!("this model has no {kind}. Query `mean` stands for all patches.")),
                _ => invalid(format!("there is no register {index}: this model has {count}, and they count from 0.")),
            }
        })
    }

    /// `layer`, if the model has it.
    pub fn check_layer(&self, layer: usize) -> Result<usize> {
        check("layer", layer, self.layers)
    }

    /// `head`, if the model has it.
    pub(super) fn check_head(&self, head: usize) -> Result<usize> {
        check("head", head, self.heads)
    }
}

pub(super) fn check(what: &str, index: usize, count: usize) -> Result<usize> {
    if index < count {
        return Ok(index);
    }
    Err(invalid(format!("there is no {what} {index}: the model has {count}, and they count from 0.")))
}

pub(super) fn invalid(problem: String) -> Error {
    ErrorKind::InvalidArgument(problem).into()
}
