//! Windows: which tokens of a grid attend to each other, as tables (Swin; Liu et al., 2021).

use super::stages::{Window, WindowKind};
use crate::alloc::room;
use crate::error::Result;

/// The mask of transformers and timm: what is added to a score between tokens that only rolling has brought together.
const APART: f32 = -100.0;

/// A grid of T tokens cut into windows of n slots each. A slot holds a token, or padding where the grid is no multiple of the window.
pub struct Windows {
    /// How many.
    pub count: usize,
    /// Rows and columns of slots in each, n in all.
    pub size: [usize; 2],
    /// `[count · n]`, window by window: the token in each slot, T where it is padding.
    pub slots: Vec<u32>,
    /// `[T]`: the slot of each token.
    pub places: Vec<u32>,
    /// What is added to a score between slots that lie apart.
    apart: f32,
    /// `[count · n]`: slots of a window with different numbers lie apart in the image; empty where nothing was rolled.
    regions: Vec<u8>,
}

impl Windows {
    /// Those of a grid of rows and columns.
    pub fn new(grid: [usize; 2], window: &Window) -> Result<Self> {
        let [rows, columns] = grid;
        let whole = [0, 1].map(|axis| grid[axis].next_multiple_of(window.size[axis]));
        let across = [0, 1].map(|axis| whole[axis] / window.size[axis]);
        let (count, size) = match window.kind {
            WindowKind::Tiles => (across[0] * across[1], window.size),
            WindowKind::Strided => (window.size[0] * window.size[1], across),
        };
        room("windows", &[whole[0], whole[1], size_of::<u32>(), 2])?;
        // Where slot (y, x) of a window lies on the padded and rolled grid.
        let lies = |number: usize, slot: usize| {
            let (y, x) = (slot / size[1], slot % size[1]);
            match window.kind {
                WindowKind::Tiles => [number / across[1] * size[0] + y, number % across[1] * size[1] + x],
                WindowKind::Strided => {
                    let [height, width] = window.size;
                    [y * height + number / width, x * width + number % width]
                }
            }
        };
        let n = size[0] * size[1];
        let mut slots = Vec::with_capacity(count * n);
        let mut places = vec![0; rows * columns];
        let rolled = window.shift != [0; 2];
        let mut regions = Vec::with_capacity(if rolled { count * n } else { 0 });
        for (number, slot) in (0..count).flat_map(|number| (0..n).map(move |slot| (number, slot))) {
            let at = lies(number, slot);
            let source = [0, 1].map(|axis| {
                let edge = if window.pads_first { whole[axis] } else { grid[axis] };
                if at[axis] < edge { (at[axis] + window.shift[axis]) % edge } else { edge }
            });
            let inside = source[0] < rows && source[1] < columns;
            let token = if inside { source[0] * columns + source[1] } else { rows * columns };
            if inside {
                places[token] = slots.len() as u32;
            }
            slots.push(token as u32);
            if rolled {
                let region = |axis: usize| match window.shift[axis] {
                    0 => 0,
                    _ if at[axis] < whole[axis] - window.size[axis] => 0,
                    shift if at[axis] < whole[axis] - shift => 1,
                    _ => 2,
                };
                regions.push(3 * region(0) + region(1));
            }
        }
        let apart = if window.twice_apart { 2.0 * APART } else { APART };
        Ok(Self { count, size, slots, places, apart, regions })
    }

