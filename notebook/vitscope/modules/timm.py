"""Models of timm: config.json as `timm.models.save_for_hf` writes it, with every argument that makes the model what it is.

An argument is written where it differs from what the architecture's name stands for. What no argument says is found by building the model anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from . import ModuleFiles, package_of, state
from .structure import difference, parts
from .timm_args import Args, classes_of, head_of, of_beit, of_eva, of_sam, of_swin, of_vit

if TYPE_CHECKING:
    from torch import nn

Read = Callable[["nn.Module"], Args]

KINDS: dict[str, tuple[Read, Sequence[str]]] = {
    "VisionTransformer": (of_vit, ["vit_base_patch16_224", "vit_base_patch16_clip_224", "vit_giant_patch14_dinov2"]),
    "VisionTransformerDistilled": (of_vit, ["deit_base_distilled_patch16_224"]),
    "Eva": (of_eva, ["eva02_base_patch14_224", "eva_giant_patch14_224", "vit_base_patch16_rope_224", "vit_base_patch16_rope_mixed_224",
                     "vit_base_patch16_dinov3", "vit_pe_core_base_patch16_224", "vit_pe_spatial_base_patch16_512"]),
    "Beit": (of_beit, ["beit_base_patch16_224"]),
    "SwinTransformer": (of_swin, ["swin_tiny_patch4_window7_224"]),
    "SwinTransformerV2": (of_swin, ["swinv2_tiny_window8_256"]),
    "VisionTransformerSAM": (of_sam, ["samvit_base_patch16", "samvit_base_patch16_224"]),
}
"""Classes that are read, and names whose models are others' by arguments: of what was built by the class alone, or as its own name isn't."""

STATED = ("num_classes", "num_heads", "global_pool")
"""Arguments that are always written: what a name stands for depends on the width too, or people change it afterwards."""

SHOWN = ("init_values",)
"""Arguments that a model may lack though its name has them: its tensors show that, and a null in a config.json says nothing."""

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


def of(model: nn.Module, labels: list[str] | None = None) -> ModuleFiles:
    """The files of a model. `labels`: names of its classes, if whoever wraps it has them. ValueError: what is not read, and the remedy."""
    kind, pretrained = type(model).__name__, _pretrained(model)
    if kind not in KINDS:
        raise ValueError(f"{kind} of timm is not read: of its models the plain ViTs, DeiT, BEiT, EVA, DINOv3, Swin and SAM's encoder are.")
    own = pretrained.get("architecture")
    _check_parts(model, own or "")
    _check_head(model)
    read, names = KINDS[kind]
    args = read(model)
    _check_args(kind, args)
    architecture, args = _named(model, args, read, [own, *names] if own else names)
    size = model.patch_embed.img_size or pretrained["input_size"][1:]
    config = {
        "architecture": architecture,
        "num_classes": classes_of(model),
        "num_features": model.num_features,
        "global_pool": args["global_pool"],
        "model_args": args,
        "pretrained_cfg": {key: pretrained[key] for key in PIXELS if pretrained.get(key) is not None} | {"input_size": [3, *size]},
    }
    labels = labels or _labels(pretrained, classes_of(model))
    if labels:
        config["label_names"] = labels
    return ModuleFiles(title=own or kind, config=config, tensors=state(model))


def _named(model: nn.Module, args: Args, read: Read, names: Sequence[str]) -> tuple[str, Args]:
    """The first name whose model is this one, by arguments of that model's own."""
    found, first = parts(model), None
    for name in names:
        built, more = _build(name, {}), {key: args[key] for key in STATED}
        # (One argument may decide what another is by default.)
        while built is not None and (changed := _apart(args, read(built), more)):
            more |= changed
            built = _build(name, more)
        # What its positions are a name says alone.
        if built is None or "rope_type" in more:
            continue
        reason = difference(found, parts(built))
        if reason is None:
            return name, {key: value for key, value in more.items() if value is not None}
        first = first or reason
    what = first or "timm does not build it by the arguments that it has"
    raise ValueError(f"{type(model).__name__} is not what timm builds: {what}. No config.json says so: build it by timm's own arguments, or undo the change.")


def _apart(args: Args, built: Args, told: Args) -> Args:
    """What is otherwise in a model that was built, of what was not told."""
    return {key: value for key, value in args.items() if value != built.get(key) and key not in told and (value is not None or key in SHOWN)}


def _build(name: str, args: Args) -> nn.Module | None:
    """timm's model without memory, None where it has none of that name and these arguments."""
    import timm
    import torch

    if not timm.is_model(name) or package_of(timm.model_entrypoint(name)) != "timm":
        return None
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            return timm.model_entrypoint(name)(**args)  # `create_model` would leave out what is None
    except (RuntimeError, TypeError, ValueError, AssertionError):
        return None


def _check_parts(model: nn.Module, name: str) -> None:
    """ValueError unless it is made of what is read; `name`: its architecture, if it has one."""
    blocks = model.layers[0].blocks if hasattr(model, "layers") else model.blocks
    for path, kinds in PARTS.items():
        part = blocks[0] if path.startswith("block") else model
        for step in path.split(".")[path.startswith("block"):]:
            part = getattr(part, step, None)
        # AIMv2 is the one whose other norm is read.
        if type(part).__name__ not in kinds and not (path == "block.norm1" and name.startswith("aimv2_")):
            raise ValueError(f"The {path.replace('block', 'blocks[0]')} of this {type(model).__name__} is a {type(part).__name__}, which is not read: "
                             f"only {', '.join(kinds)} {'are' if len(kinds) > 1 else 'is'}.")


def _check_head(model: nn.Module) -> None:
    """ValueError unless classes are made of features by one layer, or there are none."""
    for name, head in (("head", head_of(model)), ("head_dist", getattr(model, "head_dist", None))):
        if head is not None and type(head).__name__ not in ("Linear", "Identity"):
            raise ValueError(f"The `{name}` of this {type(model).__name__} is a {type(head).__name__}, which no config.json tells: give it an nn.Linear, "
                             f"or nn.Identity() to see its features.")


def _check_args(kind: str, args: Args) -> None:
    if args["in_chans"] != 3:
        raise ValueError(f"This {kind} takes {args['in_chans']} channels: only models of RGB images are read.")
    if args["global_pool"] not in POOLED:
        raise ValueError(f"This {kind} pools by global_pool='{args['global_pool']}': only {', '.join(POOLED)} are read; `reset_classifier` sets another.")
    if kind == "Beit" and (args["scale_mlp"] or args["swiglu_mlp"]):
        raise ValueError("This Beit has a gate or a norm within its MLP, which is not read.")
    if args.get("pos_embed") == "none":
        raise ValueError(f"This {kind} has no positions (pos_embed='none'), which is not read.")


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
