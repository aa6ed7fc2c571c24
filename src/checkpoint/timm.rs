//! What the `config.json` of timm models have in common.

use super::blocks::read_rest_of_pool;
use super::heads::read_heads;
use super::json::{Json, as_usize, text_of};
use super::reader::{Bias, Reader, add, matrix};
use super::tensors::Tensors;
use super::{hf, labels, unsupported};
use crate::error::Result;
use crate::model::{
    Activation, AttentionPool, Block, Config, Embeddings, Interpolation, LayerNorm, LearnedGrid, Pooling, Positions,
    Prefix, Scores, Weights,
};
use ndarray::Array2;
use serde_json::Value;

/// timm passes this to every LayerNorm but CLIP's; its config does not record it.
pub(super) const LAYER_NORM_EPS: f32 = 1e-6;

/// The config of a model, and the arguments it was built with beside what its architecture's name stands for.
pub(super) struct Architecture<'a> {
    pub json: &'a Json,
    pub name: &'a str,
    pub args: Json,
    class: &'static Class,
    /// Whether transformers made the file: its class builds the model by its name and `model_args` alone.
    wrapped: bool,
}

/// Arguments of timm's classes that only matter in training, while a model is built, or at sizes it wasn't made for, where the same is done without them.
const HARMLESS_ARGS: &[&str] = &[
    "attn_drop_rate",
    "device",
    "drop_path_rate",
    "drop_rate",
    "dtype",
    "dynamic_img_size",
    "fix_init",
    "head_init_scale",
    "patch_drop_rate",
    "pos_drop_rate",
    "proj_drop_rate",
    "weight_init",
];

/// What a class of timm's takes beside what all of them do. (What is here comes before what is said of all.)
pub(super) struct Class {
    /// Arguments that are read one by one.
    pub reads: &'static [&'static str],
    /// Arguments that may only be what they are by default, as JSON.
    pub defaults: &'static [(&'static str, &'static str)],
    /// Arguments that are on where the file has one of these tensors.
    pub shown: &'static [(&'static str, &'static [&'static str])],
    /// Parts of tensors' names that are not run, with what they mean.
    pub telltales: &'static [(&'static str, &'static str)],
    /// Whether models that pool by attention are run.
    pub pools: bool,
    /// Whether `mlp_ratio` is that of what fc2 reads, where fc1 gives twice as much; it may be rounded up.
    pub ratio_is_read: bool,
}

/// `VisionTransformer`.
pub(super) const VIT: Class = Class {
    reads: &["pool_include_prefix"],
    defaults: &[],
    shown: &[
        ("final_norm", &["norm.weight", "fc_norm.weight"]),
        ("scale_attn_norm", &["blocks.0.attn.norm.weight"]),
        ("scale_mlp_norm", &["blocks.0.mlp.norm.weight"]),
    ],
    telltales: TELLTALES,
    pools: true,
    ratio_is_read: false,
};

/// Arguments that are read one by one.
const READ_ARGS: &[&str] = &["act_layer", "dynamic_img_pad", "global_pool", "img_size", "norm_layer", "num_heads"];

/// Arguments that may only be what they are by default, as JSON.
const DEFAULT_ARGS: &[(&str, &str)] = &[
    ("attn_layer", "\"\""),
    ("attn_layer", "\"attn\""),
    ("features_only", "false"),
    ("final_norm", "true"),
    ("in_chans", "3"),
    ("pos_embed", "\"learn\""),
    ("proj_bias", "true"),
    ("scale_attn_norm", "false"),
    ("scale_mlp", "false"),
    ("scale_mlp_norm", "false"),
    ("swiglu_mlp", "false"),
];

/// Arguments that are on where the file has one of these tensors.
const SHOWN_ARGS: &[(&str, &[&str])] = &[
    ("class_token", &["cls_token"]),
    ("fc_norm", &["fc_norm.weight"]),
    ("init_values", &["blocks.0.ls1.gamma", "blocks.0.gamma_1"]),
    ("pre_norm", &["norm_pre.weight"]),
    ("qk_norm", &["blocks.0.attn.q_norm.weight"]),
    ("qkv_bias", &["blocks.0.attn.qkv.bias", "blocks.0.attn.q_bias"]),
    ("use_abs_pos_emb", &["pos_embed"]),
    ("use_fc_norm", &["fc_norm.weight"]),
    ("use_rel_pos_bias", &["blocks.0.attn.relative_position_bias_table"]),
    ("use_shared_rel_pos_bias", &["rel_pos_bias.relative_position_bias_table"]),
];

