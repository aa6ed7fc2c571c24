"""A `torch.nn.Module` as it is in memory, to the files its own saver would write. torch, timm and transformers are there only if the module is of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

DTYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16",
    "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL",
}
"""torch's names, and those of the safetensors format."""

WRAPPERS = {"OptimizedModule": "_orig_mod", "DataParallel": "module", "DistributedDataParallel": "module"}
"""What only runs another module, and where it has that."""

OTHERS = {
    "torchvision": "timm has ViTs of the same training, `timm.create_model('vit_base_patch16_224')`",
    "dinov2": "timm (`vit_small_patch14_dinov2`) and transformers (`facebook/dinov2-small`) have the same models",
    "dinov3": "timm (`vit_small_patch16_dinov3`) and transformers (`facebook/dinov3-vits16-pretrain-lvd1689m`) have the same models",
    "open_clip": "give the folder of its `open_clip_config.json` and `open_clip_model.safetensors`, or timm's `vit_base_patch16_clip_224`",
    "clip": "transformers has the same model, `openai/clip-vit-base-patch32`",
}
"""By the package of a class: what would do in its place."""


@dataclass
class ModuleFiles:
    """What a model's folder would hold; `tensors` are the module's own, detached, not copied."""

    title: str
    config: dict[str, Any]
    tensors: dict[str, torch.Tensor]
    files: dict[str, bytes] = field(default_factory=dict)


def of(module: object) -> ModuleFiles:
    """The files of a module, which stays as it is. ValueError: one sentence that names what is not read, and the remedy."""
    files = {}
    model = _model_of_pipeline(module)
    if model is not None:
        files = _processor_files(module)
        module = model
    module = unwrap(module)
    from . import hf, timm

    package = package_of(module)
    if package not in ("timm", "transformers"):
        raise ValueError(_foreign(module))
    _check_tensors(module)
    made = hf.of(module) if package == "transformers" else timm.of(module)
    made.files.update(files)
    return made


def unwrap(module: nn.Module) -> nn.Module:
    """The model within what only runs it (torch.compile, DataParallel). ValueError where its weights are not as they would be saved."""
    while type(module).__name__ in WRAPPERS and package_of(module) == "torch":
        module = getattr(module, WRAPPERS[type(module).__name__])
    kinds = {(package_of(part), type(part).__name__) for part in module.modules()}
    packages = {package for package, _ in kinds}
    name = type(module).__name__
    if "peft" in packages or getattr(module, "_hf_peft_config_loaded", False):
        raise ValueError(f"{name} has adapters of PEFT that are not merged: give what its `merge_and_unload()` returns.")
    if any(kind in ("FullyShardedDataParallel", "FSDPModule") or kind.startswith("FSDP") for _, kind in kinds):
        raise ValueError(f"{name} is sharded by FSDP: gather its full state dict, load that into a plain model, and give that one.")
    for package in ("bitsandbytes", "torchao", "quanto", "optimum", "hqq", "awq", "gptqmodel", "auto_gptq", "compressed_tensors"):
        if package in packages:
            raise ValueError(_quantised(name, package))
    if any(type(part).__module__.startswith("torch.ao.") for part in module.modules()):
        raise ValueError(_quantised(name, "torch.ao"))
    return module


def package_of(thing: Any) -> str:
    """The package that a class or a function, or an object's class, is from."""
    kind = thing if hasattr(thing, "__module__") and hasattr(thing, "__qualname__") else type(thing)
    return kind.__module__.split(".")[0]


def state(module: nn.Module) -> dict[str, torch.Tensor]:
    """Its `state_dict()`, detached; blocks that were compiled one by one have their names."""
    return {name.replace("_orig_mod.", ""): tensor.detach() for name, tensor in module.state_dict().items()}


def tensor_bytes(tensor: torch.Tensor) -> tuple[str, list[int], memoryview]:
    """Its type by the safetensors format, its shape, and its values, little-endian: a view where it is on the CPU and contiguous."""
    import torch

    dtype = DTYPES[str(tensor.dtype).removeprefix("torch.")]
    values = tensor.detach().to("cpu").contiguous()
    shape = list(values.shape)
    # (numpy has no bfloat16, and bytes need no type.)
    return dtype, shape, memoryview(values.reshape(-1).view(torch.uint8).numpy()).cast("B")


def _check_tensors(module: nn.Module) -> None:
    """ValueError for values that aren't there, or are not numbers as a file has them."""
    name = type(module).__name__
    for key, tensor in module.state_dict(keep_vars=True).items():
        kind = type(tensor)
        if kind.__name__ == "DTensor":
            raise ValueError(f"{name} is sharded, by FSDP or in parallel: gather its full state dict, load that into a plain model, and give that one.")
        if tensor.device.type == "meta":
            raise ValueError(f"`{key}` of {name} is on the meta device: load its weights into memory first, without offloading.")
        if package_of(kind) != "torch" or tensor.is_quantized or str(tensor.dtype).removeprefix("torch.") not in DTYPES:
            how = package_of(kind) if package_of(kind) != "torch" else str(tensor.dtype)
            raise ValueError(_quantised(name, how))


def _quantised(name: str, how: str) -> str:
    return f"{name} is quantised ({how}): give the model it was made from, and pass dtype='int8' if it is to be small."


def _foreign(module: nn.Module) -> str:
    """Why a class is not read, and what would do."""
    name, package = type(module).__name__, package_of(module)
    if package in OTHERS:
        return f"{name} is of {package}, which is not read: {OTHERS[package]}."
    base = next((kind for kind in type(module).__mro__ if package_of(kind) in ("timm", "transformers")), None)
    if base is not None:
        return (f"{name} is a class of your own over {base.__name__}, and what it computes otherwise can't be told in a config.json: "
                f"load its weights into a {base.__name__} and give that.")
    for path, part in module.named_modules():
        if path and package_of(part) in ("timm", "transformers") and "layers" not in type(part).__module__:
            return f"{name} is neither of timm nor of transformers: give the part of it that is, `.{path}`, a {type(part).__name__}."
    return f"{name} ({type(module).__module__}) is not read: give a ViT of timm or transformers, or a folder that they saved."


def _model_of_pipeline(thing: object) -> nn.Module | None:
    """The model of a pipeline of transformers."""
    is_one = any(kind.__module__.startswith("transformers.pipelines") for kind in type(thing).__mro__)
    return getattr(thing, "model", None) if is_one else None


def _processor_files(pipeline: Any) -> dict[str, bytes]:
    processor = getattr(pipeline, "image_processor", None)
    if not hasattr(processor, "to_json_string"):
        return {}
    return {"preprocessor_config.json": processor.to_json_string().encode()}
