"""The two recipes of the small model: what two CPU cores can do in hours, and what an accelerator can."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """What a step sees of its images."""

    size: int
    keep: int = 0
    """Patches that are kept, at random; 0 is all."""
    share: float = 1.0
    """Of the recipe's batch."""


@dataclass(frozen=True)
class Recipe:
    # optimisation
    rate: float = 3e-4
    """Of the last block; of those before `layer_decay` times as much for each (BEiT, Bao et al., 2022)."""
    layer_decay: float = 0.8
    head_rate: float = 1e-3
    frozen: int = 2
    """Blocks that stay as they are, the first ones, and with them patch projection and positions; 0 trains all."""
    warmup: int = 100
    """Steps; from then on a cosine to 0."""
    beta2: float = 0.98
    weight_decay: float = 0.05
    clip: float = 3.0
    batch: int = 128
    epochs: float = 4.0
    """Where no deadline ends the run."""
    average: float = 0.0
    """Decay of the moving average of the weights, which is then the model that is kept."""
    # what a step sees
    low: Stage = Stage(112, keep=32)
    high: tuple[Stage, ...] = (Stage(224, keep=84, share=0.5), Stage(168, keep=72, share=0.5))
    """In turn, from `high_from` on."""
    high_from: float = 0.55
    # regularisation
    crop: tuple[float, float] = (0.35, 1.0)
    sharpen: tuple[float, float] = (-0.3, 1.5)
    """Strength of the unsharp mask on the small image, below 0 none: the set's images are blurred, visitors' photos are not."""
    rand_augment: int = 0
    """Magnitude of RandAugment (Cubuk et al., 2020); 0 is none."""
    mixup: float = 0.3
    cutmix: float = 0.0
    mix_until: float = 0.85
    smoothing: float = 0.1


PRESETS = {
    "cpu": Recipe(),
    # As DeiT III (Touvron et al., 2022) fine-tunes: all patches, every layer, more augmentation and an average.
    "accelerator": Recipe(
        rate=5e-4, layer_decay=0.75, frozen=0, warmup=300, batch=512, epochs=25, average=0.9995, low=Stage(224), high=(Stage(224),),
        rand_augment=9, mixup=0.8, cutmix=1.0, mix_until=0.9),
}
