"""Models of transformers, as they are in memory, answer in the engine as in torch; what no config.json tells is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("transformers")
pytest.importorskip("timm", reason="the tiny models of the fixtures need it")
import torch  # noqa: E402
from engine import check, of  # noqa: E402

import models_alias  # noqa: E402
import models_hf  # noqa: E402
import models_stages  # noqa: E402
from common import random_pixels, redraw  # noqa: E402

RECIPES = {recipe.name: recipe for recipe in models_hf.recipes() + models_alias.recipes()}
STAGES = {recipe.name: recipe for recipe in models_stages.recipes() if recipe.processor is not None}


@pytest.mark.parametrize("name", RECIPES)
def test_every_family(name: str, tmp_path: Path) -> None:
    """Classifiers, encoders, and larger models that have one."""
    recipe = RECIPES[name]
    model = redraw(recipe.build(), recipe.seed).to(recipe.dtype).float()
    pixels = random_pixels(*recipe.size, seed=7)
    with torch.no_grad():
        kind, expected, _ = recipe.run(model.get_submodule(recipe.encoder), pixels[None])
    check(model, pixels, kind, expected, tmp_path, recipe.processor)


@pytest.mark.parametrize("name", STAGES)
def test_every_family_of_stages(name: str, tmp_path: Path) -> None:
    recipe = STAGES[name]
    model = redraw(recipe.build(), recipe.seed)
    pixels = random_pixels(*recipe.size, seed=7)
    with torch.no_grad():
        kind, expected = recipe.result(model.get_submodule(recipe.encoder)(pixels[None]))
    check(model, pixels, kind, expected, tmp_path, recipe.processor)
