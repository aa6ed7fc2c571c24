//! Hugging Face DeiT: a ViT with a distillation token, and with its teacher a head for it too.

use super::hf;
use super::hf_vit::{USUAL, encoder_blocks, is_of_pretraining, read_encoder};
use super::json::Json;
use super::reader::Reader;
use super::tensors::Tensors;
use super::{Family, processors};
use crate::error::Result;
use crate::model::{Config, Pooling, Prefix};

pub(super) const FAMILY: Family = Family {
    name: "DeiT (Hugging Face)",
    models: "`DeiTForImageClassification`; `DeiTForImageClassificationWithTeacher`, both heads averaged; `DeiTModel`",
    recognises: |config| config.optional_str("model_type") == Some("deit"),
    config: read_config,
    blocks: |_, reader| encoder_blocks(reader, scope(reader)),
    weights: |config, reader, blocks| {
        let scope = scope(reader);
        read_encoder(config, reader, blocks, scope)
    },
    ignores: |name| is_of_pretraining(name, "deit."),
    processor: &processors::DEIT,
    any_size: false,
};

fn scope(reader: &Reader) -> &'static str {
    reader.choose(&["deit.", ""], "embeddings.cls_token")
}

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let mut config = hf::read_config(json, "deit", &USUAL)?;
    hf::check_qkv_bias(json, tensors)?;
    config.prefix = vec![Prefix::Class, Prefix::Distillation];
    if tensors.has("cls_classifier.weight") {
        config.pooling = Pooling::ClsDistillation;
        hf::read_labels(&mut config, json, tensors, "cls_classifier.weight")?;
    } else {
        hf::read_labels(&mut config, json, tensors, "classifier.weight")?;
    }
    Ok(config)
}
