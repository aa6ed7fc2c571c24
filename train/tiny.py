"""Trains the default model: seeded, resumable, within a deadline or a number of epochs.

    python train.py --data TARS --preset accelerator --out RUN [--classes tabby "school bus" …]
    python train.py --data TARS --preset cpu --init MODEL --minutes 80 --out RUN

RUN gets log.jsonl and checkpoint.pt; the same command goes on from there. `export.py` makes a model folder of it.
On a CPU every core is a process of its own, with its share of each batch: a matrix product of this size gains little from a second thread.
"""

import argparse
import json
import os
import random
import socket
import time
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from timm.loss import SoftTargetCrossEntropy
from timm.models.vision_transformer import VisionTransformer
from timm.optim import create_optimizer_v2, muon
from timm.scheduler import CosineLRScheduler, PolyLRScheduler
from timm.utils import ModelEmaV3
from torch.nn.parallel import DistributedDataParallel

import data
import model as models
from augment import Augment
from recipe import PRESETS, Recipe

TICKS = 10_000
"""The scheduler counts these, so that a run may be measured in steps or in minutes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the packed archives")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--preset", choices=PRESETS, required=True)
    parser.add_argument("--init", type=Path, help="model folder, or checkpoint.pt of another run, to go on from; its labels are the classes")
    parser.add_argument("--classes", nargs="+", help="labels; without it and --init, all")
    parser.add_argument("--minutes", type=float, help="ends then, whatever the speed was; without it, after the preset's epochs")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--limit", type=int, help="images a class, to try things out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="on a CPU")
    parser.add_argument("--every", type=float, default=4, help="minutes between checkpoints")
    parser.add_argument("--evaluate-every", type=float, default=15, help="minutes; at the end too")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if torch.cuda.is_available():
        arguments.processes = 1
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    mp.spawn(work, (arguments,), arguments.processes)


def work(rank: int, arguments: argparse.Namespace) -> None:
    """One process of the run."""
    if not torch.cuda.is_available():
        torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=arguments.processes)
    recipe = PRESETS[arguments.preset]
    Run(arguments, replace(recipe, batch=arguments.batch) if arguments.batch else recipe).train()
    dist.destroy_process_group()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Run:
    """A model in training and everything that a checkpoint has to bring back."""

    def __init__(self, arguments: argparse.Namespace, recipe: Recipe) -> None:
        self.recipe, self.out, self.seed = recipe, arguments.out, arguments.seed
        self.rank, self.processes, self.parent = dist.get_rank(), dist.get_world_size(), os.getppid()
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.seed_all(step=-1)
        everything = list(data.class_ids(arguments.data))
        drops = {"drop_path_rate": recipe.drop_path, "patch_drop_rate": recipe.drop_patches}
        if arguments.init and arguments.init.is_file():
            self.model, self.labels = models.open_checkpoint(arguments.init, **drops)
        elif arguments.init:
            self.model, self.labels = models.open_folder(arguments.init, recipe.patch, **drops)
        else:
            self.labels = arguments.classes or everything
            self.model = models.create(recipe, len(self.labels), **drops)
        others = [label for label in everything if label not in self.labels] if recipe.others else []
        self.others = recipe.others if others else 0.0
        models.resize_head(self.model, len(self.labels) + len(others))
        self.model.to(self.device)

        self.train_set = data.load(arguments.data, "train", self.labels + others, arguments.limit).to(self.device)
        self.val_set = data.load(arguments.data, "val", self.labels, arguments.limit).to(self.device)
        self.own = int((self.train_set.targets < len(self.labels)).sum())  # these come first
        self.augment = Augment(recipe, len(self.labels) + len(others), self.device)
        self.optimizer = create_optimizer_v2(self.model, opt=recipe.optimizer, lr=recipe.rate, weight_decay=recipe.weight_decay)
        if self.device.type == "cpu":
            # timm orthogonalises in bf16, which a CPU without such instructions does ten times slower than f32.
            muon.zeropower_via_newtonschulz = partial(muon.zeropower_via_newtonschulz, dtype=torch.float32)
        scheduler = {"cosine": CosineLRScheduler, "linear": PolyLRScheduler}[recipe.schedule]
        shape = {"power": 1.0} if recipe.schedule == "linear" else {}
        self.scheduler = scheduler(self.optimizer, TICKS, warmup_t=round(recipe.warmup * TICKS), t_in_epochs=False, **shape)
        self.average = ModelEmaV3(self.model, decay=recipe.average, use_warmup=True, warmup_power=0.9)
        self.loss = SoftTargetCrossEntropy()
        self.parallel = DistributedDataParallel(self.model, forward_sync_buffers=False)

        self.step = self.seen = self.seen_others = 0
        self.steps = (arguments.epochs or recipe.epochs) * max(round(self.own / recipe.batch / (1 - self.others)), 1)
        self.minutes, self.every, self.evaluate_every = arguments.minutes, arguments.every, arguments.evaluate_every
        self.started = time.time()
        if (self.out / "checkpoint.pt").exists():
            self.restore()

    def progress(self) -> float:
        """0 to 1; by the clock where there is a deadline, so that a run which others slow down still ends well."""
        if os.getppid() != self.parent:
            raise SystemExit("the program that started this process is gone")  # or it would write into the next one's checkpoint
        share = (time.time() - self.started) / (self.minutes * 60) if self.minutes else self.step / self.steps
        agreed = torch.tensor(share, dtype=torch.float64)
        dist.broadcast(agreed, src=0)  # clocks differ, and every process has to end with the same step
        return agreed.item()

    def train(self) -> None:
        parameters = sum(p.numel() for p in self.model.parameters())
        self.log(event="start", parameters=parameters, images=len(self.train_set.targets), own=self.own,
                 labels=len(self.labels), device=str(self.device), recipe=asdict(self.recipe))
        saved = evaluated = since = time.time()
        images = 0
        while (progress := self.progress()) < 1:
            loss = self.train_step(progress)
            images += self.recipe.batch
            if self.step % 25 == 0:
                self.log(event="step", step=self.step, epoch=round(self.seen / self.own, 2), progress=round(progress, 4),
                         rate=self.optimizer.param_groups[0]["lr"], loss=round(float(loss), 4),
                         images_per_second=round(images / (time.time() - since), 1))
                since, images = time.time(), 0
            if time.time() - saved > self.every * 60:
                self.save()
                saved = time.time()
            if time.time() - evaluated > self.evaluate_every * 60:
                self.evaluate()
                evaluated = since = time.time()
                images = 0
        self.save()
        self.evaluate()

    def train_step(self, progress: float) -> torch.Tensor:
        settled = progress >= self.recipe.settle
        self.model.train()
        self.seed_all(self.step)
        if self.recipe.drop_patches:
            self.model.patch_drop.prob = self.recipe.drop_patches * min(1.0, (1 - progress) / (1 - self.recipe.drop_until))
        self.scheduler.step_update(min(int(progress * TICKS), TICKS - 1))
        self.optimizer.zero_grad()
        parts = self.draw(0.0 if settled else self.others).tensor_split(self.processes)[self.rank].split(self.recipe.micro_batch)
        for i, indices in enumerate(parts):
            pixels, targets = self.augment(self.train_set.images[indices], self.train_set.targets[indices], mix=not settled)
            last = i + 1 == len(parts)
            with nullcontext() if last else self.parallel.no_sync():
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                    loss = self.loss(self.parallel(pixels), targets)
                (loss / len(parts)).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self.average.update(self.model, self.step)
        return loss.detach()

    def seed_all(self, step: int) -> None:
        """For this step and process, so that nothing random is to be kept; timm's Mixup draws from NumPy, its erasing from Python."""
        seed = hash((self.seed, step, self.rank)) % 2**32
        random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)

    def draw(self, others: float) -> torch.Tensor:
        """Which images are next: every own one once an epoch, and so the others."""
        count = round(self.recipe.batch * others)
        own = shuffled(self.seen, self.recipe.batch - count, self.own, self.seed)
        other = shuffled(self.seen_others, count, len(self.train_set.targets) - self.own, self.seed) + self.own
        self.seen += len(own)
        self.seen_others += len(other)
        mixed = torch.randperm(self.recipe.batch, generator=torch.Generator().manual_seed(self.step))  # alike in every process
        return torch.cat([own, other])[mixed].to(self.device)

    @torch.inference_mode()
    def evaluate(self) -> None:
        if self.rank:
            return
        self.average.module.eval()
        batches = zip(self.val_set.images.split(25), self.val_set.targets.split(25))
        logits, targets = zip(*((self.average.module(data.normalise(images)), targets) for images, targets in batches))
        logits, targets = torch.cat(logits)[:, :len(self.labels)].float(), torch.cat(targets)
        ranks = (logits > logits.gather(1, targets[:, None])).sum(1)
        self.log(event="eval", step=self.step, minutes=round((time.time() - self.started) / 60, 1),
                 top1=(ranks < 1).double().mean().item(), top5=(ranks < 5).double().mean().item(),
                 loss=torch.nn.functional.cross_entropy(logits, targets).item())

    def save(self) -> None:
        if self.rank:
            return
        state = {name: getattr(self, name).state_dict() for name in ("model", "average", "optimizer")}
        state |= {name: getattr(self, name) for name in ("step", "seen", "seen_others", "started", "labels", "recipe")}
        state["heads"] = self.model.blocks[0].attn.num_heads
        torch.save(state, self.out / "checkpoint.new")
        (self.out / "checkpoint.new").replace(self.out / "checkpoint.pt")  # a run stopped here loses nothing

    def restore(self) -> None:
        state = torch.load(self.out / "checkpoint.pt", map_location="cpu", weights_only=False)
        for name in ("model", "average", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        for name in ("step", "seen", "seen_others", "started"):
            setattr(self, name, state[name])

    def log(self, **entry: object) -> None:
        if self.rank:
            return
        line = json.dumps(entry)
        print(line, flush=True)
        with open(self.out / "log.jsonl", "a") as file:
            file.write(line + "\n")


@lru_cache(maxsize=4)
def permutation(epoch: int, size: int, seed: int) -> torch.Tensor:
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed * 100_003 + epoch))


def shuffled(start: int, count: int, size: int, seed: int) -> torch.Tensor:
    """Places `start..start + count` of an endless row of permutations of `size`: nothing to keep for a resumed run."""
    parts = [torch.empty(0, dtype=torch.long)]
    while count:
        epoch, offset = divmod(start, size)
        part = permutation(epoch, size, seed)[offset:offset + count]
        parts.append(part)
        start, count = start + len(part), count - len(part)
    return torch.cat(parts)


if __name__ == "__main__":
    main()
