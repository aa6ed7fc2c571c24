"""How pixels are prepared and what classes are called, of one's own: into the files that say so."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .blobs import Blob

TIMM = ("input_size", "mean", "std", "interpolation", "crop_pct", "crop_mode")
KINDS = "an image processor of transformers, timm's resolve_model_data_config, or a path to a preprocessor_config.json"


def apply(files: dict[str, Blob], processor: Any = None, labels: Any = None) -> None:
    """Puts `processor` and `labels`, where given, into config, preprocessor of `files`; nothing on disk changes."""
    config = json.loads(files["config"].bytes()) if "config" in files else {}
    if processor is not None:
        given = _settings(processor)
        files.pop("processor", None)
        if "input_size" in given and "mean" in given:  # timm's, which the reader looks for in any config
            known = {key: given[key] for key in TIMM if given.get(key) is not None}
            config["pretrained_cfg"] = {**(config.get("pretrained_cfg") or {}), **known}
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
        path = Path(processor).expanduser()
        path = path / "preprocessor_config.json" if path.is_dir() else path
        try:
            value = json.loads(path.read_text("utf-8"))
        except OSError:
            raise FileNotFoundError(f"processor is {KINDS}; there is no file {str(path)!r}.") from None
        except ValueError as error:
            raise ValueError(f"{path} is not valid JSON ({error}).") from None
    else:
        own = getattr(processor, "image_processor", processor)  # (of a processor of texts and images)
        value = own if isinstance(own, Mapping) else getattr(own, "to_dict", dict)()
        if not isinstance(own, Mapping) and value:
            # As its saver; the reader knows its class by this name.
            value = {**json.loads(own.to_json_string()), "image_processor_type": type(own).__name__}
    if not isinstance(value, Mapping) or not value:
        raise TypeError(f"processor is {KINDS}; not {type(processor).__name__}.")
    return dict(value)


def _is_timm(config: Mapping[str, Any]) -> bool:
    return "architecture" in config and "architectures" not in config


def _labelled(config: dict[str, Any], labels: Any) -> dict[str, Any]:
    """config with these names. Raises ValueError where their count can't be right."""
    names = _names(labels)
    timm = _is_timm(config)
    own = config.get("id2label")
    classes = config.get("num_classes") if timm else len(own) if own else config.get("num_labels")
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
    if (
        isinstance(labels, Sequence)
        and not isinstance(labels, (str, bytes))
        and all(isinstance(each, str) for each in labels)
    ):
        return list(labels)
    raise TypeError(f"labels is a list of names, or a dict of them by index; not {type(labels).__name__}.")


def labels_of(config: Mapping[str, Any], imagenet: list[str]) -> list[str] | None:
    """The labels that the package will have of a config; None where it can't be told."""
    names = config.get("label_names") or config.get("labels") or config.get("id2label")
    count = config.get("num_classes") or config.get("num_labels")
    if isinstance(names, Mapping):
        count = max(int(key) for key in names) + 1 if names else 0
        names = [names.get(str(i), names.get(i, f"class {i}")) for i in range(count)]
    if names and any(name != f"LABEL_{i}" for i, name in enumerate(names)):
        return [str(name) for name in names]
    count = len(names) if names else count
    if count is None:
        return None
    return imagenet if count == len(imagenet) else [f"class {i}" for i in range(count)]


def normalisation(preprocessor: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[list[float], list[float]] | None:
    """Mean and standard deviation [3] each, where the files have them."""
    own = preprocessor.get("image_processor", preprocessor)
    timm = config.get("pretrained_cfg") or config.get("preprocess_cfg") or {}  # (the latter open_clip's)
    for mean, std in ((own.get("image_mean"), own.get("image_std")), (timm.get("mean"), timm.get("std"))):
        if isinstance(mean, (list, tuple)) and isinstance(std, (list, tuple)) and len(mean) == len(std) == 3:
            return list(mean), list(std)
    return None


def _json(value: Any) -> Blob:
    return Blob.of_bytes(json.dumps(value, ensure_ascii=False).encode())
