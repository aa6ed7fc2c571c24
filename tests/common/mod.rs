//! Fixtures, embedded so that the same tests run natively and in wasm. `tests/fixtures/README.md` says what each protects.
#![allow(dead_code)] // Each test file uses its own part.

pub mod crc32;
pub mod edit;

use safetensors::SafeTensors;
use vitscope::Classifier;
use vitscope::checkpoint::{ConfigFiles, LoadOptions, Shards, Source};
use vitscope::model::Classes;

/// A model folder with what PyTorch computes.
#[derive(Clone, Copy)]
pub struct Fixture {
    pub name: &'static str,
    pub config: &'static str,
    pub preprocessor: Option<&'static str>,
    /// Empty where the weights are in `shards`.
    pub weights: &'static [u8],
    /// Name and bytes of each file of split weights.
    pub shards: &'static [(&'static str, &'static [u8])],
    pub text_embeddings: Option<&'static [u8]>,
    pub expected: &'static [u8],
    /// What PyTorch shows of its answer, for a model with classes.
    pub explain: Option<&'static [u8]>,
    /// What PyTorch answers without heads or positions, and in another order.
    pub interventions: &'static [u8],
}

macro_rules! bytes {
    ($name:literal, $file:literal) => {
        include_bytes!(concat!("../fixtures/", $name, "/", $file))
    };
}

macro_rules! fixture {
    ($name:literal, $preprocessor:expr, $weights:expr, $explain:expr) => {
        Fixture {
            name: $name,
            config: include_str!(concat!("../fixtures/", $name, "/config.json")),
            preprocessor: $preprocessor,
            weights: $weights,
            shards: &[],
            text_embeddings: None,
            expected: bytes!($name, "expected.safetensors"),
            explain: $explain,
            interventions: bytes!($name, "interventions.safetensors"),
        }
    };
    (hf $name:literal of $weights:expr) => {
        fixture!($name, preprocessor!($name), $weights, explain!($name))
    };
    (hf $name:literal) => {
        fixture!(hf $name of bytes!($name, "model.safetensors"))
    };
    (zero_shot $name:literal) => {
        Fixture { text_embeddings: Some(bytes!($name, "text_embeddings.safetensors")), ..fixture!(hf $name) }
    };
    (timm $name:literal) => {
        fixture!($name, None, bytes!($name, "model.safetensors"), explain!($name))
    };
    (open_clip $name:literal) => {
        Fixture {
            name: $name,
            config: include_str!(concat!("../fixtures/", $name, "/open_clip_config.json")),
            preprocessor: None,
            weights: bytes!($name, "open_clip_model.safetensors"),
            shards: &[],
            text_embeddings: None,
            expected: bytes!($name, "expected.safetensors"),
            explain: None,
            interventions: bytes!($name, "interventions.safetensors"),
        }
    };
    (staged hf $name:literal) => {
        Fixture { preprocessor: preprocessor!($name), ..fixture!(staged timm $name) }
    };
    (staged timm $name:literal) => {
        Fixture {
            name: $name,
            config: include_str!(concat!("../fixtures/", $name, "/config.json")),
            preprocessor: None,
            weights: bytes!($name, "model.safetensors"),
            shards: &[],
            text_embeddings: None,
            expected: bytes!($name, "expected.safetensors"),
            explain: None,
            interventions: &[],
        }
    };
    (hf encoder $name:literal) => {
        fixture!($name, preprocessor!($name), bytes!($name, "model.safetensors"), None)
    };
    (timm encoder $name:literal) => {
        fixture!($name, None, bytes!($name, "model.safetensors"), None)
    };
}

macro_rules! preprocessor {
    ($name:literal) => {
        Some(include_str!(concat!("../fixtures/", $name, "/preprocessor_config.json")))
    };
}

macro_rules! explain {
    ($name:literal) => {
        Some(bytes!($name, "explain.safetensors"))
    };
}

macro_rules! shard {
    ($name:literal, $file:literal) => {
        ($file, bytes!($name, $file) as &[u8])
    };
}

