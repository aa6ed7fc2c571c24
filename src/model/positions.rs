//! What tells a model where a patch is.

use super::rotary::Rotary;

/// What tells a model where a patch is: one of these, or several.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Positions {
    /// Learned for each patch, and added to it (ViT).
    pub learned: bool,
    /// Learned for each distance of two patches, and added to their score (BEiT).
    pub relative: bool,
    /// By which queries and keys are turned (DINOv3, EVA-02).
    pub rotary: Option<Rotary>,
}

impl Positions {
    /// ViT's.
    pub const LEARNED: Self = Self { learned: true, relative: false, rotary: None };

    /// What they are called: kinds joined by a hyphen.
    pub fn name(&self) -> &'static str {
        match (self.learned, self.relative, self.rotary.is_some()) {
            (false, false, false) => "none",
            (true, false, false) => "learned",
            (false, true, false) => "relative",
            (true, true, _) => "learned-relative",
            (true, false, true) => "learned-rotary",
            (false, _, true) => "rotary",
        }
    }
}
