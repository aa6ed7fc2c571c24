"""A `torch.nn.Module` as it is in memory, to the files that its own saver would write.

torch, timm and transformers are imported where a module is theirs, and so are there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}
"""torch's names, and those of the safetensors format."""

WRAPPERS = {"OptimizedModule": "_orig_mod", "DataParallel": "module", "DistributedDataParallel": "module"}
"""What only runs another module, and where it has that."""

QUANTISERS = (
    "bitsandbytes",
    "torchao",
    "quanto",
    "optimum",
    "hqq",
    "awq",
    "gptqmodel",
    "auto_gptq",
    "compressed_tensors",
)

OTHERS = {
    "torchvision": "timm has ViTs of the same sizes, such as `vit_base_patch16_224`",
    "dinov2": "timm (`vit_small_patch14_dinov2`) and transformers (`facebook/dinov2-small`) have the same models",
    "dinov3": "timm (`vit_small_patch16_dinov3`) and transformers (DINOv3ViTModel) have the same models",
    "open_clip": "give the folder of its open_clip_config.json, or timm's `vit_base_patch16_clip_224`",
    "clip": "transformers has the same models, such as `openai/clip-vit-base-patch32`",
}
"""By the package of a class: what would do in its place."""


@dataclass
class ModuleFiles:
    """What a model's folder would hold; `tensors` are the module's own, detached, not copied."""

    title: str
    config: dict[str, Any]
    tensors: dict[str, torch.Tensor]


def of(module: Any) -> ModuleFiles:
    """The files of a module, or of the one that a pipeline or a trainer holds; it stays as it is.

    Raises ValueError with one sentence that names what is not read, and the remedy.
    """
    from . import hf, timm

    module = unwrap(held(module)[0])
    package = package_of(module)
    if package not in ("timm", "transformers"):
        raise ValueError(_foreign(module))
    _check_tensors(module)
    return hf.of(module) if package == "transformers" else timm.of(module)


def held(holder: Any) -> tuple[Any, Any]:
    """The module of a pipeline or a trainer of transformers, and its image processor or None; a module as it is."""
    if hasattr(holder, "state_dict") or not hasattr(holder, "model"):
        return holder, None
    processors = (getattr(holder, name, None) for name in ("image_processor", "processing_class"))
    # (A processing_class may have an image processor within, or be for texts alone.)
    found = (one for one in processors if hasattr(getattr(one, "image_processor", one), "to_json_string"))
    return holder.model, next(found, None)


def unwrap(module: nn.Module) -> nn.Module:
    """The model within what only runs it: torch.compile, DataParallel.

    Raises ValueError where its weights are not as a saver writes them: adapters, shards, integers.
    """
    while type(module).__name__ in WRAPPERS and package_of(module) == "torch":
        module = getattr(module, WRAPPERS[type(module).__name__])
    name = type(module).__name__
    parts = {type(part) for part in module.modules()}
    packages = {package_of(part) for part in parts}
    if "peft" in packages or getattr(module, "_hf_peft_config_loaded", False):
        raise ValueError(f"{name} has adapters of PEFT that are not merged: give what `merge_and_unload()` returns.")
    if any(part.__name__.startswith(("FullySharded", "FSDP")) for part in parts):
        raise ValueError(_sharded(name))
    quantiser = next((package for package in QUANTISERS if package in packages), None)
    if quantiser or any(part.__module__.startswith("torch.ao.") for part in parts):
        raise ValueError(_quantised(name, quantiser or "torch.ao"))
    return module


def package_of(thing: Any) -> str:
    """The package of a class, of a function, or of an object's class."""
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return named.__module__.split(".")[0]


def state(module: nn.Module) -> dict[str, torch.Tensor]:
    """Its `state_dict()`, detached; blocks that were compiled one by one keep their names."""
    return {name.replace("_orig_mod.", ""): tensor.detach() for name, tensor in module.state_dict().items()}


def tensor_bytes(tensor: torch.Tensor) -> tuple[str, list[int], memoryview]:
    """Type by the safetensors format, shape, and values: a view where they are on the CPU and contiguous."""
    import torch

    dtype = DTYPES[_dtype(tensor)]
    values = tensor.detach().to("cpu").contiguous()
    # (numpy has no bfloat16, and bytes need no type.)
    return dtype, list(values.shape), memoryview(values.reshape(-1).view(torch.uint8).numpy())


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _check_tensors(module: nn.Module) -> None:
    """Raises ValueError for values that aren't there, or are no numbers as a file has them."""
    name = type(module).__name__
    for key, tensor in module.state_dict(keep_vars=True).items():
        package = package_of(type(tensor))
        if type(tensor).__name__ == "DTensor":
            raise ValueError(_sharded(name))
        if tensor.device.type == "meta":
            raise ValueError(f"`{key}` of {name} is on the meta device: load its weights first, without offloading.")
        if package != "torch" or tensor.is_quantized or _dtype(tensor) not in DTYPES:
            raise ValueError(_quantised(name, package if package != "torch" else _dtype(tensor)))


def _quantised(name: str, how: str) -> str:
    return (
        f"{name} is quantised ({how}), which is not read: "
        "give the model it was made from, with dtype='int8' if it is to be small."
    )


def _sharded(name: str) -> str:
    return f"{name} is in shards (FSDP, parallel tensors): load its full state dict into a plain model, and give that."


def _foreign(module: nn.Module) -> str:
    """Why a class is not read, and what would do."""
    from . import hf, timm

    name, package = type(module).__name__, package_of(module)
    if package in OTHERS:
        return f"{name} is of {package}, which is not read: {OTHERS[package]}."
    base = next((kind for kind in type(module).__mro__ if package_of(kind) in ("timm", "transformers")), None)
    if base is not None:
        return (
            f"{name} is a class of your own over {base.__name__}, and no config.json tells what it does otherwise: "
            f"load its weights into a {base.__name__}, and give that."
        )
    for path, part in module.named_modules():
        readable = {"timm": timm.is_read, "transformers": hf.is_read}.get(package_of(part))
        if path and readable and readable(part):
            return (
                f"{name} is neither of timm nor of transformers: "
                f"give the part of it that is, `.{path}`, a {type(part).__name__}."
            )
    return f"{name} ({type(module).__module__}) is not read: give a ViT of timm or transformers, or a folder of one."
