"""Models of timm, as they are in memory, answer in the engine as in torch."""

# ruff: noqa: E402, I001 (what may be missing comes first, and where the fixtures are)
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

timm = pytest.importorskip("timm")
pytest.importorskip("transformers", reason="the tiny models of the fixtures need it")
import torch
from engine import check, of
from timm.layers import LayerNorm, SwiGLUPacked
from timm.models.beit import Beit
from timm.models.eva import Eva
from timm.models.swin_transformer import SwinTransformer
from timm.models.swin_transformer_v2 import SwinTransformerV2
from timm.models.vision_transformer import VisionTransformer
from timm.models.vision_transformer_sam import VisionTransformerSAM
from torch import nn

import models_stages
import models_timm
from common import random_pixels, redraw

RECIPES = {recipe.name: recipe for recipe in models_timm.recipes()}
STAGES = {recipe.name: recipe for recipe in models_stages.recipes() if recipe.processor is None}
SIZES = dict(img_size=16, patch_size=4, embed_dim=24, depth=2, num_heads=3, num_classes=5)


def agrees(model: nn.Module, folder: Path, seed: int = 3):
    """Checks a module whose weights are drawn anew; gives its files."""
    redraw(model, seed)
    pixels = random_pixels(*model.patch_embed.img_size, seed=7)
    with torch.no_grad():
        expected = model(pixels[None])[0]
    head = getattr(model.head, "fc", model.head)
    return check(model, pixels, "logits" if isinstance(head, nn.Linear) else "features", expected, folder)


def vit(name: str = "vit_tiny_patch16_224", **more: object) -> nn.Module:
    return timm.create_model(name, **SIZES | more)


@pytest.mark.parametrize("name", RECIPES)
def test_every_family(name: str, tmp_path: Path) -> None:
    recipe = RECIPES[name]
    files = agrees(timm.create_model(recipe.architecture, **recipe.overrides), tmp_path, recipe.seed)
    assert files.config["architecture"] == files.title == recipe.architecture


@pytest.mark.parametrize("name", STAGES)
def test_every_family_of_stages(name: str, tmp_path: Path) -> None:
    agrees(STAGES[name].build(), tmp_path, STAGES[name].seed)


