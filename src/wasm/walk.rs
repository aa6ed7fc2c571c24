//! A model that JavaScript brings in parts: it asks which, and gives each block when it is whole.

use super::js::{Object, Result, Uint8Array, error};
use super::{Engine, File};
use crate::checkpoint::{self, ConfigFiles, Portable, Shards, Source};
use crate::classifier::Classifier;
use crate::model::Precision;
use serde::Serialize;
use std::cell::Cell;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
export interface WalkTensor { name: string; dtype: string; shape: number[]; file: number; begin: number; end: number; block: number | null; }
export type WalkKeep = (name: string, dtype: string, shape: Uint32Array, bytes: Uint8Array) => void;
"#;

#[wasm_bindgen]
extern "C" {
    /// The tensors that are read.
    #[wasm_bindgen(typescript_type = "WalkTensor[]")]
    pub type WalkTensors;

    /// Takes a tensor of the portable form; the bytes are a view of memory that goes on to be used.
    #[wasm_bindgen(typescript_type = "WalkKeep")]
    pub type WalkKeep;
    #[wasm_bindgen(catch, method)]
    fn call(this: &WalkKeep, nothing: &JsValue, name: &str, dtype: &str, shape: &[u32], bytes: &[u8]) -> Result<()>;
}

/// A model on its way.
#[wasm_bindgen]
pub struct Walk {
    walk: checkpoint::Walk,
    /// Of each tensor that is read its file, and where it begins and ends there.
    places: Vec<(usize, [u64; 2])>,
}

#[wasm_bindgen]
impl Walk {
    /// Checks of `config.json` what can be told without weights.
    pub fn check(config: &str) -> Result<()> {
        Ok(checkpoint::check(config)?)
    }

    /// The files to be read of those that a `model.safetensors.index.json` names.
    pub fn files(index: &str, config: &str) -> Result<Vec<String>> {
        Ok(Shards::<Vec<u8>>::files(index, config)?)
    }

    /// From the headers alone. `texts`: of `config.json`, and where they are there of `preprocessor_config.json` and `processor_config.json`. Of each file of
    /// weights its name, its first bytes, up to the end of the header, and its size where that is known. `dtype` is `f32` or `int8`, and nothing keeps the file's
    /// own; `size` is height and width of the input, and nothing keeps the model's own.
    #[wasm_bindgen(constructor)]
    pub fn new(
        texts: Vec<JsValue>,
        names: Vec<String>,
        headers: Vec<Uint8Array>,
        sizes: Vec<JsValue>,
        dtype: Option<String>,
        size: Option<Vec<u32>>,
    ) -> Result<Walk> {
        let texts: Vec<_> = texts.iter().map(JsValue::as_string).collect();
        let text = |i: usize| texts.get(i)?.as_deref();
        let files = ConfigFiles { config: text(0).unwrap_or_default(), preprocessor: text(1), processor: text(2) };
        let precision = dtype.as_deref().map(str::parse::<Precision>).transpose()?;
        let image_size = match size.as_deref() {
            Some([height, width]) => Some([*height as usize, *width as usize]),
            _ => None,
        };
        let open = |source: &dyn Source| checkpoint::Walk::open(files, source, precision, image_size);
        File::read(|thrown| {
            let file = |(bytes, size): (Uint8Array, JsValue)| File {
                bytes,
                size: size.as_f64().map(|size| size as u64),
                thrown,
            };
            let mut files: Vec<_> = headers.into_iter().zip(sizes).map(file).collect();
            if files.len() == 1 {
                let walk = open(&files.remove(0))?;
                let places = walk.planned().iter().map(|tensor| (0, [tensor.begin, tensor.end])).collect();
                return Ok(Self { walk, places });
            }
            let shards = Shards::new(names.into_iter().zip(files).collect())?;
            let walk = open(&shards)?;
            let places = walk.planned().iter().map(|tensor| {
                let (file, begin) = shards.place(tensor.begin);
                (file, [begin, begin + (tensor.end - tensor.begin)])
            });
            Ok(Self { places: places.collect(), walk })
        })
    }