/// Arguments that must be what the shapes of tensors are.
const SHAPE_ARGS: &[&str] =
    &["depth", "embed_dim", "mlp_ratio", "no_embed_class", "num_classes", "num_reg_tokens", "patch_size", "reg_tokens"];

/// What tensors of blocks are called.
pub(super) const BLOCKS: &str = "blocks.";

/// What the weights of a head are called: in plain models, and in those whose features are a map.
const HEADS: [&str; 2] = ["head.weight", "head.fc.weight"];

/// What tensors of an attention-pool head are called.
pub(super) const ATTENTION_POOL: &str = "attn_pool.";

/// Tensors of what the families here don't have, with what they mean. Any other surplus tensor is refused too; these can say why.
const TELLTALES: &[(&str, &str)] = &[
    ("patch_embed.backbone.", "a convolutional stem"),
    ("patch_embed.norm.", "a norm in its patch embedding"),
    ("rope", "rotary positions"),
    (".attn.gate.", "gated attention"),
    (".lambda_", "differential attention"),
    (".attns.", "parallel attention"),
    (".in_proj.", "parallel blocks"),
];

impl<'a> Architecture<'a> {
    pub fn new(json: &'a Json, tensors: &Tensors, class: &'static Class) -> Result<Self> {
        let name = json.optional_str("architecture").unwrap_or_default();
        let args = json.nested("model_args")?.unwrap_or_else(|| json.empty());
        let own = Self { json, name, args, class, wrapped: json.optional_str("model_type") == Some("timm_wrapper") };
        for key in own.args.keys() {
            let Some(value) = own.args.get(key) else { continue };
            let text = text_of(value);
            let default = [class.defaults, DEFAULT_ARGS].iter().any(|defaults| defaults.contains(&(key, &text)));
            let shown = class.shown.iter().chain(SHOWN_ARGS).find(|(arg, _)| *arg == key);
            if class.reads.contains(&key) {
                continue;
            }
            if let Some((_, names)) = shown {
                tensors.shape("patch_embed.proj.weight")?;
                hf::check_shown(&own.args, tensors, key, None, &|name| names.contains(&name))?;
            } else if !(default || [HARMLESS_ARGS, READ_ARGS, SHAPE_ARGS].iter().any(|args| args.contains(&key))) {
                let evidence = format!("`model_args` sets `{key}` to {text}, which this version does not run");
                return Err(own.refuse(&evidence));
            }
        }
        let names = tensors.names();
        for (mark, meaning) in class.telltales {
            if let Some(name) = names.iter().find(|name| name.contains(mark)) {
                let name = tensors.in_file(name);
                return Err(own.refuse(&format!("tensor `{name}` belongs to {meaning}")));
            }
        }
        let plain = |norm: &Value| norm.as_str().is_some_and(|norm| norm.eq_ignore_ascii_case("layernorm"));
        if let Some(norm) = own.args.get("norm_layer").filter(|norm| !plain(norm)) {
            return Err(
                own.refuse(&format!("`model_args` sets `norm_layer` to {}, and only LayerNorm is run", text_of(norm)))
            );
        }
        Ok(own)
    }

    /// Refuses a name of whose `parts` one is not known.
    pub fn require_known(&self, parts: &[&str], known: &dyn Fn(&str) -> bool) -> Result<()> {
        parts.iter().find(|part| !known(part)).map_or(Ok(()), |part| Err(self.refuse_part(part)))
    }

    pub fn refuse_part(&self, part: &str) -> crate::Error {
        self.refuse(&format!("`{part}` in its name marks a variant this version does not run"))
    }

