"""The picture of the model card: what the model looks at in the sample photos, by `vitscope explain`.

    python pictures.py --vitscope BINARY --model MODEL --photos ../www/samples --out ../models/vitscope-small/attention.jpg
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from data import first_name

EDGE = 200
GAP = 6
TEXT = 34
VIEWS = {
    "features as colours": ["--method", "features", "--alone"],
    "all heads, middle layer": ["--method", "head", "--layer", "MIDDLE"],
    "one head, last layer": ["--method", "head", "--head", "0"],
    "all heads, last layer": ["--method", "head"],
    "relevance of the answer": ["--method", "chefer"],
    "rollout, least of the heads": ["--method", "rollout", "--head", "min"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--vitscope", "--model", "--photos", "--out"):
        parser.add_argument(name, type=Path, required=True)
    arguments = parser.parse_args()
    photos = sorted(arguments.photos.glob("*.jpg"))
    middle = json.loads((arguments.model / "config.json").read_text())["num_hidden_layers"] // 2
    views = {name: [option.replace("MIDDLE", str(middle)) for option in options] for name, options in VIEWS.items()}
    sheet = Image.new("RGB", ((EDGE + GAP) * (1 + len(VIEWS)) - GAP, (EDGE + TEXT + GAP) * len(photos)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for row, photo in enumerate(photos):
        top = row * (EDGE + TEXT + GAP)
        cells = {answer(arguments.vitscope, arguments.model, photo): cropped(photo)}
        cells |= {name: view(arguments.vitscope, arguments.model, photo, options) for name, options in views.items()}
        for column, (text, picture) in enumerate(cells.items()):
            left = column * (EDGE + GAP)
            sheet.paste(picture.resize((EDGE, EDGE), Image.Resampling.BICUBIC), (left, top + TEXT))
            draw.text((left + 2, top + TEXT - 6), text, "black", font, anchor="ls")
    sheet.save(arguments.out, quality=85, optimize=True)


def answer(vitscope: Path, model: Path, photo: Path) -> str:
    top = json.loads(run(vitscope, "classify", model, photo, "--top", "1", "--json"))[0]["top"][0]
    return f"{first_name(top['label'])} {top['score']:.0%}"


def view(vitscope: Path, model: Path, photo: Path, options: list[str]) -> Image.Image:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.png"
        run(vitscope, "explain", model, photo, "-o", path, *options)
        return cropped(path)


def cropped(photo: Path) -> Image.Image:
    """What the model sees of it."""
    picture = Image.open(photo).convert("RGB")
    edge = min(picture.size)
    left, top = (side - edge >> 1 for side in picture.size)
    return picture.crop((left, top, left + edge, top + edge))


def run(*command: object) -> str:
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
