//! Hugging Face MobileViT: classifiers, and encoders without a head.

use super::blocks::Blocks;
use super::convolutions::Kernel;
use super::hf::{self, Usual};
use super::json::Json;
use super::reader::{Reader, matrix};
use super::tensors::Tensors;
use super::{Family, processors, unsupported};
use crate::error::Result;
use crate::model::{
    Block, Bridge, Config, Convolution, Embeddings, Enter, InvertedResidual, LastMap, Leave, Linear, MapSizes, Pooling,
    Positions, Stage, Stem, Transition, Weights, WindowRule,
};
use serde_json::Value;

pub(super) const FAMILY: Family = Family {
    name: "MobileViT (Hugging Face)",
    models: "`MobileViTForImageClassification`; encoders without a head: `MobileViTModel`",
    recognises: |config| config.optional_str("model_type") == Some(TYPE),
    config: |json, tensors| {
        let mut config = read_config(json, tensors)?;
        hf::read_labels(&mut config, json, tensors, "classifier.weight")?;
        Ok(config)
    },
    blocks: |_, reader| {
        let scope = scope(reader);
        Blocks::of_stages([scope, "encoder.layer."].concat(), ".transformer.layer.", hf::V4).counted_from(2)
    },
    weights: |config, reader, blocks| {
        let heads = hf::read_heads(config, reader)?;
        let scope = scope(reader);
        reader.within(scope, |reader| read_encoder(config, reader, blocks, heads))
    },
    ignores: |name| name.ends_with(".num_batches_tracked"),
    processor: &processors::MOBILEVIT,
    any_size: true,
};

const TYPE: &str = "mobilevit";
const SCOPES: &[&str] = &["mobilevit.", ""];

fn scope(reader: &Reader) -> &'static str {
    reader.choose(SCOPES, "conv_stem.convolution.weight")
}

const USUAL: Usual = Usual {
    layer_norm_eps: 1e-5,
    hidden_act: "silu",
    // (Width and blocks of each transformer are other keys'.)
    sizes: Some([1, 1, 9, 4, 256, 2]),
    mlp_ratio: Some(2.0),
    head_dim: false,
};

/// Blocks of each transformer, which no config says.
const LAYERS: [usize; 3] = [2, 4, 3];

const BATCH_NORM_EPS: f32 = 1e-5;

fn read_config(json: &Json, tensors: &Tensors) -> Result<Config> {
    let plain = hf::read_config(json, TYPE, &USUAL)?;
    if tensors.names().iter().any(|name| name.starts_with("segmentation_head.")) {
        return Err(unsupported(TYPE, "it tells classes of pixels, and only classes of images are run"));
    }
    if let Some(stride) = json.optional_usize("output_stride")?.filter(|stride| *stride == 8 || *stride == 16) {
        return Err(unsupported(TYPE, &format!("`output_stride` is {stride}, and only 32 is run")));
    }
    hf::check_shown(json, tensors, "qkv_bias", None, &|name| name.ends_with(".query.bias"))?;
    let widths = list(json, "hidden_sizes", "three whole numbers", [144, 192, 240])?;
    let channels = list(json, "neck_hidden_sizes", "seven whole numbers", [16, 32, 64, 96, 128, 160, 640])?;
    let number = |key: &str, usual: f64| {
        Ok::<_, crate::error::Error>(json.typed(key, "a number", Value::as_f64)?.unwrap_or(usual))
    };
    let (mlp_ratio, expand_ratio) = (number("mlp_ratio", 2.0)?, number("expand_ratio", 4.0)?);
    let kernel = json.optional_usize("conv_kernel_size")?.unwrap_or(3);
    let cell = plain.patch_size;
    let stage = |i: usize| Stage {
        layers: LAYERS[i],
        halves: i > 0,
        hidden_size: widths[i],
        heads: plain.heads,
        mlp_size: (widths[i] as f64 * mlp_ratio) as usize,
        windows: Some(WindowRule::Strided { size: cell }),
    };
    let [.., features] = channels;
    let mut stages: Vec<_> = (0..LAYERS.len()).map(stage).collect();
    stages.push(Stage { layers: 0, halves: false, hidden_size: features, heads: 1, mlp_size: 1, windows: None });
    Ok(Config {
        patch_size: [8; 2],
        pads: true,
        hidden_size: features,
        mlp_size: stages[2].mlp_size,
        stages,
        maps: Some(MapSizes { channels, expand_ratio, kernel }),
        layers: LAYERS.iter().sum(),
        positions: Positions::NONE,
        prefix: Vec::new(),
        pooling: Pooling::Mean,
        ..plain
    })
}

/// A list of whole numbers.
fn list<const N: usize>(json: &Json, key: &str, what: &'static str, usual: [usize; N]) -> Result<[usize; N]> {
    let numbers = |value: &Value| {
        let numbers = value.as_array()?.iter().map(|number| number.as_u64().map(|number| number as usize));
        numbers.collect::<Option<Vec<_>>>()?.try_into().ok()
    };
    Ok(json.typed(key, what, numbers)?.unwrap_or(usual))
}

/// Reads convolutions with their norms and activation.
struct Layers<'a> {
    config: &'a Config,
    sizes: &'a MapSizes,
}

