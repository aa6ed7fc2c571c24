"""Model folders of Hugging Face, and those that `vitscope quantize` made of them, as transformers' models in f32."""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING, AutoConfig, AutoModelForImageClassification, PreTrainedModel

from data import MEAN, STD


def labels_of(folder: Path) -> list[str]:
    names = json.loads((folder / "config.json").read_text())["id2label"]
    return [names[str(i)] for i in range(len(names))]


def width_of(folder: Path) -> int:
    return json.loads((folder / "config.json").read_text())["hidden_size"]


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


def preprocessor(size: int) -> dict[str, object]:
    """Shortest edge and centre crop of this size, bicubic, ImageNet's statistics."""
    return {
        "do_resize": True, "size": {"shortest_edge": size}, "resample": 3,
        "do_center_crop": True, "crop_size": {"height": size, "width": size},
        "do_rescale": True, "rescale_factor": 1 / 255,
        "do_normalize": True, "image_mean": MEAN, "image_std": STD, "do_convert_rgb": True,
        "image_processor_type": "ViTImageProcessor",
    }


@torch.inference_mode()
def check(folder: Path, expected: Callable[[Tensor], Tensor], size: int, tolerance: float) -> None:
    """Ends the program where transformers, asked by its own means, answers otherwise."""
    model, loading = AutoModelForImageClassification.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    if missing := [*loading["missing_keys"], *loading["unexpected_keys"]]:
        raise SystemExit(f"{folder}: transformers misses or does not know {', '.join(missing)}")
    pixels = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    difference = (model.eval()(pixels).logits - expected(pixels)).abs().max().item()
    print(f"{folder}: {sum(p.numel() for p in model.parameters()):,} parameters; logits of transformers differ by {difference:.1e}")
    if not difference <= tolerance:
        raise SystemExit(f"that is more than {tolerance}: the folder is not the model")
