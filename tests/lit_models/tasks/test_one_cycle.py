"""The rate rises to the optimiser's own, falls to zero, and the run's length comes from the trainer."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from lit_models.tasks.one_cycle import OneCycle
from tests.small import Points, SmallNet, small_trainer


def rates(total_steps: int, **settings: float) -> list[float]:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=2.0)
    schedule = OneCycle(optimizer, total_steps, **settings)
    found = []
    for _ in range(total_steps + 2):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_rises_to_the_peak_then_falls_to_zero() -> None:
    found = rates(100, warmup=0.25, start=0.1)
    assert found[0] == pytest.approx(0.2) and found[25] == pytest.approx(2.0)
    assert found[:26] == sorted(found[:26]) and found[25:] == sorted(found[25:], reverse=True)
    assert found[100] == pytest.approx(0.0, abs=1e-12) and found[101] == pytest.approx(0.0, abs=1e-12)


def test_the_fall_is_torchs_cosine() -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=2.0)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
    for value in rates(40, warmup=0.0):
        if cosine.last_epoch <= 40:
            assert value == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        cosine.step()


def test_the_length_of_the_run_is_filled_in(tmp_path: Path) -> None:
    model = SmallNet(
        optimizer=partial(torch.optim.SGD, lr=0.1), lr_scheduler=partial(OneCycle, warmup=0.5), lr_interval="step"
    )
    trainer = small_trainer(tmp_path)
    trainer.fit(model, datamodule=Points())
    (schedule,) = trainer.lr_scheduler_configs
    assert schedule.scheduler.total_steps == trainer.global_step == 8  # type: ignore[attr-defined]
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.0, abs=1e-12)


def test_a_share_is_less_than_one() -> None:
    with pytest.raises(ValueError, match=r"warmup is 1\.5"):
        rates(10, warmup=1.5)
