"""Which run and which checkpoint a command means, and what it says where that is not what one expects."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from common.messages import UserError
from scripts.cli import main
from scripts.front.arguments import resolve
from scripts.front.runs import checkpoint_of, newest_run, runs_root

LENET = "cnn/lenet"
QUICK = ["--trainer.accelerator", "cpu", "--trainer.limit_train_batches", "2", "--trainer.max_epochs", "1"]


def made(name: str, *checkpoints: str, data: dict[str, Any] | None = None) -> Path:
    """The folder of a run with these checkpoints."""
    folder = runs_root() / LENET / name
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"model": "a.Model", "data": data} if data else {}))
    for checkpoint in checkpoints:
        (folder / f"checkpoints/{checkpoint}.ckpt").write_bytes(b"1")
    return folder


def test_the_newest_run_is_meant(capsys: pytest.CaptureFixture[str]) -> None:
    made("1", "best", "last")
    newest = made("2", "best", "last")
    assert newest_run(LENET) == newest_run(LENET, "best") == newest_run(LENET, "last") == newest
    assert checkpoint_of(newest, "best").name == "best.ckpt" and capsys.readouterr().err == ""


def test_an_older_run_is_never_taken_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    older = made("1", "best", "last")
    made("2")
    assert newest_run(LENET, "best") == older
    assert "cnn/lenet/2, the newest run, has saved nothing: this is about" in capsys.readouterr().err


def test_of_a_run_without_a_best_checkpoint_the_last_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    made("1", "best", "last")
    newest = made("2", "last")
    assert newest_run(LENET, "best") == newest and capsys.readouterr().err == ""
    assert checkpoint_of(newest, "best") == newest / "checkpoints/last.ckpt"
    assert "was never validated and has no best.ckpt: last.ckpt is used" in capsys.readouterr().err


def test_a_run_that_saved_nothing_is_said_to_be_one() -> None:
    made("1")
    with pytest.raises(UserError, match="ended before its first save"):
        newest_run(LENET, "best")


@pytest.mark.parametrize("more", [["--trainer.limit_val_batches", "0"], ["--trainer.check_val_every_n_epoch", "2"]])
def test_a_run_without_validation_can_be_tested(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", LENET, *QUICK, *more]) == 0
    said = capsys.readouterr()
    assert "no val/loss was measured" in said.err and "val/loss" not in said.out
    assert main(["test", LENET, "--trainer.limit_test_batches", "1"]) == 0
    said = capsys.readouterr()
    assert "last.ckpt is used" in said.err and "test/acc" in said.out


def test_a_run_of_less_than_an_epoch_can_be_tested(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", LENET, "--trainer.accelerator", "cpu", "--trainer.max_steps", "2"]) == 0
    assert "val/loss" in capsys.readouterr().out
    assert main(["test", LENET, "--trainer.limit_test_batches", "1"]) == 0
    said = capsys.readouterr()
    assert "test/acc" in said.out and "note" not in said.err


DIGITS = {"class_path": "datamodules.vision.mnist.MNIST5k"}
PHOTOS = {"class_path": "datamodules.vision.image_folder.ImageFolder", "init_args": {"root": "photos"}}


def test_which_of_several_runs_is_meant_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    made("1", "best", data=DIGITS)
    assert resolve("test", [LENET]).run and capsys.readouterr().err == ""
    newest = made("2", "best", data=PHOTOS)
    assert resolve("test", [LENET]).run == newest
    said = capsys.readouterr().err
    assert f"{newest}, the newest of 2 runs, trained on ImageFolder photos; --run DIR" in said
    assert resolve("test", [LENET, "--run", str(newest)]).run == newest and capsys.readouterr().err == ""


def test_a_run_of_data_of_another_kind_is_not_taken_for_the_one_that_is_meant() -> None:
    photos = made("1", "best", data=PHOTOS)
    digits = made("2", "best", data=DIGITS)
    with pytest.raises(UserError, match="was trained on MNIST5k and not on ImageFolder") as error:
        resolve("predict", [LENET, "--data", "ImageFolder", "--data.root", "new"])
    assert f"give --run {photos}" in str(error.value)
    command = resolve("predict", [LENET, "--data", "ImageFolder", "--data.root", "new", "--run", str(digits)])
    assert command.run == digits  # somebody who names a run means it


def test_a_fit_says_its_folder_and_the_command_that_tests_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", LENET, *QUICK]) == 0
    assert f"dive test {LENET} --run {newest_run(LENET)}" in capsys.readouterr().out
