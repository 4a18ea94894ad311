"""The command line wins over a checkpoint's optimizer state, and what cannot fit is refused in one line."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from common.messages import UserError
from lit_models.tasks.resumed_optimizer import apply_changes, setup_of
from lit_models.tasks.schedules import Cosine
from tests.small import Points, SmallNet, small_trainer


def run(folder: Path, optimizer: Any, checkpoint: str | None = None, epochs: int = 1, **task: Any) -> Any:
    trainer = small_trainer(folder, max_epochs=epochs)
    trainer.fit(SmallNet(optimizer=optimizer, **task), datamodule=Points(), ckpt_path=checkpoint)
    return trainer


@pytest.fixture
def checkpoint(tmp_path: Path) -> str:
    trainer = run(tmp_path, partial(torch.optim.AdamW, lr=0.1, weight_decay=0.01))
    trainer.save_checkpoint(tmp_path / "last.ckpt", weights_only=False)
    return str(tmp_path / "last.ckpt")


def test_a_new_rate_and_decay_hold_after_a_resume(
    checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (group,) = (
        run(tmp_path, partial(torch.optim.AdamW, lr=0.2, weight_decay=0.5), checkpoint, 2).optimizers[0].param_groups
    )
    assert group["lr"] == 0.2 and group["weight_decay"] == 0.5
    assert "optimizer.lr was 0.1 in this run and is 0.2 from here on" in capsys.readouterr().err


def test_what_was_not_changed_stays_silent(checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, partial(torch.optim.AdamW, lr=0.1, weight_decay=0.01), checkpoint, 2)
    assert "from here on" not in capsys.readouterr().err


def test_a_new_rate_moves_the_whole_schedule(tmp_path: Path) -> None:
    cosine = partial(Cosine, total=4)
    first = run(tmp_path, partial(torch.optim.SGD, lr=0.1), epochs=2, lr_scheduler=cosine)
    first.save_checkpoint(tmp_path / "last.ckpt", weights_only=False)
    resumed = run(
        tmp_path,
        partial(torch.optim.SGD, lr=0.3),
        str(tmp_path / "last.ckpt"),
        3,
        lr_scheduler=partial(Cosine, total=4),
    )
    assert resumed.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.3 * (1 - 0.5**0.5) / 2)


def test_another_optimizer_is_refused_in_one_line(checkpoint: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model\.optimizer is SGD, the run was trained with AdamW"):
        run(tmp_path, partial(torch.optim.SGD, lr=0.1), checkpoint, 2)


def test_the_setup_is_plain_enough_for_a_checkpoint(checkpoint: str) -> None:
    content = torch.load(checkpoint, weights_only=True)
    assert content["optimizer_setup"]["class"] == "AdamW" and content["optimizer_setup"]["groups"][0]["lr"] == 0.1


def test_a_new_rate_scales_what_a_schedule_made_of_the_old_one() -> None:
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))], lr=0.1, betas=(0.8, 0.9))
    then = setup_of(optimizer)
    then["groups"][0]["betas"] = [0.8, 0.9]  # as a checkpoint has it
    schedule = Cosine(optimizer, total=4)
    optimizer.param_groups[0]["lr"] = 0.05  # half of the way down
    now = {**then, "groups": [{**then["groups"][0], "lr": 0.4, "betas": (0.8, 0.9)}]}
    apply_changes(optimizer, [schedule], then, now)
    (group,) = optimizer.param_groups
    assert group["lr"] == pytest.approx(0.2) and group["initial_lr"] == 0.4 and schedule.base_lrs == [0.4]


def test_a_tuple_that_a_checkpoint_made_a_list_is_no_change(capsys: pytest.CaptureFixture[str]) -> None:
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))], betas=(0.8, 0.9))
    now = setup_of(optimizer)
    then = {**now, "groups": [{**now["groups"][0], "betas": [0.8, 0.9]}]}
    apply_changes(optimizer, [], then, now)
    assert capsys.readouterr().err == ""
