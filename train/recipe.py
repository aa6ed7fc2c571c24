"""The two recipes: one for an accelerator, from scratch; one for a CPU, from a model that is there."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    # model
    patch: int = 4
    """A model that is there is resampled to it; the other sizes are of a new one."""
    width: int = 256
    layers: int = 9
    heads: int = 4
    # optimisation
    optimizer: str = "adamw"
    schedule: str = "cosine"
    """cosine, or linear: both end at 0."""
    rate: float = 1e-3
    warmup: float = 0.05
    """Share of the run."""
    weight_decay: float = 0.05
    batch: int = 1024
    micro_batch: int = 1024
    """Images that go through the model at once: on a CPU, as many as its cache likes."""
    epochs: int = 300
    """Where no deadline ends the run."""
    average: float = 0.9998
    """Decay of the moving average of the weights, which is the model that is kept."""
    # regularisation
    crop: tuple[float, float] = (0.35, 1.0)
    rand_augment: int = 9
    colour: float = 0.0
    erasing: float = 0.25
    mixup: float = 0.8
    cutmix: float = 1.0
    mix: float = 0.9
    """Share of the batches that are mixed at all."""
    smoothing: float = 0.1
    drop_path: float = 0.1
    drop_patches: float = 0.0
    """Share of the patches that a step leaves out."""
    drop_until: float = 0.0
    """From this share of the run on it falls linearly to 0."""
    others: float = 0.5
    """Share of a batch taken from the classes that the model is not for, where there are such: they only train its features."""
    settle: float = 0.95
    """From this share of the run on it trains towards how it will be used: its own classes, nothing mixed."""
    group: int = 32
    """Images that share one draw of crop, flip and RandAugment."""


PRESETS = {
    "accelerator": Recipe(),
    # A few epochs from a model that is there: mild mixing, and few of its patches for most of the time, since they are what a step
    # costs. Muon goes furthest in few steps.
    "cpu": Recipe(optimizer="muon", schedule="linear", rate=1e-3, warmup=0.03, batch=256, micro_batch=32, average=0.99, crop=(0.4, 1.0),
                  rand_augment=0, colour=0.3, erasing=0.0, mixup=0.2, cutmix=1.0, mix=0.5, drop_path=0.05,
                  drop_patches=0.75, drop_until=0.65, others=0.4, settle=0.9, group=2),
}
