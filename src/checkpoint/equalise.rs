//! Channels of a block made equally loud before they share a scale.
//!
//! A token's activations are rounded with one scale, a row of weights with another: a channel fifty times louder than the rest takes the bits of
//! all others (LLM.int8(), Dettmers et al., 2022). Wherever a channel passes linearly from what makes it to what reads it, a factor can be taken
//! out of the one and put into the other, and the function is what it was (SmoothQuant, Xiao et al., 2023; cross-layer equalization, Nagel et
//! al., 2019). Here it is s_c = √(size_c / peak_c), divided by its geometric mean and rounded to a power of two, which loses
//! nothing and leaves every bit of the f32 function alone. size_c guesses the activation from weights alone:
//!
//! | made by | size_c | read by, peak_c = max over rows r of \|W_rc\| |
//! | --- | --- | --- |
//! | a norm | √(γ_c² + β_c²) | queries, keys and values, or the MLP's first layer |
//! | the values, where no norm follows | √(Σ_j W_cj² + b_c²) | the projection |
//! | a norm before the projection or before fc2 | √(γ_c² + β_c²) | that layer |
//! | fc1, where its activation lets a factor through and no norm follows | the same | fc2 |
//!
//! Only norms within blocks are touched, so the stream, features and attention are what they were.

use super::blocks::{BlockNames, Qkv, Windowed};
use super::reader::Reader;
use crate::error::Result;
use crate::model::{Activation, Config, Equalised};

/// A matrix `[rows, columns]` by its name.
type Matrix = (String, [usize; 2]);

/// Plans the factors of the block the reader is in: from now on it reads the block's tensors with them. A block whose matrices are rounded already had its
/// turn. Gives the factors, for whoever looks at what is within.
pub(super) fn equalise(config: &Config, reader: &mut Reader, names: &BlockNames) -> Result<Equalised> {
    let (width, mlp) = (config.hidden_size, config.mlp_size);
    let weight = |name: &str| [name, ".weight"].concat();
    let bias = |name: &str, length: usize| ([name, ".bias"].concat(), length);
    let square = |name: &str| (weight(name), [width, width]);

    let (qkv, value_bias) = match names.qkv {
        Qkv::Split(layers, _) => (layers.map(square).to_vec(), bias(layers[2], width)),
        Qkv::Fused(layer, _) => (vec![(weight(layer), [3 * width, width])], bias(layer, 3 * width)),
        Qkv::Packed { weight, bias } => (vec![(weight.into(), [3 * width, width])], (bias.into(), 3 * width)),
        Qkv::FusedWeight { weight, value_bias, .. } => {
            (vec![(weight.into(), [3 * width, width])], (value_bias.into(), width))
        }
    };
    let projection = square(names.projection);
    let rows = config.mlp_outputs() / names.fc1.len();
    let fc1: Vec<Matrix> = names.fc1.iter().map(|name| (weight(name), [rows, width])).collect();
    let fc1_bias = bias(names.fc1[fc1.len() - 1], rows);
    let fc2 = (weight(names.fc2), [width, mlp]);
    if qkv.iter().chain(&fc1).chain([&projection, &fc2]).any(|(name, _)| !reader.is_f32(name)) {
        return Ok(Equalised::default());
    }

    // (What comes after attention or MLP is read by the stream.)
    let before = !matches!(names.windowed, Windowed::Continuous { .. });
    let norm1 = if before { after_norm(reader, names.norm1, &qkv)? } else { Vec::new() };
    let [before_projection, before_fc2] = names
        .inner_norms
        .map_or([None; 2], |names| names.map(|name| Some(name).filter(|name| reader.has(&weight(name)))));
    let values = match before_projection {
        Some(norm) => {
            after_norm(reader, norm, std::slice::from_ref(&projection))?;
            Vec::new()
        }
        None => after_rows(reader, &qkv[qkv.len() - 1], &value_bias, &projection)?,
    };
    let norm2 = if before { after_norm(reader, names.norm2, &fc1)? } else { Vec::new() };
    let mut hidden = Vec::new();
    // A gate leaves its other half linear, and ReLU lets positive factors through.
    if let Some(norm) = before_fc2 {
        after_norm(reader, norm, std::slice::from_ref(&fc2))?;
    } else if config.gated || config.activation == Activation::Relu {
        hidden = after_rows(reader, &fc1[fc1.len() - 1], &fc1_bias, &fc2)?;
    }
    Ok(Equalised { norm1, values, norm2, hidden })
}

