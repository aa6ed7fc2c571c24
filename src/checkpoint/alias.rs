//! Plain ViTs by another name: encoders of larger models, and families that differ in nothing that is computed. Each is a line.

use super::json::Json;
use super::open_clip;
use crate::error::Result;
use crate::model::Interpolation;
use serde_json::Value;

/// What is read as a type that a family knows.
struct Alias {
    /// `model_type` of its config.
    model_type: &'static str,
    /// The object in which the encoder's own config lies, where there is one.
    config: &'static str,
    /// `model_type` of that object where it states none, or else of the whole.
    read_as: &'static str,
    /// What comes off the names of tensors, where the encoder's all begin with it.
    prefixes: &'static [&'static str],
    /// What the names of other parts begin with, `model.` and prefixes apart.
    others: &'static [&'static str],
    /// How positions are resampled, where not as in what it is read as.
    positions: Option<Interpolation>,
}

/// Every alias, in groups of those that differ least.
const ALIASES: &[Alias] = &[
    alias("metaclip_2", "", "clip", &[], &[]),
    alias("metaclip_2_vision_model", "", "clip", &[], &[]),
    alias("chinese_clip", "vision_config", "clip", &[], &[]),
    alias("chinese_clip_vision_model", "", "clip", &[], &[]),
    alias("altclip", "vision_config", "clip", &[], &[]),
    alias("altclip_vision_model", "", "clip", &[], &[]),
    alias("clipseg", "vision_config", "clip", &["clip."], &["decoder."]),
    alias("clipseg_vision_model", "", "clip", &[], &[]),
    alias("owlvit", "vision_config", "owlvit_vision_model", &["owlvit."], DETECTION),
    alias("owlvit_vision_model", "", "clip", &[], &[]),
    alias("owlv2", "vision_config", "owlv2_vision_model", &["owlv2."], DETECTION),
    alias("owlv2_vision_model", "", "clip", &[], &[]),
    alias("git", "vision_config", "git_vision_model", &["git.", "image_encoder."], CAPTIONS),
    alias("git_vision_model", "", "clip", &[], &[]),
    alias("kosmos-2", "vision_config", "kosmos_2_vision_model", &["vision_model."], GROUNDING),
    alias("kosmos_2_vision_model", "", "clip", &[], &[]),
    alias("vision-encoder-decoder", "encoder", "vit", &["encoder."], &["decoder.", "enc_to_dec_proj."]),
    alias("vision-text-dual-encoder", "vision_config", "vit", &["vision_model."], COMPARISON),
    Alias { positions: Some(Interpolation::Bilinear), ..alias("dpt", "backbone_config", "vit", &["dpt."], DEPTH) },
    alias("depth_anything", "backbone_config", "dinov2", &[], DEPTH),
    alias("prompt_depth_anything", "backbone_config", "dinov2", &[], DEPTH),
    alias("chmv2", "backbone_config", "dinov3_vit", &[], DEPTH),
    alias("zoedepth", "backbone_config", "beit", &[], DEPTH),
    alias("flava", "image_config", "flava_image_model", &["flava.", "image_model."], FLAVA),
    alias("flava_image_model", "", "vit", &[], &[]),
    alias("blip", "vision_config", "blip_vision_model", &[], BLIP),
    alias("blip-2", "vision_config", "blip_2_vision_model", &[], BLIP),
    alias("instructblip", "vision_config", "instructblip_vision_model", &[], BLIP),
    alias("llava", "vision_config", "clip_vision_model", TOWER, LANGUAGE),
    alias("llava_next", "vision_config", "clip_vision_model", TOWER, LANGUAGE),
    alias("llava_next_video", "vision_config", "clip_vision_model", TOWER, LANGUAGE),
    alias("llava_onevision", "vision_config", "siglip_vision_model", TOWER, LANGUAGE),
    alias("vipllava", "vision_config", "clip_vision_model", TOWER, LANGUAGE),
    alias("paligemma", "vision_config", "siglip_vision_model", TOWER, LANGUAGE),
    alias("gemma3", "vision_config", "siglip_vision_model", TOWER, LANGUAGE),
    alias("shieldgemma2", "vision_config", "siglip_vision_model", TOWER, LANGUAGE),
    alias("aya_vision", "vision_config", "siglip_vision_model", TOWER, LANGUAGE),
    alias("cohere2_vision", "vision_config", "siglip_vision_model", TOWER, LANGUAGE),
    alias("lfm2_vl", "vision_config", "siglip2_vision_model", TOWER, LANGUAGE),
    alias("deepseek_vl", "vision_config", "siglip_vision_model", &["vision_model."], LANGUAGE),
    alias("video_llava", "vision_config", "clip_vision_model", &["image_tower."], LANGUAGE),
    alias("colpali", "vlm_config", "paligemma", &["vlm."], &["embedding_proj_layer."]),
    alias("tipsv2", "vision_config", "tipsv2_vision_model", &["vision_encoder."], &["text_encoder.", "temperature"]),
    alias("tipsv2_dpt", "backbone_config", "tipsv2_vision_model", &["vision_encoder."], DENSE),
];

/// BLIP's text, what compares the two, and what asks for what a text is about.
const BLIP: &[&str] = &[
    "text_model.",
    "text_encoder.",
    "text_decoder.",
    "itm_head.",
    "vision_proj",
    "text_proj",
    "visual_projection.",
    "logit_scale",
    "qformer.",
    "query_tokens",
    "embeddings.",
    "language_",
];
/// Where models of images and language have their encoder.
const TOWER: &[&str] = &["vision_tower."];
const LANGUAGE: &[&str] =
    &["language_model.", "multi_modal_projector.", "aligner.", "lm_head.", "image_newline", "video_tower."];
