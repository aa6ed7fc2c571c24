"""Whether scores mean what they say, and the temperature that helps (Guo et al., 2017)."""

import torch
from torch import Tensor
from torch.nn.functional import nll_loss

BINS = 15
TEMPERATURES = torch.arange(0.4, 2.01, 0.01)


def best_temperature(logits: Tensor, targets: Tensor) -> float:
    """The one of the least cross entropy."""
    losses = torch.stack([nll_loss((logits / t).log_softmax(1), targets) for t in TEMPERATURES])
    return TEMPERATURES[losses.argmin()].item()


def by_halves(logits: Tensor, targets: Tensor) -> tuple[Tensor, list[float]]:
    """Logits of each half of the images over the temperature found on the other, and the two temperatures."""
    halves = torch.arange(len(targets)) % 2
    scaled, found = logits.clone(), []
    for half in (0, 1):
        found.append(best_temperature(logits[halves != half], targets[halves != half]))
        scaled[halves == half] /= found[-1]
    return scaled, found


def report(logits: Tensor, targets: Tensor) -> None:
    scaled, found = by_halves(logits, targets)
    for name, x in (("as it is", logits), (f"temperature {found[0]:.2f} and {found[1]:.2f}, each from the other half", scaled)):
        loss, (error, gap) = nll_loss(x.log_softmax(1), targets).item(), expected_error(x.softmax(1), targets)
        print(f"  calibration, {name}: expected error {error:.2%}, score minus accuracy {gap:+.2%}, cross entropy {loss:.3f}")
        by_tenths(x.softmax(1), targets)


def expected_error(probabilities: Tensor, targets: Tensor) -> tuple[float, float]:
    """Σ bins n / N · |accuracy − mean score|, and mean score − accuracy of all."""
    score, answer = probabilities.max(1)
    right = (answer == targets).double()
    bins = (score * BINS).long().clamp(max=BINS - 1)
    gaps = torch.zeros(BINS, dtype=torch.double).index_add(0, bins, score.double() - right)
    return (gaps.abs().sum() / len(targets)).item(), (score.double() - right).mean().item()


def by_tenths(probabilities: Tensor, targets: Tensor) -> None:
    """How often an answer is right, by its score: below which a page should say that it is not sure."""
    score, answer = probabilities.max(1)
    right, tenths = answer == targets, (score * 10).long().clamp(max=9)
    cells = []
    for tenth in tenths.unique().tolist():
        own = right[tenths == tenth]
        cells.append(f"{tenth / 10:.1f}: {own.double().mean():.0%} of {len(own)}")
    print("    right by score, from " + ", ".join(cells))
