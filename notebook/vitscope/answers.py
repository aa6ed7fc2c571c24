"""What the page answers, as Python has it; and what is asked, as JavaScript has it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


class Target(NamedTuple):
    """A class."""

    index: int
    label: str


@dataclass(frozen=True)
class Attribution:
    """What speaks for `target`: map, float32 [rows, cols]; below 0 (against it) only where `signed`."""

    map: np.ndarray
    text: str
    target: Target | None
    signed: bool


@dataclass(frozen=True)
class Curve:
    """The class's score [points] by the fraction of patches [points] that went, or came; `area` below it, 0 to 1."""

    fractions: np.ndarray
    probabilities: np.ndarray
    area: float | None


@dataclass(frozen=True)
class Curves:
    """A good map has a small area under deletion and a large one under insertion."""

    deletion: Curve
    insertion: Curve
    target: Target | None


def camel(name: str) -> str:
    """hidden_states -> hiddenStates."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def plain(value: Any) -> Any:
    """As JSON has it, of numpy's kinds too."""
    if isinstance(value, Mapping):
        return {camel(str(key)): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [plain(each) for each in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def with_buffers(value: Any, buffers: Sequence[Any]) -> Any:
    """Puts bytes where the page wrote {buffer: which}."""
    if isinstance(value, dict):
        if value.keys() == {"buffer"}:
            return bytes(buffers[value["buffer"]])
        return {name: with_buffers(each, buffers) for name, each in value.items()}
    return [with_buffers(each, buffers) for each in value] if isinstance(value, list) else value


def map_of(map: Mapping[str, Any]) -> np.ndarray:
    """Of a map as the widget shows it: a copy, [rows, cols] or [rows, cols, 3]."""
    return _grid(map, map["data"])


def attribution(meta: Mapping[str, Any], data: bytes) -> Attribution:
    return Attribution(_grid(meta, data), meta.get("text", ""), _target(meta), bool(meta.get("signed")))


def curves(meta: Mapping[str, Any], _: bytes = b"") -> Curves:
    return Curves(_curve(meta["deletion"]), _curve(meta["insertion"]), _target(meta))


def _curve(curve: Mapping[str, Any]) -> Curve:
    numbers = [np.asarray(curve[key], np.float32) for key in ("fractions", "probabilities")]
    return Curve(*numbers, curve.get("area"))


def _target(meta: Mapping[str, Any]) -> Target | None:
    target = meta.get("target")
    return Target(target["index"], target["label"]) if target else None


def _grid(meta: Mapping[str, Any], data: bytes) -> np.ndarray:
    channels = meta.get("channels", 1)
    values = np.frombuffer(data, "<f4").astype(np.float32)
    return values.reshape(meta["rows"], meta["cols"], *([channels] if channels > 1 else []))