    /// The parts of the architecture's name, without what tells one training of it from another.
    pub fn parts(&self) -> Vec<&'a str> {
        self.name.split('.').next().unwrap_or_default().split('_').collect()
    }

    pub fn refuse(&self, evidence: &str) -> crate::Error {
        unsupported(self.name, evidence)
    }

    /// ε of the LayerNorm that was asked for, or the architecture's usual one.
    pub fn layer_norm_eps(&self, usual: f32) -> f32 {
        if self.args.get("norm_layer").is_some() { LAYER_NORM_EPS } else { usual }
    }

    /// The activation that was asked for, or the architecture's usual one.
    pub fn activation(&self, usual: Activation) -> Result<Activation> {
        match self.args.get("act_layer") {
            None => Ok(usual),
            Some(name) => match name.as_str() {
                Some("gelu") => Ok(Activation::Gelu),
                Some("gelu_tanh") => Ok(Activation::GeluTanh),
                Some("quick_gelu" | "quickgelu") => Ok(Activation::QuickGelu),
                Some("silu" | "swish") => Ok(Activation::Silu),
                Some("relu") => Ok(Activation::Relu),
                _ => Err(self.refuse(&format!(
                    "`model_args` sets `act_layer` to {}, which this version does not run",
                    text_of(name)
                ))),
            },
        }
    }

    /// What every plain family reads alike. `heads` is what the architecture's name stands for; `prefix` are tokens before the patches.
    pub fn config(
        &self,
        tensors: &Tensors,
        heads: &dyn Fn(usize) -> usize,
        prefix: Vec<Prefix>,
        usual_pooling: Pooling,
    ) -> Result<Config> {
        let (mut config, classes) = self.without_blocks(tensors, prefix, usual_pooling)?;
        config.layers = (0..).take_while(|i| tensors.has(&format!("blocks.{i}.norm1.weight"))).count();
        config.heads = self.args.optional_usize("num_heads")?.unwrap_or_else(|| heads(config.hidden_size));
        config.mlp_size = tensors.inputs("blocks.0.mlp.fc2.weight")?;
        self.check_shapes(&config, tensors, classes)?;
        Ok(config)
    }

    /// All but what blocks are, and the number of classes of its head.
    pub fn without_blocks(
        &self,
        tensors: &Tensors,
        prefix: Vec<Prefix>,
        usual_pooling: Pooling,
    ) -> Result<(Config, usize)> {
        let projection = tensors.shape("patch_embed.proj.weight")?;
        let &[hidden_size, channels, patch_height, patch_width] = projection else {
            return Err(self
                .json
                .problem(format!("`patch_embed.proj.weight` has shape {projection:?}, not four dimensions.")));
        };
        if channels != 3 {
            return Err(self.refuse(&format!("it takes {channels} channels, and only RGB is run")));
        }
        let classes = match HEADS.into_iter().find(|head| tensors.has(head)) {
            Some(head) => tensors.shape(head)?.first().copied().unwrap_or(0),
            None => 0,
        };
        let patch_size = [patch_height, patch_width];
        let (labels, named) = self.labels(tensors, classes)?;
        let config = Config {
            // (Its name is set where it was chosen.)
            family: "",
            image_size: self.image_size(tensors, prefix.len(), patch_size)?,
            patch_size,
            pads: self.args.optional_bool("dynamic_img_pad")?.unwrap_or(false),
            hidden_size,
            stages: Vec::new(),
            maps: None,
            layers: 0,
            heads: 0,
            mlp_size: 0,
            activation: Activation::Gelu,
            gated: false,
            layer_norm_eps: LAYER_NORM_EPS,
            rms_norm: false,
            positions: Positions::LEARNED,
            prefix,
            pooling: self.pooling(usual_pooling)?,
            pool: None,
            pools_prefix: false,
            projection_size: None,
            zero_shot: false,
            max_logit_scale: None,
            scores: Scores::Softmax,
            labels: labels.into(),
            named,
        };
        Ok((config, classes))
    }

    /// Refuses a model without a norm behind its blocks or behind its pooling.
    pub fn require_last_norm(&self, config: &Config, tensors: &Tensors) -> Result<()> {
        if ["norm.weight", "fc_norm.weight"].iter().any(|name| tensors.has(name)) {
            return Ok(());
        }
        Err(tensors.missing(if config.pooling == Pooling::Mean { "fc_norm.weight" } else { "norm.weight" }))
    }

    /// Refuses arguments that are not what the tensors are.
    fn check_shapes(&self, config: &Config, tensors: &Tensors, classes: usize) -> Result<()> {
        let args = &self.args;
        let no_class = args.optional_bool("no_embed_class")?.filter(|_| config.prefix_tokens() > 0);
        let alone = tensors.shape("pos_embed").is_ok_and(|shape| shape.get(1) == Some(&config.patches()));
        let ratio = args.typed("mlp_ratio", "a number", Value::as_f64)?;
        let (outputs, rounded) = match self.class.ratio_is_read {
            true => (config.mlp_size, 64),
            false => (tensors.shape("blocks.0.mlp.fc1.weight")?.first().copied().unwrap_or(0), 1),
        };
        let registers = config.prefix.iter().filter(|prefix| **prefix == Prefix::Register).count();
        let mut wrong = None;
        for (key, shown) in [
            ("depth", config.layers),
            ("embed_dim", config.hidden_size),
            ("num_classes", classes),
            ("reg_tokens", registers),
            ("num_reg_tokens", registers),
        ] {
            wrong = wrong.or(args.optional_usize(key)?.filter(|stated| *stated != shown).map(|_| key));
        }
        if no_class.is_some_and(|no_class| no_class != alone) {
            wrong = Some("no_embed_class");
        }
        if ratio.is_some_and(|ratio| {
            let width = (config.hidden_size as f64 * ratio) as usize;
            !(width..width.saturating_add(rounded)).contains(&outputs)
        }) {
            wrong = Some("mlp_ratio");
        }
        if args.optional_pair("patch_size")?.is_some_and(|patch| patch != config.patch_size) {
            wrong = Some("patch_size");
        }
        match wrong {
            None => Ok(()),
            Some(key) => Err(self.json.problem(format!(
                "`model_args.{key}` is not what the tensors show. Check that the files belong together."
            ))),
        }
    }

    /// As stated, or as positions show, where they are those of a square.
    fn image_size(&self, tensors: &Tensors, prefix: usize, patch: [usize; 2]) -> Result<[usize; 2]> {
        let pretrained = self.json.nested("pretrained_cfg")?;
        let input_size =
            pretrained.as_ref().unwrap_or(self.json).typed("input_size", "three whole numbers", |size| {
                match size.as_array()?.as_slice() {
                    [_, height, width] => Some([as_usize(height)?, as_usize(width)?]),
                    _ => None,
                }
            })?;
        if let Some(size) = self.args.optional_pair("img_size")?.or(input_size) {
            return Ok(size);
        }
        // (`[1, N, D]`, or a grid of them.)
        let places = |shape: &[usize]| {
            let edges = shape.get(1..shape.len().saturating_sub(1)).unwrap_or_default();
            edges.iter().fold(1usize, |places, edge| places.saturating_mul(*edge))
        };
        let rows = tensors.shape("pos_embed").map_or(0, places);
        let edge = |patches: usize| (patches as f64).sqrt() as usize;
        let square = |patches: &usize| *patches > 0 && edge(*patches).pow(2) == *patches;
        if let Some(patches) = [rows.saturating_sub(prefix), rows].into_iter().find(square) {
            return Ok(patch.map(|size| size.saturating_mul(edge(patches))));
        }
        Err(self.json.missing("pretrained_cfg.input_size"))
    }

    pub fn stated_pooling(&self) -> Result<Option<&str>> {
        let stated = self.args.text("global_pool")?;
        if self.wrapped { Ok(stated) } else { Ok(stated.or(self.json.text("global_pool")?)) }
    }

    fn pooling(&self, usual: Pooling) -> Result<Pooling> {
        match self.stated_pooling()? {
            None => Ok(usual),
            Some("token") => Ok(Pooling::Cls),
            Some("avg") => Ok(Pooling::Mean),
            Some("map") if self.class.pools => Ok(Pooling::Attention),
            Some(other) => Err(self.refuse(&format!("`global_pool` is `{other}`, which this version does not run"))),
        }
    }

    /// A name for each class, and whether somebody gave them: `label_names` (`labels` in old files), all of them or by index with gaps.
    fn labels(&self, tensors: &Tensors, classes: usize) -> Result<(Vec<String>, bool)> {
        let own = ["label_names", "labels"].into_iter().find(|key| self.json.get(key).is_some());
        let wrapped = || if self.wrapped { Some("id2label") } else { None };
        if self.wrapped && classes == 0 {
            // Its class for features writes names of classes all the same.
            return if hf::is_classifier(self.json) {
                Err(tensors.missing("head.weight"))
            } else {
                Ok((Vec::new(), false))
            };
        }
        let Some(key) = own.or_else(wrapped) else { return Ok((labels::numbered(classes), false)) };
        let Some(labels) = labels::read(self.json, key, Some(classes))? else {
            return Ok((labels::numbered(classes), false));
        };
        let named = labels::are_names(&labels);
        Ok((labels, named))
    }
}

