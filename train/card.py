"""Every figure of a model card, from what the engine answers (engine.py says what the file holds).

    python card.py --answers ANSWERS.safetensors --model MODEL [--of int8] [--vitscope BINARY --photos www/samples]
    python card.py … --against OTHER.safetensors      # of another model on the same images: is this one better?

Top-1 and top-5 count as `vitscope eval` does: by the classes that are scored higher.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import cosine_similarity

import calibration
import checkpoints
import engine
from data import first_name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--of", default="int8", help="whose classes, confusions and scores of others are shown")
    parser.add_argument("--vitscope", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--against", type=Path)
    arguments = parser.parse_args()
    labels = [first_name(label) for label in checkpoints.labels_of(arguments.model)]
    answers, width = load_file(arguments.answers), checkpoints.width_of(arguments.model)
    targets, names = answers["targets"], engine.answers_in(answers)

    for name in names:
        ranks = (answers[name] > answers[name].gather(1, targets[:, None])).sum(1)
        top1, top5 = ((ranks < count).double().mean() for count in (1, 5))
        print(f"{name}: top-1 {top1:.2%}, top-5 {top5:.2%} on {len(targets)} images{agreement(answers, name, width)}")
        calibration.report(answers[name], targets)
    if arguments.against:
        compare(answers, load_file(arguments.against))
    classes(answers[arguments.of], targets, labels)
    if "others" in answers:
        outside(answers[arguments.of], answers["others"])
    for photo in sorted(arguments.photos.glob("*.jpg")) if arguments.photos else ():
        scores, best = engine.log_probabilities(arguments.vitscope, arguments.model, [photo])[0].exp().topk(3)
        print(f"{photo.name}: " + ", ".join(f"{labels[i]} {score:.0%}" for score, i in zip(scores, best)))


def agreement(answers: dict[str, Tensor], name: str, width: int) -> str:
    """With f32, where that answered too: the answers, and the class token's direction."""
    if name == "f32" or "f32" not in answers:
        return ""
    text = f", as f32 {(answers[name].argmax(1) == answers['f32'].argmax(1)).double().mean():.1%}"
    if f"{name}.features" in answers and "f32.features" in answers:
        cosine = cosine_similarity(*(answers[f"{part}.features"][:, :width] for part in (name, "f32")))
        text += f", class token's cosine {cosine.mean():.5f}, {cosine.min():.4f} at least"
    return text


def compare(answers: dict[str, Tensor], others: dict[str, Tensor]) -> None:
    """Images that only one of two models gets right; what both get right or wrong says nothing of which is better."""
    targets = answers["targets"]
    if not torch.equal(targets, others["targets"]):
        raise SystemExit("the two models answered other images: give answers to the same ones")
    for name in set(engine.answers_in(answers)) & set(engine.answers_in(others)):
        ours, theirs = (x[name].argmax(1) == targets for x in (answers, others))
        won, lost = (ours & ~theirs).sum().item(), (theirs & ~ours).sum().item()
        error = (won + lost) ** 0.5 / len(targets)
        print(f"{name}: {won} won, {lost} lost: {(won - lost) / len(targets):+.2%}, standard error {error:.2%}")


def classes(logits: Tensor, targets: Tensor, labels: list[str]) -> None:
    """The best and the worst classes, and what is most often taken for what."""
    confusion = torch.zeros(len(labels), len(labels), dtype=torch.long)
    confusion.index_put_((targets, logits.argmax(1)), torch.tensor(1), accumulate=True)
    recall = confusion.diag() / confusion.sum(1).clamp(min=1)
    order = recall.argsort(descending=True)
    order = order[confusion.sum(1)[order] > 0]  # a sample may leave classes out
    for name, chosen in (("best", order[:8]), ("worst", order.flip(0)[:8])):
        print(f"{name} classes: " + ", ".join(f"{labels[i]} {recall[i]:.0%}" for i in chosen))
    mistakes = confusion - torch.diag(confusion.diag())
    for index in mistakes.flatten().argsort(descending=True)[:8]:
        true, answered = divmod(index.item(), len(labels))
        print(f"  {labels[true]} taken for {labels[answered]}: {mistakes[true, answered]} of {confusion[true].sum()}")


def outside(inside: Tensor, others: Tensor) -> None:
    """How sure the model is of images that none of its classes fit."""
    scores = [x.softmax(1).max(1).values for x in (inside, others)]
    for name, score in zip(("its classes", "other classes"), scores):
        print(f"{len(score)} images of {name}: mean score {score.mean():.2f}, at least 0.5 for {(score >= 0.5).double().mean():.0%}")
    # The area under the ROC curve: how often an image of its classes gets a higher score than another.
    print(f"a score tells its classes from others with an area under the curve of {(scores[0][:, None] > scores[1]).double().mean():.2f}")


if __name__ == "__main__":
    main()
