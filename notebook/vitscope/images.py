"""What an image may be, and what of it goes to the page: the bytes of a file, or a model's pixel values."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import web
from .blobs import Blob, Bytes

KINDS = (
    "a path, a URL, a PIL image, bytes of a file, a uint8 array [H, W, 3], or a float tensor [3, H, W] of pixel values"
)
Normalisation = tuple[list[float], list[float]] | None


@dataclass
class Image:
    """kind 'file': `blob` is a file of `type`; 'pixels': float32 of `shape` [3, H, W], which the PNG `shown` shows."""

    title: str
    kind: str
    blob: Blob
    type: str = ""
    shape: list[int] | None = None
    shown: Blob | None = None

    def blobs(self) -> Iterator[Blob]:
        yield self.blob
        if self.shown:
            yield self.shown

    def state(self) -> dict[str, Any]:
        """As the widget's trait has it."""
        state = {
            "title": self.title,
            "kind": self.kind,
            "name": self.blob.name,
            "size": self.blob.size,
            "type": self.type,
        }
        if self.shown:
            state |= {"shape": self.shape, "shown": {"name": self.shown.name, "size": self.shown.size}}
        return state


def several(image: Any, normalisation: Normalisation = None) -> list[Image]:
    """One image, or all of a list, of a dict by titles, or of a batch [N, 3, H, W].

    Raises ValueError, TypeError or OSError with one sentence.
    """
    if isinstance(image, Mapping) and "pixel_values" in image:  # what a processor returns
        image = image["pixel_values"]
    if isinstance(image, Mapping):
        given = [(str(title), each) for title, each in image.items()]
    elif isinstance(image, (list, tuple)):
        given = [(None, each) for each in image]
    else:
        array = array_of(image)
        batch = array if array is not None and array.ndim == 4 else [image]
        given = [(None, each) for each in batch]
    if not given:
        raise ValueError(f"explore needs an image: {KINDS}.")
    made = [of(each, normalisation) for _, each in given]
    for i, (title, _) in enumerate(given):
        made[i].title = title or made[i].title or (f"image {i + 1}" if len(made) > 1 else "image")
    return made


def of(image: Any, normalisation: Normalisation = None) -> Image:
    """Raises ValueError, TypeError or OSError with one sentence."""
    if isinstance(image, str) and image.lower().startswith(("http://", "https://")):
        return _of_file(web.fetch(image), image, Path(image.split("?")[0]).name)
    if isinstance(image, (str, os.PathLike)):
        return _of_path(os.path.expanduser(image))
    if isinstance(image, (bytes, bytearray, memoryview)):
        return _of_file(bytes(image), "This", "")
    if hasattr(image, "convert") and hasattr(image, "tobytes"):  # Pillow's, which need not be there
        name = Path(str(getattr(image, "filename", "") or "")).name
        return _png(_over_white(_rgba(image)), name)
    array = array_of(image)
    if array is None:
        raise TypeError(f"image is {KINDS}; not {type(image).__name__}.")
    return _of_array(array, normalisation)


def _of_path(path: str) -> Image:
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path!r} is a folder; give the images in it, in a list.")
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"There is no image {path!r}.") from None
    except (OSError, ValueError) as error:
        raise OSError(f"{path!r} can't be read ({getattr(error, 'strerror', error)}).") from None
    return _of_file(data, path, Path(path).name)


def _rgba(image: Any) -> np.ndarray:
    """Of an image of Pillow: uint8 [H, W, 4]."""
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        raise ValueError(
            f"This image has numbers of mode {image.mode}, of which nothing says what is black and white: "
            "give a uint8 array [H, W], 0 to 255."
        )
    try:
        whole = image.convert("RGBA")
        return np.frombuffer(whole.tobytes(), np.uint8).reshape(whole.height, whole.width, 4)
    except (OSError, ValueError) as error:
        raise ValueError(f"This image of Pillow, of mode {image.mode}, can't be read ({error}).") from None


