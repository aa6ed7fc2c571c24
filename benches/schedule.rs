//! How evenly more threads than this machine has cores would share a forward pass: each pass is recorded in one thread, cut as for so many,
//! and scheduled as rayon and `parallel` do. What the threads would take from each other (memory, clock) is not in it.
//!
//! `cargo bench --features schedule --bench schedule [-- 'ViT-Ti|ViT-S|ViT-B [of 197]'…]`, by what their names begin with

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration, Instant};
use vitscope::Classifier;
use vitscope::checkpoint::{ConfigFiles, Values, write};
use vitscope::model::Precision;
use vitscope::parallel::schedule::{Event, LOOKS, NAP, record};
use vitscope::parallel::{awake, for_each};

/// timm's architectures with their width; 64 channels a head.
const MODELS: [(&str, &str, usize); 3] = [
    ("ViT-Ti", "vit_tiny_patch16_224", 192),
    ("ViT-S", "vit_small_patch16_224", 384),
    ("ViT-B", "vit_base_patch16_224", 768),
];
/// Of square patches of 16 pixels; 197, 257, 577 and 1,370 tokens.
const IMAGES: [usize; 4] = [224, 256, 384, 592];
const THREADS: [usize; 3] = [4, 8, 16];
/// As which one of the measured ones counts that is neither the first nor the last.
const LAYERS: usize = 12;
const MEASURED: usize = 3;
/// A browser's int8 takes about a quarter of the time that is measured here, natively in f32.
const FASTER: [f64; 2] = [2.0, 4.0];

fn main() {
    let chosen: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let costs = Costs::measure();
    println!("{costs:?}");
    for (name, architecture, width) in MODELS {
        for size in IMAGES {
            let tokens = (size / 16).pow(2) + 1;
            let name = format!("{name} of {tokens} tokens");
            if !chosen.is_empty() && !chosen.iter().any(|chosen| name.starts_with(chosen.as_str())) {
                continue;
            }
            let mut model = seeded(architecture, width, size);
            let pixels = vec![0.5; 3 * size * size];
            let mut cut = |threads| {
                fastest(threads, || {
                    black_box(model.logits(&pixels).unwrap());
                })
            };
            let one = cut(1).total();
            println!("{name}, {:.1} ms on one thread", 1e3 * one);
            for threads in THREADS {
                let work = cut(threads);
                let (end, lost) = simulate(&work, threads, &costs);
                let blocks = work.total() / threads as f64 - one / threads as f64;
                let [serial, qkv, pack, rest] = lost.map(|lost| 100.0 * lost / end);
                // Threads meet as often in a pass that takes less.
                let faster = FASTER.map(|by| {
                    let (end, _) = simulate(&work, threads, &costs.times(by));
                    format!("{:.0}", 100.0 * one / threads as f64 / end)
                });
                println!(
                    "  {threads:2} threads: {:.2} ms, {:.0} % of the ideal, or {} % on cores that are {FASTER:?} times faster; lost to blocks of \
                     their size {:.1} %, alone {serial:.1} %, uneven or waiting: queries, keys, values {qkv:.1} %, packing {pack:.1} %, \
                     attention and MLP {rest:.1} %",
                    1e3 * end,
                    100.0 * one / threads as f64 / end,
                    faster.join(", "),
                    100.0 * blocks / end
                );
            }
        }
    }
}

