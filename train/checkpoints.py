"""Model folders of Hugging Face, and those that `vitscope quantize` made of them, as transformers' models in f32."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING, AutoConfig, PreTrainedModel


def labels_of(folder: Path) -> list[str]:
    names = json.loads((folder / "config.json").read_text())["id2label"]
    return [names[str(i)] for i in range(len(names))]


def size_of(folder: Path) -> int:
    """The edge of the image that the preprocessor cuts out."""
    return json.loads((folder / "preprocessor_config.json").read_text())["crop_size"]["height"]


def weights_of(folder: Path) -> dict[str, Tensor]:
    """The floats of a folder; those of `vitscope quantize`, 8 bits, are its integers times the scales of their rows."""
    state = load_file(folder / "model.safetensors")
    floats = {name: tensor for name, tensor in state.items() if not name.endswith("weight_scale")}
    for name, tensor in floats.items():
        scale = state.get(f"{name}_scale")
        if tensor.dtype == torch.int8 and scale.numel() == len(tensor):
            floats[name] = tensor * scale[:, None]
        elif not tensor.is_floating_point():
            raise SystemExit(f"{folder}: {name} has no scale a row: give the model in floats or in 8 bits")
    return {name: tensor.float() for name, tensor in floats.items()}


def open_model(folder: Path) -> PreTrainedModel:
    config = AutoConfig.from_pretrained(folder)
    kind = MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING[type(config)]
    model = kind.from_pretrained(None, config=config, state_dict=weights_of(folder), dtype=torch.float32)
    return model.eval()
