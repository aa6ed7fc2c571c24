"""A training run: processes, time, progress, what is random, checkpoints and log. What is learnt, and how, is a learner's (small.py, tiny.py).

On a CPU every core is a process of its own, with its share of each batch: a matrix product of these sizes gains little from a second thread.
"""

import argparse
import json
import os
import random
import socket
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp


class Learner(Protocol):
    """One process's part of what is trained."""

    steps: int
    """How long the run is where no deadline ends it."""

    def facts(self) -> dict[str, Any]:
        """For the first line of the log."""

    def step(self, number: int, progress: float) -> dict[str, Any]:
        """Learns from one batch: what to log of it, `images` and `loss` among it."""

    def evaluate(self) -> dict[str, Any]:
        """What the validation images say; only the first process's counts."""

    def state(self) -> dict[str, Any]: ...

    def restore(self, state: dict[str, Any]) -> None: ...


def parser(documentation: str | None) -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--data", type=Path, required=True, help="folder of the packed archives")
    result.add_argument("--out", type=Path, required=True, help="gets log.jsonl and checkpoint.pt; the same command goes on from there")
    result.add_argument("--minutes", type=float, help="ends then, whatever the speed was")
    result.add_argument("--epochs", type=float, help="ends after so many, where there is no deadline")
    result.add_argument("--batch", type=int)
    result.add_argument("--limit", type=int, help="images a class, to try things out")
    result.add_argument("--seed", type=int, default=0)
    result.add_argument("--processes", type=int, default=os.cpu_count(), help="on a CPU")
    result.add_argument("--every", type=float, default=4, help="minutes between checkpoints")
    result.add_argument("--evaluate-every", type=float, default=15, help="minutes; at the end too")
    return result


def launch(arguments: argparse.Namespace, learner: Callable[[argparse.Namespace], Learner]) -> None:
    arguments.out.mkdir(parents=True, exist_ok=True)
    if torch.cuda.is_available():
        arguments.processes = 1
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    mp.spawn(work, (arguments, learner), arguments.processes)


def work(rank: int, arguments: argparse.Namespace, learner: Callable[[argparse.Namespace], Learner]) -> None:
    """One process of the run."""
    if not torch.cuda.is_available():
        torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=arguments.processes)
    seed_all(arguments.seed, step=-1)
    Run(arguments, learner(arguments)).train()
    dist.destroy_process_group()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Run:
    """Steps of a learner until the time is up, from where the last one was stopped."""

    def __init__(self, arguments: argparse.Namespace, learner: Learner) -> None:
        self.learner, self.out, self.seed = learner, arguments.out, arguments.seed
        self.rank, self.parent = dist.get_rank(), os.getppid()
        self.minutes, self.every, self.evaluate_every = arguments.minutes, arguments.every, arguments.evaluate_every
        self.step, self.spent, self.since = 0, 0.0, time.time()
        if (self.out / "checkpoint.pt").exists():
            state = torch.load(self.out / "checkpoint.pt", map_location="cpu", weights_only=False)
            self.step, self.spent = state["step"], state["spent"]
            learner.restore(state)

    def elapsed(self) -> float:
        """Seconds of work, without those between a run that was stopped and the one that goes on."""
        return self.spent + time.time() - self.since

    def agreed(self, *values: float) -> list[float]:
        """The first process's: clocks differ, and every process has to do the same."""
        if os.getppid() != self.parent:
            raise SystemExit("the program that started this process is gone")  # or it would write into the next one's checkpoint
        tensor = torch.tensor(values, dtype=torch.float64)
        dist.broadcast(tensor, src=0)
        return tensor.tolist()

    def progress(self) -> float:
        """0 to 1; by the clock where there is a deadline, so that a run which others slow down still ends well."""
        return self.elapsed() / (self.minutes * 60) if self.minutes else self.step / self.learner.steps

    def train(self) -> None:
        self.log(event="start" if not self.step else "resume", step=self.step, device=str(device()), processes=dist.get_world_size(), **self.learner.facts())
        saved = evaluated = since = time.time()
        images = 0
        while True:
            progress, due = self.agreed(self.progress(), time.time() - evaluated > self.evaluate_every * 60)
            if progress >= 1:
                break
            if due:
                self.evaluate()
                evaluated = since = time.time()
                images = 0
            seed_all(self.seed, self.step)
            facts = self.learner.step(self.step, progress)
            self.step += 1
            images += facts["images"]
            if self.step % 25 == 0:
                speed = images / (time.time() - since)
                self.log(event="step", step=self.step, progress=round(progress, 4), **facts, images_per_second=round(speed, 1))
                since, images = time.time(), 0
            if time.time() - saved > self.every * 60:
                self.save()
                saved = time.time()
        self.save()
        self.evaluate()

    def evaluate(self) -> None:
        figures = self.learner.evaluate()
        self.log(event="eval", step=self.step, minutes=round(self.elapsed() / 60, 1), **figures)

    def save(self) -> None:
        if self.rank:
            return
        torch.save({"step": self.step, "spent": self.elapsed(), **self.learner.state()}, self.out / "checkpoint.new")
        (self.out / "checkpoint.new").replace(self.out / "checkpoint.pt")  # a run stopped here loses nothing

    def log(self, **entry: object) -> None:
        if self.rank:
            return
        line = json.dumps(entry)
        print(line, flush=True)
        with open(self.out / "log.jsonl", "a") as file:
            file.write(line + "\n")


def seed_all(seed: int, step: int) -> None:
    """For this step and process, so that nothing random is to be kept."""
    number = hash((seed, step, dist.get_rank())) % 2**32
    random.seed(number), np.random.seed(number), torch.manual_seed(number)


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
