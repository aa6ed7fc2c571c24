"""Writes one network of stages and windows for both sides of the benchmark: seeded weights at a real size.

    python make_stages.py swin-t|mobilevit-s|sam-b FOLDER

FOLDER gets f32/ (config.json, model.safetensors, written by transformers' own saver), pixels.f32, one input for all, expected.safetensors, what
transformers makes of it (`logits`, or `features` of SAM, [C, rows, columns]), and f32.onnx and int8.onnx for onnxruntime-web: the graph that torch.onnx
writes, optimised and quantised as `make_models.py` does. Needs requirements.txt here and that of tests/fixtures.
"""

import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import onnx
import torch
from onnxruntime.transformers.optimizer import optimize_by_onnxruntime, optimize_model
from safetensors.torch import save_file
from transformers import (
    MobileViTConfig, MobileViTForImageClassification, SamVisionConfig, SamVisionModel, SwinConfig, SwinForImageClassification,
)

from make_models import OPSET, draw_pixels, quantise

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/fixtures"))
from common import redraw
from stages import redraw_batch_norms

MODELS: dict[str, tuple[int, Callable[[], torch.nn.Module], str]] = {
    "swin-t": (224, lambda: SwinForImageClassification(SwinConfig(num_labels=1000)), "logits"),
    "mobilevit-s": (256, lambda: MobileViTForImageClassification(MobileViTConfig(num_labels=1000)), "logits"),
    "sam-b": (1024, lambda: SamVisionModel(SamVisionConfig()), "features"),
}
"""The configs' defaults are these models. Of each the edge of its input, and what it is for."""


class Answer(torch.nn.Module):
    """The one output that is measured."""

    def __init__(self, model: torch.nn.Module):
        super().__init__()
        self.model = model

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        out = self.model(pixel_values)
        return out.logits if "logits" in out else out.last_hidden_state


def main(name: str, folder: Path) -> None:
    size, build, kind = MODELS[name]
    (folder / "f32").mkdir(parents=True, exist_ok=True)
    model = redraw(build(), seed=0)
    redraw_batch_norms(model, seed=0)
    model.save_pretrained(folder / "f32")
    pixels = draw_pixels(size)
    pixels.tofile(folder / "pixels.f32")
    answer, batch = Answer(model).eval(), torch.from_numpy(pixels)[None]
    with torch.no_grad():
        expected = answer(batch)[0]
    save_file({kind: expected.contiguous()}, folder / "expected.safetensors")
    plain = folder / "plain.onnx"
    torch.onnx.export(answer, (batch,), plain, input_names=["pixel_values"], output_names=[kind], opset_version=OPSET, dynamo=False)
    # First all that depends on shapes alone: transformers pads, rolls and cuts windows by sizes it asks for. MatMul and Add stay, which BiasGelu needs.
    folded = optimize_by_onnxruntime(str(plain), opt_level=1, disabled_optimizers=["MatMulAddFusion"])
    optimised = optimize_model(folded, "swin" if name == "swin-t" else "vit", opt_level=0).model
    Path(folded).unlink()
    if all(opset.domain != "com.microsoft" for opset in optimised.opset_import):
        optimised.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    plain.unlink()
    onnx.save(optimised, folder / "f32.onnx")
    quantise(optimised, folder / "int8.onnx")


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    main(sys.argv[1], Path(sys.argv[2]))
