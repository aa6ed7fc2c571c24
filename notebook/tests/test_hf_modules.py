"""Models of transformers, as they are in memory, answer in the engine as in torch."""

# ruff: noqa: E402, I001 (what may be missing comes first, and where the fixtures are)
from __future__ import annotations

import json
import types
from collections.abc import Callable
from pathlib import Path

import pytest

transformers = pytest.importorskip("transformers")
timm = pytest.importorskip("timm", reason="the tiny models of the fixtures need it")
from engine import ask, check, of, write
import models_alias
import models_hf
import models_stages
import torch
import zero_shot
from common import random_pixels, redraw
from conftest import FIXTURES
from safetensors.torch import load_file
from torch import nn
from transformers import (
    DeiTConfig,
    DeiTForImageClassification,
    TimmWrapperConfig,
    TimmWrapperForImageClassification,
    Trainer,
    TrainingArguments,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
    ViTModel,
    pipeline,
)
from vitscope import models

RECIPES = {recipe.name: recipe for recipe in models_hf.recipes() + models_alias.recipes()}
STAGES = {recipe.name: recipe for recipe in models_stages.recipes() if recipe.processor is not None}
ZERO_SHOT = {recipe.name: recipe for recipe in zero_shot.recipes()}
TINY = dict(
    image_size=12, patch_size=4, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=28
)


def vit(**more: object) -> ViTForImageClassification:
    return redraw(ViTForImageClassification(ViTConfig(**TINY | {"num_labels": 5} | more)), 3)


