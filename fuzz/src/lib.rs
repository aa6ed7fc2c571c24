//! What the fuzz targets share: how an input is cut into files.

use std::str;

/// `text \0 text \0 … rest`: `N` texts and what comes after them. Mutations that insert or remove bytes leave the others where they were.
pub fn texts<const N: usize>(input: &[u8]) -> Option<([&str; N], &[u8])> {
    let mut parts = input.splitn(N + 1, |byte| *byte == 0);
    let mut texts = [""; N];
    for text in &mut texts {
        *text = str::from_utf8(parts.next()?).ok()?;
    }
    Some((texts, parts.next()?))
}

/// A safetensors file with this header, and with `seed` again and again as the tensors' bytes: as many as the header's largest number
/// says, within bounds. So an input of some kilobytes is a whole model.
pub fn weights(header: &str, seed: &[u8]) -> Vec<u8> {
    const MOST: usize = 1 << 20;
    let numbers = header.split(|letter: char| !letter.is_ascii_digit()).filter_map(|digits| digits.parse().ok());
    let bytes = numbers.filter(|bytes| *bytes <= MOST).max().unwrap_or(0);
    let mut file = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
    file.extend(seed.iter().chain([&0]).cycle().take(bytes));
    file
}

/// A small picture, opaque and transparent.
pub fn picture(width: usize, height: usize) -> Vec<u8> {
    (0..4 * width * height).map(|i| (i * 37 + i / 64) as u8).collect()
}
