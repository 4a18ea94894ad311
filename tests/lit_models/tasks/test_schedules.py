"""Rates take their length from the run, reach their peak, and go on sensibly when a run is made longer."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler

from common.messages import UserError
from lit_models.tasks.schedules import Cosine, Noam, Sequential, WarmupCosine
from scripts.front.arguments import load_yaml
from scripts.front.recipes import all_recipes
from tests.small import Points, SmallNet, small_trainer


def rates(steps: int, make: Any) -> list[float]:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=2.0)
    schedule: LRScheduler = make(optimizer)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def fit(folder: Path, schedule: Any, checkpoint: str | None = None, **trainer: Any) -> tuple[Any, list[float]]:
    """The trainer of a run of 4 steps an epoch, and the rate of each step."""
    found: list[float] = []

    class Recorded(SmallNet):
        def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
            found.append(self.trainer.optimizers[0].param_groups[0]["lr"])

    model = Recorded(optimizer=partial(torch.optim.SGD, lr=0.1), lr_scheduler=schedule)
    made = small_trainer(folder, **trainer)
    made.fit(model, datamodule=Points(), ckpt_path=checkpoint)
    return made, found


def test_a_warm_up_rises_to_the_peak_then_falls_to_zero() -> None:
    found = rates(102, partial(WarmupCosine, total=100, warmup=0.25, start=0.1))
    assert found[0] == pytest.approx(0.2) and found[25] == pytest.approx(2.0)
    assert found[:26] == sorted(found[:26]) and found[25:] == sorted(found[25:], reverse=True)
    assert found[10] == pytest.approx(2.0 * (0.1 + 0.9 * 10 / 25))  # on a line
    assert found[100] == pytest.approx(0.0, abs=1e-12) and found[101] == pytest.approx(0.0, abs=1e-12)


def test_the_cosine_is_torchs() -> None:
    assert rates(40, partial(Cosine, total=40)) == pytest.approx(rates(40, partial(CosineAnnealingLR, T_max=40)))


def test_the_length_is_the_runs_in_steps_and_in_epochs(tmp_path: Path) -> None:
    for schedule, length in ((partial(WarmupCosine, warmup=0.5), 8), (Cosine, 2)):
        trainer, found = fit(tmp_path, schedule, max_epochs=2)
        (config,) = trainer.lr_scheduler_configs
        assert config.scheduler.total == length and len(found) == trainer.global_step == 8
        assert max(found) == pytest.approx(0.1)  # the peak is reached, by step though the default is by epoch
        assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.0, abs=1e-12)


def test_max_steps_is_a_length_too(tmp_path: Path) -> None:
    trainer, _ = fit(tmp_path, WarmupCosine, max_epochs=-1, max_steps=6)
    assert trainer.lr_scheduler_configs[0].scheduler.total == 6


def test_a_run_without_an_end_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"trainer\.max_epochs"):
        fit(tmp_path, WarmupCosine, max_epochs=-1, max_time="00:00:01:00")


@pytest.mark.parametrize("schedule", [WarmupCosine, Cosine])
def test_a_run_resumed_for_longer_has_the_rates_of_the_new_length(
    schedule: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer, _ = fit(tmp_path, schedule, max_epochs=2)
    trainer.save_checkpoint(tmp_path / "last.ckpt", weights_only=False)
    _, resumed = fit(tmp_path, schedule, str(tmp_path / "last.ckpt"), max_epochs=5)
    assert "goes on as in such a run" in capsys.readouterr().err
    _, whole = fit(tmp_path, schedule, max_epochs=5)
    assert resumed == pytest.approx(whole[8:])


def test_noam_is_the_papers_formula_times_the_rate() -> None:
    found = rates(40, partial(Noam, hidden_size=64, warmup_steps=10))
    assert max(found) == found[9] and math.isclose(found[4], found[9] / 2) and math.isclose(found[39], found[9] / 2)
    assert math.isclose(found[6], 2.0 * 64**-0.5 * min(7**-0.5, 7 * 10**-1.5))


def test_schedules_follow_one_another_and_the_last_takes_what_is_left(tmp_path: Path) -> None:
    parts = [partial(LinearLR, start_factor=0.5, total_iters=2), Cosine]
    made = partial(Sequential, schedules=parts, milestones=[2])
    trainer, _ = fit(tmp_path, made, max_epochs=6)
    assert trainer.lr_scheduler_configs[0].scheduler._schedulers[1].total == 4
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.0, abs=1e-12)


def test_a_fraction_is_less_than_one() -> None:
    with pytest.raises(UserError, match=r"warmup is 1\.5"):
        rates(10, partial(WarmupCosine, total=10, warmup=1.5))


def test_no_recipe_states_the_length_of_a_schedule_that_the_run_knows() -> None:
    for recipe in all_recipes():
        schedule = (load_yaml(recipe.path)["model"].get("init_args") or {}).get("lr_scheduler") or {}
        schedule = {} if isinstance(schedule, str) else schedule  # a class without arguments
        assert not {"T_max", "total_steps", "total", "total_iters"} & set(schedule.get("init_args") or {}), recipe.name


def test_a_length_in_epochs_counts_accumulated_batches_once(tmp_path: Path) -> None:
    trainer, _ = fit(tmp_path, Cosine, max_epochs=3, accumulate_grad_batches=2)
    (config,) = trainer.lr_scheduler_configs
    assert config.scheduler.total == 3 and trainer.global_step == 6
