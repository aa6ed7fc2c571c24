"""What the engine itself answers, through its command line; card.py, temperature.py and ablation.py read it.

    python engine.py --vitscope BINARY --model f32=F32_MODEL --model int8=INT8_MODEL --images DIR [--others DIR2] [--size 112] --out ANSWERS.safetensors

DIR and DIR2 as unpack.py makes them: images of the models' classes, and of none of them. ANSWERS is a safetensors file of

| tensor | | |
| --- | --- | --- |
| `targets` | I64 [N] | class of each image |
| `f32`, `int8`, … | F32 [N, classes] | logits, but for a constant an image: here log-probabilities |
| `f32.features`, … | F32 [N, ≥ width] | if there: class token after the last norm, and whatever follows it |
| `others` | F32 [M, classes] | as `int8`, or the last model given, of images that none of its classes fit; if there |

and every tensor of N rows has the same images in the same order.
"""

import argparse
import json
import subprocess
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

import checkpoints
from data import first_name

MANY = 300
"""Images a call: a command line has a limit."""


def images_below(folder: Path, limit: int | None = None) -> list[Path]:
    """DIR/<label>/*.png in the order that everything here keeps; `limit` of them, evenly over the classes."""
    paths = sorted(folder.glob("*/*.png"))
    if not paths:
        raise SystemExit(f"{folder} holds no <label>/*.png: unpack.py makes them")
    count = min(limit or len(paths), len(paths))
    return [paths[i * len(paths) // count] for i in range(count)]


def targets_of(paths: list[Path], labels: list[str]) -> Tensor:
    """Classes by the folders' names, the first of each label's."""
    number = {first_name(label): i for i, label in enumerate(labels)}
    return torch.tensor([number[path.parent.name] for path in paths])


def answers_in(tensors: dict[str, Tensor]) -> list[str]:
    """The names of the models that answered."""
    return [name for name in tensors if name not in ("targets", "others") and not name.endswith(".features")]


def log_probabilities(vitscope: Path, model: Path, images: list[Path], *options: str) -> Tensor:
    """`[N, classes]`: logits but for a constant an image."""
    classes = len(checkpoints.labels_of(model))
    result = torch.empty(len(images), classes)
    for first in range(0, len(images), MANY):
        command = [vitscope, "classify", model, *images[first:first + MANY], "--top", str(classes), "--json", *options]
        answers = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for row, answer in enumerate(answers, first):
            for prediction in answer["top"]:
                result[row, prediction["index"]] = prediction["score"]
    return result.clamp(min=1e-30).log()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vitscope", type=Path, required=True)
    parser.add_argument("--model", action="append", required=True, metavar="NAME=FOLDER", help="as often as there are models")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--others", type=Path)
    parser.add_argument("--size", help="edge of the image; what the models were made for if not given")
    parser.add_argument("--limit", type=int, help="images in all")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    models = {name: Path(folder) for name, _, folder in (model.partition("=") for model in arguments.model)}
    options = ["--size", arguments.size] if arguments.size else []
    images = images_below(arguments.images, arguments.limit)
    last = list(models.values())[-1]
    result = {"targets": targets_of(images, checkpoints.labels_of(last))}
    result |= {name: log_probabilities(arguments.vitscope, model, images, *options) for name, model in models.items()}
    if arguments.others:
        result["others"] = log_probabilities(arguments.vitscope, last, images_below(arguments.others), *options)
    save_file(result, arguments.out)


if __name__ == "__main__":
    main()
