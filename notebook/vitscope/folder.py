"""Models on disk, as the npm package knows their files, and names of the Hub."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from . import safetensors
from .blobs import Blob
from .models import FILES, Model

INDEX = "model.safetensors.index.json"
USUAL = ("config.json", "model.safetensors")
OPEN_CLIP = ("open_clip_config.json", "open_clip_model.safetensors")
TEXTUAL = {"text_config", "model_cfg"}
"""Keys of configs whose models compare images with texts."""
_HUB = re.compile(r"(hf:|hf[-_]hub:|https://huggingface\.co/)?(?P<name>[\w.-]+/[\w.-]+(@[\w./-]+)?)")
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")


def of(place: str | os.PathLike[str]) -> Model:
    """Raises ValueError or OSError with one sentence."""
    path = os.path.expanduser(place)  # (os.path takes any text; Path's own raise where one can be no path)
    if os.path.isdir(path):
        return _of_folder(Path(path))
    if os.path.isfile(path):
        return _of_file(Path(path))
    hub = _HUB.fullmatch(place) if isinstance(place, str) else None
    if hub and (hub[1] or not str(place).startswith(".")):
        return Model(hub["name"], hub=f"hf:{hub['name']}")
    raise FileNotFoundError(
        f"There is no folder or file {str(place)!r}, and it is no name of a model on the Hub (org/name)."
    )


def _of_folder(folder: Path) -> Model:
    config, weights = (folder / name for name in USUAL)
    parts = [weights] if weights.is_file() else _shards(folder)
    if not (config.is_file() and parts) and all((folder / name).is_file() for name in OPEN_CLIP):
        config, parts = folder / OPEN_CLIP[0], [folder / OPEN_CLIP[1]]
    if not config.is_file():
        raise FileNotFoundError(f"{folder} has no config.json, which says what model it is.")
    if not parts:
        pickled = next(folder.glob("*.bin"), None) or next(folder.glob("*.pt*"), None)
        found = (
            f" but {pickled.name}, which may run code; load it, and give explore the model in memory" if pickled else ""
        )
        raise FileNotFoundError(f"{folder} has no model.safetensors{found}.")
    return _model(folder.resolve().name, config, parts)


def _of_file(path: Path) -> Model:
    if path.suffix != ".safetensors":
        raise ValueError(
            f"{path} is no .safetensors file, nor a folder with one; load it, and give explore the model in memory."
        )
    if _SHARD.search(path.stem):
        raise ValueError(f"{path.name} is a part of split weights; give its folder, {path.parent}.")
    config = path.parent / (OPEN_CLIP[0] if path.name == OPEN_CLIP[1] else USUAL[0])
    if not config.is_file():
        raise FileNotFoundError(f"{path} has no {config.name} beside it, which says what model it is.")
    title = path.resolve().parent.name if path.name in (USUAL[1], OPEN_CLIP[1]) else path.stem
    return _model(title, config, [path])


def _model(title: str, config: Path, parts: list[Path]) -> Model:
    files = {kind: config.parent / name for kind, name in FILES.items()} | {"config": config}
    files = {kind: path for kind, path in files.items() if path.is_file()}
    texts = {kind: read_json(path) for kind, path in files.items() if path.suffix == ".json"}
    model = Model(title, {kind: Blob.of_file(path) for kind, path in files.items()})
    compares = not TEXTUAL.isdisjoint(texts["config"])
    for path in parts:
        blob = Blob.of_file(path)
        tensors, _ = safetensors.read(blob, str(path))
        compares |= any(tensor.name == "logit_scale" for tensor in tensors)
        model.stored_int8 |= any(tensor.dtype == "I8" for tensor in tensors)
        model.weights.append(blob)
    if not compares:  # what lies beside others, the package does not take for their classes
        model.files.pop("text_embeddings", None)
    return model


def _shards(folder: Path) -> list[Path]:
    """The files that an index names, if there is one: of its own folder alone."""
    if not (folder / INDEX).is_file():
        return []
    names = read_json(folder / INDEX).get("weight_map")
    if not isinstance(names, dict) or not all(
        isinstance(name, str) and Path(name).name == name for name in names.values()
    ):
        raise ValueError(f"{folder / INDEX} does not say which file of its folder each tensor is in.")
    parts = [folder / name for name in sorted(set(names.values()))]
    missing = next((part for part in parts if not part.is_file()), None)
    if missing:
        raise FileNotFoundError(f"{folder} has no {missing.name}, which {INDEX} names.")
    return parts


def read_json(path: Path) -> dict[str, Any]:
    """Raises ValueError with one sentence."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}).") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no JSON object.")
    return value
