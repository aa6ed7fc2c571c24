//! The one error type of the crate. Every variant says what is wrong, where, and what to do about it.

/// Anything that can go wrong between the bytes a user has and the numbers they asked for.
///
/// As large as a pointer: every function that may fail hands it on, and most of the code that loads a model would move its fields otherwise.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<ErrorKind>);

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// `config.json` can't be read or contradicts itself.
    #[error("config.json: {0}")]
    InvalidConfig(String),
    /// What says how pixels are prepared (a processor's file, or timm's `pretrained_cfg`) asks for something that can't be done.
    #[error("{file}: {problem}")]
    InvalidPreprocessor {
        /// The file that holds the setting.
        file: &'static str,
        /// What is wrong with it, and the remedy.
        problem: String,
    },
    /// A model that is not a plain ViT, or not one of the families this version reads.
    #[error("unsupported architecture `{name}`: {evidence}. {remedy}")]
    UnsupportedArchitecture {
        /// The architecture as its own config names it.
        name: String,
        /// What gave it away.
        evidence: String,
        /// What would have been accepted, or what makes it so.
        remedy: String,
    },
    /// The weights are not a whole, valid safetensors file, or not in a form that is read.
    #[error("{file}: {problem}")]
    InvalidWeights {
        /// The file.
        file: String,
        /// What is wrong with it, and the remedy.
        problem: String,
    },
    /// A tensor the architecture needs is not in the file.
    #[error(
        "{file}: tensor `{name}` is missing{}. Check that config.json and the weights belong together.",
        called_like(.found)
    )]
    MissingTensor {
        /// The file.
        file: String,
        /// Its full name in the file's naming scheme.
        name: String,
        /// A telling tensor of those that are there.
        found: Option<String>,
    },
    /// A tensor that no part of this architecture uses: running without it could be silently wrong.
    #[error(
        "{file}: unexpected tensor `{name}`: nothing in a {family} model uses it, so this may be another architecture."
    )]
    UnexpectedTensor {
        /// The file.
        file: String,
        /// Its full name in the file.
        name: String,
        /// The family the file was read as.
        family: &'static str,
    },
    /// A tensor whose shape contradicts the config.
    #[error(
        "{file}: tensor `{name}` has shape {found:?}, but {expected:?} is needed. Check that config.json and the weights belong together."
    )]
    TensorShape {
        /// The file.
        file: String,
        /// Its full name in the file.
        name: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Shape the config implies.
        expected: Vec<usize>,
    },
    /// A tensor stored in a number format that is not read here.
    #[error("{file}: tensor `{name}` is stored as {dtype}, where {expected} is read. Save the model in one of these.")]
    TensorDtype {
        /// The file.
        file: String,
        /// Its full name in the file.
        name: String,
        /// Number format in the file.
        dtype: String,
        /// Number formats accepted for this tensor.
        expected: &'static str,
    },
    /// A picture's file that can't be decoded.
    #[error("image: {0}")]
    DecodeImage(String),
    /// Pixels that can't be classified.
    #[error("image: {0}")]
    InvalidImage(String),
    /// A call with an impossible argument.
    #[error("{0}")]
    InvalidArgument(String),
    /// A view that means nothing of a model like this one.
    #[error("{view} is not defined for this model: {why}")]
    UnsupportedView {
        /// The view as it is asked for.
        view: &'static str,
        /// Why, in a sentence.
        why: &'static str,
    },
    /// A buffer does not fit into memory.
    #[error(
        "out of memory: {what} needs {} bytes. Use a smaller image or model, or the int8 form.",
        u64::try_from(*.bytes).unwrap_or(u64::MAX)
    )]
    OutOfMemory {
        /// The buffer.
        what: &'static str,
        /// Its size.
        bytes: u128,
    },
    /// A model whose weights don't fit into memory.
    #[error(
        "out of memory: the model's weights take {} MB in {form}, more than there is (in a browser {BROWSER_MB} MB at most). Use {}a smaller model.",
        bytes / MB, int8_form(*.int8)
    )]
    ModelTooLarge {
        /// How its matrices would be held.
        form: &'static str,
        /// What they take.
        bytes: u64,
        /// What they take in int8, where that is less.
        int8: Option<u64>,
    },
}

const MB: u64 = 1_000_000;

/// What wasm can address.
const BROWSER_MB: u64 = (1 << 32) / MB;

/// The remedy that is no other model, where it is one.
fn int8_form(bytes: Option<u64>) -> String {
    let megabytes = bytes.map(|bytes| bytes / MB).filter(|megabytes| *megabytes < BROWSER_MB);
    megabytes.map(|megabytes| format!("the int8 form ({megabytes} MB) or ")).unwrap_or_default()
}

impl From<ErrorKind> for Error {
    /// (In one place, and out of the way of what succeeds.)
    #[cold]
    #[inline(never)]
    fn from(kind: ErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

impl Error {
    /// What went wrong, in its parts.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// A stable, machine-readable name: the `code` of a JavaScript `VitscopeError`.
    pub fn code(&self) -> &'static str {
        match self.kind() {
            ErrorKind::InvalidConfig(_) => "invalid-config",
            ErrorKind::InvalidPreprocessor { .. } => "invalid-preprocessor",
            ErrorKind::UnsupportedArchitecture { .. } => "unsupported-architecture",
            ErrorKind::InvalidWeights { .. } => "invalid-weights",
            ErrorKind::MissingTensor { .. } => "missing-tensor",
            ErrorKind::UnexpectedTensor { .. } => "unexpected-tensor",
            ErrorKind::TensorShape { .. } => "tensor-shape",
            ErrorKind::TensorDtype { .. } => "tensor-dtype",
            ErrorKind::DecodeImage(_) => "decode-image",
            ErrorKind::InvalidImage(_) => "invalid-image",
            ErrorKind::InvalidArgument(_) => "invalid-argument",
            ErrorKind::UnsupportedView { .. } => "unsupported-view",
            ErrorKind::OutOfMemory { .. } | ErrorKind::ModelTooLarge { .. } => "out-of-memory",
        }
    }
}

/// A number as messages have it, by what writes JSON: std's way is another 8 kB of a wasm module.
pub(crate) fn shown(number: impl Into<f64> + serde::Serialize + Copy) -> String {
    let wide: f64 = number.into();
    if wide.is_nan() {
        "NaN".into()
    } else if wide.is_infinite() {
        if wide > 0.0 { "inf".into() } else { "-inf".into() }
    } else {
        let text = serde_json::to_string(&number).unwrap_or_default();
        text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
    }
}

fn called_like(found: &Option<String>) -> String {
    found.as_ref().map(|found| format!("; its tensors are called like `{found}`")).unwrap_or_default()
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;
