"""Folds a temperature into the head's weights and bias, so that scores mean what they say in PyTorch as in the engine.

    python temperature.py --answers ANSWERS.safetensors --of f32 --model MODEL --out CALIBRATED

The temperature of the least cross entropy on the answers; what it does to images that it wasn't found on is printed too. MODEL is one in floats, and stays in
its number format; `vitscope quantize` makes integers of the result.
"""

import argparse
import shutil
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file

import calibration
import checkpoints

HEAD = ("classifier.weight", "classifier.bias")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--answers", "--model", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--of", default="f32", help="whose answers")
    arguments = parser.parse_args()
    answers = load_file(arguments.answers)
    logits, targets = answers[arguments.of], answers["targets"]
    calibration.report(logits, targets)
    fold(arguments.model, arguments.out, calibration.best_temperature(logits, targets))


def fold(folder: Path, out: Path, temperature: float) -> None:
    file = "model.safetensors"
    state = load_file(folder / file)
    for name in HEAD:
        if not state[name].is_floating_point():
            raise SystemExit(f"{folder}: {name} holds integers: give the model that vitscope quantize was given")
        state[name] = (state[name].float() / temperature).to(state[name].dtype)
    out.mkdir(parents=True, exist_ok=True)
    with safe_open(folder / file, "pt") as original:
        save_file(state, out / file, original.metadata())
    for name in ("config.json", "preprocessor_config.json"):
        shutil.copyfile(folder / name, out / name)
    print(f"temperature {temperature:.2f}")
    model = checkpoints.open_model(folder)
    # The head is rounded to its number format once more.
    checkpoints.check(out, lambda pixels: model(pixels).logits / temperature, checkpoints.size_of(out), tolerance=1e-2)


if __name__ == "__main__":
    main()
