"""A signal lets the step end, saves last.ckpt where loader and weights agree, and ends with 128 plus its number."""

import json
import logging
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint

from callbacks.last_checkpoint import LastCheckpoint, Stopped
from callbacks.run_record import RunRecord
from scripts.front.signals import ending_on_signals
from tests.small import Points, SmallNet, small_trainer

SAVING: dict[str, Any] = {"enable_checkpointing": True, "log_every_n_steps": 50}


class Send(Callback):
    """Sends this process a signal during batch 2 of the second epoch."""

    def __init__(self, signum: int) -> None:
        self.signum = signum

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.current_epoch == 1 and batch_idx == 2:
            os.kill(os.getpid(), self.signum)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_saves_at_the_end_of_the_step(signum: int, code: int, tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path, LastCheckpoint(), Send(signum), max_epochs=9, **SAVING)
    with pytest.raises(Stopped) as stopped:
        trainer.fit(SmallNet(), datamodule=Points())
    assert stopped.value.code == code
    saved = torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)
    assert saved["global_step"] == 4 + 3
    place = saved["loops"]["fit_loop"]["state_dict"]["combined_loader"][0]
    assert place == {"epoch": 1, "batch": 3, "batches": 4, "rows": 48}


class Late(LastCheckpoint):
    """A signal comes as the processes agree on the state before it, for the n-th time."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def agree(self, trainer: Any) -> tuple[int, bool]:
        agreed = super().agree(trainer)
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return agreed


@pytest.mark.parametrize(("batch_size", "step"), [(48, 2), (12, 2)])
def test_a_signal_that_comes_while_processes_agree_is_not_lost(batch_size: int, step: int, tmp_path: Path) -> None:
    """Where an epoch is one step they agree between the epochs, else after steps."""
    save = ModelCheckpoint(tmp_path / "checkpoints", filename="last", enable_version_counter=False)
    trainer = small_trainer(tmp_path, Late(1), save, max_epochs=9, **SAVING)
    with pytest.raises(Stopped) as stopped:
        trainer.fit(SmallNet(), datamodule=Points(batch_size=batch_size))
    assert stopped.value.code == 143
    assert torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)["global_step"] == step


def test_a_signal_of_another_process_does_not_make_the_first_own_one_a_second(tmp_path: Path) -> None:
    class Other(LastCheckpoint):
        """Another process got SIGINT; this one gets it after they agreed, as the terminal sends it to all."""

        def agree(self, trainer: Any) -> tuple[int, bool]:
            super().agree(trainer)
            return signal.SIGINT, False

        def stop(self, trainer: Any) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            super().stop(trainer)

    with pytest.raises(Stopped) as stopped:
        small_trainer(tmp_path, Other(), max_epochs=9, **SAVING).fit(SmallNet(), datamodule=Points())
    assert stopped.value.code == 130


def test_a_signal_in_the_last_step_ends_what_follows_the_run(tmp_path: Path) -> None:
    class Send(Callback):
        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    record = RunRecord()
    with ending_on_signals(), pytest.raises(SystemExit) as ended:
        small_trainer(tmp_path, LastCheckpoint(), record, Send(), **SAVING).fit(SmallNet(), datamodule=Points())
    assert ended.value.code == 143
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "finished"


def test_a_hangup_sent_twice_is_one_and_an_ignored_one_stays_ignored(tmp_path: Path) -> None:
    class Twice(Callback):
        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
            for _ in range(2 if trainer.global_step == 5 else 0):
                os.kill(os.getpid(), signal.SIGHUP)

    with pytest.raises(Stopped) as stopped:
        small_trainer(tmp_path, LastCheckpoint(), Twice(), **SAVING).fit(SmallNet(), datamodule=Points())
    assert stopped.value.code == 129
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        trainer = small_trainer(tmp_path, LastCheckpoint(), Twice(), **SAVING)
        trainer.fit(SmallNet(), datamodule=Points())
        assert trainer.global_step == 8
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_epoch_that_is_not_the_best_is_saved_as_the_last_all_the_same(tmp_path: Path) -> None:
    class Worse(SmallNet):
        def validation_step(self, batch: Any, batch_idx: int) -> None:
            self.log("val/loss", float(self.current_epoch))

    folder = tmp_path / "checkpoints"
    save = ModelCheckpoint(folder, "best", "val/loss", save_last=True, save_on_train_epoch_end=True)
    trainer = small_trainer(tmp_path, save, LastCheckpoint(), max_epochs=3, **SAVING)
    trainer.fit(Worse(), datamodule=Points())
    steps = {name: torch.load(folder / f"{name}.ckpt", weights_only=True)["global_step"] for name in ("best", "last")}
    assert steps == {"best": 4, "last": 12}

    again = small_trainer(tmp_path, save, LastCheckpoint(), max_epochs=4, **SAVING)
    again.fit(Worse(), datamodule=Points(), ckpt_path=folder / "last.ckpt")
    assert again.global_step == 16


def test_saving_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("lightning.pytorch"), "propagate", True)
    caplog.set_level(logging.INFO, "lightning.pytorch")
    trainer = small_trainer(tmp_path, Send(signal.SIGTERM), LastCheckpoint(), **SAVING)
    with pytest.raises(Stopped):
        trainer.fit(SmallNet(), datamodule=Points())
    assert (tmp_path / "checkpoints/last.ckpt").is_file()
    assert "weights_only" not in caplog.text and "GPU available" in caplog.text  # Lightning is heard


def test_the_handlers_are_put_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    small_trainer(tmp_path, LastCheckpoint(), **SAVING).fit(SmallNet(), datamodule=Points())
    assert signal.getsignal(signal.SIGINT) == before


def test_with_accumulation_it_waits_for_the_optimizer_step(tmp_path: Path) -> None:
    settings = SAVING | {"accumulate_grad_batches": 4}
    trainer = small_trainer(tmp_path, LastCheckpoint(), Send(signal.SIGTERM), max_epochs=9, **settings)
    with pytest.raises(Stopped):
        trainer.fit(SmallNet(), datamodule=Points(rows=96))
    saved = torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)
    assert saved["global_step"] == 2 + 1
    assert saved["loops"]["fit_loop"]["state_dict"]["combined_loader"][0]["batch"] == 4


def test_it_saves_by_time_at_steps_that_nothing_follows(tmp_path: Path) -> None:
    steps: list[int] = []

    class Note(LastCheckpoint):
        def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: Any) -> None:
            super().on_save_checkpoint(trainer, pl_module, checkpoint)
            steps.append(trainer.global_step)

    settings = SAVING | {"log_every_n_steps": 5, "val_check_interval": 0.25}
    small_trainer(tmp_path, Note(seconds=0), max_epochs=2, **settings).fit(SmallNet(), datamodule=Points(rows=96))
    assert steps == [1, 3, 7, 9, 11, 13]  # of 16: every second is validated, every fifth logged, every eighth an end


def test_it_waits_until_the_time_is_up(tmp_path: Path) -> None:
    small_trainer(tmp_path, LastCheckpoint(seconds=60), **SAVING).fit(SmallNet(), datamodule=Points())
    assert not (tmp_path / "checkpoints").exists()


def test_where_an_epoch_is_one_step_it_stops_between_epochs(tmp_path: Path) -> None:
    class Send3(Callback):
        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
            if trainer.current_epoch == 3:
                os.kill(os.getpid(), signal.SIGTERM)

    save = ModelCheckpoint(tmp_path / "checkpoints", filename="last", enable_version_counter=False)
    trainer = small_trainer(tmp_path, LastCheckpoint(), save, Send3(), max_epochs=9, **SAVING)
    with pytest.raises(Stopped):
        trainer.fit(SmallNet(), datamodule=Points(batch_size=48))
    assert torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)["global_step"] == 4


def test_a_run_folder_that_moved_keeps_its_best(tmp_path: Path) -> None:
    def train(folder: Path, epochs: int, resume: bool = False) -> ModelCheckpoint:
        save = ModelCheckpoint(folder / "checkpoints", "best", "val/loss", save_last=True, enable_version_counter=False)
        trainer = small_trainer(folder, save, LastCheckpoint(), max_epochs=epochs, enable_checkpointing=True)
        trainer.fit(SmallNet(lr=10.0), datamodule=Points(), ckpt_path=save.dirpath + "/last.ckpt" if resume else None)
        return save

    first = train(tmp_path / "here", 2)
    (tmp_path / "here").rename(tmp_path / "there")
    second = train(tmp_path / "there", 2, resume=True)
    assert second.best_model_score == first.best_model_score
    assert second.best_model_path == str(tmp_path / "there/checkpoints/best.ckpt")
