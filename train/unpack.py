"""Validation images as `vitscope eval` reads them: DIR/<a label's first name>/<number>.png. Keep DIR outside the repository.

    python unpack.py --data TARS --model MODEL --out DIR            # of the model's classes
    python unpack.py --data TARS --model MODEL --others --out DIR2  # of all the others
"""

import argparse
from pathlib import Path

from PIL import Image

import checkpoints
import data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--others", action="store_true")
    parser.add_argument("--limit", type=int, help="images a class")
    arguments = parser.parse_args()
    labels = [data.first_name(label) for label in checkpoints.labels_of(arguments.model)]
    if arguments.others:
        labels = [label for label in data.class_ids(arguments.data) if label not in labels]
    split = data.load(arguments.data, "val", labels, arguments.limit)
    for number, (image, target) in enumerate(zip(split.images, split.targets)):
        folder = arguments.out / labels[target]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{number:05}.png")
    print(f"{len(split.targets)} images of {len(labels)} classes in {arguments.out}")


if __name__ == "__main__":
    main()
