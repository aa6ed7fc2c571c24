"""What no config.json of timm's tells is refused by name, in one sentence that says what would do."""

# ruff: noqa: E402 (what may be missing comes first, and where the fixtures are)
from __future__ import annotations

from collections.abc import Callable

import pytest

timm = pytest.importorskip("timm")
import torch
from engine import of
from timm.layers import Mlp
from timm.models.vision_transformer import VisionTransformer
from torch import nn

SIZES = dict(img_size=16, patch_size=4, embed_dim=24, depth=2, num_heads=3, num_classes=5)


def vit(name: str = "vit_tiny_patch16_224", **more: object) -> nn.Module:
    return timm.create_model(name, **SIZES | more)


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
    "another method": (
        put("forward_features", lambda x: x),
        r"`forward_features` is a function of its own",
    ),
    "a method that is its own affair": (put("_pos_embed", lambda x: x), r"`_pos_embed` is a function of its own"),
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
