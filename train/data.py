"""Tiny-ImageNet as it is packed: one WebP mosaic a class, in tar archives, read without unpacking them."""

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

EDGE = 64
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass
class Split:
    """Images U8 `[N, 3, 64, 64]` and classes `[N]`. 64 × 64 pixels are few enough to keep the whole set where the model is."""

    images: torch.Tensor
    targets: torch.Tensor

    def to(self, device: torch.device) -> "Split":
        return Split(self.images.to(device), self.targets.to(device))


def members(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of every archive in the folder."""
    archives = sorted(folder.glob("*.tar"))
    if not archives:
        raise SystemExit(f"no .tar in {folder}: give the folder with the packed archives")
    for archive in archives:
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile():
                    yield member.name.removeprefix("./"), tar.extractfile(member).read()


def first_name(label: str) -> str:
    """"tabby" of "tabby, tabby cat": what a class is called here, whether a model's labels are whole synsets or not."""
    return label.split(",")[0]


def entries(folder: Path) -> list[dict[str, str]]:
    return json.loads(next(data for name, data in members(folder) if name.endswith("classes.json")))


def class_ids(folder: Path) -> dict[str, str]:
    """wnid by a synset's first name, in the data set's order."""
    return {first_name(entry["label"]): entry["wnid"] for entry in entries(folder)}


def synsets(folder: Path) -> list[str]:
    """Whole synsets, in the data set's order."""
    return [entry["label"] for entry in entries(folder)]


def tiles(mosaic: bytes) -> np.ndarray:
    """`[N, 3, 64, 64]` of a mosaic, in row order."""
    pixels = np.asarray(Image.open(io.BytesIO(mosaic)).convert("RGB"))
    rows, columns = pixels.shape[0] // EDGE, pixels.shape[1] // EDGE
    return pixels.reshape(rows, EDGE, columns, EDGE, 3).transpose(0, 2, 4, 1, 3).reshape(-1, 3, EDGE, EDGE)


def load(folder: Path, split: str, labels: list[str], limit: int | None = None) -> Split:
    """Images of the classes with these labels, numbered in the order of `labels`; at most `limit` a class."""
    ids = class_ids(folder)
    labels = [first_name(label) for label in labels]
    if unknown := [label for label in labels if label not in ids]:
        raise SystemExit(f"not in the data set: {', '.join(unknown)}")
    index = {ids[label]: i for i, label in enumerate(labels)}
    images: dict[int, np.ndarray] = {}
    for name, data in members(folder):
        kind, _, file = name.rpartition("/")
        wnid = file.removesuffix(".webp")
        if kind.endswith(split) and wnid in index:
            images[index[wnid]] = tiles(data)[:limit]
    ordered = [images[i] for i in range(len(labels))]
    targets = np.repeat(np.arange(len(labels)), [len(part) for part in ordered])
    return Split(torch.from_numpy(np.concatenate(ordered)), torch.from_numpy(targets))


def normalise(images: torch.Tensor) -> torch.Tensor:
    """As preprocessor_config.json says, for images that already have the model's size."""
    mean, std = (torch.tensor(values, device=images.device).view(1, 3, 1, 1) for values in (MEAN, STD))
    return (images.float() / 255 - mean) / std