    /// What is read, in the order of the files.
    pub fn tensors(&self) -> Result<WalkTensors> {
        let tensors = self.walk.planned().iter().zip(&self.places);
        let views = tensors.map(|(tensor, (file, [begin, end]))| TensorView {
            name: &tensor.name,
            dtype: &tensor.dtype,
            shape: &tensor.shape,
            file: *file,
            begin: *begin,
            end: *end,
            block: tensor.block,
        });
        let views: Vec<_> = views.collect();
        Ok(Object::of(&views)?.unchecked_into())
    }

    /// Whether it compares images with texts, so that there may be some.
    #[wasm_bindgen(getter)]
    pub fn compares(&self) -> bool {
        self.walk.compares()
    }

    /// Whether matrices are quantised on their way, and the portable form is what comes of it.
    #[wasm_bindgen(getter)]
    pub fn quantises(&self) -> bool {
        self.walk.quantises()
    }

    /// What the metadata of the portable form says of its format.
    #[wasm_bindgen(getter)]
    pub fn format(&self) -> Option<String> {
        self.walk.format().map(str::to_owned)
    }

    /// Reads a block of the bytes of its tensors, in the order of the files. `keep` gets its portable form.
    pub fn block(&mut self, block: usize, pieces: Vec<Uint8Array>, keep: Option<WalkKeep>) -> Result<()> {
        let mut portable = keep.as_ref().map(|_| Portable::int8());
        let begins = self.begins(Some(block));
        File::read(|thrown| Ok(self.walk.read_block(block, &Pieces { begins, pieces, thrown }, portable.as_mut())?))?;
        hand_over(portable, keep)
    }

    /// The model, of the bytes of the rest. `text`: those of `text_embeddings.safetensors`.
    pub fn finish(self, pieces: Vec<Uint8Array>, text: Option<Uint8Array>, keep: Option<WalkKeep>) -> Result<Engine> {
        let mut portable = keep.as_ref().map(|_| Portable::int8());
        let begins = self.begins(None);
        let classifier = File::read(|thrown| {
            let text = text.map(|bytes| File::whole(bytes, thrown)).transpose()?;
            let rest = Pieces { begins, pieces, thrown };
            let text = text.as_ref().map(|text| text as &dyn Source);
            Ok(Classifier::new(self.walk.finish(&rest, text, portable.as_mut())?)?)
        })?;
        hand_over(portable, keep)?;
        Ok(classifier.into())
    }
}

impl Walk {
    fn begins(&self, block: Option<usize>) -> Vec<u64> {
        self.walk.planned().iter().filter(|tensor| tensor.block == block).map(|tensor| tensor.begin).collect()
    }
}

fn hand_over(portable: Option<Portable>, keep: Option<WalkKeep>) -> Result<()> {
    let Some(keep) = keep else { return Ok(()) };
    for (name, shape, values) in portable.into_iter().flat_map(Portable::tensors) {
        let shape: Vec<_> = shape.into_iter().map(|dim| dim as u32).collect();
        let (dtype, bytes) = values.stored();
        keep.call(&JsValue::UNDEFINED, &name, &dtype.to_string(), &shape, &bytes)?;
    }
    Ok(())
}

/// The bytes of tensors whose places in the file are known.
struct Pieces<'a> {
    begins: Vec<u64>,
    pieces: Vec<Uint8Array>,
    thrown: &'a Cell<Option<JsValue>>,
}

impl Source for Pieces<'_> {
    fn size(&self) -> Option<u64> {
        None
    }

    fn read(&self, offset: u64, target: &mut [u8]) {
        let read = |(_, piece): (&u64, &Uint8Array)| match piece.len() {
            Ok(length) if length != target.len() => None,
            Ok(_) => Some(piece.read(0, target)),
            Err(thrown) => Some(Err(thrown)),
        };
        let mut there = self.begins.iter().zip(&self.pieces).filter(|(begin, _)| **begin == offset);
        let result = there.find_map(read).unwrap_or_else(|| Err(error("a tensor did not come whole")?.into()));
        if let Err(thrown) = result {
            self.thrown.set(Some(thrown));
        }
    }
}

#[derive(Serialize)]
struct TensorView<'a> {
    name: &'a str,
    dtype: &'a str,
    shape: &'a [usize],
    file: usize,
    begin: u64,
    end: u64,
    block: Option<usize>,
}
