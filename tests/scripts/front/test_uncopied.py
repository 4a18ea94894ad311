"""A copy of a model, such as an average of its weights, shares the command that built it."""

import threading
from copy import deepcopy

import torch

from scripts.front.build import parse
from scripts.front.lightning_cli import DiveCLI


def test_a_model_whose_optimizer_refers_to_a_command_that_holds_processes_can_be_copied() -> None:
    """A lock stands for the handle of a process; neither can be copied."""
    cli = parse(["linear/linear_regression"])
    assert isinstance(cli, DiveCLI)
    cli.trainer = threading.Lock()  # type: ignore[assignment]
    copied = deepcopy({"cli": cli, "weight": (weight := torch.zeros(1))})
    assert copied["cli"] is cli and copied["weight"] is not weight
