"""What the engine itself answers, through its command line."""

import json
import subprocess
from pathlib import Path

import torch

MANY = 300
"""Images a call: a command line has a limit."""


def images_below(folder: Path, labels: list[str]) -> tuple[list[Path], torch.Tensor]:
    """Images of DIR/<label>/*.png and their classes; -1 where the folder is none of `labels`."""
    paths = sorted(folder.glob("*/*.png"))
    if not paths:
        raise SystemExit(f"{folder} holds no <label>/*.png: unpack.py makes them")
    classes = [labels.index(path.parent.name) if path.parent.name in labels else -1 for path in paths]
    return paths, torch.tensor(classes)


def log_probabilities(vitscope: Path, model: Path, images: list[Path], classes: int, dtype: str) -> torch.Tensor:
    """`[N, classes]`: logits but for a constant an image."""
    result = torch.empty(len(images), classes)
    for first in range(0, len(images), MANY):
        command = [vitscope, "classify", model, *images[first:first + MANY], "--top", str(classes), "--json", "--dtype", dtype]
        answers = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for row, answer in enumerate(answers, first):
            for prediction in answer["top"]:
                result[row, prediction["index"]] = prediction["score"]
    return result.clamp(min=1e-30).log()


def evaluate(vitscope: Path, model: Path, images: Path, dtype: str) -> dict[str, float]:
    """`vitscope eval`: images, top1, top5."""
    command = [vitscope, "eval", model, images, "--dtype", dtype, "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
