"""What goes wrong around a run ends it with one line and the right code, and costs nothing that was saved."""

import errno
import os
import re
import resource
import shutil
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision

from common.messages import RunError, UserError
from scripts.cli import main
from scripts.front.failures import check_launcher, explain_failure
from scripts.front.runs import newest_run
from tests.faults.runs import load, logs, until
from tests.faults.training import train
from tests.warm import FORKS, as_dive, dive, lines, start, start_ranks, wait

LENET = "cnn/lenet"
QUICK = ["--trainer.limit_train_batches", "3", "--trainer.limit_val_batches", "1"]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of the command."""
    found = [line for line in capsys.readouterr().err.splitlines() if line.startswith("dive: ")]
    assert len(found) == 1
    return found[0]


# -- numbers --------------------------------------------------------------------------------------------------------


def test_a_run_that_diverges_ends_with_code_1_and_says_the_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "linear/linear_regression", "--model.optimizer.lr", "1e30"]) == 1
    line = said(capsys)
    assert "loss is inf at step" in line or "loss is nan at step" in line


@pytest.mark.parametrize("rank", [pytest.param(0, marks=pytest.mark.slow), 1])  # one process is above
def test_a_loss_that_is_no_number_on_one_rank_ends_both_and_keeps_the_save_before(rank: int, tmp_path: Path) -> None:
    target = partial(as_dive, partial(train, tmp_path, 2, nan=(13, rank)))
    codes = wait(*start_ranks(target, folder=tmp_path))
    assert codes == [1, 0], logs(tmp_path)  # the first process speaks for all
    assert "Traceback" not in logs(tmp_path) and lines(tmp_path / "rank1.log") == []
    (line,) = lines(tmp_path / "rank0.log")
    assert ("loss is nan at step" if rank == 0 else "loss is not finite on another rank, at or before step") in line
    saved = load(tmp_path, "last")
    assert 8 <= saved["global_step"] <= 13
    assert all(bool(value.isfinite().all()) for value in saved["state_dict"].values())


# -- disk -----------------------------------------------------------------------------------------------------------


def with_small_files(limit: int, *words: str) -> None:
    """``dive`` where no file may become larger than ``limit`` bytes: to the program a disk that is full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    dive(*words)


def test_a_disk_that_is_full_keeps_the_checkpoints_of_before(tmp_path: Path) -> None:
    env: dict[str, str | None] = {"DIVE_RUNS": str(tmp_path / "runs")}
    first = start(dive, "fit", LENET, *QUICK, "--trainer.max_epochs", "1", log=tmp_path / "1.log", env=env)
    assert wait(first) == [0], logs(tmp_path)
    (run,) = (tmp_path / "runs" / LENET).iterdir()
    words = ["fit", LENET, "--resume", *QUICK, "--trainer.max_epochs", "2"]
    assert wait(start(with_small_files, 300_000, *words, log=tmp_path / "2.log", env=env)) == [1], logs(tmp_path)
    (line,) = lines(tmp_path / "2.log")
    assert (
        "cannot save" in line
        and "File too large" in line
        and re.search(r"the previous (best|last)\.ckpt is kept", line)
    )
    assert sorted(p.name for p in (run / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    for name in ("best", "last"):
        assert torch.load(run / f"checkpoints/{name}.ckpt", weights_only=True)["global_step"] == 3
    assert wait(start(dive, *words, log=tmp_path / "3.log", env=env)) == [0], logs(tmp_path)
    assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["global_step"] == 6


def test_a_disk_that_is_full_for_the_first_save_says_that_nothing_was_saved(tmp_path: Path) -> None:
    words = ["fit", LENET, *QUICK, "--trainer.max_epochs", "1"]
    env: dict[str, str | None] = {"DIVE_RUNS": str(tmp_path / "runs")}
    assert wait(start(with_small_files, 100_000, *words, log=tmp_path / "log", env=env)) == [1], logs(tmp_path)
    (line,) = lines(tmp_path / "log")
    assert "File too large; nothing was saved" in line


def test_metrics_that_do_not_fit_end_the_run_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "metrics.csv")

    monkeypatch.setattr("callbacks.metrics_csv.MetricsCSV._write_rows", full)
    assert main(["fit", LENET, *QUICK, "--trainer.max_epochs", "1"]) == 1
    assert "cannot write metrics.csv: No space left on device; the last save is kept" in said(capsys)


@pytest.mark.parametrize("place", ["file", "/proc/nowhere"])
def test_a_run_folder_that_cannot_be_made_is_one_line(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path / place))
    assert main(["fit", LENET]) == 2
    assert "cannot make a run folder in" in said(capsys)