/// From a norm to the matrices that read it. Gives the factors.
fn after_norm(reader: &mut Reader, norm: &str, readers: &[Matrix]) -> Result<Vec<f32>> {
    let width = readers[0].1[1];
    let parameters = [".weight", ".bias"].map(|suffix| [norm, suffix].concat());
    let mut squares = vec![0.0; width];
    // (An RMSNorm has no bias.)
    for name in parameters.iter().filter(|name| reader.has(name)) {
        add_squares(&mut squares, &reader.values(name, &[width])?);
    }
    let factors = factors(&squares, &peaks(reader, readers)?);
    parameters.iter().for_each(|name| reader.divide_last_rows(name, width, &factors));
    readers.iter().for_each(|(name, _)| reader.multiply_columns(name, &factors));
    Ok(factors)
}

/// From the last rows of a matrix, and the last entries of its bias where it has one, to the matrix that reads them. Gives the factors.
fn after_rows(
    reader: &mut Reader,
    (name, shape): &Matrix,
    (bias, length): &(String, usize),
    next: &Matrix,
) -> Result<Vec<f32>> {
    let [rows, inputs] = *shape;
    let channels = next.1[1];
    let weights = reader.values(name, shape)?;
    let last = weights.chunks_exact(inputs).skip(rows - channels);
    let mut squares: Vec<f64> = last.map(|row| row.iter().map(|w| f64::from(*w).powi(2)).sum()).collect();
    if reader.has(bias) {
        add_squares(&mut squares, &reader.values(bias, &[*length])?[length - channels..]);
    }
    let factors = factors(&squares, &peaks(reader, std::slice::from_ref(next))?);
    reader.divide_last_rows(name, rows, &factors);
    reader.divide_last_rows(bias, *length, &factors);
    reader.multiply_columns(&next.0, &factors);
    Ok(factors)
}

fn add_squares(squares: &mut [f64], values: &[f32]) {
    squares.iter_mut().zip(values).for_each(|(square, value)| *square += f64::from(*value).powi(2));
}

/// max |W_rc| over the rows of all `matrices`, by column.
fn peaks(reader: &Reader, matrices: &[Matrix]) -> Result<Vec<f32>> {
    let mut peaks = vec![0.0f32; matrices[0].1[1]];
    for (name, shape) in matrices {
        for row in reader.values(name, shape)?.chunks_exact(shape[1]) {
            peaks.iter_mut().zip(row).for_each(|(peak, w)| *peak = peak.max(w.abs()));
        }
    }
    Ok(peaks)
}

