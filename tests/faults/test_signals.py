"""Ctrl-C and SIGTERM: the step ends, everything is saved, no process stays; a second one does not wait."""

import json
import os
import pty
import re
import signal
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from tests.faults.runs import check_equal, launch, load, logs, run, until
from tests.faults.training import STEPS, train
from tests.warm import FORKS, SECONDS, dive, lines, start, wait


def send(process: BaseProcess, signum: int) -> None:
    assert process.pid is not None
    os.kill(process.pid, signum)


@pytest.mark.parametrize(
    ("signum", "code", "world", "to"),
    [
        (signal.SIGINT, 130, 1, 0),
        pytest.param(signal.SIGTERM, 143, 1, 0, marks=pytest.mark.slow),  # of two processes below
        pytest.param(signal.SIGHUP, 129, 1, 0, marks=pytest.mark.slow),
        pytest.param(signal.SIGUSR1, 138, 1, 0, marks=pytest.mark.slow),
        (signal.SIGTERM, 143, 2, 0),  # to the first process alone, as a scheduler may
        pytest.param(signal.SIGINT, 130, 2, 1, marks=pytest.mark.slow),
    ],
)
def test_a_signal_saves_and_a_resume_loses_nothing(
    signum: int, code: int, world: int, to: int, whole: dict[int, Path], tmp_path: Path
) -> None:
    here, there = FORKS.Pipe()
    processes = launch(tmp_path, world, pipe=there, seconds=60.0, hold_at=5)
    there.close()
    at = until(here, 5, tmp_path)
    send(processes[to], signum)
    here.send("go on")
    assert wait(*processes) == [code] * world, logs(tmp_path)
    saved = load(tmp_path, "last")["global_step"]
    assert at <= saved < STEPS, "it did not end the step"
    assert f"stopped after step {saved}" in logs(tmp_path)
    run(tmp_path, world, resume=True)
    check_equal(whole[world], tmp_path)


def test_a_second_signal_does_not_wait_for_the_step(tmp_path: Path) -> None:
    here, there = FORKS.Pipe(duplex=False)
    (process,) = launch(tmp_path, pipe=there, hang_at=5)
    there.close()
    until(here, 5, tmp_path)
    send(process, signal.SIGINT)
    process.join(0.5)
    assert process.is_alive()
    for _ in range(int(SECONDS)):  # two signals that come before Python looks are one
        send(process, signal.SIGINT)
        process.join(1.0)
        if not process.is_alive():
            break
    assert wait(process) == [130]


def wait_for(word: str, log: Path) -> None:
    """Waits until a process says a word."""
    end = time.monotonic() + SECONDS
    while not (log.exists() and word in log.read_text()):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_test_that_is_interrupted_ends_with_the_signals_code(tmp_path: Path) -> None:
    """Where nothing is to be saved, the first signal ends the command."""
    env: dict[str, str | None] = {"DIVE_RUNS": str(tmp_path / "runs")}
    words = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1"]
    assert wait(start(dive, "fit", "cnn/lenet", *words, log=tmp_path / "1.log", env=env)) == [0], logs(tmp_path)
    process = start(endless_test, log=tmp_path / "2.log", env=env)
    wait_for("testing", tmp_path / "2.log")
    send(process, signal.SIGTERM)
    assert wait(process) == [143], logs(tmp_path)


def endless_test() -> None:
    """``dive test`` with a forward pass that takes its time."""
    from lit_models.cnn.lenet import LitLeNet

    def slow(self: LitLeNet) -> None:
        print("testing", flush=True)
        time.sleep(600)

    LitLeNet.on_test_epoch_start = slow  # type: ignore[method-assign]
    dive("test", "cnn/lenet")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_before_the_first_step_says_that_nothing_was_saved(signum: int, code: int, tmp_path: Path) -> None:
    env: dict[str, str | None] = {"DIVE_RUNS": str(tmp_path / "runs")}
    process = start(slow_start, log=tmp_path / "log", env=env)
    wait_for("loading", tmp_path / "log")
    send(process, signum)
    assert wait(process) == [code], logs(tmp_path)
    assert "Traceback" not in logs(tmp_path)
    assert lines(tmp_path / "log") == [f"stopped by {signal.Signals(signum).name}"]
    records = list((tmp_path / "runs").rglob("run.json"))  # none: training had not begun
    assert all(json.loads(record.read_text())["status"] == "stopped" for record in records)
    resumed = start(dive, "fit", "cnn/lenet", "--resume", log=tmp_path / "2.log", env=env)
    assert wait(resumed) == [2]
    (line,) = lines(tmp_path / "2.log")
    assert re.search(r"no run of cnn/lenet|has no last.ckpt .*start again", line)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_modules_are_imported_is_one_line(signum: int, code: int, tmp_path: Path) -> None:
    process = start(slow_import, log=tmp_path / "log")
    wait_for("importing", tmp_path / "log")
    send(process, signum)
    assert wait(process, seconds=60) == [code], logs(tmp_path)
    assert (tmp_path / "log").read_text() == f"importing\ndive: stopped by {signal.Signals(signum).name}\n"


def slow_import() -> None:
    """``dive`` whose modules take their time, and take every exception for a missing package."""
    from scripts import cli

    def slow(argv: list[str]) -> int:
        print("importing", flush=True)
        try:
            time.sleep(600)
        except BaseException:
            time.sleep(600)
        return 0

    cli.dispatch = slow
    sys.exit(cli.main(["fit", "cnn/lenet"]))


def test_a_closed_terminal_saves_and_the_record_says_stopped(whole: dict[int, Path], tmp_path: Path) -> None:
    terminal, line = pty.openpty()
    here, there = FORKS.Pipe(duplex=False)
    folder = tmp_path / "run"
    process = start(train_in_terminal, os.ttyname(line), folder, there)
    os.close(line)
    there.close()
    until(here, 5, tmp_path)
    os.close(terminal)
    assert wait(process, seconds=90) == [129]
    assert json.loads((folder / "run.json").read_text())["status"] == "stopped"
    run(folder, resume=True)
    check_equal(whole[1], folder)


def train_in_terminal(name: str, folder: Path, pipe: Any) -> None:
    """The training as the only program of a terminal."""
    os.setsid()
    terminal = os.open(name, os.O_RDWR)  # the first that a session opens is its own
    for stream in (0, 1, 2):
        os.dup2(terminal, stream)
    train(folder, pipe=pipe, seconds=60.0)


def slow_start() -> None:
    """``dive fit`` with data that takes its time."""
    from datamodules.vision.mnist import MNIST5k

    def slow(self: MNIST5k, stage: str) -> None:
        print("loading", flush=True)
        time.sleep(600)

    MNIST5k.load = slow  # type: ignore[assignment,method-assign]
    dive("fit", "cnn/lenet")
