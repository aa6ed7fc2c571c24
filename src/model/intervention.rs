//! What a forward pass may be told to leave out, and in which order to take the patches. No model was trained so: its answer says what it needs.

use super::config::Config;
use crate::error::{ErrorKind, Result};

/// Changes of one forward pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Intervention {
    /// Layer and number of heads that add nothing: their channels are zeros where the projection reads them (Michel, Levy & Neubig, 2019). Their attention
    /// is computed all the same.
    pub without_heads: Vec<[usize; 2]>,
    /// No patch knows where it is: there are no learned or sinusoidal positions, no angles and no relative bias. Tokens before the patches keep what they
    /// learned.
    pub without_positions: bool,
    /// Which patch of the image lies in each place, under that place's position (Naseer et al., 2021): all of them, each once.
    pub order: Option<Vec<usize>>,
}

impl Intervention {
    /// Whether a model of this shape has what it names.
    pub fn check(&self, config: &Config) -> Result<()> {
        for [layer, head] in &self.without_heads {
            let there = [("layer", *layer, config.layers), ("head", *head, config.heads_of(*layer))];
            if let Some((what, number, count)) = there.into_iter().find(|(_, number, count)| number >= count) {
                return Err(invalid(format!(
                    "there is no {what} {number} to leave out: the model has {count}, and they count from 0."
                )));
            }
        }
        if self.order.is_some() && config.maps.is_some() {
            let why = "convolutions read its pixels, across the edges of patches.";
            return Err(ErrorKind::UnsupportedView { view: "another order of patches", why }.into());
        }
        self.order.as_ref().map_or(Ok(()), |order| check_order(order, config.patches()))
    }

    /// The heads of a layer that are left out.
    pub(super) fn without_heads_of(&self, layer: usize) -> Vec<usize> {
        self.without_heads.iter().filter(|[own, _]| *own == layer).map(|[_, head]| *head).collect()
    }
}

fn check_order(order: &[usize], patches: usize) -> Result<()> {
    if order.len() != patches {
        return Err(invalid(format!(
            "an order of {} patches was given: it must have all {patches} of the image, each once.",
            order.len()
        )));
    }
    let mut taken = vec![false; patches];
    for patch in order {
        match taken.get_mut(*patch) {
            None => {
                return Err(invalid(format!(
                    "there is no patch {patch} to put in order: the image has {patches}, and they count from 0."
                )));
            }
            Some(true) => {
                return Err(invalid(format!(
                    "the order has patch {patch} twice: it must have all {patches} of the image, each once."
                )));
            }
            Some(taken) => *taken = true,
        }
    }
    Ok(())
}

fn invalid(message: String) -> crate::error::Error {
    ErrorKind::InvalidArgument(message).into()
}
