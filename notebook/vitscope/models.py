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

FILES = {
    "config": "config.json",
    "preprocessor": "preprocessor_config.json",
    "processor": "processor_config.json",
    "text_embeddings": "text_embeddings.safetensors",
}
"""What a model has beside its weights, and the files' names."""


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
        names = {name: self.files[name].name if name in self.files else None for name in FILES}
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
            return processors.labels_of_texts(safetensors.read(self.files["text_embeddings"], "text_embeddings")[1])
        return processors.labels_of(self.json("config"), assets.imagenet())

    @property
    def normalisation(self) -> tuple[list[float], list[float]] | None:
        """Mean and standard deviation [3] each, by which pixels become pixel values."""
        return processors.normalisation(self.json("preprocessor") or self.json("processor"), self.json("config"))


def several(model: Any, processor: Any, labels: Any, dtype: str | None, most: int) -> list[Model]:
    """One model, or up to `most` of a list or a dict by titles."""
    if isinstance(model, Mapping):
        if any(hasattr(each, "__array__") for each in model.values()):
            raise TypeError("model is a state dict, which says no config: load it into its model, and give that.")
        given = list(model.items())
    else:
        given = [(None, each) for each in (model if isinstance(model, (list, tuple)) else [model])]
    if not 1 <= len(given) <= most:
        raise ValueError(f"explore shows a model, or {most} side by side; not {len(given)}.")
    titles = [title for title, _ in given]
    pairs = zip(_each(processor, titles), _each(labels, titles, names=True), strict=True)
    made = [of(each, *pair, dtype) for (_, each), pair in zip(given, pairs, strict=True)]
    for i, title in enumerate(titles):
        if title is not None:
            made[i].title = str(title)
    if len(made) == 2 and made[0].title == made[1].title:
        made[1].title += " (2)"
    return made


def _each(value: Any, titles: list[Any], names: bool = False) -> list[Any]:
    """A value for each of the models: of a list of as many, of a dict by their titles, or the same one for all.

    names: whether texts are names of classes, and so not one each.
    """
    by_title = isinstance(value, Mapping) and value and all(key in titles for key in value)
    in_list = isinstance(value, (list, tuple)) and len(value) == len(titles) > 1
    own = [value.get(title) for title in titles] if by_title else list(value) if in_list else []
    return own if own and not (names and any(isinstance(each, str) for each in own)) else [value] * len(titles)


def of(model: Any, processor: Any = None, labels: Any = None, dtype: str | None = None) -> Model:
    """Raises ValueError, TypeError or OSError with one sentence."""
    from . import folder

    if isinstance(model, (str, os.PathLike)):
        made = folder.of(model)
    elif _is_module((held := modules.held(model))[0]):
        made = _of_module(held[0])
        processor = held[1] if processor is None else processor
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


def _of_module(module: Any) -> Model:
    files = modules.of(module)
    weights = safetensors.write([_tensor(name, tensor) for name, tensor in files.tensors.items()])
    return Model(files.title, {"config": Blob.of_bytes(json.dumps(files.config).encode())}, [weights])


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
    made = [safetensors.halved(tensor) for tensor in tensors]
    return blob if made == tensors else safetensors.write(made, notes)


def _name(model: Any) -> str:
    kind = model if isinstance(model, type) else type(model)
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
