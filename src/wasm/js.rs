//! What is asked of JavaScript, every exception caught: one that went through a frame of this crate would leave its engine borrowed for good.

use crate::alloc::zeros;
use crate::error::Error;
use js_sys::JSON;
use wasm_bindgen::prelude::*;
use web_sys::ImageData;

/// What the boundary answers: an exception of JavaScript's goes back to it as it came.
pub type Result<T> = std::result::Result<T, JsValue>;

#[wasm_bindgen]
extern "C" {
    /// An array of the caller's, or for it.
    #[wasm_bindgen(typescript_type = "Float32Array")]
    pub type Float32Array;
    #[wasm_bindgen(catch, constructor)]
    fn new(length: u32) -> Result<Float32Array>;
    #[wasm_bindgen(catch, constructor)]
    fn copy_of(values: &[f32]) -> Result<Float32Array>;
    #[wasm_bindgen(catch, method, getter)]
    fn length(this: &Float32Array) -> Result<u32>;
    #[wasm_bindgen(catch, method)]
    fn subarray(this: &Float32Array, start: u32, end: u32) -> Result<Float32Array>;
    #[wasm_bindgen(catch, method)]
    fn set(this: &Float32Array, values: &[f32], offset: u32) -> Result<()>;
    // A slice is a view of it there: `slice.set(this)`.
    #[wasm_bindgen(catch, js_namespace = Float32Array, js_name = "prototype.set.call")]
    fn fill_floats(slice: &mut [f32], this: &Float32Array) -> Result<()>;

    /// Bytes of the caller's.
    #[wasm_bindgen(typescript_type = "Uint8Array")]
    pub type Uint8Array;
    #[wasm_bindgen(catch, method, getter, js_name = length)]
    fn size(this: &Uint8Array) -> Result<u32>;
    #[wasm_bindgen(catch, method, js_name = subarray)]
    fn part(this: &Uint8Array, start: u32, end: u32) -> Result<Uint8Array>;
    #[wasm_bindgen(catch, js_namespace = Uint8Array, js_name = "prototype.set.call")]
    fn fill_bytes(slice: &mut [u8], this: &Uint8Array) -> Result<()>;

    #[wasm_bindgen(catch, js_namespace = Reflect, js_name = get)]
    fn bytes_of(image: &ImageData, key: &str) -> Result<Uint8Array>;
    #[wasm_bindgen(catch, js_namespace = Reflect, js_name = get)]
    fn edge_of(image: &ImageData, key: &str) -> Result<u32>;

    /// A word that another thread may write to.
    #[wasm_bindgen(typescript_type = "Int32Array")]
    pub type Bell;
    #[wasm_bindgen(catch, js_namespace = Atomics)]
    fn load(bell: &Bell, index: u32) -> Result<i32>;

    /// A plain object.
    pub type Object;
    #[wasm_bindgen(catch, js_namespace = Reflect, js_name = set)]
    fn set_value(object: &Object, key: &str, value: &JsValue) -> Result<bool>;
    #[wasm_bindgen(catch, js_namespace = Reflect, js_name = set)]
    fn set_text(object: &Object, key: &str, text: &str) -> Result<bool>;
    #[wasm_bindgen(catch, js_name = Error)]
    pub fn error(message: &str) -> Result<Object>;
}

impl Float32Array {
    /// So many zeros.
    pub fn zeros(length: usize) -> Result<Self> {
        Self::new(length as u32)
    }

    /// A copy.
    pub fn of(values: &[f32]) -> Result<Self> {
        Self::copy_of(values)
    }

    /// Elements.
    pub fn len(&self) -> Result<usize> {
        self.length().map(|length| length as usize)
    }

    /// Its elements from `start` on into `target`.
    pub fn read(&self, start: usize, target: &mut [f32]) -> Result<()> {
        let end = start + target.len();
        Self::fill_floats(target, &self.subarray(start as u32, end as u32)?)
    }

    /// `values` from `start` on.
    pub fn write(&self, start: usize, values: &[f32]) -> Result<()> {
        self.set(values, start as u32)
    }

    /// All of it.
    pub fn to_vec(&self, what: &'static str) -> Result<Vec<f32>> {
        let mut values = zeros(what, &[self.len()?])?;
        self.read(0, &mut values)?;
        Ok(values)
    }
}

impl Uint8Array {
    /// Elements.
    pub fn len(&self) -> Result<usize> {
        self.size().map(|length| length as usize)
    }

    /// Its elements from `start` on into `target`.
    pub fn read(&self, start: usize, target: &mut [u8]) -> Result<()> {
        let end = start + target.len();
        Self::fill_bytes(target, &self.part(start as u32, end as u32)?)
    }
}

/// Between two blocks: whether to pause, since the bell rings, or since there is none by which one could be called.
pub fn pause(bell: Option<Bell>) -> impl Fn() -> bool {
    move || bell.as_ref().is_none_or(|bell| !load(bell, 0).is_ok_and(|rung| rung == 0))
}

/// RGBA bytes, width and height of an image; anything with `data`, `width` and `height` of an `ImageData` will do.
pub fn pixels(image: &ImageData) -> Result<(Vec<u8>, usize, usize)> {
    let bytes = bytes_of(image, "data")?;
    let mut data = zeros("an image", &[bytes.len()?])?;
    bytes.read(0, &mut data)?;
    Ok((data, edge_of(image, "width")? as usize, edge_of(image, "height")? as usize))
}

impl Object {
    /// A small value as a plain object.
    pub fn of(value: &impl serde::Serialize) -> Result<Self> {
        JSON::parse(&serde_json::to_string(value).unwrap_or_default()).map(JsCast::unchecked_into)
    }

    /// Gives it a property.
    pub fn put(&self, key: &str, value: &JsValue) -> Result<()> {
        set_value(self, key, value).map(drop)
    }
}

/// An `Error` with a `code`, from which `pkg/` makes a `VitscopeError`.
impl From<Error> for JsValue {
    fn from(error: Error) -> Self {
        let made = self::error(&error.to_string()).and_then(|js| set_text(&js, "code", error.code()).map(|_| js));
        made.map_or_else(|thrown| thrown, Self::from)
    }
}
