"""What each choice of the int8 format costs, simulated in PyTorch beside what the engine gives, and which parts of the model it costs most.

    python ablation.py --model F32_MODEL --images DIR [--size 112] [--limit 200] [--answers ANSWERS.safetensors] [--layers]

DIR as unpack.py makes it, ANSWERS as engine.py does for the same images and size. Prints tables in Markdown: top-1 agreement with f32, cosine of the class
token after the last norm, cosine of the logits (their mean taken away: scores of the engine's command line don't know it), top-1 accuracy.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import cosine_similarity
from transformers import PreTrainedModel

import checkpoints
import data
import engine
from rounding import Scheme, as_it_is, attentions, block_of, in_groups, matrices, rounded, signal_to_noise, symmetric

FORMAT = Scheme("the format: W8A7 equalised, below 30 dB f32, attention in integers", exception=True, attention=True, equal=True)
SIGNED_8 = partial(symmetric, bits=8)
SCHEMES = [
    Scheme("W8A8 (signed)", SIGNED_8, SIGNED_8, patches=True),
    Scheme("W8A7 (unsigned, an offset a token)", patches=True),
    Scheme("W7A8 (signed)", partial(symmetric, bits=7), SIGNED_8, patches=True),
    Scheme("W8A7, patch projection f32, as in all below"),
    Scheme("W8, activations f32", activations=as_it_is),
    Scheme("A7, weights f32", weights=as_it_is),
    Scheme("W8A7, equalised", equal=True),
    Scheme("W8A7, below 30 dB f32, attention in integers", exception=True, attention=True),
    FORMAT,
    Scheme("W4A7, attention in integers", partial(symmetric, bits=4), attention=True),
    Scheme("W4A7, 32 weights a step, equalised, attention in integers: `--bits 4`", in_groups, attention=True, equal=True),
]
KINDS = {"q_proj": "queries, keys, values", "k_proj": "queries, keys, values", "v_proj": "queries, keys, values", "o_proj": "projection"}


class Answers:
    """Logits and class tokens of a model."""

    @torch.inference_mode()
    def __init__(self, model: PreTrainedModel, images: Tensor) -> None:
        tokens: list[Tensor] = []
        hook = model.base_model.register_forward_hook(lambda _module, _inputs, output: tokens.append(output.last_hidden_state[:, 0]))
        # More at once leave the cache.
        self.logits = torch.cat([model(data.normalise(batch)).logits for batch in images.split(10)])
        self.tokens = torch.cat(tokens)
        hook.remove()


def figures(logits: Tensor, tokens: Tensor | None, reference: Answers, targets: Tensor) -> str:
    agreement = (logits.argmax(1) == reference.logits.argmax(1)).double().mean()
    token = cosine_similarity(tokens, reference.tokens) if tokens is not None else None
    shown = f"{token.mean():.5f} | {token.min():.4f}" if token is not None else " | "
    logit = likeness(logits, reference)
    top1 = (logits.argmax(1) == targets).double().mean()
    return f"{agreement:.1%} | {shown} | {logit.mean():.5f} | {logit.min():.4f} | {top1:.1%}"


def likeness(logits: Tensor, reference: Answers) -> Tensor:
    """Cosine of an image's logits, their mean taken away."""
    return cosine_similarity(*(x - x.mean(1, keepdim=True) for x in (logits, reference.logits)))


def kind_of(name: str) -> str:
    last = name.rpartition(".")[2]
    return KINDS.get(last, last)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--answers", type=Path)
    parser.add_argument("--size", type=int, help="edge of the image; what the model was made for if not given")
    parser.add_argument("--limit", type=int, help="images in all")
    parser.add_argument("--layers", action="store_true", help="the blocks and kinds of matrices one by one, instead of the formats")
    arguments = parser.parse_args()
    model, size = checkpoints.open_model(arguments.model), arguments.size or checkpoints.size_of(arguments.model)
    paths = engine.images_below(arguments.images, arguments.limit)
    targets = engine.targets_of(paths, checkpoints.labels_of(arguments.model))
    images = torch.stack([pixels(path, size) for path in paths])
    reference = Answers(model, images)
    print(f"{len(paths)} images at {size} pixels\n")
    if arguments.layers:
        layers(model, images, reference, targets)
        return

    print("| scheme | in integers | agrees with f32 | class token, mean | least | logits, mean | least | top-1 |")
    print("| --- | --: | --: | --: | --: | --: | --: | --: |")
    print(f"| f32 | 0 | {figures(reference.logits, reference.tokens, reference, targets)} |")
    for scheme in SCHEMES:
        other, count = rounded(model, scheme)
        answers = Answers(other, images)
        print(f"| {scheme.name} | {count} | {figures(answers.logits, answers.tokens, reference, targets)} |", flush=True)
    answered = load_file(arguments.answers) if arguments.answers else {}
    for name in engine.answers_in(answered):
        features = answered.get(f"{name}.features")
        tokens = features[:, :reference.tokens.shape[1]] if features is not None else None
        print(f"| **the engine, {name}** | | {figures(answered[name], tokens, reference, targets)} |")
    print("\nsignal to noise of the matrices, in dB: least, median")
    roundings = [(f"{bits} bits", partial(symmetric, bits=bits)) for bits in (8, 7, 4)]
    for name, rounding in [*roundings, ("4 bits, 32 weights a step", in_groups)]:
        values = sorted(signal_to_noise(layer.weight, rounding) for _, layer in matrices(model))
        print(f"{name}: {values[0]:.1f}, {values[len(values) // 2]:.1f}")


def pixels(path: Path, size: int) -> Tensor:
    """The preprocessor's, for a square image."""
    image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def layers(model: PreTrainedModel, images: Tensor, reference: Answers, targets: Tensor) -> None:
    """The format in one part of the model, and in all but that part."""
    names = [name for name, _ in matrices(model) + attentions(model)]
    parts: dict[str, Callable[[str], bool]] = {f"block {i}": partial(in_block, i) for i in dict.fromkeys(map(block_of, names)) if i}
    parts |= {kind: partial(of_kind, kind) for kind in dict.fromkeys(map(kind_of, names)) if kind != "projection"}
    print("| part | only it: class token | logits | all but it: class token | logits |")
    print("| --- | --: | --: | --: | --: |")
    for part, chosen in {"everything": lambda _: True, **parts}.items():
        cells = []
        for keep in (chosen, lambda name, chosen=chosen: not chosen(name)):
            answers = Answers(rounded(model, FORMAT, keep)[0], images)
            token = cosine_similarity(answers.tokens, reference.tokens).mean()
            cells.append(f"{token:.5f} | {likeness(answers.logits, reference).mean():.5f}")
        print(f"| {part} | {' | '.join(cells)} |", flush=True)


def in_block(number: str, name: str) -> bool:
    return block_of(name) == number


def of_kind(kind: str, name: str) -> bool:
    return kind_of(name) == kind


if __name__ == "__main__":
    main()
