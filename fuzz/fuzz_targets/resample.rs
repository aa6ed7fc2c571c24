//! Resampling: sizes, a filter and a part of the result, then pixels. A part is what the whole has there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::ops::Range;
use vitscope::resample::{Filter, Rgba, resize};

fuzz_target!(|input: &[u8]| {
    let Some((options, seed)) = input.split_first_chunk::<9>() else { return };
    let [width, height, target_width, target_height] =
        [options[0], options[1], options[2], options[3]].map(|edge| usize::from(edge) % 64 + 1);
    let data: Vec<u8> = seed.iter().chain([&0]).copied().cycle().take(4 * width * height).collect();
    let image = Rgba { data: &data, width, height };
    let filter = Filter::ALL[usize::from(options[4]) % Filter::ALL.len()];
    let rows = part(target_height, options[5], options[6]);
    let columns = part(target_width, options[7], options[8]);

    let target = (target_height, target_width);
    let whole = resize(image, target, filter, 0..target_height, 0..target_width).unwrap();
    let cut = resize(image, target, filter, rows.clone(), columns.clone()).unwrap();
    let expected = whole.chunks(target_width).skip(rows.start).take(rows.len()).flat_map(|row| &row[columns.clone()]);
    assert!(cut.iter().eq(expected));
});

/// Between two of the `size + 1` edges.
fn part(size: usize, one: u8, other: u8) -> Range<usize> {
    let [one, other] = [one, other].map(|edge| usize::from(edge) % (size + 1));
    one.min(other)..one.max(other)
}
