//! `vitscope classify`

use crate::output::print;
use crate::picture::Limit;
use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::path::{Path, PathBuf};
use vitscope::model::Scores;
use vitscope::{Classifier, Prediction};

#[derive(Serialize)]
struct Answer<'a> {
    image: &'a Path,
    /// What the scores are.
    scores: Scores,
    top: Vec<Prediction>,
}

pub fn run(mut classifier: Classifier, images: &[PathBuf], limit: &Limit, top: usize, json: bool) -> Result<()> {
    if classifier.config().classes() == 0 {
        bail!("this model has no classes: it gives features and attention, which `vitscope trace` writes.");
    }
    let mut answers = Vec::with_capacity(images.len());
    for image in images {
        let picture = limit.read(image)?;
        let pixels = classifier.preprocess(picture.view()).with_context(|| image.display().to_string())?;
        let logits = classifier.logits(&pixels)?.to_vec();
        let answer = Answer { image, scores: classifier.config().scores, top: classifier.top(&logits, top)? };
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
        match answer.scores {
            Scores::Softmax | Scores::Sigmoid => {
                print(format_args!("  {:5.1} %  {}", 100.0 * prediction.score, prediction.label))?
            }
            Scores::Raw => print(format_args!("  {:9.4}  {}", prediction.score, prediction.label))?,
        }
    }
    Ok(())
}
