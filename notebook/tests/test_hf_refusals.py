"""What no config.json of transformers tells is refused by name, in one sentence that says what would do."""

# ruff: noqa: I001 (what may be missing comes first)
from __future__ import annotations

import functools
import re
import types
from collections.abc import Callable

import pytest

pytest.importorskip("transformers")
import torch
from engine import REPOSITORY, of
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    Dinov2Config,
    Dinov2ForImageClassification,
    ResNetConfig,
    ResNetForImageClassification,
    ViTConfig,
    ViTForImageClassification,
)
from vitscope.modules.hf import TYPES

TINY = dict(
    image_size=12, patch_size=4, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=28
)


def vit() -> ViTForImageClassification:
    return ViTForImageClassification(ViTConfig(num_labels=5, **TINY))


def layer(model: nn.Module) -> nn.Module:
    return next(part for name, part in model.named_modules() if re.search(r"layers?\.0$", name))


def put(path: str, value: object) -> Callable[[nn.Module], None]:
    def change(model: nn.Module) -> None:
        owner, _, name = path.rpartition(".")
        setattr(layer(model).get_submodule(owner), name, value)

    return change


def wrap(name: str) -> Callable[[nn.Module], None]:
    """By what does more than it says, within what a library wraps."""

    def change(model: nn.Module) -> None:
        own = layer(model)
        method = getattr(type(own), name)

        @functools.wraps(method)
        def twice(self: nn.Module, x: torch.Tensor, *args: object, **more: object) -> object:
            return method(self, 2 * x, *args, **more)

        setattr(own, name, types.MethodType(torch.autocast("cpu", torch.bfloat16)(twice), own))

    return change


def told(key: str, value: object) -> Callable[[nn.Module], None]:
    def change(model: nn.Module) -> None:
        setattr(model.config, key, value)

    return change


BY_HAND: dict[str, tuple[Callable[[nn.Module], None], str]] = {
    "norm": (put("layernorm_before.eps", 0.1), r"layernorm_before\.eps` is 0\.1, not 1e-12"),
    "norm taken away": (put("layernorm_after", nn.Identity()), r"layernorm_after`, a LayerNorm, is missing"),
    "attention": (put("attention", nn.Identity()), r"attention`, a ViTAttention, is missing"),
    "more": (put("adapter", nn.Linear(2, 2)), r"it has a `.*adapter`, a Linear"),
    "forward": (put("forward", lambda x: x), r"forward` is a function of its own"),
    "forward that says it is the class's": (wrap("forward"), r"forward` is a function of its own"),
    "a parameter": (put("layernorm_before.scale", nn.Parameter(torch.ones(16))), r"scale` is \(16,\), not None"),
    "config": (told("hidden_act", "relu"), r"is a gelu, not a relu"),
    "heads of config": (told("num_attention_heads", 4), r"is 2, not 4"),
    "head of layers": (
        lambda model: setattr(model, "classifier", nn.Sequential(nn.Linear(16, 5))),
        r"`classifier` of this ViTForImageClassification is a Sequential.*nn\.Linear",
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_what_was_changed_by_hand_is_named(name: str) -> None:
    """Never answered otherwise than torch does."""
    change, sentence = BY_HAND[name]
    model = vit()
    change(model)
    with pytest.raises(ValueError, match=sentence):
        of(model)


def test_what_libraries_wrap_and_users_note_is_read() -> None:
    """Autocast around a forward, as a Trainer leaves it, a compiled one, and attributes that no class knows."""
    model, plain = vit(), of(vit()).config
    autocast = torch.autocast("cpu", torch.bfloat16)
    model.forward = types.MethodType(autocast(autocast(model.forward.__func__)), model)
    layer(model).forward = torch.compile(layer(model).forward)
    model.best_acc, model.name, model.vit.note, model.told = 0.9, "mine", ["a"], print
    assert of(model).config == plain


def no_head() -> nn.Module:
    return Dinov2ForImageClassification(
        Dinov2Config(
            image_size=12, patch_size=4, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, num_labels=0
        )
    )


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "text": (
        lambda: BertModel(BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)),
        r"BertModel \(`bert`\) reads text: give a model that sees images",
    ),
    "a CNN": (
        lambda: ResNetForImageClassification(ResNetConfig(embedding_size=4, hidden_sizes=[4], depths=[1])),
        r"ResNetForImageClassification \(`resnet`\) is not read: give a ViT",
    ),
    "a part": (lambda: layer(vit()), r"ViT\w+ .*(part of a model|is not what its config says|can't be built)"),
    "features that are two": (no_head, "`classifier` of this Dinov2ForImageClassification is a Identity"),
    "meta": (lambda: vit().to("meta"), "is on the meta device"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_class_and_the_remedy(name: str) -> None:
    build, sentence = REFUSED[name]
    with pytest.raises(ValueError, match=sentence):
        of(build())


def test_types_are_those_that_the_engine_reads() -> None:
    """Every `model_type` of the readers, and no other."""
    sources = (REPOSITORY / "src" / "checkpoint").glob("*.rs")
    text = "\n".join(path.read_text().split("#[cfg(test)]")[0] for path in sources)
    named = set(re.findall(r'alias\(\s*"([\w-]+)"', text))
    for group in re.findall(r'optional_str\("model_type"\)[^;\n]*?Some\(([^)]*)\)', text):
        named |= set(re.findall(r'"([\w-]+)"', group))
    named |= set(re.findall(r'const TYPE: &str = "([\w-]+)"', text))
    assert named - {"timm_wrapper"} == TYPES
