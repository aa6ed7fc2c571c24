"""What a batch goes through before the tiny model sees it."""

import torch
from timm.data import Mixup
from torchvision.transforms import v2

from data import EDGE, normalise
from tiny_recipe import Recipe


class Augment:
    """Crops, flips and colour on U8 images, then timm's mixing on normalised ones."""

    def __init__(self, recipe: Recipe, classes: int) -> None:
        self.geometry = v2.Compose([
            v2.RandomResizedCrop(EDGE, scale=recipe.crop, interpolation=v2.InterpolationMode.BILINEAR, antialias=False),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(recipe.colour, recipe.colour, recipe.colour),
        ])
        self.group = recipe.group
        self.mixup = Mixup(recipe.mixup, recipe.cutmix, prob=recipe.mix, label_smoothing=recipe.smoothing, num_classes=classes)

    def __call__(self, images: torch.Tensor, targets: torch.Tensor, mix: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels and soft targets; `mix` false leaves mixing out and keeps the smoothing."""
        self.mixup.mixup_enabled = mix
        groups = [self.geometry(group) for group in images.split(self.group)]
        return self.mixup(normalise(torch.cat(groups)), targets)
