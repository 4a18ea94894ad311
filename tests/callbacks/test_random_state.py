"""All generators come back as they were, and validation does not change the numbers that training draws."""

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from callbacks import random_state
from callbacks.random_state import RandomState, get_random_state, set_random_state
from tests.small import Points, SmallNet, small_trainer


def draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_every_generator_continues_where_it_was(tmp_path: Path) -> None:
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


NET: Any = None  # no network draws anything here


def of(rank: int, world: int = 2) -> Any:
    return SimpleNamespace(global_rank=rank, world_size=world)


def begun(rank: int, loaded: list[dict[str, Any]] | None = None) -> RandomState:
    """A fit begins on a rank, from the same seed on each, or from a checkpoint."""
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    callback = RandomState()
    if loaded is not None:
        callback.on_load_checkpoint(of(rank), NET, {"random_state": loaded})
    callback.on_train_start(of(rank), NET)
    return callback


def test_from_the_start_each_rank_draws_its_own_numbers_and_the_first_goes_on() -> None:
    begun(0)
    draw()  # as building a model does
    state = get_random_state()
    second = draw()
    set_random_state(state)
    RandomState().on_train_start(of(0), NET)
    assert draw() == second, "the first process begins again"
    begun(0)
    first = draw()
    begun(1)
    assert all(a != b for a, b in zip(first, draw(), strict=True)), "a generator is the same on both ranks"


def test_each_rank_gets_its_own_state_back_and_only_once() -> None:
    states, drawn = [], []
    for rank in (0, 1):
        begun(rank)
        states.append(get_random_state())
        drawn.append(draw())
    for rank in (1, 0):
        callback = begun(rank, states)
        assert draw() == drawn[rank]
        torch.manual_seed(5)
        state = torch.get_rng_state()
        callback.on_train_start(of(0), NET)
        assert torch.equal(torch.get_rng_state(), state), "the checkpoint's state came back a second time"


def test_with_another_number_of_processes_a_rank_begins_anew() -> None:
    begun(0)
    begun(1, [get_random_state()])
    resumed = draw()
    begun(1)
    assert draw() == resumed


def test_the_states_of_all_ranks_are_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_state, "gather", lambda trainer, state: [state, "the other rank's"])
    checkpoint: dict[str, Any] = {}
    RandomState().on_save_checkpoint(of(0), NET, checkpoint)
    assert checkpoint["random_state"][1] == "the other rank's" and "torch" in checkpoint["random_state"][0]


def test_the_second_half_of_a_pair_of_gaussians_is_kept() -> None:
    """Both generators draw two at a time and keep one."""
    random.gauss(0, 1)
    np.random.standard_normal()
    state = get_random_state()
    first = (random.gauss(0, 1), np.random.standard_normal())
    random.seed(9)
    np.random.seed(9)
    set_random_state(state)
    assert (random.gauss(0, 1), np.random.standard_normal()) == first


def test_an_end_of_validation_undoes_its_own_draws_alone() -> None:
    callback = RandomState()
    callback.on_validation_start(of(0), NET)
    before = draw()
    callback.on_validation_end(of(0), NET)
    assert draw() == before
    after = get_random_state()
    callback.on_validation_end(of(0), NET)  # the start was another callback's
    first = draw()
    set_random_state(after)
    assert draw() == first