def logits(model: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixel values [3, 12, 12], and what a classifier makes of them [C]."""
    pixels = random_pixels(12, 12, seed=7)
    with torch.no_grad():
        return pixels, model(pixels[None].to(next(model.parameters()).dtype)).logits[0]


@pytest.mark.parametrize("name", RECIPES)
def test_every_family(name: str, tmp_path: Path) -> None:
    """Classifiers, encoders, and larger models that have one: by the names that `save_pretrained` writes."""
    recipe = RECIPES[name]
    model = redraw(recipe.build(), recipe.seed)
    pixels = random_pixels(*recipe.size, seed=7)
    with torch.no_grad():
        kind, expected, _ = recipe.run(model.get_submodule(recipe.encoder), pixels[None])
    files = check(model, pixels, kind, expected, tmp_path, recipe.processor)
    model.save_pretrained(tmp_path / "saved")
    saved = load_file(tmp_path / "saved" / "model.safetensors")
    assert saved.keys() >= files.tensors.keys()
    assert all(torch.equal(tensor, saved[key]) for key, tensor in files.tensors.items())
    assert files.config == json.loads((tmp_path / "saved" / "config.json").read_text())


@pytest.mark.parametrize("name", STAGES)
def test_every_family_of_stages(name: str, tmp_path: Path) -> None:
    recipe = STAGES[name]
    model = redraw(recipe.build(), recipe.seed)
    pixels = random_pixels(*recipe.size, seed=7)
    with torch.no_grad():
        kind, expected = recipe.result(model.get_submodule(recipe.encoder)(pixels[None]))
    check(model, pixels, kind, expected, tmp_path, recipe.processor)


@pytest.mark.parametrize("name", ZERO_SHOT)
def test_whole_models_without_their_text(name: str, tmp_path: Path) -> None:
    """The tower that sees, whole models or that alone, and how it is compared with texts; no text tower is sent."""
    recipe = ZERO_SHOT[name]
    model = redraw(recipe.build(), recipe.seed)
    recipe.save(model, tmp_path)
    files = of(model)
    write(files, tmp_path)
    recipe.processor.save_pretrained(tmp_path)
    pixels = random_pixels(*recipe.size, seed=7)
    with torch.no_grad():
        _, expected, _ = recipe.run(model, pixels[None])
        pooled = model.vision_model(pixels[None]).pooler_output[0]
    answer = ask(tmp_path, pixels)
    assert "error" not in answer, answer
    found = torch.tensor(answer["logits"])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * max(1.0, expected.abs().max().item()))
    assert not any("text_model" in key for key in files.tensors)
    (tmp_path / "tower").mkdir()
    check(model.vision_model, pixels, "features", pooled, tmp_path / "tower", recipe.processor)


def linear(outputs: int) -> Callable[[nn.Module], None]:
    def change(model: nn.Module) -> None:
        model.classifier = nn.Linear(16, outputs)

    return change


def test_another_head_has_labels_of_its_own(tmp_path: Path) -> None:
    """Shapes win over a config that nobody told."""
    model = vit(num_labels=2, id2label={0: "a", 1: "b"}, label2id={"a": 0, "b": 1})
    assert list(of(model).config["id2label"].values()) == ["a", "b"]
    model.classifier = nn.Linear(16, 7)
    config = model.config.to_dict()
    files = check(model, *with_kind(logits(redraw(model, 4))), tmp_path)
    assert len(files.config["id2label"]) == 7 and "a" not in files.config["id2label"].values()
    assert model.config.to_dict() == config


def with_kind(asked: tuple[torch.Tensor, torch.Tensor], kind: str = "logits") -> tuple:
    return asked[0], kind, asked[1]


@pytest.mark.parametrize("kind", ["vit", "deit"])
def test_a_head_that_was_taken_away_leaves_features(kind: str, tmp_path: Path) -> None:
    model = vit() if kind == "vit" else redraw(DeiTForImageClassification(DeiTConfig(**TINY)), 3)
    model.classifier = nn.Identity()
    check(model, *with_kind(logits(model), "features"), tmp_path)


WRAPPERS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "compiled": torch.compile,
    "parallel": nn.DataParallel,
    "halves": lambda model: model.half(),
    "bfloat16": lambda model: model.bfloat16(),
    "double": lambda model: model.double(),
    "training": lambda model: model.train(),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_wrappers(name: str, tmp_path: Path) -> None:
    """The model within, as it is, and it stays so."""
    model = vit()
    wrapped = WRAPPERS[name](model)
    plain = vit()
    plain.load_state_dict(model.state_dict())  # rounded, if it is
    before = described(wrapped)
    seed = torch.get_rng_state()
    check(wrapped, *with_kind(logits(plain)), tmp_path)
    assert described(wrapped) == before and torch.equal(torch.get_rng_state(), seed)


def described(module: nn.Module) -> list:
    """What must not change, and who holds it."""
    values = [(name, value.dtype, value.requires_grad, value._version) for name, value in module.named_parameters()]
    return values + [(name, part.training, sorted(vars(part))) for name, part in module.named_modules()]


def test_loaded_from_a_folder(tmp_path: Path) -> None:
    """transformers 5 notes how it renamed what it loaded; names are those of files all the same."""
    vit().save_pretrained(tmp_path / "saved")
    model = ViTForImageClassification.from_pretrained(tmp_path / "saved").eval()
    files = check(model, *with_kind(logits(model)), tmp_path)
    assert files.tensors.keys() == load_file(tmp_path / "saved" / "model.safetensors").keys()
    assert files.title == "saved"


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("", "ViTForImageClassification"),
        ("google/vit-base-patch16-224", "google/vit-base-patch16-224"),
        ("/home/me/cats", "cats"),
        ("/root/.cache/huggingface/hub/models--google--vit-base/snapshots/3f49326", "google/vit-base"),
    ],
)
def test_titles(source: str, title: str) -> None:
    model = vit()
    model.config._name_or_path = source
    assert of(model).title == title


def test_pipelines_bring_their_processor(tmp_path: Path) -> None:
    processor = ViTImageProcessor(size={"height": 12, "width": 12}, image_mean=[0.1, 0.2, 0.3])
    model = vit()
    asked = pipeline("image-classification", model=model, image_processor=processor)
    check(asked, *with_kind(logits(model)), tmp_path)
    assert models.of(asked).normalisation[0] == [0.1, 0.2, 0.3]
    assert models.of(asked, FIXTURES / "processors" / "clip.json").normalisation[0][0] == 0.48145466


def test_trainers_bring_their_processor(tmp_path: Path) -> None:
    """In what bf16 made of their model's forward, too."""
    pytest.importorskip("accelerate", reason="a Trainer needs it")
    processor = ViTImageProcessor(size={"height": 12, "width": 12}, image_mean=[0.1, 0.2, 0.3])
    example = {"pixel_values": random_pixels(12, 12, seed=7), "labels": 1}
    args = TrainingArguments(str(tmp_path), bf16=True, use_cpu=True, max_steps=1, report_to="none", save_strategy="no")
    trainer = Trainer(vit(), args, train_dataset=[example] * 2, processing_class=processor)
    trainer.train()
    model = models.of(trainer)
    assert model.normalisation[0] == [0.1, 0.2, 0.3]
    assert models.of(trainer.model).weights[0].name == model.weights[0].name


def test_processors_for_texts_bring_none() -> None:
    holder = types.SimpleNamespace(model=vit(), processing_class=transformers.ByT5Tokenizer())
    assert "preprocessor" not in models.of(holder).files


def test_two_classes_have_their_default_names() -> None:
    """Which no config.json writes, being the default."""
    model = vit(num_labels=2)
    assert models.of(model).labels == ["class 0", "class 1"]
    with pytest.raises(ValueError, match="labels has 3 names, and the model 2 classes"):
        models.of(model, labels=["a", "b", "c"])


def test_timm_within_transformers(tmp_path: Path) -> None:
    names = {0: "a", 1: "b", 2: "c"}
    args = dict(img_size=12, patch_size=4, embed_dim=24, depth=2, num_heads=3)
    config = TimmWrapperConfig(
        architecture="vit_tiny_patch16_224", model_args=args, id2label=names, label2id={"a": 0, "b": 1, "c": 2}
    )
    model = redraw(TimmWrapperForImageClassification(config), 3)
    files = check(model, *with_kind(logits(model)), tmp_path)
    assert files.config["label_names"] == ["a", "b", "c"]


@pytest.mark.parametrize("arguments", [{}, {"add_pooling_layer": False}, {"use_mask_token": True}])
def test_arguments_beside_the_config(arguments: dict, tmp_path: Path) -> None:
    """What a class is told when it is made, and no config keeps."""
    model = redraw(ViTModel(ViTConfig(**TINY), **arguments), 3)
    pixels = random_pixels(12, 12, seed=7)
    with torch.no_grad():
        check(model, pixels, "features", model(pixels[None]).last_hidden_state[0, 0], tmp_path)