/// Whether a config's architecture has a name that starts so, and that has one of `parts` if there are any.
pub(super) fn is_named(config: &Json, starts: &[&str], parts: &[&str]) -> bool {
    let name = config.optional_str("architecture").and_then(|name| name.split('.').next()).unwrap_or_default();
    starts.iter().any(|start| name.starts_with(start))
        && (parts.is_empty() || parts.iter().any(|part| name.contains(part)))
}

/// The tokens before the patches, in order.
const PREFIX: [(&str, Prefix); 3] =
    [("cls_token", Prefix::Class), ("dist_token", Prefix::Distillation), ("reg_token", Prefix::Register)];

/// Which tokens there are before the patches.
pub(super) fn prefix(tensors: &Tensors) -> Result<Vec<Prefix>> {
    let mut prefix = Vec::new();
    for (name, kind) in PREFIX.into_iter().filter(|(name, _)| tensors.has(name)) {
        let registers = || {
            Ok::<_, crate::Error>(tensors.shape(name)?.get(1).copied().unwrap_or(0).min(crate::kernels::gemm_i8::MAX_K))
        };
        let count = if kind == Prefix::Register { registers()? } else { 1 };
        prefix.extend(std::iter::repeat_n(kind, count));
    }
    Ok(prefix)
}

/// The tokens before the patches `[P, D]` with their positions, and positions of the patches: those of all tokens are in one tensor, or only the patches have
/// any, or nobody.
fn read_tokens(config: &Config, reader: &mut Reader, how: Interpolation) -> Result<(Array2<f32>, Option<LearnedGrid>)> {
    let width = config.hidden_size;
    let mut prefix = Vec::new();
    for (name, kind) in PREFIX {
        let count = config.prefix.iter().filter(|prefix| **prefix == kind).count();
        if count > 0 {
            prefix.extend(reader.floats(name, &[1, count, width])?);
        }
    }
    let mut patches = None;
    if config.positions.learned {
        let own = if reader.has_positions_of_patches_alone("pos_embed") { 0 } else { config.prefix_tokens() };
        let positions = reader.positions("pos_embed", &[1], [own, width], how)?;
        add(&mut prefix, &positions.prefix);
        patches = Some(positions.patches);
    }
    Ok((matrix(prefix, width), patches))
}

