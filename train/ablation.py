"""What each choice of the int8 format costs, simulated in PyTorch beside what the engine gives.

    python ablation.py --model F32_MODEL --images DIR [--answers ANSWERS.safetensors]

DIR as unpack.py makes it, ANSWERS as engine.py does. Prints a table in Markdown: top-1 agreement with f32, cosine of the logits (their mean taken away: the
engine's command line gives softmax, which doesn't know it), top-1 accuracy.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from timm.models.vision_transformer import Attention, VisionTransformer
from torch import Tensor, nn
from torch.nn.functional import linear

import data
import engine
import model as models

MIN_SQNR = 30.0
"""As src/quant.rs has it."""


def symmetric(x: Tensor, bits: int, axis: int = -1) -> Tensor:
    """One scale a row (or a column): integers in −2^(bits − 1) + 1 … 2^(bits − 1) − 1."""
    levels = 2 ** (bits - 1) - 1
    scale = (x.abs().amax(axis, keepdim=True) / levels).clamp(min=1e-30)
    return (x / scale).round() * scale


def in_groups(x: Tensor) -> Tensor:
    """4 bits as src/quant/four_bits.rs has them: 32 weights share a whole number of steps, of all the one with the least squared error."""
    scale = (x.abs().amax(-1, keepdim=True) / (7 * 15)).clamp(min=1e-30).unsqueeze(-1)
    groups = nn.functional.pad(x, (0, -x.shape[-1] % 32)).unflatten(-1, (-1, 32))
    candidates = torch.stack([(groups / (scale * step)).round().clamp(-8, 7) * scale * step for step in range(1, 16)])
    best = (candidates - groups).square().sum(-1, keepdim=True).argmin(0, keepdim=True)
    return candidates.take_along_dim(best, 0)[0].flatten(-2)[..., : x.shape[-1]]


def with_offset(x: Tensor, bits: int) -> Tensor:
    """One scale and one offset a row: integers in 0 … 2^bits − 1."""
    low, high = x.aminmax(dim=-1, keepdim=True)
    scale = ((high - low) / (2**bits - 1)).clamp(min=1e-30)
    return ((x - low) / scale).round() * scale + low


Rounding = Callable[[Tensor], Tensor]


@dataclass
class Scheme:
    """How weights (a row an output) and activations (a row a token) are rounded."""

    name: str
    weights: Rounding
    activations: Rounding
    patches: bool = False
    """Whether the patch projection is rounded too."""
    exception: bool = False
    """Whether a matrix below 30 dB stays f32, as do its activations."""
    attention: bool = False
    """Whether attention multiplies integers too."""


SIGNED_8 = partial(symmetric, bits=8)
OFFSET_7 = partial(with_offset, bits=7)
SCHEMES = [
    Scheme("W8A8 (signed)", SIGNED_8, SIGNED_8, patches=True),
    Scheme("W8A7 (unsigned, an offset a token)", SIGNED_8, OFFSET_7, patches=True),
    Scheme("W7A8 (signed)", partial(symmetric, bits=7), SIGNED_8, patches=True),
    Scheme("W4A8 (signed)", partial(symmetric, bits=4), SIGNED_8, patches=True),
    Scheme("W8A7, patch projection f32", SIGNED_8, OFFSET_7),
    Scheme("W8A7, patch projection f32, below 30 dB f32", SIGNED_8, OFFSET_7, exception=True),
    Scheme("W8A7 with the exceptions, attention in integers: the format", SIGNED_8, OFFSET_7, exception=True, attention=True),
    Scheme("W4A7, patch projection f32, attention in integers", partial(symmetric, bits=4), OFFSET_7, attention=True),
    Scheme("the same, 32 weights a step: the format of `--bits 4`", in_groups, OFFSET_7, attention=True),
]


class Rounded(nn.Module):
    """A linear layer, or the patch projection, on rounded weights and activations."""

    def __init__(self, layer: nn.Linear | nn.Conv2d, scheme: Scheme) -> None:
        super().__init__()
        self.patch = layer.kernel_size[0] if isinstance(layer, nn.Conv2d) else 0
        self.weight, self.bias = scheme.weights(layer.weight.flatten(1)), layer.bias
        self.activations = scheme.activations

    def forward(self, x: Tensor) -> Tensor:
        if not self.patch:
            return linear(self.activations(x), self.weight, self.bias)
        height, width = x.shape[-2] // self.patch, x.shape[-1] // self.patch
        rows = nn.functional.unfold(x, self.patch, stride=self.patch).mT
        return linear(self.activations(rows), self.weight, self.bias).mT.unflatten(-1, (height, width))


class RoundedAttention(nn.Module):
    """The engine's: queries 7 bits, keys 8 without their mean over the tokens, softmax's numerators 14, values 8 a channel."""

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.qkv, self.proj = attention.qkv, attention.proj
        self.heads, self.scale = attention.num_heads, attention.scale

    def forward(self, x: Tensor, **_: object) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q, k = with_offset(q, 7), symmetric(k - k.mean(-2, keepdim=True), 8)
        scores = q @ k.mT * self.scale
        numerators = (scores - scores.amax(-1, keepdim=True)).exp()
        numerators = (numerators * 16_383).round() / 16_383
        heads = numerators @ symmetric(v, 8, axis=-2) / numerators.sum(-1, keepdim=True)
        return self.proj(heads.transpose(1, 2).flatten(2))


def signal_to_noise(weight: Tensor, rounding: Rounding) -> float:
    """10 log₁₀(Σ w² / Σ (w − ŵ)²), in dB."""
    weight = weight.flatten(1).double()
    return 10 * torch.log10(weight.square().sum() / (weight - rounding(weight)).square().sum()).item()


def matrices(model: VisionTransformer) -> list[tuple[str, nn.Module]]:
    return [(name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]


def rounded(folder: Path, scheme: Scheme) -> tuple[VisionTransformer, int]:
    """The model in this scheme, and how many of its matrices are rounded."""
    model, _ = models.open_folder(folder)
    count = 0
    for name, layer in matrices(model):
        exempt = isinstance(layer, nn.Conv2d) and not scheme.patches
        if exempt or scheme.exception and signal_to_noise(layer.weight, scheme.weights) < MIN_SQNR:
            continue
        model.set_submodule(name, Rounded(layer, scheme))
        count += 1
    for block in model.blocks if scheme.attention else ():
        block.attn = RoundedAttention(block.attn)
    return model.eval(), count


@torch.inference_mode()
def logits_of(model: VisionTransformer, images: Tensor) -> Tensor:
    return torch.cat([model(data.normalise(batch)) for batch in images.split(25)])  # more at once leave the cache


def row(name: str, count: str, logits: Tensor, reference: Tensor, targets: Tensor) -> str:
    agreement = (logits.argmax(1) == reference.argmax(1)).double().mean()
    centred = [x - x.mean(1, keepdim=True) for x in (logits, reference)]
    cosine = nn.functional.cosine_similarity(*centred)
    top1 = (logits.argmax(1) == targets).double().mean()
    return f"| {name} | {count} | {agreement:.2%} | {cosine.mean():.5f} | {cosine.min():.4f} | {top1:.2%} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--answers", type=Path)
    arguments = parser.parse_args()
    model, labels = models.open_folder(arguments.model)
    paths = engine.images_below(arguments.images)
    targets = torch.tensor([labels.index(path.parent.name) for path in paths])
    images = torch.stack([torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1) for path in paths])
    reference = logits_of(model.eval(), images)

    print("| scheme | matrices in integers | agrees with f32 | cosine, mean | cosine, least | top-1 |")
    print("| --- | --: | --: | --: | --: | --: |")
    print(row("f32", "0", reference, reference, targets))
    for scheme in SCHEMES:
        model, count = rounded(arguments.model, scheme)
        print(row(scheme.name, str(count), logits_of(model, images), reference, targets), flush=True)
    for dtype in ("f32", "int8") if arguments.answers else ():
        print(row(f"**the engine, {dtype}**", "", load_file(arguments.answers)[dtype], reference, targets))
    print("\nsignal to noise of the matrices, in dB: least, median")
    roundings = [(f"{bits} bits", partial(symmetric, bits=bits)) for bits in (8, 7, 4)]
    for name, rounding in [*roundings, ("4 bits, 32 weights a step", in_groups)]:
        values = sorted(signal_to_noise(layer.weight, rounding) for _, layer in matrices(models.open_folder(arguments.model)[0]))
        print(f"{name}: {values[0]:.1f}, {values[len(values) // 2]:.1f}")


if __name__ == "__main__":
    main()
