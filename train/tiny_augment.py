"""What a batch goes through before the model sees it, on the device that holds the set."""

import torch
from timm.data import Mixup
from timm.data.random_erasing import RandomErasing
from torchvision.transforms import v2

from data import EDGE, normalise
from recipe import Recipe


class Augment:
    """Crops, flips and colour on U8 images, then timm's erasing and mixing on normalised ones.

    timm's own RandAugment works on one Pillow image; torchvision's takes tensors where they are, but gives a whole batch the
    same draw. So it is called for groups of `recipe.group` images: one on a CPU, where calls are cheap beside the model.
    """

    def __init__(self, recipe: Recipe, classes: int, device: torch.device) -> None:
        steps: list[torch.nn.Module] = [
            v2.RandomResizedCrop(EDGE, scale=recipe.crop, interpolation=v2.InterpolationMode.BILINEAR, antialias=False),
            v2.RandomHorizontalFlip(),
        ]
        if recipe.rand_augment:
            steps.append(v2.RandAugment(num_ops=2, magnitude=recipe.rand_augment, fill=124))
        if recipe.colour:
            steps.append(v2.ColorJitter(recipe.colour, recipe.colour, recipe.colour))
        self.geometry = v2.Compose(steps)
        self.group = recipe.group
        self.erasing = RandomErasing(probability=recipe.erasing, mode="pixel", device=str(device))
        self.mixup = Mixup(recipe.mixup, recipe.cutmix, prob=recipe.mix, label_smoothing=recipe.smoothing, num_classes=classes)

    def __call__(self, images: torch.Tensor, targets: torch.Tensor, mix: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels and soft targets; `mix` false leaves mixing out and keeps the smoothing."""
        self.mixup.mixup_enabled = mix
        groups = [self.geometry(group) for group in images.split(self.group)]
        return self.mixup(self.erasing(normalise(torch.cat(groups))), targets)
