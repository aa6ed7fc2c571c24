"""The recipe of the tiny model: a few epochs from a model that is there, on CPU cores."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    patch: int = 4
    """The model that is there is resampled to it."""
    # optimisation
    rate: float = 1e-3
    """Of Muon (Jordan et al., 2024), which goes furthest in few steps; falls linearly to 0."""
    warmup: float = 0.03
    """Share of the run."""
    weight_decay: float = 0.05
    batch: int = 256
    micro_batch: int = 32
    """Images that go through the model at once: as many as a core's cache likes."""
    epochs: float = 30.0
    """Where no deadline ends the run."""
    average: float = 0.99
    """Decay of the moving average of the weights, which is the model that is kept."""
    # regularisation
    crop: tuple[float, float] = (0.4, 1.0)
    colour: float = 0.3
    group: int = 2
    """Images that share one draw of crop, flip and colour."""
    mixup: float = 0.2
    cutmix: float = 1.0
    mix: float = 0.5
    """Share of the batches that are mixed at all."""
    smoothing: float = 0.1
    drop_path: float = 0.05
    drop_patches: float = 0.75
    """Share of the patches that a step leaves out."""
    drop_until: float = 0.65
    """From this share of the run on it falls linearly to 0."""
    others: float = 0.4
    """Share of a batch taken from the classes that the model is not for: they only train its features."""
    settle: float = 0.9
    """From this share of the run on it trains towards how it will be used: its own classes, nothing mixed."""
