"""Models of timm: config.json as `timm.models.save_for_hf` writes it, with all arguments that make a model what it is.

An argument is written where it differs from what the architecture's name stands for. What no argument says is found by
building the model anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from . import ModuleFiles, package_of, state
from .structure import difference, parts, unallocated
from .timm_args import Args, classes_of, head_of, of_beit, of_eva, of_sam, of_swin, of_vit

if TYPE_CHECKING:
    from torch import nn

Read = Callable[["nn.Module"], Args]

KINDS: dict[str, tuple[Read, Sequence[str]]] = {
    "VisionTransformer": (of_vit, ["vit_base_patch16_224", "vit_base_patch16_clip_224", "vit_giant_patch14_dinov2"]),
    "VisionTransformerDistilled": (of_vit, ["deit_base_distilled_patch16_224"]),
    "Eva": (
        of_eva,
        [
            "eva02_base_patch14_224",
            "eva_giant_patch14_224",
            "vit_base_patch16_rope_224",
            "vit_base_patch16_rope_mixed_224",
            "vit_base_patch16_dinov3",
            "vit_pe_core_base_patch16_224",
            "vit_pe_spatial_base_patch16_512",
        ],
    ),
    "Beit": (of_beit, ["beit_base_patch16_224"]),
    "SwinTransformer": (of_swin, ["swin_tiny_patch4_window7_224"]),
    "SwinTransformerV2": (of_swin, ["swinv2_tiny_window8_256"]),
    "VisionTransformerSAM": (of_sam, ["samvit_base_patch16", "samvit_base_patch16_224"]),
}
"""Classes that are read, and names for what the class alone has built, or what no argument makes of its own name."""

STATED = ("num_classes", "num_heads", "global_pool")
"""Arguments that are always written: people change them afterwards, or the name says another thing at another width."""

SHOWN = ("init_values",)
"""Arguments that a name has and its model may lack: tensors show that, where a null in a config.json says nothing."""

PARTS = {
    "patch_embed": ("PatchEmbed",),
    "block": ("Block", "EvaBlock", "SwinTransformerBlock", "SwinTransformerV2Block"),
    "block.attn": ("Attention", "EvaAttention", "AttentionRope", "WindowAttention"),
    "block.norm1": ("LayerNorm", "LayerNormFp32"),
}
"""The kinds of a model's parts that are read."""

POOLED = ("token", "avg", "map")

PIXELS = ("interpolation", "crop_pct", "crop_mode", "mean", "std", "tag")
"""What of `pretrained_cfg` is kept beside the size of images."""


def is_read(model: nn.Module) -> bool:
    """Whether it is of a class that is read."""
    return type(model).__name__ in KINDS


def of(model: nn.Module) -> ModuleFiles:
    """The files of a model. Raises ValueError with what is not read, and the remedy."""
    kind, pretrained = type(model).__name__, _pretrained(model)
    if not is_read(model):
        raise ValueError(
            f"{kind} of timm is not read: give one of its plain ViTs, DeiT, BEiT, EVA, DINOv3, Swin or SAM's encoder."
        )
    own = pretrained.get("architecture")
    _check_parts(model, own or "")
    _check_head(model)
    read, names = KINDS[kind]
    args = read(model)
    _check_args(kind, args)
    architecture, args = _named(model, args, read, [own, *names] if own else names)
    size = model.patch_embed.img_size or pretrained.get("input_size", (3, 224, 224))[1:]
    pixels = {key: pretrained[key] for key in PIXELS if pretrained.get(key) is not None}
    config = {
        "architecture": architecture,
        "num_classes": classes_of(model),
        "num_features": model.num_features,
        "global_pool": args["global_pool"],
        "model_args": args,
        "pretrained_cfg": pixels | {"input_size": [3, *size]},
    }
    labels = _labels(pretrained, classes_of(model))
    if labels:
        config["label_names"] = labels
    return ModuleFiles(title=own or kind, config=config, tensors=state(model))


