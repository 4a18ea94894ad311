"""Every way to start many processes: Lightning's own, torchrun on one node and two, restarts, what can be missing."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.distributed.jobs import FIT, RECIPE, STEPS, torchrun
from tests.faults.runs import check_equal, load
from tests.warm import SECONDS, dive, free_port, lines, start, start_ranks, wait

ROOT = Path(__file__).parents[2]
DDP = ["-c", "trainer/ddp"]


def log_of(folder: Path) -> str:
    return "\n".join(path.read_text()[-3000:] for path in sorted(folder.glob("*log")))


def run_of(folder: Path) -> Path:
    """The one run folder that all processes used."""
    (run,) = (folder / "runs" / RECIPE).iterdir()
    return run


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of two processes that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    env: dict[str, str | None] = {
        "DIVE_RUNS": str(folder / "runs"),
        "DIVE_RUN_DIR": str(folder / "runs" / RECIPE / "1"),
    }
    (folder / "runs" / RECIPE / "1").mkdir(parents=True)
    assert wait(*start_ranks(dive, *FIT, *DDP, folder=folder, env=env)) == [0, 0], log_of(folder)
    assert load(run_of(folder), "last")["global_step"] == STEPS
    return run_of(folder)


# -- torchrun -------------------------------------------------------------------------------------------------------


@pytest.mark.slow  # under SLURM in `make test-slurm`
def test_two_nodes_give_what_two_processes_of_one_node_give(undisturbed: Path, tmp_path: Path) -> None:
    env: dict[str, str | None] = {"DIVE_RUNS": str(tmp_path / "runs")}
    words = [*FIT, *DDP, "--trainer.devices", "1", "--trainer.num_nodes", "2"]
    port = free_port()
    agents = [
        start(torchrun, "job7", port, words, 2, 1, log=tmp_path / f"{node}.log", env=env, daemon=False)
        for node in range(2)
    ]
    assert wait(*agents) == [0, 0], log_of(tmp_path)
    assert run_of(tmp_path).name == "torchrun-job7"
    check_equal(undisturbed, run_of(tmp_path))


@pytest.mark.slow
def test_a_killed_worker_restarts_the_job_which_ends_as_if_nothing_had_been(undisturbed: Path, tmp_path: Path) -> None:
    env: dict[str, str | None] = {"DIVE_RUNS": str(tmp_path / "runs")}
    env["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"  # else gloo finds the addresses of the first attempt (torch 2.14)
    agent = start(
        torchrun, "job8", free_port(), [*FIT, *DDP], 1, 2, STEPS // 2 + 3, log=tmp_path / "log", env=env, daemon=False
    )
    assert wait(agent) == [0], log_of(tmp_path)
    record = json.loads((run_of(tmp_path) / "run.json").read_text())
    assert record["status"] == "finished" and record["step"] == STEPS
    check_equal(undisturbed, run_of(tmp_path))


@pytest.mark.slow
def test_the_torchrun_command_itself(undisturbed: Path, tmp_path: Path) -> None:
    """On two nodes, in processes that import everything anew."""
    env = os.environ | {"DIVE_RUNS": str(tmp_path / "runs"), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    words = [*FIT, *DDP, "--trainer.devices", "1", "--trainer.num_nodes", "2"]
    port = free_port()
    common = ["--nnodes", "2", "--nproc_per_node", "1", "--rdzv_id", "job9", "--rdzv_backend", "c10d"]
    command = [sys.executable, "-m", "torch.distributed.run", *common, "--rdzv_endpoint", f"127.0.0.1:{port}"]
    nodes = [subprocess.Popen([*command, "-m", "scripts.cli", *words], cwd=ROOT, env=env) for _ in range(2)]
    assert [node.wait(300) for node in nodes] == [0, 0]
    check_equal(undisturbed, run_of(tmp_path))


def test_torchrun_without_a_name_is_refused(tmp_path: Path) -> None:
    env: dict[str, str | None] = {"TORCHELASTIC_RUN_ID": "none", "RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}
    assert wait(start(dive, *FIT, *DDP, log=tmp_path / "log", env=env)) == [2]
    assert lines(tmp_path / "log") == [
        "torchrun needs --rdzv_id NAME, or --standalone: the run's folder is named after it"
    ]


# -- Lightning's own launcher ---------------------------------------------------------------------------------------


def launch(*words: str) -> None:
    """``python scripts/cli.py``, so that Lightning starts the second process from the same file."""
    from scripts.cli import main

    sys.argv = [str(ROOT / "scripts/cli.py"), *words]
    os.environ["PYTHONPATH"] = str(ROOT)
    sys.exit(main())


def dive_at_a_terminal(*words: str) -> None:
    """``dive`` that takes its output for a terminal, so that the first process has a progress bar."""
    sys.stderr.isatty = lambda: True  # type: ignore[method-assign]
    dive(*words)


@pytest.mark.slow
def test_a_progress_bar_which_the_first_process_alone_has_waits_for_no_other(tmp_path: Path) -> None:
    words = [*FIT, *DDP, "--trainer.max_epochs", "2", "--trainer.limit_train_batches", "3"]
    env: dict[str, str | None] = {"DIVE_RUNS": str(tmp_path / "runs"), "DIVE_RUN_DIR": str(tmp_path / "runs" / "1")}
    (tmp_path / "runs" / "1").mkdir(parents=True)
    ranks = start_ranks(dive_at_a_terminal, *words, folder=tmp_path, env=env)
    assert wait(*ranks, seconds=120) == [0, 0], log_of(tmp_path)
    assert "Epoch 1: 100%" in (tmp_path / "rank0.log").read_text()


def children(pid: int | None) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text().split()] if path.exists() else []


@pytest.mark.slow
def test_lightnings_launcher_makes_one_folder_and_a_signal_to_the_first_process_stops_both(tmp_path: Path) -> None:
    env: dict[str, str | None] = {"DIVE_RUNS": str(tmp_path / "runs"), "OMP_NUM_THREADS": "1"}
    words = [*FIT, *DDP, "--trainer.max_epochs", "100000"]
    first = start(launch, *words, log=tmp_path / "log", env=env)
    end, seen = time.monotonic() + SECONDS, []
    while not list(tmp_path.glob(f"runs/{RECIPE}/*/checkpoints/last.ckpt")):  # an epoch is over
        assert time.monotonic() < end and first.is_alive(), log_of(tmp_path)
        seen = children(first.pid) or seen
        time.sleep(0.1)
    os.kill(first.pid or 0, signal.SIGTERM)
    assert wait(first) == [143], log_of(tmp_path)
    assert json.loads((run_of(tmp_path) / "run.json").read_text())["processes"] == 2
    assert json.loads((run_of(tmp_path) / "run.json").read_text())["status"] == "stopped"
    assert "Traceback" not in log_of(tmp_path) and log_of(tmp_path).count("stopped after step") == 1
    end = time.monotonic() + SECONDS
    while any(
        Path(f"/proc/{pid}/stat").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text() for pid in seen
    ):
        assert time.monotonic() < end, "the second process stayed"
        time.sleep(0.1)
    assert seen, "no second process was started"


# -- what is missing ------------------------------------------------------------------------------------------------

SOON = ["--trainer.strategy.init_args.timeout", "0:00:02"]


def outcome(tmp_path: Path, env: dict[str, Any], *words: str) -> tuple[int, str]:
    """The exit code and the one line of a process that must end by itself."""
    log = tmp_path / "log"
    (code,) = wait(start(dive, *FIT, *DDP, *words, log=log, env={"DIVE_RUNS": str(tmp_path / "runs"), **env}))
    assert "Traceback" not in log.read_text()
    (line,) = lines(log)
    return code, line


def test_a_process_that_never_comes_is_named_within_the_timeout(tmp_path: Path) -> None:
    code, line = outcome(tmp_path, {"LOCAL_RANK": "0", "MASTER_PORT": str(free_port())}, *SOON)
    assert code == 1 and line.startswith("1 of 2 processes came within")


@pytest.mark.slow
def test_a_first_process_that_never_comes_is_named_within_the_timeout(tmp_path: Path) -> None:
    code, line = outcome(tmp_path, {"LOCAL_RANK": "1", "MASTER_PORT": str(free_port())}, *SOON)
    assert code == 1 and line.startswith("no answer from the first process at 127.0.0.1:")


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("0.0.0.0", 0))
        server.listen()
        port = server.getsockname()[1]
        code, line = outcome(tmp_path, {"LOCAL_RANK": "0", "MASTER_PORT": str(port)})
    assert code == 1 and line == f"port {port} is in use: give all processes another MASTER_PORT"


def test_a_wrong_number_of_processes_is_refused(tmp_path: Path) -> None:
    ranks = {"RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "0", "WORLD_SIZE": "3", "LOCAL_WORLD_SIZE": "3"}
    code, line = outcome(tmp_path, {"TORCHELASTIC_RUN_ID": "x", "MASTER_ADDR": "127.0.0.1", **ranks})
    assert code == 2
    assert line == (
        "torchrun started 3 processes, but --trainer.devices 2 x --trainer.num_nodes 1 are 2: make both equal"
    )
