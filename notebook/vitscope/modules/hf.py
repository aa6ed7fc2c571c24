"""Models of transformers: config.json and names of tensors as `save_pretrained` writes them.

What the config doesn't say is found by building the model anew of it; of heads that were replaced the layer says how many classes there are.
"""

from __future__ import annotations

import copy
import json
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from . import ModuleFiles, state, timm
from .structure import difference, parts

if TYPE_CHECKING:
    import torch
    from torch import nn

TYPES = frozenset("""
    aimv2 aimv2_vision_model altclip altclip_vision_model aya_vision beit blip blip-2 blip_2_vision_model blip_vision_model chinese_clip
    chinese_clip_vision_model chmv2 clip clip_vision_model clipseg clipseg_vision_model cohere2_vision colpali data2vec-vision deepseek_vl deit
    depth_anything dinov2 dinov2_with_registers dinov3_vit dpt flava flava_image_model gemma3 git git_vision_model ijepa instructblip
    instructblip_vision_model kosmos-2 kosmos_2_vision_model lfm2_vl llava llava_next llava_next_video llava_onevision metaclip_2
    metaclip_2_vision_model mobilevit owlv2 owlv2_vision_model owlvit owlvit_vision_model paligemma prompt_depth_anything sam sam_vision_model
    shieldgemma2 siglip siglip2 siglip2_vision_model siglip_vision_model swin swinv2 tipsv2 tipsv2_dpt tipsv2_vision_model video_llava vipllava
    vision-encoder-decoder vision-text-dual-encoder vit vit_mae vit_msn zoedepth
""".split())
"""Types of config that are read."""

HEADS = ("classifier", "cls_classifier", "distillation_classifier")

BARE = {"vit": "ViTModel", "deit": "DeiTModel"}
"""Types whose features are what a head would read, and the class that has no head."""

TEXT = ("text_model", "text_encoder", "text_decoder", "language_model", "lm_head", "multi_modal_projector", "qformer", "decoder")
"""Parts of larger models that see no image: they are not sent."""


def of(model: nn.Module) -> ModuleFiles:
    """The files of a model. ValueError: what is not read, and the remedy."""
    name, config = type(model).__name__, getattr(model, "config", None)
    if hasattr(model, "timm_model"):
        return _of_wrapper(model)
    model_type = getattr(config, "model_type", None)
    if model_type not in TYPES:
        if getattr(model, "main_input_name", "pixel_values") == "input_ids":
            raise ValueError(f"{name} reads text: give a model that reads images, such as `google/vit-base-patch16-224`.")
        if hasattr(model, "forward") and config is not None and model_type:
            raise ValueError(f"{name} (`{model_type}`) is not read: give a ViT, such as ViTForImageClassification, Dinov2Model or CLIPModel.")
        raise ValueError(f"{name} is a part of a model of transformers: give the model that it is of.")
    config, files = copy.deepcopy(config), {}
    architecture = _fit_head(model, config) or name
    if _build(type(model), config) is not None:
        reason = difference(parts(model), parts(_build(type(model), config)))
        if reason:
            raise ValueError(f"{name} is not what its config says: {reason}. No config.json says so: set it in the config that the model is built of, "
                             "or undo the change.")
    tensors = _saved(model)
    config.architectures = [architecture]
    return ModuleFiles(title=_title(config, name), config=_json(config, model), tensors=tensors, files=files)


def _fit_head(model: nn.Module, config: Any) -> str | None:
    """Makes a config's labels as many as its head's outputs; the class that has no head, where somebody took it away."""
    for name in HEADS:
        head = getattr(model, name, None)
        kind = type(head).__name__
        if head is None:
            continue
        if kind == "Identity" and config.num_labels and config.model_type in BARE:
            config.num_labels = 0
            return BARE[config.model_type]
        if kind not in ("Linear", "Identity") or kind == "Identity" and config.model_type not in BARE:
            raise ValueError(f"The `{name}` of this {type(model).__name__} is a {kind}, which no config.json tells: give it an nn.Linear.")
        if kind == "Linear" and head.out_features != config.num_labels:
            config.num_labels = head.out_features
    head = getattr(model, "classifier", None)
    return BARE.get(config.model_type) if type(head).__name__ == "Identity" else None


def _build(kind: type, config: Any) -> nn.Module:
    """The same of its config alone, without memory."""
    import torch

    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return kind(copy.deepcopy(config))


def _saved(model: nn.Module) -> dict[str, torch.Tensor]:
    """Tensors by the names that `save_pretrained` writes: transformers 5 renames when it loads, and back when it saves."""
    tensors = {name: tensor for name, tensor in state(model).items() if not set(name.split(".")[:2]) & set(TEXT)}
    for name in getattr(model, "_keys_to_ignore_on_save", None) or ():
        tensors.pop(name, None)
    try:
        from transformers.core_model_loading import revert_weight_conversion
    except ImportError:  # transformers 4
        return tensors
    return revert_weight_conversion(model, tensors) if hasattr(model, "base_model_prefix") else tensors


def _json(config: Any, model: nn.Module) -> dict[str, Any]:
    """What `config.save_pretrained` writes."""
    written = json.loads(config.to_json_string(use_diff=True))
    written["architectures"] = config.architectures
    return written


def _title(config: Any, name: str) -> str:
    """Where a model came from, or its class."""
    source = getattr(config, "_name_or_path", None) or ""
    path = PurePath(source)
    return (path.name if path.is_absolute() or len(path.parts) > 2 else source) or name


def _of_wrapper(model: nn.Module) -> ModuleFiles:
    """One of timm within transformers: that, and what transformers knows of its classes."""
    config = model.config
    classes = getattr(config, "num_labels", 0)
    named = [config.id2label[i] for i in range(classes)] if classes and len(config.id2label) == classes else []
    labels = named if any(label != f"LABEL_{i}" for i, label in enumerate(named)) else None
    made = timm.of(model.timm_model, None)
    if labels and len(labels) == made.config["num_classes"]:
        made.config["label_names"] = labels
    if getattr(config, "problem_type", None):
        made.config["problem_type"] = config.problem_type
    return made
