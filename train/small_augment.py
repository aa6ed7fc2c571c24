"""What a batch of small U8 images goes through before the small model sees it: made sharper, cropped, mirrored, recoloured, mixed."""

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample, one_hot, pad
from torchvision.transforms import v2

from data import normalise
from small_recipe import Recipe

GROUP = 32
"""Images that share one draw of RandAugment."""
ASPECT = 0.25
"""A crop's sides are e^±0.25 of a square's at most."""


class Augment:
    def __init__(self, recipe: Recipe, classes: int) -> None:
        self.recipe, self.classes = recipe, classes
        self.rand = v2.RandAugment(num_ops=2, magnitude=recipe.rand_augment) if recipe.rand_augment else None
        mixes = [kind(alpha=alpha, num_classes=classes) for kind, alpha in ((v2.MixUp, recipe.mixup), (v2.CutMix, recipe.cutmix)) if alpha]
        self.mix = v2.RandomChoice(mixes)

    def __call__(self, images: Tensor, targets: Tensor, size: int, mix: bool) -> tuple[Tensor, Tensor]:
        """Pixels of this size, and a distribution over the classes for each image."""
        if self.rand:
            images = torch.cat([self.rand(group) for group in images.split(GROUP)])
        x = sharpened(images.float() / 255, self.recipe.sharpen)
        x = recoloured(cropped(x, size, self.recipe.crop)).clamp(0, 1)
        pixels = normalise(255 * x)
        return self.mix(pixels, targets) if mix else (pixels, one_hot(targets, self.classes).float())


def uniform(x: Tensor, low: float, high: float) -> Tensor:
    """A number an image, to be multiplied with images."""
    return torch.empty(len(x), 1, 1, 1, device=x.device).uniform_(low, high)


def sharpened(x: Tensor, strength: tuple[float, float]) -> Tensor:
    """An unsharp mask of 3 × 3."""
    blurred = avg_pool2d(pad(x, (1, 1, 1, 1), mode="reflect"), 3, 1)
    return x + uniform(x, *strength).clamp(min=0) * (x - blurred)


def cropped(x: Tensor, size: int, area: tuple[float, float]) -> Tensor:
    """A part of this share of the area, half of the time mirrored, enlarged to `size`."""
    side, ratio = uniform(x, *area).sqrt().flatten(), uniform(x, -ASPECT, ASPECT).exp().flatten()
    width, height = (side * ratio).clamp(max=1), (side / ratio).clamp(max=1)
    mirror = uniform(x, -1, 1).flatten().sign()
    zero = torch.zeros_like(width)
    left, top = (uniform(x, -1, 1).flatten() * (1 - edge) for edge in (width, height))
    matrix = torch.stack([torch.stack([width * mirror, zero, left], 1), torch.stack([zero, height, top], 1)], 1)
    grid = affine_grid(matrix, [len(x), 3, size, size], align_corners=False)
    return grid_sample(x, grid, mode="bicubic", padding_mode="reflection", align_corners=False)


def recoloured(x: Tensor) -> Tensor:
    """Saturation, contrast and brightness."""
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * uniform(x, 0.6, 1.4)
    mean = x.mean((1, 2, 3), keepdim=True)
    return (mean + (x - mean) * uniform(x, 0.7, 1.3)) * uniform(x, 0.7, 1.3)