/// s_c, where `squares` are size_c². A channel that says nothing, isn't heard, or whose numbers are like no weight's keeps 1 and stays out of the mean.
fn factors(squares: &[f64], peaks: &[f32]) -> Vec<f32> {
    const USUAL: std::ops::Range<f64> = 1e-9..1e9;
    let logarithm = |(square, peak): (&f64, &f32)| {
        let (size, peak) = (square.sqrt(), f64::from(*peak));
        (USUAL.contains(&size) && USUAL.contains(&peak)).then(|| (size / peak).log2() / 2.0)
    };
    let logarithms: Vec<Option<f64>> = squares.iter().zip(peaks).map(logarithm).collect();
    let (sum, count) = logarithms.iter().flatten().fold((0.0, 0u32), |(sum, count), log| (sum + log, count + 1));
    let mean = sum / f64::from(count.max(1));
    logarithms.into_iter().map(|log| log.map_or(1.0, |log| 2f64.powi((log - mean).round() as i32) as f32)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tensors::Tensors;
    use super::super::walk::Walk;
    use super::super::{ConfigFiles, WEIGHTS_FILE};
    use super::*;
    use crate::model::{Precision, Scratch};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn loud_channels_become_like_the_others() {
        let sizes = [1.0f64, 50.0, 1.0, 0.0, 1.0, 1.0, 1.0, f64::INFINITY];
        let peaks = [0.1f32, 0.1, 6.4, 0.1, 0.0, 0.1, 0.1, 0.1];
        let factors = factors(&sizes.map(|size| size * size), &peaks);
        assert_eq!(factors, [1.0, 8.0, 0.125, 1.0, 1.0, 1.0, 1.0, 1.0]);
    }

    macro_rules! fixtures {
        ($($name:literal)*) => {
            [$(($name, include_str!(concat!("../../tests/fixtures/", $name, "/config.json")),
                include_bytes!(concat!("../../tests/fixtures/", $name, "/model.safetensors")).as_slice())),*]
        };
    }

    /// A checkpoint the first channel of whose norms is louder than it was.
    fn with_loud_norms(weights: &[u8]) -> Vec<u8> {
        let mut louder = weights.to_vec();
        let tensors = Tensors::open(WEIGHTS_FILE, &louder).unwrap();
        let norms = tensors.names().into_iter().filter(|name| name.contains("norm") && name.ends_with(".weight"));
        let summaries = tensors.summaries();
        let place = |name: &String| summaries.iter().find(|tensor| tensor.name == *name).unwrap().begin as usize;
        let places: Vec<_> = norms.map(|name| place(&name)).collect();
        for place in places {
            let first: &mut [u8; 4] = (&mut louder[place..place + 4]).try_into().unwrap();
            *first = (64.0 * f32::from_le_bytes(*first)).to_le_bytes();
        }
        louder
    }

    /// Powers of two change no bit of any product, so the function is the same to the bit, whatever form a block's tensors have.
    #[test]
    fn the_function_stays_what_it_was() {
        let fixtures = fixtures!("hf_vit_relu" "hf_beit" "hf_dinov2_swiglu" "timm_vit" "timm_beit" "timm_dinov2_swiglu" "timm_qk_norm" "timm_dinov3_plus" "timm_eva02_clip" "timm_aimv2" "timm_aimv2_cls");
        for (name, config, weights) in fixtures {
            let weights = with_loud_norms(weights);
            let results = [false, true].map(|equalises| {
                let files = ConfigFiles { config, preprocessor: None, processor: None };
                let mut walk = Walk::open(files, &weights, Some(Precision::F32), None).unwrap();
                walk.equalises = equalises;
                (0..walk.blocks()).for_each(|block| walk.read_block(block, &weights, None).unwrap());
                let vit = walk.finish(&weights, None, None).unwrap().vit;
                let mut scratch = Scratch::new(&vit.config, Precision::F32).unwrap();
                let pixels: Vec<f32> =
                    (0..3 * vit.config.image_size[0] * vit.config.image_size[1]).map(|i| (i as f32).sin()).collect();
                let answer = vit.forward(&pixels, &mut scratch, &mut ()).unwrap().to_vec();
                let norms: Vec<f32> = vit
                    .weights
                    .blocks
                    .iter()
                    .flat_map(|block| [&block.norm1, &block.norm2])
                    .flat_map(|norm| norm.weight.clone())
                    .collect();
                (answer, norms)
            });
            let [(plain, norms), (equalised, changed)] = results;
            assert_eq!(plain, equalised, "{name}");
            assert_ne!(norms, changed, "{name}");
        }
    }
}