/// All but what a family has its own way of: `blocks`, the norm of patches and what pools.
pub(super) fn read_rest(
    config: &Config,
    reader: &mut Reader,
    how: Interpolation,
    blocks: Vec<Block>,
    patch_norm: Option<LayerNorm>,
    pool: Option<AttentionPool>,
) -> Result<Weights> {
    let (width, eps) = (config.hidden_size, config.layer_norm_eps);
    let (norm, fc_norm) = read_last_norm(config, reader)?;
    let (prefix, positions) = read_tokens(config, reader, how)?;
    // Models with a norm before their blocks have no bias in their patches.
    let before = reader.optional_norm("norm_pre", width, eps)?;
    let bias = if before.is_some() { Bias::Optional } else { Bias::Required };
    let patch_projection = reader.patch_projection("patch_embed.proj", width, config.patch_size, bias)?;
    let embeddings = Embeddings { stem: None, patch_projection, patch_norm, prefix, positions, norm: before };
    let heads = read_heads(config, reader, "head", ["head", "head_dist"])?;
    Ok(Weights { embeddings, blocks, transitions: Vec::new(), norm, fc_norm, pool, projection: None, heads })
}

/// What pools by attention: the query is the same for every image.
pub(super) fn read_pool(config: &Config, reader: &mut Reader, activation: Activation) -> Result<AttentionPool> {
    let width = config.hidden_size;
    reader.within(ATTENTION_POOL, |reader| {
        let latent = reader.floats("latent", &[1, 1, width])?;
        let query = reader.applied("q", &latent)?;
        let key_value = reader.linear(&[("kv", Bias::Required)], width, 2 * width, None)?;
        read_rest_of_pool(config, reader, query, key_value, activation, ["proj", "norm"])
    })
}

/// `norm`, or in its place `fc_norm`: models that pool the mean normalise after pooling, unless they were built with fc_norm=False. Nothing where the file
/// has neither.
pub(super) fn read_last_norm(config: &Config, reader: &mut Reader) -> Result<(Option<LayerNorm>, Option<LayerNorm>)> {
    let (width, eps) = (config.hidden_size, config.layer_norm_eps);
    // (What is pooled by attention is not normalised again.)
    if config.pooling != Pooling::Attention
        && let Some(norm) = reader.optional_norm("fc_norm", width, eps)?
    {
        return Ok((None, Some(norm)));
    }
    Ok((reader.optional_norm("norm", width, eps)?, None))
}
