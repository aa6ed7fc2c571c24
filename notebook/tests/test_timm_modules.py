"""Models of timm, as they are in memory, answer in the engine as in torch; what no config.json tells is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

timm = pytest.importorskip("timm")
pytest.importorskip("transformers", reason="the tiny models of the fixtures need it")
import torch  # noqa: E402
from engine import check, of  # noqa: E402
from torch import nn  # noqa: E402

import models_stages  # noqa: E402
import models_timm  # noqa: E402
from common import random_pixels, redraw  # noqa: E402

RECIPES = {recipe.name: recipe for recipe in models_timm.recipes()}
STAGES = {recipe.name: recipe for recipe in models_stages.recipes() if recipe.processor is None}
VIT = dict(img_size=16, patch_size=4, embed_dim=24, depth=2, num_heads=3, num_classes=5)


def run(model: nn.Module, seed: int = 7) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixel values [3, H, W], and what the model makes of them [C]."""
    pixels = random_pixels(*model.patch_embed.img_size, seed=seed)
    with torch.no_grad():
        return pixels, model(pixels[None].to(next(model.parameters()).dtype))[0]


def agrees(model: nn.Module, folder: Path, **redrawn: object):
    """Checks a module, its weights drawn anew; gives its files."""
    model = redraw(model, 3)
    pixels, expected = run(model)
    return check(model, pixels, "logits" if expected.shape[0] in (3, 4, 5, 7, 9, 1) else "features", expected, folder)


@pytest.mark.parametrize("name", RECIPES)
def test_every_family(name: str, tmp_path: Path) -> None:
    """Registered names with arguments of one's own."""
    recipe = RECIPES[name]
    model = redraw(timm.create_model(recipe.architecture, **recipe.overrides), recipe.seed)
    pixels, expected = run(model)
    files = check(model, pixels, "logits" if model.num_classes else "features", expected, tmp_path)
    assert files.config["architecture"] == recipe.architecture


@pytest.mark.parametrize("name", STAGES)
def test_every_family_of_stages(name: str, tmp_path: Path) -> None:
    recipe = STAGES[name]
    model = redraw(recipe.build(), recipe.seed)
    pixels, expected = run(model)
    check(model, pixels, "logits" if model.num_classes else "features", expected, tmp_path)