ARGUMENTS: dict[str, Callable[[], nn.Module]] = {
    "as it is": vit,
    "as it is registered": lambda: timm.create_model("test_vit"),
    "other classes": lambda: timm.create_model("test_vit", num_classes=5),
    "other heads": lambda: timm.create_model("test_vit", num_heads=4),
    "other pooling": lambda: timm.create_model("test_vit", global_pool="avg"),
    "not square": lambda: vit(img_size=(12, 20)),
    "more heads than its name's width has": lambda: vit("vit_base_patch16_224", num_heads=12, embed_dim=48),
    "no biases": lambda: vit(qkv_bias=False),
    "layer scale": lambda: vit(init_values=0.1),
    "normed queries and keys": lambda: vit(qk_norm=True),
    "no class token": lambda: vit(class_token=False, global_pool="avg"),
    "registers": lambda: vit(reg_tokens=3),
    "positions of patches alone": lambda: vit(reg_tokens=2, no_embed_class=True),
    "a norm before": lambda: vit(pre_norm=True),
    "none before": lambda: vit("vit_base_patch16_clip_224", pre_norm=False),
    "mean of normed": lambda: vit(global_pool="avg", fc_norm=False),
    "mean with prefix": lambda: vit(global_pool="avg", pool_include_prefix=True),
    "no last norm": lambda: vit(final_norm=False),
    "pooled by attention": lambda: vit(global_pool="map"),
    "norms within": lambda: vit(scale_attn_norm=True, scale_mlp_norm=True),
    "quick gelu": lambda: vit(act_layer="quick_gelu"),
    "tanh gelu by class": lambda: vit(act_layer=partial(nn.GELU, approximate="tanh")),
    "silu": lambda: vit(act_layer=nn.SiLU),
    "relu": lambda: vit(act_layer="relu"),
    "a packed gate": lambda: vit(mlp_layer=SwiGLUPacked, act_layer=nn.SiLU),
    "torch's own norm": lambda: vit(norm_layer=partial(nn.LayerNorm, eps=1e-6)),
    "eps 1e-5": lambda: vit(norm_layer=partial(LayerNorm, eps=1e-5)),
    "eps 1e-6 of CLIP": lambda: vit("vit_base_patch16_clip_224", norm_layer="layernorm"),
    "any size": lambda: vit(dynamic_img_size=True),
    "padded": lambda: vit(dynamic_img_size=True, dynamic_img_pad=True),
    "dropping": lambda: vit(drop_rate=0.5, drop_path_rate=0.5, patch_drop_rate=0.5, attn_drop_rate=0.5),
    "no classes": lambda: vit(num_classes=0),
    "Eva without what its name has": lambda: vit("eva02_base_patch14_224", scale_mlp=False, use_abs_pos_emb=False),
    "Eva at any size": lambda: vit("vit_small_patch16_dinov3", embed_dim=48, dynamic_img_size=True),
    "AIMv2 with biases": lambda: vit("aimv2_large_patch14_224", qkv_bias=True, mlp_ratio=2),
    "Beit with positions": lambda: vit("beit_base_patch16_224", use_abs_pos_emb=True, init_values=None, qkv_bias=False),
    "VisionTransformer": lambda: VisionTransformer(**SIZES),
    "VisionTransformer, by PyTorch's eps": lambda: VisionTransformer(
        **SIZES, norm_layer=nn.LayerNorm, global_pool="avg"
    ),
    "Eva": lambda: Eva(**SIZES | dict(embed_dim=48)),
    "Eva with rotary positions": lambda: Eva(
        **SIZES | dict(embed_dim=48), use_rot_pos_emb=True, swiglu_mlp=True, qkv_fused=False
    ),
    "Eva, mixed": lambda: Eva(
        **SIZES | dict(embed_dim=48), use_rot_pos_emb=True, rope_type="mixed", attn_type="rope", rope_grid_indexing="xy"
    ),
    "Eva, DINOv3's positions": lambda: Eva(
        **SIZES | dict(embed_dim=48),
        use_rot_pos_emb=True,
        rope_type="dinov3",
        rope_temperature=50.0,
        norm_layer=partial(LayerNorm, eps=1e-5),
    ),
    "Beit": lambda: Beit(**SIZES, use_rel_pos_bias=True),
    "SwinTransformer": lambda: SwinTransformer(
        img_size=24, patch_size=2, embed_dim=12, depths=(2, 2), num_heads=(2, 3), window_size=3, num_classes=4
    ),
    "SwinTransformerV2": lambda: SwinTransformerV2(
        img_size=24, patch_size=2, embed_dim=12, depths=(2, 2), num_heads=(2, 3), window_size=3, num_classes=4
    ),
    "SAM with another activation": lambda: vit(
        "samvit_base_patch16", act_layer=nn.SiLU, window_size=3, use_abs_pos=False
    ),
    "Swin at any size": lambda: timm.create_model(
        "swin_tiny_patch4_window7_224",
        img_size=24,
        patch_size=2,
        embed_dim=12,
        depths=(2, 2),
        num_heads=(2, 3),
        window_size=(2, 3),
        strict_img_size=False,
        num_classes=4,
    ),
    "VisionTransformerSAM": lambda: VisionTransformerSAM(
        **SIZES, use_rel_pos=True, window_size=2, global_attn_indexes=(1,), neck_chans=8
    ),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments(name: str, tmp_path: Path) -> None:
    """What a name doesn't stand for, and what has no name."""
    agrees(ARGUMENTS[name](), tmp_path)


def new_head(model: nn.Module) -> None:
    model.head = nn.Linear(24, 3)


def no_head(model: nn.Module) -> None:
    model.head = nn.Identity()


CHANGES: dict[str, Callable[[nn.Module], object]] = {
    "another head": new_head,
    "no head": no_head,
    "reset": lambda model: model.reset_classifier(3, "avg"),
    "fewer blocks": lambda model: setattr(model, "blocks", model.blocks[:1]),
    "resized": lambda model: model.set_input_size((12, 20)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_that_are_told(name: str, tmp_path: Path) -> None:
    """What people do to a model before they train it."""
    model = vit()
    CHANGES[name](model)
    agrees(model, tmp_path)


WRAPPERS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "compiled": torch.compile,
    "parallel": nn.DataParallel,
    "both": lambda model: torch.compile(nn.DataParallel(model)),
    "halves": lambda model: model.half(),
    "bfloat16": lambda model: model.bfloat16(),
    "double": lambda model: model.double(),
    "training": lambda model: model.train(),
    "frozen": lambda model: model.requires_grad_(False),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_wrappers(name: str, tmp_path: Path) -> None:
    """The model within, as it is, and it stays so."""
    model = redraw(vit(), 3)
    wrapped = WRAPPERS[name](model)
    plain = redraw(vit(), 3)
    plain.load_state_dict(model.state_dict())  # rounded, if it is
    pixels = random_pixels(16, 16, seed=7)
    expected = plain(pixels[None])[0].detach()
    before, seed = described(wrapped), torch.get_rng_state()
    check(wrapped, pixels, "logits", expected, tmp_path)
    assert described(wrapped) == before and torch.equal(torch.get_rng_state(), seed)


def described(module: nn.Module) -> list[tuple]:
    """What must not change, and who holds it."""
    values = [
        (name, value.dtype, value.requires_grad, value.grad, value.data_ptr(), value._version)
        for name, value in module.named_parameters()
    ]
    return values + [(name, part.training, sorted(vars(part))) for name, part in module.named_modules()]


def test_blocks_that_were_compiled_alone(tmp_path: Path) -> None:
    model = redraw(vit(), 3)
    pixels = random_pixels(16, 16, seed=7)
    expected = model(pixels[None])[0].detach()
    model.blocks[1] = torch.compile(model.blocks[1])
    check(model, pixels, "logits", expected, tmp_path)


def test_labels_and_pixels() -> None:
    """What timm knows of the weights that a name stands for goes along; names of other classes don't."""
    model = vit("vit_base_patch16_clip_224")
    model.pretrained_cfg["label_names"] = ["a", "b", "c", "d", "e"]
    config = of(model).config
    assert config["label_names"] == ["a", "b", "c", "d", "e"]
    assert config["pretrained_cfg"]["mean"] == model.pretrained_cfg["mean"] != (0.5, 0.5, 0.5)
    assert config["pretrained_cfg"]["input_size"] == [3, 16, 16]
    new_head(model)
    assert "label_names" not in of(model).config


def test_adapters_have_to_be_merged(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(vit(), peft.LoraConfig(target_modules=["qkv"]))
    with pytest.raises(ValueError, match="merge_and_unload"):
        of(model)
    agrees(model.merge_and_unload(), tmp_path)