/// [`MEASURED`] layers of `width`, with seeded weights.
fn seeded(architecture: &str, width: usize, size: usize) -> Classifier {
    let config = format!(
        r#"{{"architecture": "{architecture}", "model_args": {{"depth": {MEASURED}}}, "pretrained_cfg": {{"input_size": [3, {size}, {size}]}}}}"#
    );
    let mut shapes = vec![
        ("cls_token".into(), vec![1, 1, width]),
        ("pos_embed".into(), vec![1, (size / 16).pow(2) + 1, width]),
        ("patch_embed.proj.weight".into(), vec![width, 3, 16, 16]),
        ("patch_embed.proj.bias".into(), vec![width]),
        ("head.weight".into(), vec![1000, width]),
        ("head.bias".into(), vec![1000]),
    ];
    let layers = [("attn.qkv", 3, 1), ("attn.proj", 1, 1), ("mlp.fc1", 4, 1), ("mlp.fc2", 1, 4)];
    for i in 0..MEASURED {
        for (layer, outputs, inputs) in layers {
            shapes.push((format!("blocks.{i}.{layer}.weight"), vec![outputs * width, inputs * width]));
            shapes.push((format!("blocks.{i}.{layer}.bias"), vec![outputs * width]));
        }
    }
    for norm in (0..MEASURED).flat_map(|i| [1, 2].map(|n| format!("blocks.{i}.norm{n}"))).chain(["norm".into()]) {
        shapes.extend(["weight", "bias"].map(|part| (format!("{norm}.{part}"), vec![width])));
    }
    let mut rng = fastrand::Rng::with_seed(1);
    let tensors = shapes.into_iter().map(|(name, shape): (String, Vec<usize>)| {
        let values = (0..shape.iter().product()).map(|_| (rng.f32() - 0.5) * 0.1).collect();
        (name, shape, Values::F32(values))
    });
    let weights = write(tensors.collect(), None).unwrap();
    let files = ConfigFiles { config: &config, preprocessor: None, processor: None };
    Classifier::load(files, &weights, Some(Precision::F32)).unwrap()
}

/// What is done one after another: seconds of work, or two halves that can be shared.
#[derive(Clone, Default)]
struct Series(Vec<Step>);

#[derive(Clone)]
enum Step {
    Run(f64),
    Fork(Series, Series),
}

impl Step {
    fn total(&self) -> f64 {
        match self {
            Self::Run(seconds) => *seconds,
            Self::Fork(left, right) => left.total() + right.total(),
        }
    }
}

impl Series {
    /// Seconds that it takes one thread.
    fn total(&self) -> f64 {
        self.0.iter().map(Step::total).sum()
    }

    /// Up to the event that ends it.
    fn read(events: &mut impl Iterator<Item = (Duration, Option<Event>)>) -> Self {
        let mut series = Self::default();
        while let Some((ran, event)) = events.next() {
            series.0.push(Step::Run(ran.as_secs_f64()));
            if event != Some(Event::Fork) {
                break;
            }
            let left = Self::read(events);
            series.0.push(Step::Fork(left, Self::read(events)));
        }
        series
    }
}

/// `work` cut for so many threads; the least that each part took in a few runs, since nothing but others' work makes it take longer.
fn fastest(threads: usize, work: impl FnMut()) -> Series {
    const RUNS: usize = 3;
    let mut work = work;
    let mut least = record(threads, &mut work);
    for _ in 1..RUNS {
        let again = record(threads, &mut work);
        least.iter_mut().zip(again).for_each(|(least, again)| least.0 = least.0.min(again.0));
    }
    let mut work = Series::read(&mut least.into_iter()).0;
    // A layer is three parts, and what is between them; before the first one patches are embedded.
    let [layer, before] = [6, 2];
    let again: Vec<_> = work[before + layer..][..layer].to_vec();
    assert!(
        again.iter().enumerate().all(|(i, step)| matches!(step, Step::Fork(..)) == (i % 2 == 1)),
        "a layer has three parts"
    );
    let at = before + layer;
    (MEASURED..LAYERS).for_each(|_| drop(work.splice(at..at, again.iter().cloned())));
    Series(work)
}

/// Seconds of what threads do between them.
#[derive(Debug)]
struct Costs {
    /// A `join` whose halves the same thread does.
    join: f64,
    /// From one thread's `join` until another begins with a half of it.
    steal: f64,
    /// A look for work in vain.
    look: f64,
    /// A nap.
    nap: f64,
}

impl Costs {
    /// Where all else takes less, by so much.
    fn times(&self, by: f64) -> Self {
        let Self { join, steal, look, nap } = self;
        Self { join: join * by, steal: steal * by, look: look * by, nap: nap * by }
    }

