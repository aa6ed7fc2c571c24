//! The command line: look into, quantise, run and measure Vision Transformers without a browser.

mod classify;
mod disk;
mod eval;
mod explain;
mod folder;
mod input;
mod inspect;
mod missing;
mod output;
mod picture;
mod quantize;
mod render;
mod results;
mod trace;

use clap::{Parser, Subcommand, ValueEnum};
use eval::Data;
use explain::View;
use folder::ModelFolder;
use input::Input;
use picture::Limit;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vitscope::Classifier;
use vitscope::model::Precision;
use vitscope::quant::Bits;

/// Vision Transformers: what they answer, and what their heads attend to.
///
/// MODEL is a folder with config.json, model.safetensors (or the files that model.safetensors.index.json names) and optionally
/// preprocessor_config.json and text_embeddings.safetensors; or with open_clip_config.json and open_clip_model.safetensors.
#[derive(Parser)]
#[command(name = "vitscope", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print a model's family, configuration, parameters and bytes by number format
    Inspect {
        /// Model folder
        model: PathBuf,
    },
    /// Rewrite a model with 8-bit or 4-bit weights
    Quantize {
        /// Model folder
        model: PathBuf,
        /// Bits of a weight; 4 halve the file and change more answers
        #[arg(long, value_parser = bits, default_value = "8")]
        bits: Bits,
        /// Folder of the quantised model, made if missing
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Say what images show
    Classify {
        /// Model folder
        model: PathBuf,
        /// Images to classify
        #[arg(required = true)]
        images: Vec<PathBuf>,
        /// Classes to list
        #[arg(long, default_value_t = 5)]
        top: usize,
        #[command(flatten)]
        limit: Limit,
        #[command(flatten)]
        format: Format,
    },
    /// Write everything a forward pass shows: pixel_values, logits, attentions, hidden_states
    Trace {
        /// Model folder
        model: PathBuf,
        #[command(flatten)]
        input: Input,
        /// The safetensors file to write
        #[arg(short, long)]
        output: PathBuf,
        #[command(flatten)]
        choice: Choice,
    },
    /// Show what the answer to an image rests on, as a map over its patches
    Explain {
        /// Model folder
        model: PathBuf,
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        view: View,
        /// The file to write: .safetensors, .npy, .json, or .png with the map laid over the image
        #[arg(short, long)]
        output: PathBuf,
        #[command(flatten)]
        choice: Choice,
    },
    /// Measure accuracy and speed on a folder of labelled images, DIR/<label>/*.{jpg,png,webp}
    Eval {
        /// Model folder
        model: PathBuf,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        limit: Limit,
        #[command(flatten)]
        format: Format,
    },
    /// Count what files of `eval --results` say together
    Tally {
        /// Files of one evaluation
        #[arg(required = true)]
        results: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// How a model is loaded.
#[derive(clap::Args)]
struct Choice {
    /// Arithmetic of the weight matrices; as the file holds them if not given
    #[arg(long)]
    dtype: Option<Dtype>,
    /// Input size in pixels, HxW or one number for both; what the model was made for if not given
    #[arg(long, value_parser = size)]
    size: Option<[usize; 2]>,
}

impl Choice {
    fn load(&self, model: &Path) -> anyhow::Result<Classifier> {
        ModelFolder::read(model)?.classifier(self.dtype.map(Into::into), self.size)
    }
}

/// `224`, or height and width as `224x448`.
fn size(text: &str) -> Result<[usize; 2], String> {
    let edge = |text: &str| text.parse().map_err(|_| format!("`{text}` is no number of pixels; write 224 or 224x448"));
    match text.split_once('x') {
        Some((height, width)) => Ok([edge(height)?, edge(width)?]),
        None => Ok([edge(text)?; 2]),
    }
}

/// `8` or `4`.
fn bits(text: &str) -> Result<Bits, String> {
    match text {
        "8" => Ok(Bits::Eight),
        "4" => Ok(Bits::Four),
        _ => Err("weights can have 8 or 4 bits".into()),
    }
}

#[derive(clap::Args)]
struct Format {
    #[command(flatten)]
    choice: Choice,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Dtype {
    F32,
    Int8,
}

impl From<Dtype> for Precision {
    fn from(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Self::F32,
            Dtype::Int8 => Self::Int8,
        }
    }
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Inspect { model } => inspect::run(&model),
        Command::Quantize { model, bits, output } => quantize::run(&model, bits, &output),
        Command::Classify { model, images, top, limit, format } => {
            format.choice.load(&model).and_then(|model| classify::run(model, &images, &limit, top, format.json))
        }
        Command::Trace { model, input, output, choice } => {
            choice.load(&model).and_then(|model| trace::run(model, &input, &output))
        }
        Command::Explain { model, input, view, output, choice } => {
            choice.load(&model).and_then(|model| explain::run(model, &input, &view, &output))
        }
        Command::Eval { model, data, limit, format } => {
            let run = |classifier| eval::run(classifier, &model, &data, &limit, format.json);
            format.choice.load(&model).and_then(run)
        }
        Command::Tally { results, json } => eval::tally(&results, json),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::reader_left(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