/// What a dual encoder compares by: that is of the pooler, which other features do without.
const COMPARISON: &[&str] = &["text_model.", "visual_projection.", "text_projection.", "logit_scale"];
/// What makes depth of features.
const DEPTH: &[&str] = &["neck.", "head.", "auxiliary_head.", "relative_head.", "metric_head."];
/// The same of TIPSv2, and what else it makes of them.
const DENSE: &[&str] = &["depth_head.", "normals_head.", "segmentation_head."];
/// FLAVA's text, what it has of both, and its heads.
const FLAVA: &[&str] = &[
    "text_model.",
    "multimodal_model.",
    "image_projection.",
    "text_projection.",
    "image_to_mm_projection.",
    "text_to_mm_projection.",
    "logit_scale",
    "image_codebook.",
    "mim_head.",
    "mlm_head.",
    "itm_head.",
    "mmm_image_head.",
    "mmm_text_head.",
];

/// OWL-ViT's heads.
const DETECTION: &[&str] = &["box_head.", "class_head.", "objectness_head.", "layer_norm."];
/// GIT's text.
const CAPTIONS: &[&str] =
    &["git.embeddings.", "git.encoder.", "git.visual_projection.", "git.img_temporal_embedding.", "output."];
/// KOSMOS-2's text.
const GROUNDING: &[&str] = &["text_model.", "image_to_text_projection."];

const fn alias(
    model_type: &'static str,
    config: &'static str,
    read_as: &'static str,
    prefixes: &'static [&'static str],
    others: &'static [&'static str],
) -> Alias {
    Alias { model_type, config, read_as, prefixes, others, positions: None }
}

/// Classes whose sizes are not those of what they are read as, or that are written without what equals their own where they are parts: hidden size, MLP
/// width, layers, heads, image size, patch size.
const SIZES: &[(&str, [usize; 6])] = &[
    ("vit", BASE),
    ("deit", BASE),
    ("beit", BASE),
    ("data2vec-vision", BASE),
    ("flava_image_model", BASE),
    ("dinov2", [768, 3072, 12, 12, 224, 14]),
    ("dinov2_with_registers", BASE),
    ("owlvit_vision_model", [768, 3072, 12, 12, 768, 32]),
    ("owlv2_vision_model", [768, 3072, 12, 12, 768, 16]),
    ("git_vision_model", BASE),
    ("kosmos_2_vision_model", [1024, 4096, 24, 16, 224, 14]),
];
const BASE: [usize; 6] = [768, 3072, 12, 12, 224, 16];
const KEYS: [&str; 6] =
    ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "image_size", "patch_size"];

/// An encoder within a file: what its family reads.
pub(super) struct Found {
    /// The encoder's own config.
    pub config: Json,
    /// What comes off the names of its tensors.
    pub prefixes: Vec<&'static str>,
    /// What other names begin with.
    pub others: Vec<&'static str>,
    /// How positions are resampled, where not as its family does.
    pub positions: Option<Interpolation>,
    /// Whether what its family takes for a head of classes projects features.
    pub projects: bool,
}

impl Found {
    /// A model whose names are its own.
    pub fn new(config: Json) -> Self {
        Self { config, prefixes: Vec::new(), others: Vec::new(), positions: None, projects: false }
    }

    /// What the names of other parts begin with in a file whose names all begin with `wrapping`.
    pub fn others_within(&self, wrapping: &str) -> Vec<String> {
        let before = [&["", "model."], self.prefixes.as_slice()].concat();
        let others =
            |other: &&'static str| before.iter().map(|before| [wrapping, *before, *other].concat()).collect::<Vec<_>>();
        self.others.iter().flat_map(others).collect()
    }
}

/// Of every alias, its type.
pub(super) fn types() -> impl Iterator<Item = &'static str> {
    ALIASES.iter().map(|alias| alias.model_type)
}

/// The model that `config` calls otherwise, or encloses, or is itself.
pub(super) fn find(config: &Json) -> Result<Found> {
    if let Some(found) = open_clip::find(config)? {
        return Ok(found);
    }
    let mut found = Found::new(config.clone());
    while let Some(alias) =
        ALIASES.iter().find(|alias| found.config.optional_str("model_type") == Some(alias.model_type))
    {
        let enclosed = if alias.config.is_empty() { None } else { found.config.nested(alias.config)? };
        // (The inner one's own way of it is its family's.)
        found.positions = if enclosed.is_some() { None } else { alias.positions };
        found.prefixes.extend(alias.prefixes);
        found.others.extend(alias.others);
        match enclosed {
            Some(own) => {
                found.config = own;
                // A part has no head, whatever it was taken from.
                found.config.remove("architectures");
                found.config.fill("model_type", alias.read_as.into());
                fill_sizes(&mut found.config);
            }
            None => {
                fill_sizes(&mut found.config);
                found.config.put("model_type", alias.read_as.into());
            }
        }
    }
    Ok(found)
}

fn fill_sizes(config: &mut Json) {
    let sizes = SIZES.iter().find(|(model_type, _)| config.optional_str("model_type") == Some(model_type));
    for (key, size) in KEYS.iter().zip(sizes.iter().flat_map(|(_, sizes)| sizes)) {
        config.fill(key, Value::from(*size));
    }
}
