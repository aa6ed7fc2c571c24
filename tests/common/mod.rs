//! Fixtures, embedded so that the same tests run natively and in wasm. `tests/fixtures/README.md` says what each protects.
#![allow(dead_code)] // Each test file uses its own part.

use safetensors::SafeTensors;
use vitscope::Classifier;
use vitscope::checkpoint::ConfigFiles;

/// A model folder with what PyTorch computes.
pub struct Fixture {
    pub name: &'static str,
    pub config: &'static str,
    pub preprocessor: Option<&'static str>,
    pub weights: &'static [u8],
    pub expected: &'static [u8],
}

macro_rules! fixture {
    ($name:literal, $preprocessor:expr) => {
        Fixture {
            name: $name,
            config: include_str!(concat!("../fixtures/", $name, "/config.json")),
            preprocessor: $preprocessor,
            weights: include_bytes!(concat!("../fixtures/", $name, "/model.safetensors")),
            expected: include_bytes!(concat!("../fixtures/", $name, "/expected.safetensors")),
        }
    };
    (hf $name:literal) => {
        fixture!($name, Some(include_str!(concat!("../fixtures/", $name, "/preprocessor_config.json"))))
    };
    (timm $name:literal) => {
        fixture!($name, None)
    };
}

/// Every tiny model.
pub const FIXTURES: &[Fixture] = &[
    fixture!(hf "hf_vit"),
    fixture!(hf "hf_vit_v5"),
    fixture!(hf "hf_vit_f16"),
    fixture!(hf "hf_vit_bf16"),
    fixture!(timm "timm_vit"),
    fixture!(timm "timm_vit_gap"),
    fixture!(timm "timm_vit_nobias"),
];

impl Fixture {
    pub fn files(&self) -> ConfigFiles<'static> {
        ConfigFiles { config: self.config, preprocessor: self.preprocessor }
    }

    pub fn load(&self, dtype: Option<&str>) -> vitscope::Result<Classifier> {
        let precision = dtype.map(|dtype| dtype.parse().unwrap());
        Classifier::load(self.files(), &self.weights.to_vec(), precision)
    }

    pub fn expected(&self, name: &str) -> Vec<f32> {
        floats(self.expected, name)
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
