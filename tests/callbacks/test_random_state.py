"""All generators come back as they were, and validation does not move the training's stream."""

import random
from pathlib import Path

import numpy as np
import torch

from callbacks.random_state import RandomState, get_random_state, set_random_state
from tests.small import Points, SmallNet, small_trainer


def draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_every_generator_goes_on_where_it_was(tmp_path: Path) -> None:
    torch.save(get_random_state(), tmp_path / "state")
    first = draw()
    draw()
    set_random_state(torch.load(tmp_path / "state", weights_only=True))
    assert draw() == first


class DrawsInValidation(SmallNet):
    def on_validation_start(self) -> None:
        if self.draws:
            draw()

    def __init__(self, draws: bool) -> None:
        super().__init__()
        self.draws = draws


def trained(draws: bool, folder: Path, *callbacks: RandomState) -> torch.Tensor:
    torch.manual_seed(0)
    model = DrawsInValidation(draws)
    small_trainer(folder, *callbacks).fit(model, datamodule=Points())
    return torch.cat([p.flatten() for p in model.parameters()])


def test_what_validation_draws_is_undone(tmp_path: Path) -> None:
    assert torch.equal(trained(True, tmp_path, RandomState()), trained(False, tmp_path, RandomState()))


def test_without_it_validation_moves_the_stream(tmp_path: Path) -> None:
    assert not torch.equal(trained(True, tmp_path), trained(False, tmp_path))