/// Every tiny model.
pub const FIXTURES: &[Fixture] = &[
    fixture!(hf "hf_vit"),
    fixture!(hf "hf_vit_v5"),
    fixture!(hf "hf_vit_f16"),
    fixture!(hf "hf_vit_bf16"),
    fixture!(hf "hf_vit_gelu_new"),
    fixture!(hf "hf_vit_gelu_tanh"),
    fixture!(hf "hf_vit_quick_gelu"),
    fixture!(hf "hf_vit_relu"),
    fixture!(hf "hf_vit_sizes"),
    fixture!(hf "hf_vit_multi_label"),
    fixture!(hf "hf_vit_regression"),
    fixture!(hf encoder "hf_vit_model"),
    fixture!(hf encoder "hf_mae"),
    Fixture {
        weights: &[],
        shards: &[
            shard!("hf_vit_sharded", "model-00001-of-00003.safetensors"),
            shard!("hf_vit_sharded", "model-00002-of-00003.safetensors"),
            shard!("hf_vit_sharded", "model-00003-of-00003.safetensors"),
        ],
        ..fixture!(hf "hf_vit_sharded" of &[])
    },
    fixture!(hf "hf_msn"),
    fixture!(hf "hf_deit"),
    fixture!(hf "hf_deit_teacher"),
    fixture!(hf "hf_dinov2"),
    fixture!(hf encoder "hf_dinov2_model"),
    fixture!(hf "hf_dinov2_crop"),
    fixture!(hf "hf_dinov2_reg"),
    fixture!(hf "hf_dinov2_no_reg"),
    fixture!(hf "hf_dinov2_swiglu"),
    fixture!(hf encoder "hf_dinov3"),
    fixture!(hf encoder "hf_dinov3_gated"),
    fixture!(hf "hf_beit"),
    fixture!(hf "hf_beit_shared"),
    fixture!(hf "hf_data2vec"),
    fixture!(hf "hf_clip"),
    fixture!(hf encoder "hf_clip_vision"),
    fixture!(hf "hf_siglip"),
    fixture!(hf encoder "hf_siglip_vision"),
    fixture!(hf encoder "hf_aimv2_native"),
    fixture!(hf encoder "hf_aimv2_headless"),
    fixture!(hf encoder "hf_altclip"),
    fixture!(hf encoder "hf_owlvit"),
    fixture!(hf encoder "hf_git"),
    fixture!(hf encoder "hf_trocr"),
    fixture!(hf encoder "hf_vision_text"),
    fixture!(hf encoder "hf_dpt"),
    fixture!(hf encoder "hf_zoedepth"),
    fixture!(hf encoder "hf_blip"),
    fixture!(hf encoder "hf_ijepa"),
    fixture!(hf encoder "hf_siglip2"),
    fixture!(hf encoder "hf_tipsv2"),
    fixture!(hf encoder "hf_tipsv2_swiglu"),
    fixture!(hf encoder "hf_paligemma"),
    fixture!(zero_shot "hf_clip_zero_shot"),
    fixture!(zero_shot "hf_siglip_zero_shot"),
    fixture!(zero_shot "hf_aimv2_zero_shot"),
    fixture!(open_clip "open_clip"),
    fixture!(open_clip "open_clip_clipa"),
    fixture!(timm "timm_beit"),
    fixture!(timm "timm_beit3"),
    fixture!(timm "timm_beit_shared"),
    fixture!(timm "timm_clip"),
    fixture!(timm "timm_clip_quickgelu"),
    fixture!(timm "timm_deit3"),
    fixture!(timm "timm_deit_distilled"),
    fixture!(timm encoder "timm_dinov2"),
    fixture!(timm encoder "timm_dinov2_reg"),
    fixture!(timm "timm_dinov2_swiglu"),
    fixture!(timm "timm_dinov3"),
    fixture!(timm "timm_dinov3_plus"),
    fixture!(timm "timm_eva"),
    fixture!(timm "timm_eva02"),
    fixture!(timm "timm_eva02_clip"),
    fixture!(timm encoder "timm_eva02_small"),
    fixture!(timm "timm_flexivit"),
    fixture!(timm "timm_gap"),
    fixture!(timm encoder "timm_intern"),
    fixture!(timm encoder "timm_lingbot"),
    fixture!(timm "timm_map"),
    fixture!(timm "timm_map_prefix"),
    fixture!(timm "timm_mean_prefix"),
    fixture!(timm "timm_pe_core"),
    fixture!(timm encoder "timm_pe_lang"),
    fixture!(timm encoder "timm_pe_spatial"),
    fixture!(timm "timm_aimv2"),
    fixture!(timm "timm_aimv2_cls"),
    fixture!(timm "timm_qk_norm"),
    fixture!(timm "timm_radio"),
    fixture!(timm encoder "timm_radio_v3"),
    fixture!(timm "timm_reg_gap"),
    fixture!(timm "timm_reg_pos"),
    fixture!(timm "timm_rope"),
    fixture!(timm "timm_rope_mixed_ape"),
    fixture!(timm "timm_rope_reg_gap"),
    fixture!(timm encoder "timm_siglip"),
    fixture!(timm "timm_siglip_gap"),
    fixture!(timm "timm_siglip_gap_tanh"),
    fixture!(timm "timm_vit"),
    fixture!(timm encoder "timm_vit_features"),
    fixture!(timm "timm_vit_gap"),
    fixture!(timm "timm_vit_nobias"),
    fixture!(timm "timm_vit_single"),
    fixture!(timm "timm_vit_sizes"),
    fixture!(timm "timm_wrapper"),
];