    /// Slots in a window.
    pub fn n(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Whether any slot is padding.
    pub fn pads(&self) -> bool {
        self.slots.len() > self.places.len()
    }

    /// The slots of window number `window`.
    pub fn slots_of(&self, window: usize) -> &[u32] {
        &self.slots[window * self.n()..][..self.n()]
    }

    /// Window and slot within it of a token.
    pub fn place(&self, token: usize) -> [usize; 2] {
        let slot = self.places[token] as usize;
        [slot / self.n(), slot % self.n()]
    }

    /// Whether slot `query` of a window may look at its slot `key`: both are tokens, and lie together.
    pub fn sees(&self, window: usize, query: usize, key: usize) -> bool {
        let region = |slot: usize| self.regions.get(window * self.n() + slot);
        let token = |slot: usize| (self.slots_of(window)[slot] as usize) < self.places.len();
        token(query) && token(key) && region(query) == region(key)
    }

    /// Bytes they take in memory.
    pub fn bytes(&self) -> usize {
        (self.slots.len() + self.places.len()) * size_of::<u32>() + self.regions.len()
    }

    /// Whether slots of a window lie apart.
    pub(super) fn is_cut(&self, window: usize) -> bool {
        let own = self.regions.chunks_exact(self.n()).nth(window);
        own.is_some_and(|own| own.iter().any(|region| *region != own[0]))
    }

    /// `scores += mask` of slot `query` of a window that is cut to all its slots `[n]`.
    pub(super) fn mask(&self, window: usize, query: usize, scores: &mut [f32]) {
        let regions = &self.regions[window * self.n()..][..self.n()];
        for (score, region) in scores.iter_mut().zip(regions) {
            if *region != regions[query] {
                *score += self.apart;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn tiles(size: [usize; 2], shift: [usize; 2], pads_first: bool) -> Window {
        Window { kind: WindowKind::Tiles, size, shift, pads_first, twice_apart: false }
    }

    /// Each token has one slot, and all other slots are padding, whatever the grid.
    #[test]
    fn every_token_is_in_one_slot() {
        for grid in [[4, 4], [5, 7], [1, 9], [8, 6]] {
            for window in [
                tiles([2, 2], [1, 1], true),
                tiles([3, 4], [1, 2], false),
                tiles([3, 3], [0, 0], true),
                tiles([4, 2], [0, 1], false),
                Window { kind: WindowKind::Strided, size: [2, 2], shift: [0; 2], pads_first: true, twice_apart: false },
            ] {
                let windows = Windows::new(grid, &window).unwrap();
                let tokens = grid[0] * grid[1];
                assert_eq!(windows.slots.len(), windows.count * windows.n());
                assert_eq!(windows.slots.iter().filter(|token| (**token as usize) < tokens).count(), tokens);
                for token in 0..tokens {
                    let [number, slot] = windows.place(token);
                    assert_eq!(windows.slots_of(number)[slot] as usize, token, "{grid:?} {window:?}");
                }
            }
        }
    }

    /// On 4 × 4 tokens, rolled by one: the last window holds the corners.
    #[test]
    fn a_shifted_window_holds_what_rolling_brings_together() {
        let windows = Windows::new([4, 4], &tiles([2, 2], [1, 1], true)).unwrap();
        assert_eq!(windows.slots_of(0), [5, 6, 9, 10]);
        assert_eq!(windows.slots_of(3), [15, 12, 3, 0]);
        let mut scores = [0.0; 4];
        windows.mask(3, 0, &mut scores);
        assert_eq!(scores, [0.0, APART, APART, APART]);
        assert!(windows.is_cut(3) && !windows.is_cut(0));
        assert!(!Windows::new([4, 4], &tiles([2, 2], [0, 0], true)).unwrap().is_cut(0));
    }

    /// Three columns in windows of two: transformers' padding is rolled with the grid, timm's comes after.
    #[test]
    fn padding_before_and_after_rolling() {
        let columns = |pads_first| Windows::new([1, 3], &tiles([1, 2], [0, 1], pads_first)).unwrap().slots;
        assert_eq!(columns(true), [1, 2, 3, 0]);
        assert_eq!(columns(false), [1, 2, 0, 3]);
    }

    /// Tokens at the same place within cells of 2 × 2.
    #[test]
    fn strided_windows_take_every_second_token() {
        let window =
            Window { kind: WindowKind::Strided, size: [2, 2], shift: [0; 2], pads_first: true, twice_apart: false };
        let windows = Windows::new([2, 4], &window).unwrap();
        assert_eq!(windows.slots, [0, 2, 1, 3, 4, 6, 5, 7]);
    }
}
