"""How pixels are prepared and what classes are called, of one's own: into the files that say so."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from numbers import Integral
from pathlib import Path
from typing import Any

from .blobs import Blob

TIMM = ("input_size", "mean", "std", "interpolation", "crop_pct", "crop_mode")
HF = {"image_mean", "image_std", "size", "crop_size", "do_resize", "do_normalize", "do_rescale", "image_processor"}
"""Settings, of which a processor has one at least."""
KINDS = "an image processor of transformers, timm's resolve_model_data_config, or a path to a preprocessor_config.json"


def apply(files: dict[str, Blob], processor: Any = None, labels: Any = None) -> None:
    """Puts `processor` and `labels`, where given, into config, preprocessor of `files`; nothing on disk changes."""
    config = json.loads(files["config"].bytes()) if "config" in files else {}
    if processor is not None:
        given = _settings(processor)
        files.pop("processor", None)
        if HF.isdisjoint(given):  # timm's, which the reader looks for in any config
            known = {key: given[key] for key in TIMM if given.get(key) is not None}
            config["pretrained_cfg"] = {**_object(config.get("pretrained_cfg")), **known}
            files["config"] = _json(config)
            files.pop("preprocessor", None)
        else:
            files["preprocessor"] = _json(given)
    if labels is not None:
        if "text_embeddings" in files:
            raise ValueError(
                "The classes of this model are those of its text_embeddings.safetensors, which has their labels."
            )
        files["config"] = _json(_labelled(config, labels))


def _settings(processor: Any) -> dict[str, Any]:
    """What a processor says of itself, as its own saver writes it."""
    if isinstance(processor, (str, os.PathLike)):
        value = _read(Path(os.path.expanduser(processor)))
    else:
        own = getattr(processor, "image_processor", processor)  # (of a processor of texts and images)
        value = own
        if hasattr(own, "to_json_string"):
            # As its saver; the reader knows its class by this name.
            value = {**json.loads(own.to_json_string()), "image_processor_type": type(own).__name__}
        elif hasattr(own, "to_dict") and not isinstance(own, type):  # (timm's PretrainedCfg)
            value = own.to_dict()
    if isinstance(value, Mapping):
        value = value.get("data_config", value)  # (of timm's within transformers)
    if not isinstance(value, Mapping) or HF.union(TIMM).isdisjoint(value):
        raise TypeError(f"processor is {KINDS}; not this {type(processor).__name__}.")
    try:
        return json.loads(json.dumps(dict(value), allow_nan=False, default=lambda array: array.tolist()))
    except (AttributeError, TypeError, ValueError) as error:
        raise TypeError(f"processor has a setting that no JSON file can have ({error}).") from None


def _read(path: Path) -> Any:
    path = path / "preprocessor_config.json" if os.path.isdir(path) else path
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError:
        raise FileNotFoundError(f"processor is {KINDS}; there is no file {str(path)!r}.") from None
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}).") from None


def _is_timm(config: Mapping[str, Any]) -> bool:
    return "architecture" in config and "architectures" not in config


def _labelled(config: dict[str, Any], labels: Any) -> dict[str, Any]:
    """config with these names. Raises ValueError where their count can't be right."""
    names = _names(labels)
    timm = _is_timm(config)
    own = _object(config.get("id2label"))
    classes = config.get("num_classes") if timm else len(own) or config.get("num_labels")
    if classes and len(names) != classes:
        raise ValueError(f"labels has {len(names)} names, and the model {classes} classes.")
    if timm:
        config.pop("label_descriptions", None)
        return {**config, "label_names": names}
    return {
        **config,
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
    }


def _names(labels: Any) -> list[str]:
    """Of a list, or a dict by index (numbers, or digits as in JSON)."""
    if isinstance(labels, Mapping):
        try:
            by_index = {int(key): str(value) for key, value in labels.items()}
        except (TypeError, ValueError):
            raise TypeError("labels by index are {0: 'cat', 1: 'dog', …}: the index first, then the name.") from None
        missing = next((i for i in range(len(by_index)) if i not in by_index), None)
        if missing is not None:
            raise ValueError(f"labels has {len(by_index)} names, but none for class {missing}.")
        return [by_index[i] for i in range(len(by_index))]
    names = list(labels) if isinstance(labels, Iterable) and not isinstance(labels, (str, bytes)) else [None]
    if not all(isinstance(name, (str, Integral)) for name in names):
        raise TypeError(f"labels is a list of names, or a dict of them by index; not {type(labels).__name__}.")
    return [str(name) for name in names]


def labels_of(config: Mapping[str, Any], imagenet: list[str]) -> list[str] | None:
    """The labels that the package will have of a config; None where it can't be told."""
    names = config.get("label_names") or config.get("labels") or config.get("id2label")
    count = config.get("num_classes") or config.get("num_labels")
    if names and isinstance(names, Mapping):
        if not all(str(key).isdecimal() for key in names):
            return None
        count = max(int(key) for key in names) + 1
        names = [names.get(str(i), names.get(i, f"class {i}")) for i in range(count)]
    if names and not isinstance(names, list):
        return None
    if names and any(name != f"LABEL_{i}" for i, name in enumerate(names)):
        return [str(name) for name in names]
    count = len(names) if names else count
    if not isinstance(count, int):
        return None
    return imagenet if count == len(imagenet) else [f"class {i}" for i in range(count)]


def labels_of_texts(notes: Mapping[str, Any]) -> list[str] | None:
    """The labels that a file of text embeddings has in its metadata."""
    try:
        names = json.loads(notes.get("labels", "null"))
    except (AttributeError, TypeError, ValueError):
        return None
    return [str(name) for name in names] if isinstance(names, list) else None


def normalisation(preprocessor: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[list[float], list[float]] | None:
    """Mean and standard deviation [3] each, where the files have them."""
    own = _object(preprocessor.get("image_processor")) or preprocessor
    timm = _object(config.get("pretrained_cfg")) or _object(config.get("preprocess_cfg"))  # (the latter open_clip's)
    for pair in ((own.get("image_mean"), own.get("image_std")), (timm.get("mean"), timm.get("std"))):
        if all(_is_three(each) for each in pair):
            return pair
    return None


def _is_three(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(isinstance(each, (int, float)) for each in value)


def _object(value: Any) -> Mapping[str, Any]:
    """What is none says nothing."""
    return value if isinstance(value, Mapping) else {}


def _json(value: Any) -> Blob:
    return Blob.of_bytes(json.dumps(value, ensure_ascii=False).encode())
