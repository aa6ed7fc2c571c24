"""Every figure of the model card, from what the engine answers (engine.py).

    python card.py --answers ANSWERS.safetensors --model INT8_MODEL [--vitscope BINARY --photos www/samples]
    python card.py … --against OTHER.safetensors      # of another model on the same images: is this one better?

Top-1 and top-5 count as `vitscope eval` does: by the classes that are scored higher.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import nll_loss

import engine

BINS = 15
TEMPERATURES = torch.arange(0.5, 2.01, 0.01)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--vitscope", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--against", type=Path)
    arguments = parser.parse_args()
    labels, answers = engine.labels_of(arguments.model), load_file(arguments.answers)
    targets = answers["targets"]

    for dtype in ("f32", "int8"):
        ranks = (answers[dtype] > answers[dtype].gather(1, targets[:, None])).sum(1)
        top1, top5 = ((ranks < count).double().mean() for count in (1, 5))
        print(f"{dtype}: top-1 {top1:.2%}, top-5 {top5:.2%} on {len(targets)} images")
    if arguments.against:
        compare(answers, load_file(arguments.against))
    classes(answers["int8"], targets, labels)
    calibration(answers["int8"], targets)
    outside(answers["int8"], answers["others"])
    for photo in sorted(arguments.photos.glob("*.jpg")) if arguments.photos else ():
        scores, best = engine.log_probabilities(arguments.vitscope, arguments.model, [photo], "int8")[0].exp().topk(2)
        print(f"{photo.name}: " + ", ".join(f"{labels[i]} {score:.0%}" for score, i in zip(scores, best)))


def compare(answers: dict[str, Tensor], others: dict[str, Tensor]) -> None:
    """Images that only one of two models gets right; what both get right or wrong says nothing of which is better."""
    targets = answers["targets"]
    assert torch.equal(targets, others["targets"]), "the two models answered other images"
    for dtype in ("f32", "int8"):
        ours, theirs = (x[dtype].argmax(1) == targets for x in (answers, others))
        won, lost = (ours & ~theirs).sum().item(), (theirs & ~ours).sum().item()
        error = (won + lost) ** 0.5 / len(targets)
        print(f"{dtype}: {won} won, {lost} lost: {(won - lost) / len(targets):+.2%}, standard error {error:.2%}")


def classes(logits: Tensor, targets: Tensor, labels: list[str]) -> None:
    """The best and the worst classes, and what is most often taken for what."""
    confusion = torch.zeros(len(labels), len(labels), dtype=torch.long)
    confusion.index_put_((targets, logits.argmax(1)), torch.tensor(1), accumulate=True)
    recall = confusion.diag() / confusion.sum(1)
    order = recall.argsort(descending=True)
    for name, chosen in (("best", order[:5]), ("worst", order.flip(0)[:5])):
        print(f"{name} classes: " + ", ".join(f"{labels[i]} {recall[i]:.0%}" for i in chosen))
    mistakes = confusion - torch.diag(confusion.diag())
    for index in mistakes.flatten().argsort(descending=True)[:6]:
        true, answered = divmod(index.item(), len(labels))
        print(f"  {labels[true]} taken for {labels[answered]}: {mistakes[true, answered]} of {confusion[true].sum()}")


def calibration(logits: Tensor, targets: Tensor) -> None:
    """Whether scores mean what they say, as they are and with a temperature found on the other half of the images."""
    halves = torch.arange(len(targets)) % 2
    scaled, found = logits.clone(), []
    for half in (0, 1):
        fit = halves != half
        losses = torch.stack([nll_loss((logits[fit] / t).log_softmax(1), targets[fit]) for t in TEMPERATURES])
        found.append(TEMPERATURES[losses.argmin()].item())
        scaled[~fit] = logits[~fit] / found[-1]
    for name, x in (("as it is", logits), (f"temperature {found[0]:.2f} and {found[1]:.2f}, each from the other half", scaled)):
        loss, (error, gap) = nll_loss(x.log_softmax(1), targets).item(), calibration_error(x.softmax(1), targets)
        print(f"calibration, {name}: expected error {error:.2%}, score minus accuracy {gap:+.2%}, cross entropy {loss:.3f}")


def calibration_error(probabilities: Tensor, targets: Tensor) -> tuple[float, float]:
    """Σ bins n / N · |accuracy − mean score| (Guo et al., 2017), and mean score − accuracy of all."""
    score, answer = probabilities.max(1)
    right = (answer == targets).double()
    bins = (score * BINS).long().clamp(max=BINS - 1)
    gaps = torch.zeros(BINS, dtype=torch.double).index_add(0, bins, score.double() - right)
    return (gaps.abs().sum() / len(targets)).item(), (score.double() - right).mean().item()


def outside(inside: Tensor, others: Tensor) -> None:
    """How sure the model is of images that none of its classes fit."""
    scores = [x.softmax(1).max(1).values for x in (inside, others)]
    for name, score in zip(("its classes", "other classes"), scores):
        print(f"{len(score)} images of {name}: mean score {score.mean():.2f}, at least 0.5 for {(score >= 0.5).double().mean():.0%}")
    # The area under the ROC curve: how often an image of its classes gets a higher score than another.
    print(f"a score tells its classes from others with an area under the curve of {(scores[0][:, None] > scores[1]).double().mean():.2f}")


if __name__ == "__main__":
    main()
