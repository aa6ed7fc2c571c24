"""Models of transformers: config.json and the names of tensors as `save_pretrained` writes them.

What a config doesn't say is found by building the model anew of it. Where a head was replaced, the layer says how many
classes there are.
"""

# ruff: noqa: SIM905 (a list would have a line for each)
from __future__ import annotations

import copy
import inspect
import json
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from . import ModuleFiles, state, timm
from .structure import difference, parts, unallocated

if TYPE_CHECKING:
    import torch
    from torch import nn

TYPES = frozenset(
    "aimv2 aimv2_vision_model altclip altclip_vision_model aya_vision beit blip blip-2 blip_2_vision_model "
    "blip_vision_model chinese_clip chinese_clip_vision_model chmv2 clip clip_vision_model clipseg "
    "clipseg_vision_model cohere2_vision colpali data2vec-vision deepseek_vl deit depth_anything dinov2 "
    "dinov2_with_registers dinov3_vit dpt flava flava_image_model gemma3 git git_vision_model ijepa instructblip "
    "instructblip_vision_model kosmos-2 kosmos_2_vision_model lfm2_vl llava llava_next llava_next_video "
    "llava_onevision metaclip_2 metaclip_2_vision_model mobilevit owlv2 owlv2_vision_model owlvit "
    "owlvit_vision_model paligemma prompt_depth_anything sam sam_vision_model shieldgemma2 siglip siglip2 "
    "siglip2_vision_model siglip_vision_model swin swinv2 tipsv2 tipsv2_dpt tipsv2_vision_model video_llava vipllava "
    "vision-encoder-decoder vision-text-dual-encoder vit vit_mae vit_msn zoedepth".split(" ")
)
"""What `model_type` may be."""

HEADS = ("classifier", "cls_classifier", "distillation_classifier")

BARE = {"vit": "ViTModel", "deit": "DeiTModel"}
"""Types whose features are what a head would read, and their class that has none."""

UNSEEN = {
    "text_model",
    "text_encoder",
    "text_decoder",
    "decoder",
    "language_model",
    "lm_head",
    "multi_modal_projector",
    "qformer",
}
"""Parts of larger models that see no image: nobody reads them, and they are most of it."""


def is_read(model: nn.Module) -> bool:
    """Whether it is a model, and of a type that is read."""
    return getattr(getattr(model, "config", None), "model_type", None) in TYPES


def of(model: nn.Module) -> ModuleFiles:
    """The files of a model. Raises ValueError with what is not read, and the remedy."""
    if hasattr(model, "timm_model"):
        return _of_wrapper(model)
    if not is_read(model):
        raise ValueError(_refusal(model))
    name, config = type(model).__name__, copy.deepcopy(model.config)
    architecture = _fit_head(model, config)
    reason = difference(parts(model), parts(_built(model, config)))
    if reason:
        raise ValueError(
            f"{name} is not what its config says: {reason}. No config.json would say so: "
            "set it in the config that the model is built of, or undo the change."
        )
    written = json.loads(config.to_json_string(use_diff=True))
    written |= {"architectures": [architecture], "dtype": str(next(model.parameters()).dtype).removeprefix("torch.")}
    if any(getattr(model, name, None) is not None for name in HEADS):  # (which is not written where there are two)
        written["id2label"] = {str(i): label for i, label in config.id2label.items()}
    return ModuleFiles(title=_title(config, name), config=written, tensors=_saved(model))


def _refusal(model: nn.Module) -> str:
    name, model_type = type(model).__name__, getattr(getattr(model, "config", None), "model_type", None)
    if model_type is None:
        return f"{name} is a part of a model of transformers: give the whole model."
    if getattr(model, "main_input_name", None) == "input_ids":
        return f"{name} (`{model_type}`) reads text: give a model that sees images, such as ViTForImageClassification."
    return f"{name} (`{model_type}`) is not read: give a ViT, such as ViTForImageClassification or Dinov2Model."


def _fit_head(model: nn.Module, config: Any) -> str:
    """Makes a config's labels as many as its head's outputs. Gives the class: another where the head was taken away."""
    architecture = type(model).__name__
    for name in HEADS:
        head = getattr(model, name, None)
        kind = type(head).__name__
        if kind == "Identity" and config.model_type in BARE:
            config.num_labels, architecture = 0, BARE[config.model_type]
        elif kind == "Linear" and head.out_features != config.num_labels:
            config.num_labels = head.out_features
        elif kind not in ("Linear", "NoneType"):
            raise ValueError(
                f"The `{name}` of this {type(model).__name__} is a {kind}, which no config.json tells: "
                "give it an nn.Linear."
            )
    return architecture


def _built(model: nn.Module, config: Any) -> nn.Module:
    """The same of its config alone, without memory."""
    try:
        with unallocated():
            return type(model)(copy.deepcopy(config), **_arguments(model))
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{type(model).__name__} can't be built anew of its config: {error}") from error


def _arguments(model: nn.Module) -> dict[str, bool]:
    """What a class is told beside its config, as far as that is seen."""
    known = inspect.signature(type(model).__init__).parameters
    embeddings = getattr(model, "embeddings", None)
    seen = {
        "add_pooling_layer": getattr(model, "pooler", None) is not None,
        "use_mask_token": getattr(embeddings, "mask_token", None) is not None,
    }
    return {key: value for key, value in seen.items() if key in known}


def _saved(model: nn.Module) -> dict[str, torch.Tensor]:
    """Tensors as they are saved: transformers 5 renames them when it loads, and back when it saves."""
    tensors = {name: tensor for name, tensor in state(model).items() if UNSEEN.isdisjoint(name.split(".")[:3])}
    for name in getattr(model, "_keys_to_ignore_on_save", None) or ():
        tensors.pop(name, None)
    try:
        from transformers.core_model_loading import revert_weight_conversion
    except ImportError:  # transformers 4
        return tensors
    return revert_weight_conversion(model, tensors)


def _title(config: Any, name: str) -> str:
    """The name on the Hub or of the folder that a model is from, or its class."""
    path = PurePath(getattr(config, "_name_or_path", None) or name)
    hub = next((part for part in path.parts if part.startswith("models--")), None)  # (of its cache)
    if hub is not None:
        return hub.removeprefix("models--").replace("--", "/")
    return path.name if path.is_absolute() or len(path.parts) > 2 else str(path)


def _of_wrapper(model: nn.Module) -> ModuleFiles:
    """A model of timm within transformers: what transformers knows of its classes besides."""
    made, config = timm.of(model.timm_model), model.config
    names = [config.id2label.get(i, f"LABEL_{i}") for i in range(made.config["num_classes"])]
    if any(name != f"LABEL_{i}" for i, name in enumerate(names)):
        made.config["label_names"] = names
    if getattr(config, "problem_type", None):
        made.config["problem_type"] = config.problem_type
    return made
