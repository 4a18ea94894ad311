"""A job is requeued before and after training as well, and by nobody outside of SLURM."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts import cli
from scripts.front import slurm
from scripts.front.slurm import REQUEUED, requeue, requeueing_on_usr1
from tests.warm import SECONDS, start, wait


@pytest.fixture(autouse=True)
def sigterm() -> Iterator[None]:
    """``requeue`` ignores SIGTERM from then on."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def fake_scontrol(folder: Path) -> str:
    """A PATH whose scontrol notes what it was asked."""
    fake = folder / "scontrol"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {folder}/said\n')
    fake.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def job(folder: Path, **more: str) -> dict[str, str | None]:
    task = {"SLURM_JOB_ID": "17", "SLURM_PROCID": "0", "SLURM_JOB_NAME": "dive", "PATH": fake_scontrol(folder)}
    return {**task, **more}


@pytest.mark.parametrize(
    ("env", "job"),
    [
        ({"SLURM_JOB_ID": "17"}, "17"),
        ({"SLURM_JOB_ID": "18", "SLURM_ARRAY_JOB_ID": "17", "SLURM_ARRAY_TASK_ID": "3"}, "17_3"),
    ],
)
def test_it_requeues_the_job_or_the_task_of_an_array(
    env: dict[str, str], job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for key, value in env.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("PATH", fake_scontrol(tmp_path))
    requeue()
    assert (tmp_path / "said").read_text() == f"requeue {job}\n"
    assert capfd.readouterr().out == f"job {job} requeued\n"


def test_it_says_when_slurm_does_not_requeue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("PATH", str(tmp_path))
    requeue()
    assert "job 17 not requeued: " in capfd.readouterr().out


def test_outside_of_slurm_nothing_is_requeued(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    requeue()
    assert capfd.readouterr().out == ""


def imports(folder: Path) -> None:
    """Waits inside of a call from which no handler of Python's can interrupt it, as when a process is waited for."""
    import threading

    with requeueing_on_usr1():
        lock = threading.Lock()
        lock.acquire()
        (folder / "waiting").touch()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        while True:  # a lock's acquire runs handlers and waits again
            lock.acquire(timeout=SECONDS)


def signalled(folder: Path, env: dict[str, str | None]) -> int:
    process = start(imports, folder, log=folder / "log", env=env)
    end = time.monotonic() + SECONDS
    while not (folder / "waiting").exists():
        assert time.monotonic() < end and process.is_alive()
        time.sleep(0.01)
    os.kill(process.pid or 0, signal.SIGUSR1)
    (code,) = wait(process)
    return code


def test_usr1_before_training_requeues_the_job(tmp_path: Path) -> None:
    assert signalled(tmp_path, job(tmp_path)) == REQUEUED
    assert (tmp_path / "said").read_text() == "requeue 17\n"
    assert (tmp_path / "log").read_text() == "job 17 requeued\n"


def test_without_a_job_usr1_ends_a_process_as_ever(tmp_path: Path) -> None:
    assert signalled(tmp_path, job(tmp_path, SLURM_JOB_NAME="bash")) == -signal.SIGUSR1
    assert not (tmp_path / "said").exists()


def test_a_handler_that_training_installs_has_the_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in job(tmp_path).items():
        monkeypatch.setenv(key, value or "")
    heard: list[int] = []
    with requeueing_on_usr1():
        early = signal.signal(signal.SIGUSR1, lambda signum, frame: heard.append(signum))
        signal.raise_signal(signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, early)
    assert heard == [signal.SIGUSR1] and not (tmp_path / "said").exists()
    assert signal.getsignal(signal.SIGUSR1) is not early


@pytest.mark.parametrize(
    ("rank", "name", "code", "waited"),
    [("1", "dive", REQUEUED, [10]), ("0", "dive", REQUEUED, []), ("1", "bash", REQUEUED, []), ("1", "dive", 143, [])],
)
def test_other_processes_than_the_first_wait_until_it_has_requeued_the_job(
    rank: str, name: str, code: int, waited: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under ``srun -K`` a process that ends with an error ends the others."""
    for key, value in job(tmp_path, SLURM_PROCID=rank, SLURM_JOB_NAME=name).items():
        monkeypatch.setenv(key, value or "")
    slept: list[int] = []
    monkeypatch.setattr(slurm, "time", SimpleNamespace(sleep=slept.append))

    def ended(argv: list[str]) -> int:
        raise SystemExit(code)

    monkeypatch.setattr(cli, "dispatch", ended)
    with pytest.raises(SystemExit):
        cli.main([])
    assert slept == waited