    fn measure() -> Self {
        const TIMES: usize = 20_000;
        let timed = |times: usize, work: &mut dyn FnMut()| {
            let start = Instant::now();
            (0..times).for_each(|_| work());
            start.elapsed().as_secs_f64() / times as f64
        };
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut items = [0_u32; 64];
        let share = |items: &mut [u32]| for_each(items, &|_, item| *item = black_box(*item + 1));
        let join = pool(1).install(|| timed(TIMES / 64, &mut || share(&mut items))) / 63.0;
        // Each half takes longer than a steal.
        let spin = |item: &mut u32| (0..4000).for_each(|_| *item = black_box(*item + 1));
        let half = timed(TIMES, &mut || spin(&mut items[0]));
        let both = pool(2).install(|| awake(|| timed(TIMES, &mut || for_each(&mut items[..2], &|_, item| spin(item)))));
        let look = pool(1).install(|| {
            timed(TIMES, &mut || {
                black_box(rayon::yield_now());
            })
        });
        let nap = timed(1000, &mut || std::thread::sleep(NAP));
        Self { join, steal: (both - half - join).max(join), look, nap }
    }
}

/// What a simulated thread is in the midst of.
enum Frame<'w> {
    /// A series from this step on, and the flag that its end raises.
    Work(&'w [Step], Option<usize>),
    /// A join's end, until the flag is raised.
    Wait(usize),
}

struct Thread<'w> {
    now: f64,
    frames: Vec<Frame<'w>>,
    jobs: VecDeque<(&'w Series, usize)>,
    vain: usize,
}

/// Seconds that so many threads take for `work`, and how much of that is lost outside of what they share, and in the three shared parts of a layer; the first thread
/// begins, the others look for work.
fn simulate(work: &Series, threads: usize, costs: &Costs) -> (f64, [f64; 4]) {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut pool: Vec<_> =
        (0..threads).map(|_| Thread { now: 0.0, frames: vec![], jobs: VecDeque::new(), vain: 0 }).collect();
    let look = costs.look * threads as f64; // at each other's jobs
    let mut flags: Vec<bool> = Vec::new();
    let (mut lost, mut shared) = ([0.0; 4], 0);
    for step in &work.0 {
        let start = pool[0].now;
        let part = match step {
            Step::Run(_) => 0,
            // Patches are embedded first, as queries are made.
            Step::Fork(..) => {
                shared += 1;
                if shared == 1 { 3 } else { 1 + (shared - 2) % 3 }
            }
        };
        pool[0].frames.push(Frame::Work(std::slice::from_ref(step), None));
        while !pool[0].frames.is_empty() {
            let turn = (0..threads).min_by(|a, b| pool[*a].now.total_cmp(&pool[*b].now)).unwrap();
            let thread = &mut pool[turn];
            match thread.frames.pop() {
                Some(Frame::Work([], raises)) => raises.into_iter().for_each(|flag| flags[flag] = true),
                Some(Frame::Work([step, rest @ ..], raises)) => {
                    thread.frames.push(Frame::Work(rest, raises));
                    match step {
                        Step::Run(seconds) => thread.now += seconds,
                        Step::Fork(left, right) => {
                            let flag = flags.len();
                            flags.push(false);
                            thread.now += costs.join;
                            thread.jobs.push_back((right, flag));
                            thread.frames.extend([Frame::Wait(flag), Frame::Work(&left.0, None)]);
                        }
                    }
                }
                Some(Frame::Wait(flag)) if flags[flag] => thread.vain = 0,
                waits => {
                    thread.frames.extend(waits);
                    let first = rng.usize(..threads);
                    let others = || (first..threads).chain(0..first).filter(|other| *other != turn);
                    let own = pool[turn].jobs.pop_back();
                    let job = own.or_else(|| others().find_map(|other| pool[other].jobs.pop_front()));
                    let thread = &mut pool[turn];
                    match job {
                        Some((series, flag)) => {
                            thread.now += if own.is_some() { 0.0 } else { costs.steal };
                            thread.vain = 0;
                            thread.frames.push(Frame::Work(&series.0, Some(flag)));
                        }
                        None => {
                            thread.now += if thread.vain < LOOKS { look } else { costs.nap };
                            thread.vain += 1;
                        }
                    }
                }
            }
        }
        lost[part] += pool[0].now - start - step.total() / threads as f64;
    }
    (pool[0].now, lost)
}
