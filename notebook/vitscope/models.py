"""What a model may be, and what of it goes to the page."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import assets, modules, processors, safetensors
from .blobs import Blob, Bytes, Changed

SMALL = ("config", "preprocessor", "processor", "text_embeddings")


@dataclass
class Model:
    """A model's files by what they are, or its name on the Hub.

    `files` has blobs under config, preprocessor, processor, text_embeddings; `weights` one, or all parts of split ones.
    """

    title: str
    files: dict[str, Blob] = field(default_factory=dict)
    weights: list[Blob] = field(default_factory=list)
    hub: str | None = None
    dtype: str | None = None
    stored_int8: bool = False

    def blobs(self) -> Iterator[Blob]:
        yield from self.files.values()
        yield from self.weights

    def state(self) -> dict[str, Any]:
        """As the widget's trait has it: blobs by their SHA-256."""
        names = {name: self.files[name].name if name in self.files else None for name in SMALL}
        sizes = {blob.name: blob.size for blob in self.blobs()}
        weights = [blob.name for blob in self.weights]
        return {"title": self.title, "hub": self.hub, **names, "weights": weights, "sizes": sizes, "dtype": self.dtype}

    def json(self, name: str) -> dict[str, Any]:
        """Of a small file; empty where there is none."""
        return json.loads(self.files[name].bytes()) if name in self.files else {}

    @property
    def labels(self) -> list[str] | None:
        """The names of its classes, as far as Python knows them."""
        if "text_embeddings" in self.files:
            notes = safetensors.read(self.files["text_embeddings"], "text_embeddings")[1]
            return json.loads(notes.get("labels", "null"))
        return processors.labels_of(self.json("config"), assets.imagenet())

    @property
    def normalisation(self) -> tuple[list[float], list[float]] | None:
        """Mean and standard deviation [3] each, by which pixels become pixel values."""
        return processors.normalisation(self.json("preprocessor") or self.json("processor"), self.json("config"))


def several(model: Any, processor: Any, labels: Any, dtype: str | None, most: int) -> list[Model]:
    """One model, or up to `most` of a list or a dict by titles."""
    if isinstance(model, Mapping):
        given = list(model.items())
    else:
        given = [(None, each) for each in (model if isinstance(model, (list, tuple)) else [model])]
    if not 1 <= len(given) <= most:
        raise ValueError(f"explore shows a model, or {most} side by side; not {len(given)}.")
    pairs = [_each(value, len(given)) for value in (processor, labels)]
    made = [of(each, *(pair[i] for pair in pairs), dtype) for i, (_, each) in enumerate(given)]
    for i, (title, _) in enumerate(given):
        if title is not None:
            made[i].title = str(title)
    if len(made) == 2 and made[0].title == made[1].title:
        made[1].title += " (2)"
    return made


def _each(value: Any, count: int) -> list[Any]:
    """A value for each of `count` models: a list of as many lists, dicts, … is one each, all else is for all."""
    each = count > 1 and isinstance(value, (list, tuple)) and len(value) == count
    return list(value) if each and not any(isinstance(own, str) for own in value) else [value] * count


def of(model: Any, processor: Any = None, labels: Any = None, dtype: str | None = None) -> Model:
    """Raises ValueError, TypeError or OSError with one sentence."""
    from . import folder

    if isinstance(model, (str, os.PathLike)):
        made = folder.of(model)
    elif _is_module(model) or _is_module(getattr(model, "model", None)):  # (a pipeline or a trainer has one)
        made = _of_module(model)
    else:
        raise TypeError(
            f"model is a torch module of timm or transformers, a folder, a .safetensors file or a Hub name (org/name), "
            f"not {'a' if isinstance(model, type) else 'an object of'} {_name(model)}."
        )
    made.dtype = dtype
    if made.hub and (processor is not None or labels is not None):
        raise ValueError(f"{made.title} is read by the page, from the Hub; give its folder to set processor or labels.")
    processors.apply(made.files, processor, labels)
    if dtype == "int8":
        made.weights = [_halved(blob) for blob in made.weights]
    return made


def _is_module(model: Any) -> bool:
    """Without importing torch: who has a module has imported it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def _of_module(model: Any) -> Model:
    if not _is_module(model) and not hasattr(model, "image_processor"):  # (which a pipeline has)
        model = model.model
    files = modules.of(model)
    made = Model(files.title)
    made.files["config"] = Blob.of_bytes(json.dumps(files.config).encode())
    for name in SMALL:
        for file in (f"{name}_config.json", f"{name}.safetensors"):
            if file in files.files:
                made.files[name] = Blob.of_bytes(files.files[file])
    made.weights = [safetensors.write([_tensor(name, tensor) for name, tensor in files.tensors.items()])]
    return made


def _tensor(name: str, tensor: Any) -> safetensors.Tensor:
    """Of a torch tensor, read when it is wanted; training it meanwhile is noticed."""
    dtype = modules.DTYPES[str(tensor.dtype).removeprefix("torch.")]
    version = None if tensor.is_inference() else tensor._version

    def read() -> Bytes:
        if version is not None and tensor._version != version:
            raise Changed("The model was trained on since; run vitscope.explore again, or give it a copy.deepcopy.")
        return modules.tensor_bytes(tensor)[2]

    return safetensors.Tensor(name, dtype, tuple(tensor.shape), read)


def _halved(blob: Blob) -> Blob:
    tensors, notes = safetensors.read(blob, "The weights")
    if not any(tensor.dtype == "F32" for tensor in tensors):
        return blob
    return safetensors.write([safetensors.halved(tensor) for tensor in tensors], notes)


def _name(model: Any) -> str:
    kind = model if isinstance(model, type) else type(model)
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