/// Every tiny model of several stages, or of windows.
pub const STAGED: &[Fixture] = &[
    fixture!(staged hf "hf_mobilevit"),
    fixture!(staged hf "hf_mobilevit_model"),
    fixture!(staged hf "hf_sam"),
    fixture!(staged hf "hf_sam_vision"),
    fixture!(staged hf "hf_swin"),
    fixture!(staged hf "hf_swin_model"),
    fixture!(staged hf "hf_swin_positions"),
    fixture!(staged hf "hf_swinv2"),
    fixture!(staged hf "hf_swinv2_model"),
    fixture!(staged hf "hf_swinv2_steep"),
    fixture!(staged timm "timm_sam"),
    fixture!(staged timm "timm_sam_224"),
    fixture!(staged timm "timm_swin"),
    fixture!(staged timm "timm_swin_clamped"),
    fixture!(staged timm "timm_swin_s3"),
    fixture!(staged timm "timm_swinv2"),
    fixture!(staged timm "timm_swinv2_pretrained"),
];

/// The tiny model of this name.
pub fn named(name: &str) -> &'static Fixture {
    FIXTURES.iter().chain(STAGED).find(|fixture| fixture.name == name).unwrap()
}

impl Fixture {
    pub fn files(&self) -> ConfigFiles<'static> {
        ConfigFiles { config: self.config, preprocessor: self.preprocessor, processor: None }
    }

    pub fn load(&self, dtype: Option<&str>) -> vitscope::Result<Classifier> {
        self.load_at(None, dtype)
    }

    /// For images of `size`, or those the model was made for.
    pub fn load_at(&self, size: Option<[usize; 2]>, dtype: Option<&str>) -> vitscope::Result<Classifier> {
        let precision = dtype.map(|dtype| dtype.parse().unwrap());
        let text = self.text_embeddings.map(<[u8]>::to_vec);
        let text_embeddings = text.as_ref().map(|text| text as &dyn Source);
        let options = LoadOptions { precision, image_size: size, text_embeddings };
        Classifier::load(self.files(), &*self.source(), options)
    }

    /// All of the weights.
    pub fn source(&self) -> Box<dyn Source> {
        if self.shards.is_empty() {
            return Box::new(self.weights.to_vec());
        }
        let files = self.shards.iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec()));
        Box::new(Shards::new(files.collect()).unwrap())
    }

    pub fn expected(&self, name: &str) -> Vec<f32> {
        floats(self.expected, name)
    }

    /// Height and width of the input of another size that was recorded too, where there is one.
    pub fn other_size(&self) -> Option<[usize; 2]> {
        let tensors = SafeTensors::deserialize(self.expected).unwrap();
        let shape = tensors.tensor("other/pixel_values").ok()?.shape().to_vec();
        Some([shape[1], shape[2]])
    }

    /// What a model is for, as recorded: `logits`, or `features` of one without a head.
    pub fn result(&self) -> &'static str {
        let tensors = SafeTensors::deserialize(self.expected).unwrap();
        if tensors.tensor("logits").is_ok() { "logits" } else { "features" }
    }

    /// The same from our engine.
    pub fn run(&self, model: &mut Classifier, pixels: &[f32]) -> Vec<f32> {
        let logits = model.logits(pixels).unwrap().to_vec();
        if self.result() == "logits" { logits } else { model.features().to_vec() }
    }
}

/// Three classes of seeded embeddings of so many features, of any length.
pub fn some_classes(features: usize) -> Classes {
    let mut rng = fastrand::Rng::with_seed(features as u64);
    let embeddings = (0..3 * features).map(|i| (1.0 + (i / features) as f32) * (rng.f32() - 0.5)).collect();
    Classes {
        labels: ["cup", "bowl, dish", "ladle"].map(str::to_owned).into(),
        embeddings,
        scale: Some(7.0),
        bias: Some(-0.5),
    }
}

/// A tensor of F32 from the bytes of a safetensors file.
pub fn floats(file: &[u8], name: &str) -> Vec<f32> {
    let tensors = SafeTensors::deserialize(file).unwrap();
    let tensor = tensors.tensor(name).unwrap_or_else(|_| panic!("{name} is not in the file"));
    tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// max |a − b| / max |b|.
pub fn relative_error(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().all(|x| x.is_finite()));
    let scale = b.iter().fold(0.0f32, |max, x| max.max(x.abs()));
    a.iter().zip(b).fold(0.0f32, |max, (x, y)| max.max((x - y).abs())) / scale
}

/// a · b / (|a| |b|).
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Index of the largest value.
pub fn argmax(values: &[f32]) -> usize {
    (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap()
}