def _named(model: nn.Module, args: Args, read: Read, names: Sequence[str]) -> tuple[str, Args]:
    """The first name whose model is this one, by arguments of that model's own."""
    found, first = parts(model), None
    for name in names:
        more = {"depth": args["depth"]} if "depth" in args else {}
        built = _build(name, more)
        # (One argument may decide what another is by default.)
        while built is not None and (changed := _apart(args, read(built), more)):
            more |= changed
            built = _build(name, more)
        # What its positions are a name says alone.
        if built is None or "rope_type" in more:
            continue
        reason = difference(found, parts(built))
        if reason is None:
            more |= {key: args[key] for key in STATED}
            return name, {key: value for key, value in more.items() if value is not None}
        first = first or reason
    raise ValueError(
        f"{type(model).__name__} is not what timm builds: {first or 'its arguments belong to no model that is read'}. "
        "No config.json would say so: build it by timm's own arguments, or undo the change."
    )


def _apart(args: Args, built: Args, told: Args) -> Args:
    """What is otherwise in a model that was built, of what was not told."""
    apart = {key: value for key, value in args.items() if key not in told and value != built.get(key)}
    return {key: value for key, value in apart.items() if value is not None or key in SHOWN}


def _build(name: str, args: Args) -> nn.Module | None:
    """timm's model without memory, None where it has none of that name and these arguments."""
    import timm
    from timm.layers import get_act_layer

    if "act_layer" in args:  # (not every class takes a name)
        args = args | {"act_layer": get_act_layer(args["act_layer"])}
    if not timm.is_model(name) or package_of(timm.model_entrypoint(name)) != "timm":
        return None
    try:
        with unallocated():
            return timm.model_entrypoint(name)(**args)  # `create_model` would leave out what is None
    except (RuntimeError, TypeError, ValueError, AssertionError):
        return None


def _check_parts(model: nn.Module, name: str) -> None:
    """Raises ValueError unless it is made of what is read; `name`: its architecture, if it has one."""
    blocks = model.layers[0].blocks if hasattr(model, "layers") else model.blocks
    for path, kinds in PARTS.items():
        owner, _, rest = path.partition(".")
        part = blocks[0] if owner == "block" else getattr(model, owner)
        part = getattr(part, rest, None) if rest else part
        # (AIMv2 is the one whose other norm is read.)
        if type(part).__name__ not in kinds and not (rest == "norm1" and name.startswith("aimv2_")):
            where = path.replace("block", "blocks[0]")
            raise ValueError(
                f"The {where} of this {type(model).__name__} is a {type(part).__name__}, which is not read: "
                f"build it with {' or '.join(kinds)}."
            )


def _check_head(model: nn.Module) -> None:
    """Raises ValueError unless classes are made of features by one layer, or there are none."""
    for name, head in (("head", head_of(model)), ("head_dist", getattr(model, "head_dist", None))):
        if head is not None and type(head).__name__ not in ("Linear", "Identity"):
            raise ValueError(
                f"The `{name}` of this {type(model).__name__} is a {type(head).__name__}, which no config.json tells: "
                "give it an nn.Linear, or nn.Identity() to see its features."
            )


def _check_args(kind: str, args: Args) -> None:
    if args["in_chans"] != 3:
        raise ValueError(f"This {kind} takes {args['in_chans']} channels: give one of RGB images.")
    if args["global_pool"] not in POOLED:
        raise ValueError(
            f"This {kind} pools by global_pool='{args['global_pool']}', which is not read: "
            f"`reset_classifier` sets another of {', '.join(POOLED)}."
        )
    if kind == "Beit" and (args["scale_mlp"] or args["swiglu_mlp"]):
        raise ValueError("This Beit has a gate or a norm within its MLP, which is not read: build it without.")
    if args.get("pos_embed") == "none":
        raise ValueError(f"This {kind} has no positions (pos_embed='none'), which is not read: give one that has.")


def _pretrained(model: nn.Module) -> dict[str, Any]:
    """What timm knows of the weights that a name stands for; empty where a class was called."""
    cfg = getattr(model, "pretrained_cfg", None) or {}
    return dict(cfg) if isinstance(cfg, dict) else cfg.to_dict()


def _labels(pretrained: dict[str, Any], classes: int) -> list[str] | None:
    """Names of classes, if the weights came with as many."""
    names, described = pretrained.get("label_names"), pretrained.get("label_descriptions") or {}
    if not names or len(names) != classes or isinstance(names, dict):
        return None
    return [described.get(name, name) if isinstance(described, dict) else name for name in names]
