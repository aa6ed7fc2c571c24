"""Fine-tunes DINOv2-S/14 on the 200 classes of Tiny-ImageNet: seeded, resumable, within a deadline or a number of epochs.

    python small.py --data TARS --init BACKBONE --minutes 200 --out RUN        # on a CPU, all its cores
    python small.py --data TARS --init BACKBONE --preset accelerator --minutes 15 --out RUN

BACKBONE is what backbone.py makes, or a model folder or the checkpoint.pt of another run, to go on from. `export.py` makes a model folder of the result.
"""

import argparse
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook
from torch.nn.functional import cross_entropy, interpolate
from torch.nn.parallel import DistributedDataParallel

import data
import run
from small_augment import Augment
from small_model import Network, open_initial
from small_recipe import PRESETS, Recipe

EVALUATED = 1000
"""Validation images on the way: all of them take longer than the training between."""


def main() -> None:
    parser = run.parser(__doc__)
    parser.add_argument("--preset", choices=PRESETS, default="cpu")
    parser.add_argument("--init", type=Path, required=True)
    parser.add_argument("--high-from", type=float, help="share of the run after which images are larger; 1 is never")
    run.launch(parser.parse_args(), Small)


def parameter_groups(network: Network, recipe: Recipe) -> list[dict[str, Any]]:
    """By layer and by whether weight decay is for it: not for norms, biases and scales of layers."""
    model, blocks = network.model.dinov2, network.model.dinov2.encoder.layer
    rates: list[tuple[nn.Module, float]] = [(network.model.classifier, recipe.head_rate), (model.layernorm, recipe.rate)]
    rates += [(block, recipe.rate * recipe.layer_decay ** (len(blocks) - 1 - i)) for i, block in enumerate(blocks)]
    rates.append((model.embeddings, recipe.rate * recipe.layer_decay ** len(blocks)))
    groups = []
    for module, rate in rates:
        for matrices, decay in ((True, recipe.weight_decay), (False, 0.0)):
            parameters = [p for p in module.parameters() if p.requires_grad and (p.ndim > 1) == matrices]
            if parameters:
                groups.append({"params": parameters, "base": rate, "weight_decay": decay})
    return groups


class Small:
    """See `run.Learner`."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        overrides = {"batch": arguments.batch, "high_from": arguments.high_from, "epochs": arguments.epochs}
        self.recipe = replace(PRESETS[arguments.preset], **{name: value for name, value in overrides.items() if value is not None})
        self.labels, self.seed, self.seen = data.synsets(arguments.data), arguments.seed, 0
        device = run.device()
        self.network = Network(open_initial(arguments.init, self.labels), self.recipe.frozen).to(device)
        self.train_set = data.load(arguments.data, "train", self.labels, arguments.limit).to(device)
        self.val_set = data.load(arguments.data, "val", self.labels, arguments.limit).to(device)
        self.augment = Augment(self.recipe, len(self.labels))
        groups = parameter_groups(self.network, self.recipe)
        self.optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, self.recipe.beta2), fused=True)
        self.average = ModelEmaV3(self.network, decay=self.recipe.average, use_warmup=True) if self.recipe.average else None
        self.parallel = DistributedDataParallel(self.network)
        if dist.get_world_size() > 1:
            self.parallel.register_comm_hook(None, bf16_compress_hook)  # half of what goes between the processes
        self.steps = max(round(self.recipe.epochs * len(self.train_set.targets) / self.recipe.batch), 1)

    def facts(self) -> dict[str, Any]:
        trained = sum(p.numel() for p in self.network.parameters() if p.requires_grad)
        return {"trained": trained, "images": len(self.train_set.targets), "recipe": asdict(self.recipe)}

    def step(self, number: int, progress: float) -> dict[str, Any]:
        recipe = self.recipe
        factor = min(1.0, (number + 1) / recipe.warmup) * (1 + math.cos(math.pi * progress)) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * factor
        stage = recipe.low if progress < recipe.high_from else recipe.high[number % len(recipe.high)]
        count = round(recipe.batch * stage.share)
        indices = run.shuffled(self.seen, count, len(self.train_set.targets), self.seed).to(self.train_set.targets.device)
        self.seen += count
        own = indices.tensor_split(dist.get_world_size())[dist.get_rank()]
        pixels, targets = self.augment(self.train_set.images[own], self.train_set.targets[own], stage.size, mix=progress < recipe.mix_until)

        self.network.train()
        self.optimizer.zero_grad()
        loss = cross_entropy(self.parallel(pixels, stage.keep), targets, label_smoothing=recipe.smoothing)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        self.optimizer.step()
        if self.average:
            self.average.update(self.network, number)
        return {"images": count, "size": stage.size, "seen": self.seen, "rate": recipe.rate * factor, "loss": round(loss.item(), 4)}

    @torch.inference_mode()
    def evaluate(self) -> dict[str, Any]:
        """Each process takes its share of the images."""
        network = self.average.module if self.average else self.network
        network.eval()
        chosen = torch.randperm(len(self.val_set.targets), generator=torch.Generator().manual_seed(1))[:EVALUATED]
        own, figures = chosen[dist.get_rank()::dist.get_world_size()], {}
        for size in dict.fromkeys(stage.size for stage in (self.recipe.low, *self.recipe.high)):
            counts = torch.zeros(3)
            for indices in own.split(32):
                targets = self.val_set.targets[indices]
                logits = network(enlarged(self.val_set.images[indices], size))
                ranks = (logits > logits.gather(1, targets[:, None])).sum(1)
                counts += torch.tensor([(ranks < 1).sum(), (ranks < 5).sum(), len(indices)])
            dist.all_reduce(counts)
            figures |= {f"top1_{size}": round((counts[0] / counts[2]).item(), 4), f"top5_{size}": round((counts[1] / counts[2]).item(), 4)}
        return figures

    def state(self) -> dict[str, Any]:
        kept = self.average.module if self.average else self.network
        return {"labels": self.labels, "seen": self.seen, "network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(),
                "result": kept.model.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.seen = state["seen"]
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average:
            self.average.module.model.load_state_dict(state["result"])


def enlarged(images: Tensor, size: int) -> Tensor:
    x = interpolate(images.float() / 255, (size, size), mode="bicubic", align_corners=False).clamp(0, 1)
    return data.normalise(255 * x)


if __name__ == "__main__":
    main()
