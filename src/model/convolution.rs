//! Convolutions on maps `[H · W, C]`: full ones are linear layers on gathered rows, depthwise ones sums of their own.

use super::activation::Activation;
use super::linear::{Linear, Then};
use super::maps::{Map, Neighbours};
use super::scratch::Workers;
use crate::kernels::depthwise::{Depthwise, TAPS};
use crate::parallel;
use ndarray::ArrayViewMut2;

/// f(W · neighbours + b) at every `stride`-th place, k × k of them with zeros outside ("same" padding).
pub struct Convolution {
    /// `[out, k · k · in]`: the channels of each place together, places row by row.
    pub layer: Linear,
    /// k, odd.
    pub kernel: usize,
    /// Between places.
    pub stride: usize,
    /// f, where there is one.
    pub activation: Option<Activation>,
}

/// MobileNet v2's block: expand(x), a depthwise convolution, reduce; x is added where the shape stays (Sandler et al., 2018).
pub struct InvertedResidual {
    /// in → expanded, at each place, with an activation.
    pub expand: Convolution,
    /// 3 × 3.
    pub depthwise: Depthwise,
    /// Of the depthwise convolution.
    pub stride: usize,
    /// expanded → out, without one.
    pub reduce: Linear,
}

impl Convolution {
    /// Bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        self.layer.bytes()
    }

    fn neighbours(&self) -> Neighbours {
        Neighbours { kernel: self.kernel, stride: self.stride }
    }

    /// Rows and columns of the output.
    pub(super) fn grid(&self, grid: [usize; 2]) -> [usize; 2] {
        self.neighbours().grid(grid)
    }

    /// Writes the map into the first values of `out`. `maps`: of one grid, their channels one after another.
    pub(super) fn forward<'o>(&self, maps: &[Map<'_>], out: &'o mut [f32], workers: &Workers) -> Map<'o> {
        let (grid, around) = (self.grid(maps[0].grid), self.neighbours());
        let out = &mut out[..grid[0] * grid[1] * self.layer.outputs()];
        each_place(&self.layer, Then::Store, self.activation, out, workers, &|place, x| gather(around, maps, place, x));
        Map::new(out, grid, self.layer.outputs())
    }
}

/// `out` `[rows, out]` becomes f(layer(x)), or has layer(x) added; `read(row, x)` writes what the layer reads.
pub(super) fn each_place(
    layer: &Linear,
    then: Then,
    activation: Option<Activation>,
    out: &mut [f32],
    workers: &Workers,
    read: &(impl Fn(usize, &mut [f32]) + Sync),
) {
    let size = (out.len() / layer.outputs(), layer.outputs());
    let out = ArrayViewMut2::from_shape(size, out).expect("whole rows");
    parallel::for_each_block(out, size.0, &|first, mut out| {
        let activations = &mut workers.own().activations;
        let size = [out.nrows(), layer.inputs()];
        let x = activations.produce(layer.precision(), size, |row, target| read(first + row, target));
        let out = out.as_slice_mut().expect("a block of rows is contiguous");
        layer.forward(x, then, out);
        if let Some(activation) = activation {
            activation.apply(out);
        }
    });
}

