"""What the engine itself answers, through its command line; card.py and ablation.py read it.

    python engine.py --vitscope BINARY --f32 F32_MODEL --int8 INT8_MODEL --images DIR --others DIR2 --out ANSWERS.safetensors

DIR and DIR2 as unpack.py makes them: images of the model's classes, and of others.
"""

import argparse
import json
import subprocess
from pathlib import Path

import torch
from safetensors.torch import save_file

MANY = 300
"""Images a call: a command line has a limit."""


def labels_of(model: Path) -> list[str]:
    return list(json.loads((model / "config.json").read_text())["id2label"].values())


def images_below(folder: Path) -> list[Path]:
    """DIR/<label>/*.png, in the order that everything here keeps."""
    paths = sorted(folder.glob("*/*.png"))
    if not paths:
        raise SystemExit(f"{folder} holds no <label>/*.png: unpack.py makes them")
    return paths


def log_probabilities(vitscope: Path, model: Path, images: list[Path], dtype: str) -> torch.Tensor:
    """`[N, classes]`: logits but for a constant an image."""
    classes = len(labels_of(model))
    result = torch.empty(len(images), classes)
    for first in range(0, len(images), MANY):
        command = [vitscope, "classify", model, *images[first:first + MANY], "--top", str(classes), "--json", "--dtype", dtype]
        answers = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for row, answer in enumerate(answers, first):
            for prediction in answer["top"]:
                result[row, prediction["index"]] = prediction["score"]
    return result.clamp(min=1e-30).log()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--vitscope", "--f32", "--int8", "--images", "--others", "--out"):
        parser.add_argument(name, type=Path, required=True)
    arguments = parser.parse_args()
    labels = labels_of(arguments.int8)
    images, others = images_below(arguments.images), images_below(arguments.others)

    def answers(model: Path, paths: list[Path], dtype: str) -> torch.Tensor:
        return log_probabilities(arguments.vitscope, model, paths, dtype)

    save_file({
        "targets": torch.tensor([labels.index(path.parent.name) for path in images]),
        "f32": answers(arguments.f32, images, "f32"),
        "int8": answers(arguments.int8, images, "int8"),
        "others": answers(arguments.int8, others, "int8"),
    }, arguments.out)


if __name__ == "__main__":
    main()
