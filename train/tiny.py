"""Trains the tiny model further: seeded, resumable, within a deadline or a number of epochs.

    python tiny.py --data TARS --init MODEL --minutes 80 --out RUN

MODEL is a folder in f32 or 8 bits, or the checkpoint.pt of another run; its labels are the classes. `export.py` makes a model folder of the result.
"""

import argparse
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from timm.loss import SoftTargetCrossEntropy
from timm.optim import create_optimizer_v2, muon
from timm.scheduler import PolyLRScheduler
from timm.utils import ModelEmaV3
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

import data
import run
import tiny_model as models
from data import first_name
from tiny_augment import Augment
from tiny_recipe import Recipe

TICKS = 10_000
"""The scheduler counts these, so that a run may be measured in steps or in minutes."""


def main() -> None:
    parser = run.parser(__doc__)
    parser.add_argument("--init", type=Path, required=True)
    run.launch(parser.parse_args(), Tiny)


class Tiny:
    """See `run.Learner`."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        overrides = {"batch": arguments.batch, "epochs": arguments.epochs}
        self.recipe = recipe = replace(Recipe(), **{name: value for name, value in overrides.items() if value})
        self.seed, device = arguments.seed, run.device()
        drops = {"drop_path_rate": recipe.drop_path, "patch_drop_rate": recipe.drop_patches}
        if arguments.init.is_file():
            self.model, self.labels = models.open_checkpoint(arguments.init, **drops)
        else:
            self.model, self.labels = models.open_folder(arguments.init, recipe.patch, **drops)
        own = {first_name(label) for label in self.labels}
        others = [label for label in data.class_ids(arguments.data) if label not in own]
        self.others = recipe.others if others else 0.0
        classes = len(self.labels) + len(others)
        models.resize_head(self.model, classes)
        self.model.to(device)

        self.train_set = data.load(arguments.data, "train", self.labels + others, arguments.limit).to(device)
        self.val_set = data.load(arguments.data, "val", self.labels, arguments.limit).to(device)
        self.own = int((self.train_set.targets < len(self.labels)).sum())  # these come first
        self.augment = Augment(recipe, classes)
        self.optimizer = create_optimizer_v2(self.model, opt="muon", lr=recipe.rate, weight_decay=recipe.weight_decay)
        if device.type == "cpu":
            # timm orthogonalises in bf16, which a CPU without such instructions does ten times slower than f32.
            muon.zeropower_via_newtonschulz = partial(muon.zeropower_via_newtonschulz, dtype=torch.float32)
        self.scheduler = PolyLRScheduler(self.optimizer, TICKS, power=1.0, warmup_t=round(recipe.warmup * TICKS), t_in_epochs=False)
        self.average = ModelEmaV3(self.model, decay=recipe.average, use_warmup=True, warmup_power=0.9)
        self.loss = SoftTargetCrossEntropy()
        self.parallel = DistributedDataParallel(self.model, forward_sync_buffers=False)
        self.seen = self.seen_others = 0
        self.steps = max(round(recipe.epochs * self.own / recipe.batch / (1 - self.others)), 1)

    def facts(self) -> dict[str, Any]:
        return {"parameters": sum(p.numel() for p in self.model.parameters()), "images": len(self.train_set.targets), "own": self.own,
                "labels": len(self.labels), "recipe": asdict(self.recipe)}

    def step(self, number: int, progress: float) -> dict[str, Any]:
        recipe = self.recipe
        settled = progress >= recipe.settle
        self.model.train()
        self.model.patch_drop.prob = recipe.drop_patches * min(1.0, (1 - progress) / (1 - recipe.drop_until))
        self.scheduler.step_update(min(int(progress * TICKS), TICKS - 1))
        self.optimizer.zero_grad()
        drawn = self.draw(number, 0.0 if settled else self.others)
        parts = drawn.tensor_split(dist.get_world_size())[dist.get_rank()].split(recipe.micro_batch)
        for i, indices in enumerate(parts):
            pixels, targets = self.augment(self.train_set.images[indices], self.train_set.targets[indices], mix=not settled)
            with nullcontext() if i + 1 == len(parts) else self.parallel.no_sync():
                loss = self.loss(self.parallel(pixels), targets)
                (loss / len(parts)).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.average.update(self.model, number + 1)
        return {"images": recipe.batch, "epoch": round(self.seen / self.own, 2), "rate": self.optimizer.param_groups[0]["lr"],
                "loss": round(loss.item(), 4)}

    def draw(self, number: int, others: float) -> torch.Tensor:
        """Which images are next: every own one once an epoch, and so the others."""
        count = round(self.recipe.batch * others)
        own = run.shuffled(self.seen, self.recipe.batch - count, self.own, self.seed)
        other = run.shuffled(self.seen_others, count, len(self.train_set.targets) - self.own, self.seed) + self.own
        self.seen += len(own)
        self.seen_others += len(other)
        mixed = torch.randperm(self.recipe.batch, generator=torch.Generator().manual_seed(number))  # alike in every process
        return torch.cat([own, other])[mixed].to(self.train_set.targets.device)

    @torch.inference_mode()
    def evaluate(self) -> dict[str, Any]:
        if dist.get_rank():
            return {}
        self.average.module.eval()
        logits = torch.cat([self.average.module(data.normalise(images)) for images in self.val_set.images.split(25)])
        logits, targets = logits[:, :len(self.labels)].float(), self.val_set.targets
        ranks = (logits > logits.gather(1, targets[:, None])).sum(1)
        return {"top1": (ranks < 1).double().mean().item(), "top5": (ranks < 5).double().mean().item(), "loss": cross_entropy(logits, targets).item()}

    def state(self) -> dict[str, Any]:
        state = {name: getattr(self, name).state_dict() for name in ("model", "average", "optimizer")}
        state |= {name: getattr(self, name) for name in ("seen", "seen_others", "labels")}
        return state | {"heads": self.model.blocks[0].attn.num_heads}

    def restore(self, state: dict[str, Any]) -> None:
        for name in ("model", "average", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        self.seen, self.seen_others = state["seen"], state["seen_others"]


if __name__ == "__main__":
    main()