/// What is around a place, in the order of the weights.
fn gather(around: Neighbours, maps: &[Map<'_>], place: usize, mut target: &mut [f32]) {
    for at in around.taps(maps[0].grid, place) {
        for map in maps {
            let (own, rest) = target.split_at_mut(map.channels);
            match at {
                Some(at) => own.copy_from_slice(map.token(at)),
                None => own.fill(0.0),
            }
            target = rest;
        }
    }
}

impl InvertedResidual {
    /// Bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        self.expand.bytes() + self.depthwise.bytes() + self.reduce.bytes()
    }

    fn neighbours(&self) -> Neighbours {
        Neighbours { kernel: 3, stride: self.stride }
    }

    /// Writes the map into the first values of `out`; `expanded` has room for a map of as many places as the one that is read.
    pub(super) fn forward<'o>(
        &self,
        map: Map<'_>,
        expanded: &mut [f32],
        out: &'o mut [f32],
        workers: &Workers,
    ) -> Map<'o> {
        let (grid, channels) = (self.neighbours().grid(map.grid), self.reduce.outputs());
        let out = &mut out[..grid[0] * grid[1] * channels];
        let stays = self.stride == 1 && map.channels == channels;
        if stays {
            out.copy_from_slice(map.values());
        }
        let then = if stays { Then::Add } else { Then::Store };
        let expanded = self.expand.forward(&[map], expanded, workers);
        each_place(&self.reduce, then, None, out, workers, &|place, x| self.convolve(expanded, place, x));
        Map::new(out, grid, channels)
    }

    /// f(depthwise) at one place of the output.
    fn convolve(&self, expanded: Map<'_>, place: usize, target: &mut [f32]) {
        let mut taps = self.neighbours().taps(expanded.grid, place);
        let taps: [_; TAPS] = std::array::from_fn(|_| taps.next().flatten().map(|at| expanded.token(at)));
        self.depthwise.forward(taps, target);
        if let Some(activation) = self.expand.activation {
            activation.apply(target);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::activations::Activations;
    use super::super::linear::Matrix;
    use super::super::scratch::{PerThread, Worker};
    use super::*;
    use crate::quant::QuantizedMatrix;
    use ndarray::ArrayView2;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn workers(inputs: usize) -> Workers {
        PerThread::new(|| Ok(Worker::holding(Activations::new(parallel::BLOCK_ROWS, inputs, inputs)?))).unwrap()
    }

    fn random(rng: &mut fastrand::Rng, count: usize) -> Vec<f32> {
        (0..count).map(|_| rng.f32() - 0.5).collect()
    }

    /// `[out, k · k · in]` as floats and in 8 bits.
    fn layers(weights: &[f32], bias: &[f32]) -> [Linear; 2] {
        let inputs = weights.len() / bias.len();
        let floats = ArrayView2::from_shape((bias.len(), inputs), weights).unwrap();
        let int8 = Matrix::int8(&[QuantizedMatrix::from_f32(weights, inputs)]).unwrap();
        [Linear::new(Matrix::unfused(floats).unwrap(), bias), Linear::new(int8, bias)]
    }

    /// What a tap of a map says, 0 outside.
    fn at(map: &[f32], [height, width]: [usize; 2], channels: usize, [y, x]: [isize; 2], channel: usize) -> f64 {
        let inside = y >= 0 && x >= 0 && y < height as isize && x < width as isize;
        if inside { f64::from(map[(y as usize * width + x as usize) * channels + channel]) } else { 0.0 }
    }

    fn silu(x: f64) -> f64 {
        x / (1.0 + (-x).exp())
    }

    fn assert_close(found: &[f32], expected: &[f64], tolerance: f64, what: &str) {
        assert_eq!(found.len(), expected.len(), "{what}");
        for (i, (y, exact)) in found.iter().zip(expected).enumerate() {
            assert!((f64::from(*y) - exact).abs() <= tolerance, "{what}, {i}: {y}, exactly {exact}");
        }
    }

    /// Every kernel, stride, odd sizes and remainders of tiles, of one map and of two, against the sum in f64.
    #[test]
    fn convolution_is_the_sum_over_neighbours() {
        let mut rng = fastrand::Rng::with_seed(11);
        for (kernel, stride) in [(1, 1), (3, 1), (3, 2), (5, 1), (5, 2), (1, 2)] {
            for (grid, [a, b], outputs) in
                [([1, 1], [3, 0], 1), ([5, 4], [2, 3], 8), ([7, 9], [9, 0], 13), ([12, 8], [4, 4], 5)]
            {
                let (channels, reach, taps) = (a + b, (kernel / 2) as isize, kernel * kernel);
                let weights = random(&mut rng, outputs * taps * channels);
                let bias = random(&mut rng, outputs);
                let maps = [a, b].map(|channels| random(&mut rng, grid[0] * grid[1] * channels));
                let views = [Map::new(&maps[0], grid, a), Map::new(&maps[1], grid, b)];
                let views = if b == 0 { &views[..1] } else { &views[..] };
                let out_grid = grid.map(|edge| (edge - 1) / stride + 1);
                let mut expected = Vec::new();
                for place in 0..out_grid[0] * out_grid[1] {
                    let corner = [place / out_grid[1], place % out_grid[1]].map(|i| (i * stride) as isize - reach);
                    for output in 0..outputs {
                        let sum = (0..taps * channels).map(|i| {
                            let (tap, channel) = ((i / channels), i % channels);
                            let place = [corner[0] + (tap / kernel) as isize, corner[1] + (tap % kernel) as isize];
                            let x = if channel < a {
                                at(&maps[0], grid, a, place, channel)
                            } else {
                                at(&maps[1], grid, b, place, channel - a)
                            };
                            x * f64::from(weights[output * taps * channels + i])
                        });
                        expected.push(silu(f64::from(bias[output]) + sum.sum::<f64>()));
                    }
                }
                let workers = workers(taps * channels);
                let what = format!("{kernel} × {kernel}, stride {stride}, {grid:?}, {a} + {b} channels");
                for (layer, tolerance) in
                    layers(&weights, &bias).into_iter().zip([1e-5, 0.02 * ((taps * channels) as f64).sqrt()])
                {
                    let convolution = Convolution { layer, kernel, stride, activation: Some(Activation::Silu) };
                    assert_eq!(convolution.grid(grid), out_grid);
                    let mut out = vec![f32::NAN; expected.len() + 1];
                    convolution.forward(views, &mut out, &workers);
                    assert!(out.pop().unwrap().is_nan());
                    assert_close(&out, &expected, tolerance, &what);
                }
            }
        }
    }

    /// With and without the residual, against three loops in f64.
    #[test]
    fn inverted_residual_is_its_three_layers() {
        let mut rng = fastrand::Rng::with_seed(12);
        for (stride, inputs, outputs, grid) in
            [(1, 6, 6, [5, 7]), (1, 6, 5, [4, 4]), (2, 3, 3, [9, 6]), (2, 8, 11, [1, 5])]
        {
            let expanded = 4 * inputs + 3;
            let mut random = |count| random(&mut rng, count);
            let (expand, reduce, taps) =
                (random(expanded * inputs), random(outputs * expanded), random(expanded * TAPS));
            let (bias1, bias2, bias3) = (random(expanded), random(expanded), random(outputs));
            let map = random(grid[0] * grid[1] * inputs);

            let widened: Vec<f32> = (0..grid[0] * grid[1] * expanded)
                .map(|i| {
                    let (place, e) = (i / expanded, i % expanded);
                    let products =
                        (0..inputs).map(|c| f64::from(map[place * inputs + c]) * f64::from(expand[e * inputs + c]));
                    silu(f64::from(bias1[e]) + products.sum::<f64>()) as f32
                })
                .collect();
            let out_grid = grid.map(|edge| (edge - 1) / stride + 1);
            let mut expected = Vec::new();
            for place in 0..out_grid[0] * out_grid[1] {
                let corner = [place / out_grid[1], place % out_grid[1]].map(|i| (i * stride) as isize - 1);
                let inner: Vec<f64> = (0..expanded)
                    .map(|e| {
                        let products = (0..TAPS).map(|tap| {
                            let place = [corner[0] + (tap / 3) as isize, corner[1] + (tap % 3) as isize];
                            at(&widened, grid, expanded, place, e) * f64::from(taps[e * TAPS + tap])
                        });
                        silu(f64::from(bias2[e]) + products.sum::<f64>())
                    })
                    .collect();
                for output in 0..outputs {
                    let sum: f64 = inner.iter().zip(&reduce[output * expanded..]).map(|(x, w)| x * f64::from(*w)).sum();
                    let residual =
                        if stride == 1 && inputs == outputs { f64::from(map[place * inputs + output]) } else { 0.0 };
                    expected.push(f64::from(bias3[output]) + sum + residual);
                }
            }

            let workers = workers(expanded);
            let both = layers(&expand, &bias1).into_iter().zip(layers(&reduce, &bias3)).zip([1e-5, 0.15]);
            for ((expand, reduce), tolerance) in both {
                let expand = Convolution { layer: expand, kernel: 1, stride: 1, activation: Some(Activation::Silu) };
                let depthwise = Depthwise::new(&taps, &bias2).unwrap();
                let residual = InvertedResidual { expand, depthwise, stride, reduce };
                let (mut room, mut out) = (vec![0.0; widened.len()], vec![f32::NAN; expected.len()]);
                let view = Map::new(&map, grid, inputs);
                assert_eq!(residual.forward(view, &mut room, &mut out, &workers).grid, out_grid);
                assert_close(&out, &expected, tolerance, &format!("stride {stride}, {inputs} → {outputs}, {grid:?}"));
            }
        }
    }
}
