"""The int8 format in PyTorch, and formats it might have been: roundings, matrices and attention on rounded numbers, channels made equally loud."""

import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad
from transformers import PreTrainedModel

MIN_SQNR = 30.0
"""As src/quant.rs has it."""

Rounding = Callable[[Tensor], Tensor]


def as_it_is(x: Tensor) -> Tensor:
    return x


def symmetric(x: Tensor, bits: int, axis: int = -1) -> Tensor:
    """One scale a row (or a column): integers in −2^(bits − 1) + 1 … 2^(bits − 1) − 1."""
    levels = 2 ** (bits - 1) - 1
    scale = (x.abs().amax(axis, keepdim=True) / levels).clamp(min=1e-30)
    return (x / scale).round() * scale


def in_groups(x: Tensor) -> Tensor:
    """4 bits as src/quant/four_bits.rs has them: 32 weights share a whole number of steps, of all the one with the least squared error."""
    scale = (x.abs().amax(-1, keepdim=True) / (7 * 15)).clamp(min=1e-30).unsqueeze(-1)
    groups = pad(x, (0, -x.shape[-1] % 32)).unflatten(-1, (-1, 32))
    candidates = torch.stack([(groups / (scale * step)).round().clamp(-8, 7) * scale * step for step in range(1, 16)])
    best = (candidates - groups).square().sum(-1, keepdim=True).argmin(0, keepdim=True)
    return candidates.take_along_dim(best, 0)[0].flatten(-2)[..., : x.shape[-1]]


def with_offset(x: Tensor, bits: int) -> Tensor:
    """One scale and one offset a row: integers in 0 … 2^bits − 1."""
    low, high = x.aminmax(dim=-1, keepdim=True)
    scale = ((high - low) / (2**bits - 1)).clamp(min=1e-30)
    return ((x - low) / scale).round() * scale + low


@dataclass
class Scheme:
    """How weights (a row an output) and activations (a row a token) are rounded."""

    name: str
    weights: Rounding = partial(symmetric, bits=8)
    activations: Rounding = partial(with_offset, bits=7)
    patches: bool = False
    """Whether the patch projection is rounded too."""
    exception: bool = False
    """Whether a matrix below 30 dB stays f32, as do its activations."""
    attention: bool = False
    """Whether attention multiplies integers too."""
    equal: bool = False
    """Whether channels are made equally loud first."""


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

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (getattr(attention, f"{part}_proj") for part in "qkvo")
        self.heads, self.scale = attention.num_attention_heads, attention.scaling

    def forward(self, x: Tensor, *_: object, **__: object) -> tuple[Tensor, None]:
        q, k, v = (layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.q_proj, self.k_proj, self.v_proj))
        q, k = with_offset(q, 7), symmetric(k - k.mean(-2, keepdim=True), 8)
        scores = q @ k.mT * self.scale
        numerators = (scores - scores.amax(-1, keepdim=True)).exp()
        numerators = (numerators * 16_383).round() / 16_383
        heads = numerators @ symmetric(v, 8, axis=-2) / numerators.sum(-1, keepdim=True)
        return self.o_proj(heads.transpose(1, 2).flatten(2)), None


def signal_to_noise(weight: Tensor, rounding: Rounding) -> float:
    """10 log₁₀(Σ w² / Σ (w − ŵ)²), in dB."""
    weight = weight.flatten(1).double()
    return 10 * torch.log10(weight.square().sum() / (weight - rounding(weight)).square().sum()).item()


def matrices(model: PreTrainedModel) -> list[tuple[str, nn.Module]]:
    return [(name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]


def attentions(model: PreTrainedModel) -> list[tuple[str, nn.Module]]:
    return [(name, layer) for name, layer in model.named_modules() if hasattr(layer, "q_proj")]


def block_of(name: str) -> str | None:
    """The number of the block that a part belongs to."""
    number = re.search(r"\.(\d+)\.", name)
    return number and number[1]


@torch.inference_mode()
def rounded(model: PreTrainedModel, scheme: Scheme, chosen: Callable[[str], bool] = lambda _: True) -> tuple[PreTrainedModel, int]:
    """A copy in this scheme, only of the parts whose names are chosen, and how many of its matrices are rounded."""
    model, count = deepcopy(model), 0
    if scheme.equal:
        equalise(model)
    for name, layer in matrices(model):
        exempt = isinstance(layer, nn.Conv2d) and not scheme.patches
        if exempt or not chosen(name) or scheme.exception and signal_to_noise(layer.weight, scheme.weights) < MIN_SQNR:
            continue
        model.set_submodule(name, Rounded(layer, scheme))
        count += 1
    for name, layer in attentions(model) if scheme.attention else ():
        if chosen(name):
            model.set_submodule(name, RoundedAttention(layer))
    return model.eval(), count


def equalise(model: PreTrainedModel) -> None:
    """src/checkpoint/equalise.rs, for blocks whose MLP has no gate and no ReLU: from the norms, and from the values to the projection."""
    for name, attention in attentions(model):
        block = model.get_submodule(name.rpartition(".")[0])
        norms = [layer for layer in block.children() if isinstance(layer, nn.LayerNorm)]
        for norm, readers in zip(norms, ([attention.q_proj, attention.k_proj, attention.v_proj], [block.mlp.fc1])):
            between(torch.stack([norm.weight, norm.bias], 1), (norm.weight, norm.bias), [layer.weight for layer in readers])
        values = attention.v_proj
        between(torch.cat([values.weight, values.bias[:, None]], 1), (values.weight, values.bias), [attention.o_proj.weight])


def between(loudness: Tensor, made_by: tuple[Tensor, Tensor], read_by: list[Tensor]) -> None:
    """Takes √(size / peak) of each channel, a power of two about their mean, out of what makes it and puts it into what reads it."""
    size, peak = loudness.norm(dim=1), torch.stack([weight.abs().amax(0) for weight in read_by]).amax(0)
    usual = ((size > 1e-9) & (size < 1e9) & (peak > 1e-9) & (peak < 1e9))
    logarithm = (size / peak).log2() / 2
    factor = torch.where(usual, (logarithm - logarithm[usual].mean()).round().exp2(), 1.0)
    for tensor in made_by:
        tensor.div_(factor if tensor.ndim == 1 else factor[:, None])
    for weight in read_by:
        weight.mul_(factor)
