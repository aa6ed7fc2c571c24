"""Models of timm, as they are in memory, answer in the engine as in torch.

What no config.json tells is refused by name.
"""

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
from timm.layers import LayerNorm, Mlp, SwiGLUPacked
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


class MyBlock(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class MyViT(VisionTransformer):
    pass


class Lightning(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = vit()


def put(path: str, value: object) -> Callable[[nn.Module], None]:
    def change(model: nn.Module) -> None:
        owner, name = path.rsplit(".", 1) if "." in path else ("", path)
        setattr(model.get_submodule(owner), name, value)

    return change


BY_HAND: dict[str, tuple[Callable[[nn.Module], None], str]] = {
    "activation": (put("blocks.1.mlp.act", nn.Tanh()), r"its `blocks\.1\.mlp\.act` is a Tanh, not a gelu"),
    "one activation of two": (put("blocks.1.mlp.act", nn.ReLU()), r"`blocks\.1\.mlp\.act` is a relu, not a gelu"),
    "scale": (put("blocks.0.attn.scale", 1.0), r"`blocks\.0\.attn\.scale` is 1\.0, not 0\.35"),
    "eps": (put("blocks.1.norm2.eps", 0.1), r"`blocks\.1\.norm2\.eps` is 0\.1, not 1e-06"),
    "block": (put("blocks.1", MyBlock()), r"`blocks\.1` is a MyBlock, not a Block"),
    "first block": (put("blocks.0", MyBlock()), r"blocks\[0\] of this VisionTransformer is a MyBlock"),
    "another MLP": (put("blocks.0.mlp", Mlp(24, 32)), r"blocks\.1\.mlp\.fc1\.weight` is \(96, 24\), not \(32, 24\)"),
    "norm taken away": (
        put("blocks.0.norm1", nn.Identity()),
        r"blocks\[0\]\.norm1 of this VisionTransformer is a Identity",
    ),
    "a norm of another kind": (put("norm", nn.BatchNorm1d(24)), r"`norm` is a BatchNorm1d"),
    "more": (put("blocks.0.attn.adapter", nn.Linear(24, 24)), r"it has a `blocks\.0\.attn\.adapter`, a Linear"),
    "forward": (
        put("blocks.0.attn.forward", lambda x, **more: x),
        r"`blocks\.0\.attn\.forward` is a function of its own",
    ),
    "head of layers": (
        put("head", nn.Sequential(nn.Linear(24, 8), nn.ReLU(), nn.Linear(8, 5))),
        r"The `head` .* is a Sequential.*nn\.Linear",
    ),
    "head without a bias": (put("head", nn.Linear(24, 5, bias=False)), r"`head\.bias` is None"),
    "a mask of patches": (put("no_embed_class", True), r"no_embed_class|pos_embed"),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_what_was_changed_by_hand_is_named(name: str) -> None:
    """Never answered otherwise than torch does."""
    change, sentence = BY_HAND[name]
    model = vit()
    change(model)
    with pytest.raises(ValueError, match=sentence):
        of(model)


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "a CNN": (lambda: timm.create_model("resnet18"), "ResNet of timm is not read: .*plain ViTs"),
    "relative positions": (lambda: vit("vit_relpos_small_patch16_224"), "VisionTransformerRelPos of timm"),
    "parallel blocks": (
        lambda: vit("vit_base_patch16_xp_224"),
        r"blocks\[0\] of this VisionTransformer is a ParallelScalingBlock",
    ),
    "norms behind": (
        lambda: vit("eva02_enormous_patch14_clip_224"),
        r"blocks\[0\] of this Eva is a EvaBlockPostNorm, which is not read",
    ),
    "a stem of convolutions": (
        lambda: timm.create_model("vit_tiny_r_s16_p8_224"),
        "patch_embed of this VisionTransformer is a HybridEmbed",
    ),
    "one channel": (lambda: vit(in_chans=1), "takes 1 channels: give one of RGB images"),
    "SAM with norms": (
        lambda: vit("samvit_base_patch16", qk_norm=True),
        "normalises queries and keys, which is not read",
    ),
    "maximum": (
        lambda: vit(global_pool="max"),
        "pools by global_pool='max', which is not read: .*another of token, avg, map",
    ),
    "RMSNorm": (lambda: vit(norm_layer="rmsnorm"), r"blocks\[0\]\.norm1 of this VisionTransformer is a RmsNorm"),
    "no positions": (lambda: vit(pos_embed="none"), "has no positions"),
    "meta": (lambda: vit().to("meta"), "is on the meta device: load its weights"),
    "a class of one's own": (lambda: MyViT(**SIZES), "MyViT is a class of your own over VisionTransformer"),
    "within another": (
        Lightning,
        r"Lightning is neither .*: give the part of it that is, `\.net`, a VisionTransformer",
    ),
    "torch's own": (
        lambda: nn.Linear(2, 2),
        r"Linear \(torch\.nn\.modules\.linear\) is not read: give a ViT of timm or transformers",
    ),
    "features only": (
        lambda: timm.create_model("vit_tiny_patch16_224", features_only=True),
        "FeatureGetterNet of timm is not read",
    ),
    "quantised": (
        lambda: torch.ao.quantization.quantize_dynamic(vit(), {nn.Linear}),
        r"VisionTransformer is quantised \(torch\.ao\), which is not read: .*dtype='int8'",
    ),
    "float8": (lambda: vit().to(torch.float8_e4m3fn), r"quantised \(float8_e4m3fn\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_class_and_the_remedy(name: str) -> None:
    build, sentence = REFUSED[name]
    with pytest.raises(ValueError, match=sentence):
        of(build())


def test_adapters_have_to_be_merged(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(vit(), peft.LoraConfig(target_modules=["qkv"]))
    with pytest.raises(ValueError, match="merge_and_unload"):
        of(model)
    agrees(model.merge_and_unload(), tmp_path)