# -- checkpoints and data -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs folder of a small run."""
    root = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIVE_RUNS", str(root))
        assert main(["fit", LENET, *QUICK, "--trainer.max_epochs", "1"]) == 0
    return root


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda whole: b"", "last.ckpt is empty"),
        (lambda whole: whole[: len(whole) // 2], "last.ckpt is damaged"),
        (lambda whole: whole[:-100], "last.ckpt is damaged"),
        (lambda whole: b"foreign", "last.ckpt is damaged or no checkpoint"),
    ],
)
def test_a_damaged_last_checkpoint_is_one_line_and_the_run_stays(
    damage: Any, says: str, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained, os.environ["DIVE_RUNS"])
    run = newest_run(LENET)
    last = run / "checkpoints/last.ckpt"
    last.write_bytes(damage(last.read_bytes()))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main(["fit", LENET, "--resume", "--trainer.max_epochs", "2"]) == 2
    assert says in said(capsys)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_data_that_changed_its_length_is_not_trained_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "table.csv"
    rows = [f"{k % 7},{k % 5},{'yes' if k % 2 else 'no'}" for k in range(60)]
    table.write_text("a,b,bought\n" + "\n".join(rows) + "\n")
    words = ["fit", "mlp/mlp", "--data", "CSVTable", "--data.path", str(table), "--data.target", "bought"]
    assert main([*words, "--trainer.max_epochs", "1"]) == 0
    table.write_text(table.read_text() + "3,3,yes\n" * 20)
    assert main(["fit", "mlp/mlp", "--resume", "--trainer.max_epochs", "2"]) == 2
    line = said(capsys)
    assert "the train split of CSVTable has" in line and "the data changed" in line


# -- processes ------------------------------------------------------------------------------------------------------


class Dies(torch.utils.data.Dataset[torch.Tensor]):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> torch.Tensor:
        if index == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.zeros(1)


def read_all() -> None:
    list(torch.utils.data.DataLoader(Dies(), batch_size=1, num_workers=1))


def test_a_worker_that_dies_is_one_line(tmp_path: Path) -> None:
    assert wait(start(as_dive, read_all, log=tmp_path / "log", daemon=False)) == [1]
    (line,) = lines(tmp_path / "log")
    assert line.startswith("a data-loading worker died")
    assert "Traceback" not in logs(tmp_path)


@pytest.mark.parametrize("victim", [pytest.param(0, marks=pytest.mark.slow), 1])  # either way one line of the other
def test_a_process_that_is_killed_ends_the_other_with_one_line(victim: int, tmp_path: Path) -> None:
    here, there = FORKS.Pipe()
    processes = start_ranks(partial(as_dive, partial(train, tmp_path, 2, pipe=there, hold_at=5)), folder=tmp_path)
    there.close()
    until(here, 5, tmp_path)
    processes[victim].kill()
    if victim:
        here.send("go on")
    codes = wait(*processes)
    assert codes[victim] == -signal.SIGKILL and codes[1 - victim] == 1, logs(tmp_path)
    (line,) = lines(tmp_path / f"rank{1 - victim}.log")
    assert line.startswith("another process ended within a step")
    assert load(tmp_path, "last")["global_step"] > 0


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), None, ""),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), RunError, "the GPU's memory is full"),
        (OSError(errno.ENOSPC, "no", "a.csv"), RunError, "cannot write a.csv: No space left on device"),
        (FileNotFoundError(errno.ENOENT, "no", "a.csv"), None, ""),
        (RuntimeError("Timed out waiting 8000ms for recv operation to complete"), RunError, "did not answer for 8 s"),
        (RuntimeError("aten.mul.Tensor got mixed torch.Tensor and DTensor"), UserError, "-c trainer/ddp"),
        (RuntimeError("It has parameters that were not used in producing the loss"), UserError, "ddp_find_unused"),
        (ValueError("anything else"), None, ""),
    ],
)
def test_what_is_no_fault_of_the_machine_keeps_its_trace(error: Exception, kind: Any, says: str) -> None:
    failure = explain_failure(error)
    assert failure is None if kind is None else isinstance(failure, kind)
    assert says in str(failure)


@pytest.mark.parametrize(
    ("name", "says"), [("DEFALT", "has no 'DEFALT': did you mean 'DEFAULT'?"), ("X", "has no 'X': take DEFAULT")]
)
def test_weights_that_torchvision_has_not_published_are_one_line(name: str, says: str) -> None:
    with pytest.raises(KeyError) as caught:
        torchvision.models.get_weight(f"ResNet18_Weights.{name}")
    assert str(explain_failure(caught.value)) == f"weights: ResNet18_Weights {says}"
    assert explain_failure(KeyError("another")) is None


@pytest.mark.parametrize(
    ("env", "devices", "nodes", "refused"),
    [
        ({}, 2, 1, False),
        ({"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "dive"}, 2, 1, False),
        ({"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "dive"}, 2, 2, False),
        ({"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "dive"}, 1, 1, True),  # two runs, each alone, in one folder
        ({"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "dive"}, 2, 1, True),  # a rank that never comes
        ({"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "interactive"}, 1, 1, False),
        ({"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2"}, 1, 1, True),
    ],
)
def test_tasks_must_be_devices_times_nodes(
    env: dict[str, str], devices: int, nodes: int, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in env.items():
        monkeypatch.setenv(key, value)
    if not refused:
        check_launcher(devices, nodes)
        return
    with pytest.raises(UserError, match=rf"--trainer.devices {devices} x --trainer.num_nodes {nodes} are"):
        check_launcher(devices, nodes)


def test_a_first_node_without_an_address_is_refused_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "dive", "SLURM_NODELIST": "gone.invalid"}.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(UserError, match=r"the job's first node, gone.invalid, has no address on .*: let /etc/hosts"):
        check_launcher(2, 1)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    check_launcher(2, 1)
