//! Several images at once: each thread makes whole forward passes, and waits for no other on the way.

use super::Classifier;
use crate::alloc::zeros;
use crate::error::Result;
use crate::model::{Intervention, Scratch, Sink};
use crate::parallel;
use std::mem::replace;
use std::sync::atomic::{AtomicBool, Ordering};

/// Memory for a forward pass that one thread makes alone.
pub struct Pass {
    scratch: Scratch,
    /// `[3, H, W]`.
    pixel_values: Vec<f32>,
    /// Whether there is more of it to be done.
    under_way: Result<bool>,
}

/// Passes beside a classifier's own, each of another image. Their memory is kept for the next ones.
#[derive(Default)]
pub struct Several {
    passes: Vec<Pass>,
    count: usize,
}

/// What a forward pass answers.
pub struct Answer {
    /// `[C]`.
    pub logits: Vec<f32>,
    /// What the head read, or all there is of a model without one.
    pub features: Vec<f32>,
}

impl Classifier {
    /// Memory for another pass of this model, as it is now.
    pub fn another_pass(&self) -> Result<Pass> {
        let scratch = parallel::alone(|| Scratch::new(self.config(), self.precision()))?;
        Ok(Pass { scratch, pixel_values: Vec::new(), under_way: Ok(false) })
    }

    /// Logits `[C]` of `pixel_values` `[3, H, W]`, by the calling thread alone: others may do the same with passes of their own.
    pub fn logits_alone<'p>(&self, pixel_values: &[f32], pass: &'p mut Pass) -> Result<&'p [f32]> {
        parallel::alone(|| self.loaded.vit.forward(pixel_values, &mut pass.scratch, &mut ()))
    }

    /// What each of `images`, `pixel_values` `[3, H, W]`, is answered: the same bits as one by one. While there are as many left as threads, each thread takes
    /// one; then all share what is left.
    pub fn answers(&mut self, images: &[&[f32]]) -> Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(images.len());
        let mut several = Several::default();
        let (whole, shared) = images.split_at(images.len() - images.len() % parallel::threads());
        for images in whole.chunks(parallel::threads()).chain(shared.chunks(1)) {
            several.restart();
            self.restart();
            for image in &images[1..] {
                several.add(self, image.len())?.copy_from_slice(image);
            }
            several.advance(self, images[0], &mut (), &|| false)?;
            let all = std::iter::once([self.answer(), self.features()]).chain(several.answers());
            answers
                .extend(all.map(|[logits, features]| Answer { logits: logits.to_vec(), features: features.to_vec() }));
        }
        Ok(answers)
    }
}

impl Several {
    /// Forgets the passes that are under way or over.
    pub fn restart(&mut self) {
        self.count = 0;
    }

    /// Begins a pass more; gives room for its image, `length` `pixel_values`.
    pub fn add(&mut self, classifier: &Classifier, length: usize) -> Result<&mut [f32]> {
        if self.count == self.passes.len() {
            self.passes.push(classifier.another_pass()?);
        }
        let pass = &mut self.passes[self.count];
        if pass.pixel_values.len() != length {
            pass.pixel_values = zeros("pixel values", &[length])?;
        }
        pass.scratch.restart();
        pass.under_way = Ok(true);
        self.count += 1;
        Ok(&mut pass.pixel_values)
    }

    /// Tells all passes what to do otherwise, as [`Classifier::intervene`] does the classifier's own.
    pub fn intervene(&mut self, classifier: &Classifier, intervention: &Intervention) -> Result<()> {
        let mut passes = self.passes[..self.count].iter_mut();
        passes.try_for_each(|pass| pass.scratch.intervene(classifier.config(), intervention.clone()))
    }

    /// Goes on with all of them, and with the classifier's own, of `pixel_values`, as [`Classifier::advance`] does; that one alone has a sink, and asks whether to pause.
    pub fn advance(
        &mut self,
        classifier: &mut Classifier,
        pixel_values: &[f32],
        sink: &mut dyn Sink,
        pause: &dyn Fn() -> bool,
    ) -> Result<bool> {
        let passes = &mut self.passes[..self.count];
        if passes.is_empty() {
            return classifier.advance(pixel_values, sink, pause);
        }
        let Classifier { loaded, scratch } = classifier;
        let (vit, paused) = (&loaded.vit, AtomicBool::new(false));
        let each = |Pass { scratch, pixel_values, under_way }: &mut Pass| {
            if let Ok(true) = under_way {
                *under_way = vit.advance(pixel_values, scratch, &mut (), &|| paused.load(Ordering::Relaxed));
            }
        };
        let pause_all = || {
            let pauses = pause();
            paused.store(pauses, Ordering::Relaxed);
            pauses
        };
        // (Where this one is over, none has paused: so it isn't begun anew.)
        let mut under_way = parallel::beside(passes, &each, || vit.advance(pixel_values, scratch, sink, &pause_all))?;
        for pass in passes {
            match &mut pass.under_way {
                Ok(own) => under_way |= *own,
                failed => return replace(failed, Ok(false)),
            }
        }
        Ok(under_way)
    }

    /// Logits `[C]` and features of each of them, when they are over, in the order in which they were added.
    pub fn answers(&self) -> impl Iterator<Item = [&[f32]; 2]> {
        self.passes[..self.count].iter().map(|pass| [pass.scratch.logits(), pass.scratch.features()])
    }
}
