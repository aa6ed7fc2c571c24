//! `vitscope classify`

use crate::decode::Picture;
use crate::folder::ModelFolder;
use crate::output::print;
use anyhow::{Context, Result};
use serde::Serialize;
use std::path::{Path, PathBuf};
use vitscope::Prediction;
use vitscope::model::Precision;

#[derive(Serialize)]
struct Answer<'a> {
    image: &'a Path,
    top: Vec<Prediction>,
}

pub fn run(model: &Path, images: &[PathBuf], top: usize, precision: Option<Precision>, json: bool) -> Result<()> {
    let mut classifier = ModelFolder::load(model, precision)?;
    let mut answers = Vec::with_capacity(images.len());
    for image in images {
        let picture = Picture::read(image)?;
        let pixels = classifier.preprocess(picture.view()).with_context(|| image.display().to_string())?;
        let logits = classifier.logits(&pixels)?.to_vec();
        let answer = Answer { image, top: classifier.top(&logits, top)? };
        if !json {
            print_answer(&answer)?;
        }
        answers.push(answer);
    }
    if json {
        print(format_args!("{}", serde_json::to_string_pretty(&answers)?))?;
    }
    Ok(())
}

fn print_answer(answer: &Answer) -> Result<()> {
    print(format_args!("{}", answer.image.display()))?;
    for prediction in &answer.top {
        print(format_args!("  {:5.1} %  {}", 100.0 * prediction.score, prediction.label))?;
    }
    Ok(())
}
