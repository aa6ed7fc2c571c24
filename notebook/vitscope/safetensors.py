"""The safetensors format by numpy: of a file that is nowhere as a whole parts are made, which the library can't do."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .blobs import Blob, Bytes

_NUMPY = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U64": "<u8"}
_NUMPY |= {"U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?"}
SIZES = {name: np.dtype(code).itemsize for name, code in _NUMPY.items()} | {"BF16": 2, "C64": 8}
SIZES |= dict.fromkeys(("F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 1)
"""Bytes of a number, of those too that are only passed on."""
MOST = 100_000_000
"""Bytes that the format allows for a header."""
F16_MOST, F16_LEAST = 65504.0, 2.0**-14


@dataclass(frozen=True)
class Tensor:
    """A tensor whose bytes are made when they are wanted."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    read: Callable[[], Bytes]

    @property
    def size(self) -> int:
        """In bytes."""
        return math.prod(self.shape) * SIZES[self.dtype]

    def array(self) -> np.ndarray:
        """BF16 as float32."""
        data = self.read()
        if self.dtype == "BF16":
            wide = np.frombuffer(data, "<u2").astype("<u4") << 16
            return wide.view("<f4").reshape(self.shape)
        return np.frombuffer(data, _NUMPY[self.dtype]).reshape(self.shape)


def read_header(blob: Blob, what: str) -> tuple[dict[str, Any], int]:
    """The header, and where the tensors begin. Raises ValueError with one sentence that begins with `what`."""
    length = int.from_bytes(blob.part(0, 8), "little")
    if blob.size < 8 or length > min(MOST, blob.size - 8):
        raise ValueError(f"{what} is no safetensors file, or was cut short.")
    try:
        header = json.loads(bytes(blob.part(8, length)))
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        ends, wrong = [0], ""
        for name, entry in entries.items():
            begin, end = entry["data_offsets"]
            ends.append(end)
            if not all(isinstance(size, int) and size >= 0 for size in entry["shape"]):
                raise ValueError
            if entry["dtype"] not in SIZES:
                wrong = f"{what} has {name!r} as {entry['dtype']}, which is not read."
            elif begin < 0 or end - begin != math.prod(entry["shape"]) * SIZES[entry["dtype"]]:
                wrong = f"{what} has {name!r} in other bytes than its shape takes."
    except (ValueError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        raise ValueError(f"{what} has no safetensors header that can be read.") from None
    if wrong:
        raise ValueError(wrong)
    if 8 + length + max(ends) > blob.size:
        raise ValueError(f"{what} was cut short: its tensors end at byte {8 + length + max(ends):,} of {blob.size:,}.")
    return header, 8 + length


def read(blob: Blob, what: str) -> tuple[list[Tensor], dict[str, str]]:
    """The tensors of a file, and its metadata; no tensor is read before it is asked for."""
    header, start = read_header(blob, what)
    notes = header.pop("__metadata__", None) or {}

    def tensor(name: str, entry: dict[str, Any]) -> Tensor:
        begin, end = entry["data_offsets"]
        return Tensor(name, entry["dtype"], tuple(entry["shape"]), lambda: blob.part(start + begin, end - begin))

    return [tensor(name, entry) for name, entry in header.items()], notes


def load(data: Bytes) -> dict[str, np.ndarray]:
    """The arrays of a file in memory, which they share."""
    return {tensor.name: tensor.array() for tensor in read(Blob.of_bytes(data), "The file")[0]}


def write(tensors: Sequence[Tensor], notes: Mapping[str, str] | None = None) -> Blob:
    """The file of these tensors, as the library orders them: the widest first, then by name."""
    tensors = sorted(tensors, key=lambda tensor: (-SIZES[tensor.dtype], tensor.name))
    header: dict[str, Any] = {"__metadata__": dict(notes)} if notes else {}
    end = 0
    for tensor in tensors:
        begin, end = end, end + tensor.size
        header[tensor.name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    first = len(text).to_bytes(8, "little") + text
    return Blob.of_pieces([(len(first), lambda: first), *((tensor.size, tensor.read) for tensor in tensors)])


def halved(tensor: Tensor) -> Tensor:
    """In F16, where that is half the bytes and loses next to nothing of what int8 keeps: matrices within its range."""
    if tensor.dtype not in ("F32", "F64") or len(tensor.shape) < 2 or not tensor.size:
        return tensor
    largest = float(np.abs(tensor.array()).max())
    if not F16_LEAST <= largest <= F16_MOST:  # (nor what is not finite)
        return tensor
    return Tensor(tensor.name, "F16", tensor.shape, lambda: memoryview(tensor.array().astype("<f2")).cast("B"))
