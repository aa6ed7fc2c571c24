//! The command line: look into, quantise, run and measure Vision Transformers without a browser.

mod classify;
mod decode;
mod eval;
mod folder;
mod inspect;
mod output;
mod quantize;
mod trace;

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use vitscope::model::Precision;

/// Vision Transformers: what they answer, and what their heads attend to.
///
/// MODEL is a folder with config.json, model.safetensors and optionally preprocessor_config.json.
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
    /// Rewrite a model with 8-bit weights
    Quantize {
        /// Model folder
        model: PathBuf,
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
        format: Format,
    },
    /// Write everything a forward pass shows: pixel_values, logits, attentions, hidden_states
    Trace {
        /// Model folder
        model: PathBuf,
        /// Image to run
        #[arg(required_unless_present = "pixel_values", conflicts_with = "pixel_values")]
        image: Option<PathBuf>,
        /// A safetensors file whose tensor `pixel_values` [3, H, W] replaces preprocessing
        #[arg(long)]
        pixel_values: Option<PathBuf>,
        /// The safetensors file to write
        #[arg(short, long)]
        output: PathBuf,
        /// Arithmetic of the weight matrices; as the file holds them if not given
        #[arg(long)]
        dtype: Option<Dtype>,
    },
    /// Measure accuracy and speed on a folder of labelled images, DIR/<label>/*.{jpg,png,webp}
    Eval {
        /// Model folder
        model: PathBuf,
        /// Folder of folders named by label (or by class index)
        images: PathBuf,
        #[command(flatten)]
        format: Format,
    },
}

#[derive(clap::Args)]
struct Format {
    /// Arithmetic of the weight matrices; as the file holds them if not given
    #[arg(long)]
    dtype: Option<Dtype>,
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
        Command::Quantize { model, output } => quantize::run(&model, &output),
        Command::Classify { model, images, top, format } => {
            classify::run(&model, &images, top, format.dtype.map(Into::into), format.json)
        }
        Command::Trace { model, image, pixel_values, output, dtype } => {
            let input = match (image, pixel_values) {
                (_, Some(values)) => trace::Input::PixelValues(values),
                (Some(image), None) => trace::Input::Image(image),
                (None, None) => unreachable!("clap requires one of the two"),
            };
            trace::run(&model, &input, &output, dtype.map(Into::into))
        }
        Command::Eval { model, images, format } => {
            eval::run(&model, &images, format.dtype.map(Into::into), format.json)
        }
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
