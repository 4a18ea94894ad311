"""What every side of a benchmark shares: the data, the sizes of the work, the clock.

The images are random bytes of Fashion-MNIST's shape: only speeds are measured, nothing is learned. This file imports
no Lightning, so that the plain loops can be measured in a process without it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Batch = TypeVar("Batch")

LEARNING_RATE = 0.1  # plain SGD on every side, as in D2L 4.4, 5.2 and 7.6
IMAGES = 60_000
WARMUP = 10  # batches before the clock: first allocations, and what eight prefetched batches hide of a slow loader


@dataclass(frozen=True)
class Workload:
    """One network to train, at the book's batch size.

    Args:
        name: As in the tables.
        recipe: The recipe whose model, optimizer and batch size are ours.
        batch_size: The same in the recipe.
        network: The same network in plain PyTorch, for the other sides.
        steps: Timed batches for the fast sides (ours, bare): about two seconds on one core.
        slow_steps: Timed batches for the sides that load image by image.
    """

    name: str
    recipe: str
    batch_size: int
    network: Callable[[], nn.Module]
    steps: int
    slow_steps: int


def lenet() -> nn.Module:
    """LeNet in the book's form: sigmoids and average pooling."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10)),
    )


def mlp() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def softmax() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


WORKLOADS = (
    Workload("softmax", "linear/softmax_regression_fashion_mnist", 256, softmax, steps=1000, slow_steps=60),
    Workload("mlp", "mlp/mlp_fashion_mnist", 256, mlp, steps=400, slow_steps=60),
    Workload("lenet", "cnn/lenet_fashion_mnist", 128, lenet, steps=100, slow_steps=60),
)


@cache
def random_images(rows: int) -> tuple[Tensor, Tensor]:
    """Images (rows, 1, 28, 28) uint8 and labels (rows,), the same in every call."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (rows, 1, 28, 28), dtype=torch.uint8, generator=generator)
    return images, torch.randint(10, (rows,), generator=generator)


class Clock:
    """Times ``steps`` optimizer steps after ``warmup`` of them. Every side calls ``tick`` after each step.

    The span runs from the end of one step to the end of another: it holds the loading, the step and all bookkeeping of
    exactly ``steps`` batches, the ends of epochs among them, and neither building, worker start-up nor tearing down.
    """

    def __init__(self, steps: int, warmup: int = WARMUP) -> None:
        self.steps, self.warmup = steps, warmup
        self.count = 0  # steps so far
        self.samples = 0  # in the timed steps
        self.seconds = 0.0
        self.start = time.perf_counter()

    @property
    def total(self) -> int:
        """Steps to be done in all."""
        return self.warmup + self.steps

    @property
    def done(self) -> bool:
        return self.count >= self.total

    def batches(self, epoch: Callable[[], Iterable[Batch]]) -> Iterator[Batch]:
        """The batches of one epoch after another, until the steps are done."""
        while not self.done:
            for batch in epoch():
                yield batch
                if self.done:
                    return

    def tick(self, samples: int) -> None:
        """Notes one optimizer step on ``samples`` samples."""
        self.count += 1
        if self.count > self.warmup:
            self.samples += samples
        if self.count == self.warmup:
            self.start = time.perf_counter()
        elif self.count == self.total:
            self.seconds = time.perf_counter() - self.start


def take_turns(
    workload: str,
    threads: int,
    sides: Mapping[str, Callable[[Clock], Any]],
    repeats: int,
    steps: int,
    warmup: int,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """A row for each side with its samples a second in each turn; a number that a side returns is kept as its loss.

    The sides take turns, so that a slow minute affects all of them; a turn's number is its seed.
    """
    table: dict[str, dict[str, Any]] = {}
    for turn in range(repeats):
        for name, side in sides.items():
            torch.manual_seed(turn)
            clock = Clock(steps, warmup)
            loss = side(clock)
            row = table.setdefault(
                name, {"workload": workload, "threads": threads, "side": name, "steps": steps, "samples": clock.samples}
            )
            row.setdefault("rates", []).append(clock.samples / clock.seconds)
            line = f"{workload}, {threads} threads, {name}: {row['rates'][-1]:,.0f} samples/s"
            if isinstance(loss, float):
                row.setdefault("losses", []).append(loss)
                line += f", loss {loss:.3f}"
            say(line)
    return list(table.values())


def rates_in_turns(
    workload: str,
    threads: int,
    sides: Mapping[str, Callable[[], float]],
    repeats: int,
    samples: int,
    say: Callable[[str], None],
    unit: str = "samples",
) -> list[dict[str, Any]]:
    """A row for each side, which times itself and returns its rate; a turn's number is the seed of torch.

    Args:
        samples: What a side works on in a turn.
        unit: What a rate counts.
    """
    facts = {"workload": workload, "threads": threads, "steps": samples, "samples": samples}
    table: dict[str, dict[str, Any]] = {name: {**facts, "side": name, "rates": []} for name in sides}
    for turn in range(repeats):
        for name, side in sides.items():
            torch.manual_seed(turn)
            table[name]["rates"].append(side())
            say(f"{workload}, {threads} threads, {name}: {table[name]['rates'][-1]:,.0f} {unit}/s")
    return list(table.values())