impl Layers<'_> {
    /// `NAME.convolution`, `NAME.normalization`, and an activation.
    fn convolution(&self, reader: &mut Reader, name: &str, kernel: Kernel) -> Result<Convolution> {
        let norm = reader.batch_norm(&[name, ".normalization"].concat(), kernel.outputs, BATCH_NORM_EPS)?;
        let layer = reader.convolution(&[name, ".convolution"].concat(), kernel, Some(norm))?;
        Ok(Convolution { layer, kernel: kernel.size, stride: 1, activation: Some(self.config.activation) })
    }

    fn residual(
        &self,
        reader: &mut Reader,
        scope: &str,
        [inputs, outputs]: [usize; 2],
        stride: usize,
    ) -> Result<InvertedResidual> {
        let expanded = self.sizes.expanded(inputs);
        reader.within(scope, |reader| {
            let expand = self.convolution(reader, "expand_1x1", Kernel { inputs, outputs: expanded, size: 1 })?;
            let norm = reader.batch_norm("conv_3x3.normalization", expanded, BATCH_NORM_EPS)?;
            let depthwise = reader.depthwise("conv_3x3.convolution", expanded, norm)?;
            let reduce = self.convolution(reader, "reduce_1x1", Kernel { inputs: expanded, outputs, size: 1 })?.layer;
            Ok(InvertedResidual { expand, depthwise, stride, reduce })
        })
    }

    /// What leads to transformer number `i`.
    fn enter(&self, reader: &mut Reader, i: usize) -> Result<Enter> {
        let (inputs, outputs) = (self.sizes.channels[2 + i], self.sizes.channels[3 + i]);
        let around = Kernel { inputs: outputs, outputs, size: self.sizes.kernel };
        Ok(Enter {
            residual: self.residual(reader, "downsampling_layer.", [inputs, outputs], 2)?,
            local: self.convolution(reader, "conv_kxk", around)?,
        })
    }

    fn leave(&self, reader: &mut Reader, i: usize) -> Result<Leave> {
        let (width, channels) = (self.config.stages[i].hidden_size, self.sizes.channels[3 + i]);
        let around = Kernel { inputs: 2 * channels, outputs: channels, size: self.sizes.kernel };
        Ok(Leave {
            norm: reader.layer_norm("layernorm", width, self.config.layer_norm_eps)?,
            projection: self.convolution(
                reader,
                "conv_projection",
                Kernel { inputs: width, outputs: channels, size: 1 },
            )?,
            fusion: self.convolution(reader, "fusion", around)?,
        })
    }
}

/// All but the blocks.
fn read_encoder(config: &Config, reader: &mut Reader, blocks: Vec<Block>, heads: Vec<Linear>) -> Result<Weights> {
    let sizes = config.maps.as_ref().ok_or_else(|| reader.tensors.invalid("it has no maps.".into()))?;
    let layers = Layers { config, sizes };
    let [stem, wide, first, ..] = sizes.channels;
    let [.., last, features] = sizes.channels;
    let width = |i: usize| config.stages[i].hidden_size;
    let project = |reader: &mut Reader, i: usize| {
        let kernel = Kernel { inputs: sizes.channels[3 + i], outputs: width(i), size: 1 };
        reader.convolution("conv_1x1.convolution", kernel, None)
    };

    let norm = reader.batch_norm("conv_stem.normalization", stem, BATCH_NORM_EPS)?;
    let layer = reader.f32_convolution("conv_stem.convolution", Kernel { inputs: 3, outputs: stem, size: 3 }, norm)?;
    let convolution = Convolution { layer, kernel: 3, stride: 2, activation: Some(config.activation) };
    let mut residuals = vec![layers.residual(reader, "encoder.layer.0.layer.0.", [stem, wide], 1)?];
    for (i, inputs, stride) in [(0, wide, 2), (1, first, 1), (2, first, 1)] {
        residuals.push(layers.residual(reader, &format!("encoder.layer.1.layer.{i}."), [inputs, first], stride)?);
    }
    let (enter, patch_projection) =
        reader.within("encoder.layer.2.", |reader| Ok((layers.enter(reader, 0)?, project(reader, 0)?)))?;

    let mut transitions = Vec::with_capacity(LAYERS.len());
    for i in 0..LAYERS.len() {
        let leave = reader.within(&format!("encoder.layer.{}.", 2 + i), |reader| layers.leave(reader, i))?;
        transitions.push(if i + 1 < LAYERS.len() {
            reader.within(&format!("encoder.layer.{}.", 3 + i), |reader| {
                let (enter, projection) = (layers.enter(reader, i + 1)?, project(reader, i + 1)?);
                Ok(Transition::Bridge(Bridge { leave, enter, projection }))
            })?
        } else {
            let expand = Kernel { inputs: last, outputs: features, size: 1 };
            Transition::LastMap(LastMap { leave, expand: layers.convolution(reader, "conv_1x1_exp", expand)? })
        });
    }
    Ok(Weights {
        embeddings: Embeddings {
            stem: Some(Stem { convolution, residuals, enter }),
            patch_projection,
            patch_norm: None,
            prefix: matrix(Vec::new(), width(0)),
            positions: None,
            norm: None,
        },
        blocks,
        transitions,
        norm: None,
        fc_norm: None,
        pool: None,
        projection: None,
        heads,
    })
}
