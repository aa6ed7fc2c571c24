//! Hugging Face's image processors: the classes whose steps are followed, and what each does where its file is silent (transformers 5.23,
//! the classes that end in `Pil`).

use super::json::Json;
use crate::error::Result;
use crate::preprocess::{CropRounding, Preprocess, Resize};
use crate::resample::Filter;
use serde_json::Value;

const HALF: [f32; 3] = [0.5; 3];
pub(super) const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
pub(super) const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];
const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// An image processor, and what it does where its file is silent.
pub(super) struct Processor {
    /// What its type starts with: `CLIPImageProcessor`, and `CLIPFeatureExtractor` of older files.
    name: &'static str,
    pub size: Resize,
    /// Whether a plain number as `size` is the shorter edge, and not both.
    pub shortest: bool,
    pub resample: usize,
    pub crop: bool,
    /// 0 where the class has none.
    pub crop_size: usize,
    pub mean: [f32; 3],
    pub std: [f32; 3],
    pub own: Own,
}

/// What a class does its own way.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Own {
    Nothing,
    /// Never crops.
    Segformer,
    /// Never crops, and may round edges to multiples.
    Dpt,
    /// Below 384 pixels resizes to `size / crop_pct` and crops; from there on squashes.
    ConvNext,
    /// Resizes the shorter edge to 256 / 224 of `size`.
    Levit,
    /// Resizes the shorter edge to `size / crop_pct`.
    PoolFormer,
    /// Blue first, and never normalised.
    MobileVit,
    /// Rescales before it resizes, so that nothing is rounded between; crops as torchvision does.
    DinoV3,
    /// Gives parts of the image too; the first view is the whole, squashed.
    Llava,
    /// Keeps the shape of an image; here at the square of as many patches.
    Siglip2,
    /// Resizes the longer edge, and pads with zeros behind all else.
    Sam,
    /// May subtract 1 after rescaling, and divides by the deviations twice.
    EfficientNet,
}

pub(super) const VIT: Processor = Processor {
    name: "ViT",
    size: Resize::Squash([224; 2]),
    shortest: false,
    resample: 2,
    crop: false,
    crop_size: 0,
    mean: HALF,
    std: HALF,
    own: Own::Nothing,
};
const BICUBIC: Processor = Processor { resample: 3, ..VIT };
pub(super) const DEIT: Processor =
    Processor { name: "DeiT", size: Resize::Squash([256; 2]), crop: true, crop_size: 224, ..BICUBIC };
pub(super) const BEIT: Processor = Processor { name: "Beit", crop_size: 224, ..BICUBIC };
pub(super) const BIT: Processor = Processor { name: "Bit", ..CLIP };
pub(super) const CLIP: Processor = Processor {
    name: "CLIP",
    size: Resize::ShortestEdge(224),
    shortest: true,
    resample: 3,
    crop: true,
    crop_size: 224,
    mean: CLIP_MEAN,
    std: CLIP_STD,
    own: Own::Nothing,
};
pub(super) const SIGLIP: Processor = Processor { name: "Siglip", shortest: true, ..BICUBIC };
pub(super) const SIGLIP2: Processor = Processor { name: "Siglip2", own: Own::Siglip2, ..VIT };

pub(super) const TIPSV2: Processor =
    Processor { name: "Tipsv2", size: Resize::Squash([448; 2]), mean: [0.0; 3], std: [1.0; 3], ..VIT };

pub(super) const DINOV3: Processor =
    Processor { name: "DINOv3ViT", mean: IMAGENET_MEAN, std: IMAGENET_STD, own: Own::DinoV3, ..VIT };

pub(super) const MOBILEVIT: Processor = Processor { name: "MobileViT", crop_size: 256, own: Own::MobileVit, ..CLIP };
pub(super) const SAM: Processor = Processor {
    name: "Sam",
    size: Resize::LongestEdge(1024),
    mean: IMAGENET_MEAN,
    std: IMAGENET_STD,
    own: Own::Sam,
    ..VIT
};

pub(super) const BLIP: Processor =
    Processor { name: "Blip", size: Resize::Squash([384; 2]), mean: CLIP_MEAN, std: CLIP_STD, ..BICUBIC };
const LEVIT: Processor = Processor { name: "Levit", mean: IMAGENET_MEAN, std: IMAGENET_STD, own: Own::Levit, ..CLIP };
const MOBILENET: Processor =
    Processor { name: "MobileNetV1", size: Resize::ShortestEdge(256), resample: 2, mean: HALF, std: HALF, ..CLIP };

