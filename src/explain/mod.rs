//! What a forward pass shows: views of its attention, its tokens and its answer.
//!
//! A map has a value a patch, `[rows, cols]`. Layers and heads count from 0; layer l's tokens are the residual stream after block l.
//! Each view states its formula and where it was published.

mod attention;
mod attribution;
mod dropping;
mod eigen;
mod filling;
mod heads;
mod inside;
mod lens;
mod parameters;
mod principal;
mod rolled;
mod rollout;
mod rows;
mod shape;
mod statistics;
mod tokens;
mod trace;

pub use attention::Attentions;
pub use attribution::{Attribution, GradientMethod};
pub use dropping::{Curve, Dropping, Occlusion, area};
pub use filling::Filling;
pub use heads::{Fusion, HeadMap, Heads};
pub use inside::{Inside, filters_of, patch_inside};
pub use lens::{logit_lens, patch_lens};
pub use parameters::{filters, position_similarity};
pub use rolled::Rolled;
pub use rollout::{Rollout, no_rollout};
pub use rows::mean;
pub use shape::{Query, Shape};
pub use statistics::{distance, distance_of, entropy, entropy_of};
pub use tokens::{features, similarity};
pub use trace::{HiddenStates, StagedTrace, Trace};
