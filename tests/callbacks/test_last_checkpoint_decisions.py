"""What LastCheckpoint decides, each decision by itself: which steps are free, when a save is due, who ends how."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from callbacks import last_checkpoint
from callbacks.last_checkpoint import LastCheckpoint, Stopped, is_free
from tests.callbacks.test_last_checkpoint import SAVING, Send
from tests.small import Points, SmallNet, small_trainer

MANUAL = SimpleNamespace(automatic_optimization=False)
BATCHES = SimpleNamespace(total=SimpleNamespace(ready=8))


def trainer(**changes: Any) -> Any:
    """In the middle of a long epoch, after step 7, one process."""
    values: dict[str, Any] = {
        "is_last_batch": False,
        "should_stop": False,
        "global_step": 7,
        "max_steps": -1,
        "accumulate_grad_batches": 1,
        "val_check_batch": float("inf"),
        "check_val_every_n_epoch": 1,
        "fit_loop": SimpleNamespace(total_batch_idx=100, epoch_loop=SimpleNamespace(batch_progress=BATCHES)),
        "log_every_n_steps": 50,
        "lightning_module": SimpleNamespace(automatic_optimization=True),
        "is_global_zero": True,
        "world_size": 1,
        "validating": False,
    }
    return SimpleNamespace(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "batch_idx", "free"),
    [
        ({}, 3, True),
        ({"is_last_batch": True}, 3, False),
        ({"should_stop": True}, 3, False),
        ({"max_steps": 7}, 3, False),
        ({"max_steps": 8}, 3, True),
        ({"accumulate_grad_batches": 2}, 3, True),
        ({"accumulate_grad_batches": 2}, 4, False),
        ({"val_check_batch": 4}, 3, False),
        ({"val_check_batch": 4}, 4, True),
        ({"val_check_batch": 101, "check_val_every_n_epoch": None}, 3, False),  # counted over epochs
        ({"val_check_batch": 4, "check_val_every_n_epoch": None}, 3, True),
        ({"log_every_n_steps": 7}, 3, False),
        ({"log_every_n_steps": 6}, 3, True),
        ({"log_every_n_steps": 1}, 3, True),  # else no step would be free
        ({"log_every_n_steps": 4, "global_step": 9, "lightning_module": MANUAL}, 3, False),  # of 8 batches
        ({"log_every_n_steps": 9, "global_step": 9, "lightning_module": MANUAL}, 3, True),
    ],
)
def test_a_step_is_free_when_nothing_of_it_is_still_to_come(changes: Any, batch_idx: int, free: bool) -> None:
    assert is_free(trainer(**changes), batch_idx) is free


def test_a_save_is_due_so_many_seconds_after_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now, callback = [0.0], LastCheckpoint(seconds=60)
    monkeypatch.setattr(last_checkpoint.time, "monotonic", lambda: now[0])
    due = []
    for now[0] in map(float, range(1, 200)):
        if callback.agree(trainer())[1]:
            callback.on_save_checkpoint(trainer(), SmallNet(), {})
            due.append(now[0])
    assert due == [60.0, 120.0, 180.0]
    now[0] = 300.0
    assert not callback.agree(trainer(is_global_zero=False))[1], "the first process decides"
    assert callback.agree(trainer())[1]


def test_a_save_of_the_best_in_a_validation_is_no_save_of_the_last() -> None:
    callback = LastCheckpoint()
    callback.on_save_checkpoint(trainer(validating=True), SmallNet(), {})
    assert callback.saved_step == -1
    callback.on_save_checkpoint(trainer(), SmallNet(), {})
    assert callback.saved_step == 7


def test_several_processes_take_the_largest_wish_as_often_as_patience_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds for ten steps and patience of one second: five steps until they look again."""
    asked = []

    def reduce(tensor: torch.Tensor, reduce_op: str) -> torch.Tensor:
        asked.append((tensor.tolist(), reduce_op))
        return torch.tensor([float(signal.SIGTERM), 1.0, tensor[2].item()])  # another process got a signal

    strategy = SimpleNamespace(root_device=torch.device("cpu"), reduce=reduce)
    several = trainer(world_size=2, strategy=strategy)
    callback = LastCheckpoint(patience=1.0)
    callback.looked_at, callback.saved_at, callback.steps = 8.0, 8.0, 10
    monkeypatch.setattr(last_checkpoint.time, "monotonic", lambda: 10.0)
    assert callback.agree(several) == (signal.SIGTERM, True)
    assert asked == [([0.0, 0.0, 5.0], "max")] and callback.every == 5 and callback.signum == 0
    for step in range(4):
        callback.on_train_batch_end(several, SmallNet(), None, None, step)
    assert len(asked) == 1, "asked before the fifth step"


