"""Schedules over 1,000 steps against torch's; their lengths; what is said of one that is longer than the run."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from common.messages import UserError
from lit_models.optimization.schedules import (
    Cycles,
    Factor,
    InverseSquareRoot,
    MultiFactor,
    OneCycle,
    Polynomial,
    SquareRoot,
    WarmupStableDecay,
)
from tests.small import Points, SmallNet, small_trainer


def rates(make: Any, steps: int = 1000, lr: float = 0.3) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=lr)
    schedule, found = make(optimizer), []
    for _ in range(steps):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    return found


def by(factor: Callable[[int], float]) -> Any:
    return partial(lr_scheduler.LambdaLR, lr_lambda=factor)


PAIRS = {
    "factor": (partial(Factor, gamma=0.99, floor=0.01), by(lambda t: max(0.01, 0.99**t))),
    "exponential": (partial(Factor, gamma=0.99), partial(lr_scheduler.ExponentialLR, gamma=0.99)),
    "multi_factor": (
        partial(MultiFactor, milestones=[15, 300], gamma=0.5),
        partial(lr_scheduler.MultiStepLR, milestones=[15, 300], gamma=0.5),
    ),
    "square_root": (SquareRoot, by(lambda t: (t + 1) ** -0.5)),
    "polynomial": (Polynomial, by(lambda t: (1 + 0.1 * t) ** -0.5)),
    "inverse_square_root": (
        partial(InverseSquareRoot, warmup=40),
        by(lambda t: min((t + 1) / 40, (40 / (t + 1)) ** 0.5)),
    ),
    "cycles": (
        partial(Cycles, total=1000, cycles=5),
        partial(lr_scheduler.CosineAnnealingWarmRestarts, T_0=200),
    ),
    "one_cycle": (
        partial(OneCycle, total=1000),
        partial(lr_scheduler.OneCycleLR, max_lr=0.3, total_steps=1001, cycle_momentum=False),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_the_rates_of_a_thousand_steps_are_torchs(name: str) -> None:
    ours, theirs = PAIRS[name]
    if name == "cycles":
        assert sorted(rates(ours)) != sorted(rates(partial(Cycles, total=1000, cycles=4)))
        with pytest.raises(UserError, match="cycles is 0"):
            rates(partial(Cycles, cycles=0))
    if name == "one_cycle":  # torch refuses a step after the last
        ours = partial(OneCycle, total=1001)
    torch.testing.assert_close(torch.tensor(rates(ours)), torch.tensor(rates(theirs)), rtol=1e-6, atol=1e-12)


def test_warm_up_stable_decay_rises_stays_and_falls() -> None:
    found = rates(partial(WarmupStableDecay, total=100, warmup=0.1, decay=0.2), 101, lr=1.0)
    assert found[0] == pytest.approx(1 / 11) and found[10:81] == pytest.approx([1.0] * 71)
    assert found[90] == pytest.approx(0.5) and found[100] == 0.0


def test_looking_at_a_schedule_does_not_move_the_one_of_the_run() -> None:
    """The book's error: its picture of the schedule moves it thirty epochs."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.5)
    schedule = MultiFactor(optimizer, [15, 30])
    assert [schedule.factor(t) for t in (0, 15, 30)] == [1.0, 0.5, 0.25]
    assert optimizer.param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize(
    "make",
    [partial(MultiFactor, milestones=[1, 50]), partial(InverseSquareRoot, warmup=500)],
    ids=["milestones", "rise"],
)
def test_a_schedule_longer_than_the_run_is_said_and_runs(
    make: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_trainer(tmp_path).fit(SmallNet(lr_scheduler=make), datamodule=Points())
    assert "note: the run is" in capsys.readouterr().err


def test_the_length_is_the_runs(tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path, max_epochs=3)
    trainer.fit(SmallNet(lr_scheduler=OneCycle), datamodule=Points())
    (config,) = trainer.lr_scheduler_configs
    assert config.scheduler.total == 12 and config.interval == "step"


@pytest.mark.parametrize(
    "make",
    [
        partial(Factor, gamma=1.5),
        partial(MultiFactor, milestones=[30, 15]),
        partial(InverseSquareRoot, warmup=0),
        partial(WarmupStableDecay, warmup=0.6, decay=0.6),
        partial(OneCycle, warmup=-0.1),
    ],
)
def test_bad_numbers_are_refused(make: Any) -> None:
    with pytest.raises(UserError, match="give"):
        rates(make)