/// Every class that is followed: those of the families here, and those that people leave beside a ViT. Any other is refused by its name.
const PROCESSORS: &[&Processor] = &[
    &VIT,
    &DEIT,
    &BEIT,
    &BIT,
    &CLIP,
    &SIGLIP,
    &SIGLIP2,
    &TIPSV2,
    &Processor { name: "Tipsv2Dpt", ..TIPSV2 },
    &DINOV3,
    &SAM,
    &BLIP,
    &LEVIT,
    &MOBILENET,
    &Processor { name: "MobileNetV2", ..MOBILENET },
    &Processor { name: "ChineseCLIP", ..CLIP },
    &Processor { name: "OwlViT", size: Resize::Squash([768; 2]), crop_size: 768, ..BLIP },
    &Processor { name: "Flava", size: Resize::Squash([224; 2]), shortest: false, ..CLIP },
    &Processor { name: "Gemma3", ..VIT },
    &Processor { name: "LlavaNext", own: Own::Llava, ..CLIP },
    &Processor { name: "LlavaOnevision", size: Resize::Squash([384; 2]), shortest: true, own: Own::Llava, ..BLIP },
    &Processor { name: "Pvt", mean: IMAGENET_MEAN, std: IMAGENET_STD, ..BICUBIC },
    &Processor {
        name: "Segformer",
        size: Resize::Squash([512; 2]),
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
        own: Own::Segformer,
        ..VIT
    },
    &Processor { name: "DPT", size: Resize::Squash([384; 2]), own: Own::Dpt, ..BICUBIC },
    &Processor { name: "ConvNext", size: Resize::ShortestEdge(384), shortest: true, own: Own::ConvNext, ..BICUBIC },
    &Processor { name: "PoolFormer", own: Own::PoolFormer, ..LEVIT },
    &MOBILEVIT,
    &Processor { name: "EfficientNet", size: Resize::Squash([346; 2]), crop_size: 289, own: Own::EfficientNet, ..BEIT },
];

/// A key of a file that names a class.
const TYPES: [&str; 2] = ["image_processor_type", "feature_extractor_type"];

/// timm's own, for models inside transformers: it reads `config.json`.
const TIMM: &str = "TimmWrapperImageProcessor";

/// The class that a file names, `usual` where it names none; nothing where that is timm's.
pub(super) fn stated<'p>(json: &Json, usual: &'p Processor) -> Result<Option<&'p Processor>> {
    let Some(key) = TYPES.into_iter().find(|key| json.get(key).is_some()) else {
        let code = json.object("auto_map").is_some_and(|map| map.get("AutoImageProcessor").is_some());
        let problem = || {
            json.problem("`auto_map` names code of its own, which is not run here; state the steps under a type of transformers.".into())
        };
        return if code { Err(problem()) } else { Ok(Some(usual)) };
    };
    let kind = json.typed(key, "a processor's name", Value::as_str)?.unwrap_or_default();
    let is = |processor: &&&Processor| {
        let rest = kind.strip_prefix(processor.name).unwrap_or_default();
        matches!(rest, "ImageProcessor" | "ImageProcessorFast" | "ImageProcessorPil" | "FeatureExtractor")
    };
    match PROCESSORS.iter().find(is) {
        Some(processor) => Ok(Some(processor)),
        None if kind == TIMM => Ok(None),
        None => {
            let known: Vec<_> = PROCESSORS.iter().map(|processor| processor.name).collect();
            Err(json.problem(format!(
                "`{key}` is `{kind}`, whose steps are not followed here. If those of another type are the same, name that; there are: {}.",
                known.join(", ")
            )))
        }
    }
}

/// What is done where no file says anything: the class's usual steps at the model's own size, with all of an image that it can have.
pub(super) fn usual_steps(usual: &Processor, native: [usize; 2]) -> Preprocess {
    let resize = match usual.size {
        Resize::ShortestEdge(_) if native[0] == native[1] => Resize::ShortestEdge(native[0]),
        Resize::LongestEdge(_) if native[0] == native[1] => Resize::LongestEdge(native[0]),
        _ => Resize::Squash(native),
    };
    let blue_first = usual.own == Own::MobileVit;
    Preprocess {
        resize,
        filter: Filter::ALL[usual.resample],
        crop: usual.crop.then_some(native),
        fill: [0; 3],
        crop_rounding: CropRounding::Down,
        floats: usual.own == Own::DinoV3,
        rescale_factor: 1.0 / 255.0,
        mean: if blue_first { [0.0; 3] } else { usual.mean },
        std: if blue_first { [1.0; 3] } else { usual.std },
        bgr: blue_first,
        pad: (usual.own == Own::Sam).then_some(native),
    }
}