@pytest.mark.parametrize(("saved", "asks"), [(7, True), (4, False), (-1, False)])
def test_between_epochs_it_stops_only_where_the_epoch_was_saved(saved: int, asks: bool) -> None:
    callback = LastCheckpoint()
    callback.saved_step, callback.signum = saved, signal.SIGTERM
    callback.stop = lambda trainer: None  # type: ignore[method-assign]
    callback.on_train_epoch_start(trainer(), SmallNet())
    assert bool(callback.agreed) is asks


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1])
def test_all_end_with_the_agreed_signal_and_the_first_is_to_requeue_after_usr1(signum: int) -> None:
    calls: list[str] = []
    callback = LastCheckpoint()
    callback.agreed, callback.signum = signum, 0  # another process got it
    for first in (True, False):
        strategy = SimpleNamespace(barrier=lambda: calls.append("waited"))
        with pytest.raises(Stopped) as stopped:
            callback.stop(trainer(strategy=strategy, is_global_zero=first, default_root_dir="."))
        assert stopped.value.code == 128 + signum
        assert stopped.value.requeue is (first and signum == signal.SIGUSR1)
    assert calls == ["waited", "waited"]


@pytest.mark.parametrize(
    ("signum", "agreed", "first", "raised"),
    [
        (signal.SIGTERM, 0, True, [signal.SIGTERM]),
        (signal.SIGTERM, signal.SIGTERM, True, []),  # it has stopped the run
        (signal.SIGUSR1, 0, True, []),  # the run has ended in time
        (signal.SIGTERM, 0, False, []),
        (0, 0, True, []),
    ],
)
def test_a_signal_that_came_too_late_is_passed_on(
    signum: int, agreed: int, first: bool, raised: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []
    monkeypatch.setattr(signal, "raise_signal", found.append)
    callback = LastCheckpoint()
    callback.signum, callback.agreed = signum, agreed
    callback.teardown(trainer(is_global_zero=first), SmallNet(), "fit")
    assert found == raised and callback.signum == 0


def test_a_second_signal_ends_the_processes_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    callback, launcher = LastCheckpoint(), SimpleNamespace(kill=ended.append)
    callback.trainer = trainer(strategy=SimpleNamespace(launcher=launcher))
    callback.note(signal.SIGINT, None)
    assert callback.signum == signal.SIGINT and ended == []
    callback.note(signal.SIGTERM, None)
    assert ended == [signal.SIGKILL, 128 + signal.SIGTERM]


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGUSR1])
def test_slurms_second_signal_is_no_second_request(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_PROCID", "0")
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    callback = LastCheckpoint()
    callback.note(first, None)
    callback.note(signal.SIGTERM, None)
    assert callback.signum == first and ended == []
    callback.note(signal.SIGINT, None)  # srun passes on a person's Ctrl-C
    assert ended == [128 + signal.SIGINT]


def test_it_gives_back_the_handlers_that_it_took() -> None:
    """A Trainer gives back all of them besides."""
    before = [signal.getsignal(signum) for signum in last_checkpoint.SIGNALS]
    callback = LastCheckpoint()
    callback.on_train_start(trainer(), SmallNet())
    assert signal.getsignal(signal.SIGTERM) == callback.note
    callback.teardown(trainer(), SmallNet(), "fit")
    assert [signal.getsignal(signum) for signum in last_checkpoint.SIGNALS] == before


def test_the_same_callback_can_watch_another_run_after_one_that_was_stopped(tmp_path: Path) -> None:
    callback = LastCheckpoint()
    with pytest.raises(Stopped):
        small_trainer(tmp_path, callback, Send(signal.SIGTERM), **SAVING).fit(SmallNet(), datamodule=Points())
    again = small_trainer(tmp_path, callback, **SAVING)
    again.fit(SmallNet(), datamodule=Points())
    assert again.global_step == 8


def test_an_epoch_that_was_the_best_is_not_saved_twice(tmp_path: Path) -> None:
    steps: list[int] = []

    class Better(SmallNet):
        def validation_step(self, batch: Any, batch_idx: int) -> None:
            self.log("val/loss", -float(self.current_epoch))

        def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
            steps.append(self.global_step)

    save = ModelCheckpoint(tmp_path, "best", "val/loss", save_last="link", save_on_train_epoch_end=True)
    small_trainer(tmp_path, save, LastCheckpoint(), **SAVING).fit(Better(), datamodule=Points())
    assert steps == [4, 8]


def test_every_path_in_a_moved_runs_checkpoint_is_made_the_present_one(tmp_path: Path) -> None:
    save = ModelCheckpoint(tmp_path)
    state = {
        "dirpath": "/before",
        "best_model_path": "/before/best.ckpt",
        "kth_best_model_path": "/before/best.ckpt",
        "last_model_path": "",
        "best_k_models": {"/before/best.ckpt": torch.tensor(0.5)},
    }
    checkpoint = {"callbacks": {save.state_key: state}}
    LastCheckpoint().on_load_checkpoint(trainer(checkpoint_callbacks=[save]), SmallNet(), checkpoint)
    best = str(tmp_path / "best.ckpt")
    assert state.pop("best_k_models") == {best: torch.tensor(0.5)}
    assert state == {
        "dirpath": str(tmp_path),
        "best_model_path": best,
        "kth_best_model_path": best,
        "last_model_path": "",
    }
