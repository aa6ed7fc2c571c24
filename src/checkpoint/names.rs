//! What the names of a file's tensors tell.

/// What programs that wrap a model put before the names of all its tensors (DataParallel, `torch.compile`, PEFT, Lightning, timm within
/// transformers).
const WRAPPERS: &[&str] = &[
    "module.",
    "_orig_mod.",
    "base_model.model.",
    "model.",
    "backbone.",
    "timm_model.",
    "_forward_module.",
    "_fsdp_wrapped_module.",
];

/// The wrappers, or other prefixes of `more`, that all of `names` begin with, one after another.
pub(super) fn wrapping<'n>(names: &'n [String], more: &[&str]) -> &'n str {
    let Some(first) = names.first() else { return "" };
    let mut shared = 0;
    let all = |prefix: &str| names.iter().all(|name| name.starts_with(prefix));
    let wrappers = || WRAPPERS.iter().chain(more);
    let mut ends = wrappers();
    while let Some(wrapper) = ends.next() {
        let end = shared + wrapper.len();
        if first.get(shared..end) == Some(wrapper) && all(first.get(..end).unwrap_or_default()) {
            (shared, ends) = (end, wrappers());
        }
    }
    first.get(..shared).unwrap_or_default()
}

/// Ends of the names of buffers that many architectures have, or that follow from the others.
const MEANINGLESS: &[&str] =
    &["num_batches_tracked", "running_mean", "running_var", "_ids", "_index", "_table", "_mask"];

/// What tells one architecture from another, and then where any has its attention.
const MARKS: &[&str] = &["rope", "attn_pool", "downsample", "attn", "attention", ".weight", ""];

/// Whether `part` is somewhere in `text`. (std's way of finding that out is made for long texts, and a kilobyte to send.)
pub(super) fn holds(text: &str, part: &str) -> bool {
    place(text, part).is_some()
}

fn place(text: &str, part: &str) -> Option<usize> {
    (0..=text.len().checked_sub(part.len())?).find(|start| text.as_bytes()[*start..].starts_with(part.as_bytes()))
}

/// What is before and behind the first `part` in `text`.
pub(super) fn around<'t>(text: &'t str, part: &str) -> Option<(&'t str, &'t str)> {
    let start = place(text, part)?;
    Some((text.get(..start)?, text.get(start + part.len()..)?))
}

/// The name that says most about an unknown architecture: that of a weight, best of its first block's attention.
pub(super) fn telltale(names: &[String]) -> Option<&String> {
    MARKS.iter().find_map(|mark| {
        names.iter().find(|name| holds(name, mark) && !MEANINGLESS.iter().any(|end| name.ends_with(end)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn parts_are_found_wherever_they_are() {
        for (text, part) in [("blocks.0.attn", "attn"), ("attn", "attn"), ("aattn.", "attn"), ("x", ""), ("", "")] {
            assert!(holds(text, part), "{part} in {text}");
        }
        assert!(!holds("att", "attn") && !holds("", "a"));
        assert_eq!(around("12to24to6", "to"), Some(("12", "24to6")));
        assert_eq!(around("8", "to"), None);
    }

    #[test]
    fn wrappers_come_off_in_any_order_where_all_names_have_them() {
        for (given, expected) in [
            (&["module.a", "module.b"][..], "module."),
            (&["_orig_mod.module.model.a", "_orig_mod.module.model.b.c"], "_orig_mod.module.model."),
            (&["base_model.model.backbone.a"], "base_model.model.backbone."),
            (&["model.model.model."], "model.model.model."),
            (&["module.a", "b"], ""),
            (&["model.a", "module.b"], ""),
            (&["modules.a"], ""),
            (&[], ""),
        ] {
            assert_eq!(wrapping(&names(given), &[]), expected, "{given:?}");
        }
    }

    #[test]
    fn a_telltale_means_something() {
        for (given, expected) in [
            (&["a.num_batches_tracked", "bn.running_mean", "conv.weight"][..], "conv.weight"),
            (
                &["stem.bias", "layers.0.attn.relative_position_index", "layers.0.attn.proj.weight"],
                "layers.0.attn.proj.weight",
            ),
            (&["embeddings.position_ids", "h.0.attention.key.bias"], "h.0.attention.key.bias"),
            (&["x.bias", "x.weight"], "x.weight"),
            (&["only.bias", "other.num_batches_tracked"], "only.bias"),
        ] {
            assert_eq!(telltale(&names(given)).unwrap(), expected, "{given:?}");
        }
        assert!(telltale(&names(&["only.num_batches_tracked"])).is_none());
    }
}