def _over_white(pixels: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 1, 3 or 4] as RGB [H, W, 3]; what is transparent is laid over white, as the package does."""
    if pixels.shape[2] < 4:
        return np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    colour, alpha = pixels[..., :3].astype(np.uint32), pixels[..., 3:].astype(np.uint32)
    return ((2 * (colour * alpha + 255 * (255 - alpha)) + 255) // 510).astype(np.uint8)


def _of_file(data: bytes, what: str, title: str) -> Image:
    type = _type(data)
    if not type:
        raise ValueError(
            f"{what} is no JPEG, PNG, WebP, GIF, BMP or AVIF file; open it with Pillow, and give its image."
        )
    return Image(title, "file", Blob.of_bytes(data), type)


def _type(data: bytes) -> str | None:
    """By its first bytes."""
    first = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png", b"GIF8": "gif", b"BM": "bmp"}
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis"):
        return "image/avif"
    return next((f"image/{name}" for mark, name in first.items() if data.startswith(mark)), None)


def array_of(image: Any) -> np.ndarray | None:
    """Of a tensor of torch (any device, any dtype), or what numpy takes for an array."""
    if hasattr(image, "detach") and hasattr(image, "cpu"):
        tensor = image.detach().cpu()
        return (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return np.asarray(image) if hasattr(image, "__array__") or hasattr(image, "__array_interface__") else None


def _of_array(array: np.ndarray, normalisation: Normalisation) -> Image:
    shape = list(array.shape)
    if array.ndim == 4 and shape[0] == 1:
        array, shape = array[0], shape[1:]
    if array.dtype == np.uint8:
        if array.ndim == 3 and shape[2] not in (1, 3, 4) and shape[0] in (1, 3, 4):  # as torchvision reads them
            array = np.moveaxis(array, 0, 2)
        array = array[..., None] if array.ndim == 2 else array
        if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or not array.size:
            raise ValueError(f"An array of pixels is uint8 [H, W, 3], not {shape}.")
        return _png(_over_white(array), "")
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"An array of pixels is uint8, not {array.dtype}; convert it: array.astype('uint8').")
    if array.ndim != 3 or shape[0] != 3 or not array.size:
        hint = (
            "; pixels are uint8: (255 * array).astype('uint8') where it goes from 0 to 1"
            if shape[-1:] in ([3], [4], [1])
            else ""
        )
        raise ValueError(f"Pixel values are floats [3, H, W], as a processor makes them, not {shape}{hint}.")
    values = np.ascontiguousarray(array, "<f4")
    if not np.isfinite(values).all():
        raise ValueError("The pixel values have some that are not finite numbers.")
    shown = _png(_shown(values, normalisation), "").blob
    return Image("", "pixels", Blob.of_bytes(values), "", shape, shown)


def _shown(values: np.ndarray, normalisation: Normalisation) -> np.ndarray:
    """Pixel values [3, H, W] as a picture uint8 [H, W, 3]: what the processor did undone, if known, else stretched."""
    if normalisation:
        mean, std = (np.asarray(each, np.float32)[:, None, None] for each in normalisation)
        unit = values * std + mean
    else:
        low, high = values.min(), values.max()
        unit = (values - low) / ((high - low) or 1)
    return np.moveaxis((unit * 255).round().clip(0, 255).astype(np.uint8), 0, 2)


def _png(pixels: np.ndarray, title: str) -> Image:
    if not pixels.size:
        raise ValueError(f"This image has no pixels: it is {pixels.shape[0]} high and {pixels.shape[1]} wide.")
    return Image(title, "file", Blob.of_bytes(png(pixels)), "image/png")


def png(pixels: np.ndarray) -> bytes:
    """A PNG of uint8 [H, W, 3], each byte less the one a pixel to the left (filter 1), which makes photos smaller."""
    height, width, _ = pixels.shape
    rows = np.empty((height, 1 + 3 * width), np.uint8)
    flat = pixels.reshape(height, 3 * width)
    rows[:, 0] = 1
    rows[:, 1:4] = flat[:, :3]
    rows[:, 4:] = flat[:, 3:] - flat[:, :-3]

    def chunk(kind: bytes, data: Bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 4)) + chunk(b"IEND", b"")
