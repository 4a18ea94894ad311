"""What the studies of ``dive performance`` share: a recipe's training step without a trainer, and a clock."""

import copy
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils.benchmark import Timer

from scripts.front.build import build

Row = dict[str, Any]
Say = Callable[[str], None]


@dataclass
class Setting:
    """How a study is measured.

    Args:
        threads: Of each process.
        small: Sizes that only show that it runs; their numbers are no measurement.
        say: Prints a line of progress.
        recipes: Whose networks are measured, where a study is one of networks; none: those that the study names.
    """

    threads: int = 1
    small: bool = False
    say: Say = print
    recipes: list[str] = field(default_factory=list)


@dataclass
class Training:
    """A recipe's model, its optimizer, and a batch of its training data."""

    recipe: str
    model: Any
    batch: tuple[Tensor, ...]
    optimizer: torch.optim.Optimizer

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    def loss(self) -> Tensor:
        loss: Tensor = self.model.training_step(self.batch, 0)
        return loss

    def step(self) -> Tensor:
        """Forward pass, backward pass, optimizer; returns the loss before the step."""
        loss = self.loss()
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.detach()

    def twin(self) -> "Training":
        """The same weights in a model and an optimizer of its own."""
        model = copy.deepcopy(self.model)
        return Training(self.recipe, model, self.batch, optimizer_of(model))


def optimizer_of(model: Any) -> torch.optim.Optimizer:
    configured = model.configure_optimizers()
    found: torch.optim.Optimizer = configured["optimizer"] if isinstance(configured, dict) else configured
    return found


def no_record(loss: Tensor, count: Any) -> None:
    """In place of ``record_train_loss``, which needs a trainer."""


def training(words: list[str]) -> Training:
    """What ``dive fit WORDS`` would train, with its first batch."""
    _, made, data = build(words)
    assert data is not None
    data.prepare_data()
    data.setup("fit")
    model: Any = made
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    model.record_train_loss = no_record
    return Training(words[0], model.train(), batch, optimizer_of(model))


def seconds(function: Callable[[], Any], threads: int, at_least: float = 0.2) -> float:
    """The median seconds of a call, over calls that take ``at_least`` seconds together; a GPU is waited for."""
    timer = Timer("function()", globals={"function": function}, num_threads=threads)
    return float(timer.blocked_autorange(min_run_time=at_least).median)


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])
