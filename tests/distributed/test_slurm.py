"""The scripts of scripts/slurm on a cluster of fakes: start, requeue on USR1, resume to the batch, refusals."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from scripts.front.runs import launcher_name
from tests.distributed.jobs import FIT, RECIPE, waiting_dive
from tests.distributed.slurm import Cluster
from tests.distributed.test_launchers import undisturbed  # noqa: F401  a fixture: two processes without a launcher
from tests.faults import tuning
from tests.faults.runs import check_equal, load
from tests.warm import SECONDS, dive, lines

SCRIPTS = Path(__file__).parents[2] / "scripts/slurm"
WORDS = [RECIPE, *FIT[2:]]
TWO = {"ntasks_per_node": "2"}


def logs(folder: Path) -> str:
    return "\n".join(path.read_text()[-3000:] for path in sorted(folder.glob("*.log")))


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.sbatch")), ids=lambda path: path.stem)
def test_a_script_is_bash_and_asks_for_the_signal_and_the_queue(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)
    for line in ("--signal=(B:)?USR1@", "--requeue", "--open-mode=append"):
        assert re.search(f"^#SBATCH {line}", script.read_text(), re.MULTILINE)


@pytest.mark.slow  # test_real_slurm.py does it under SLURM, in `make test-slurm`
def test_usr1_requeues_the_job_which_goes_on_to_the_batch(undisturbed: Path, tmp_path: Path) -> None:  # noqa: F811
    cluster = Cluster(tmp_path, waiting_dive)
    job = cluster.sbatch(SCRIPTS / "one_node.sbatch", *WORDS, job=17, **TWO)
    tasks = job.serve()
    run = tmp_path / "runs" / RECIPE / "slurm-17"
    end = time.monotonic() + SECONDS
    while len(list(tmp_path.glob("waiting*"))) < 2:
        assert time.monotonic() < end and all(task.is_alive() for task in tasks), logs(tmp_path)
        time.sleep(0.05)
    for task in tasks:
        os.kill(task.pid or 0, signal.SIGUSR1)
    (tmp_path / "signalled").touch()
    assert job.wait() == 128 + signal.SIGUSR1, logs(tmp_path)
    assert (tmp_path / "requeued").read_text() == "requeue 17\n"
    assert load(run, "last")["global_step"] == 13  # within an epoch

    cluster.target = dive
    job = cluster.sbatch(SCRIPTS / "one_node.sbatch", *WORDS, job=17, restarts=1, **TWO)
    job.serve()
    assert job.wait() == 0, logs(tmp_path)
    assert [path.name for path in run.parent.iterdir()] == ["slurm-17"]
    check_equal(undisturbed, run)


@pytest.mark.slow
def test_many_nodes(undisturbed: Path, tmp_path: Path) -> None:  # noqa: F811
    job = Cluster(tmp_path, dive).sbatch(SCRIPTS / "many_nodes.sbatch", *WORDS, job=18, ntasks_per_node="1")
    assert len(job.serve()) == 2
    assert job.wait() == 0, logs(tmp_path)
    check_equal(undisturbed, tmp_path / "runs" / RECIPE / "slurm-18")


@pytest.mark.slow
def test_an_array_runs_a_seed_a_task(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, dive)
    for seed in ("0", "2"):
        quick = ["--trainer.max_epochs", "1"]
        job = cluster.sbatch(SCRIPTS / "seeds.sbatch", *WORDS, *quick, job=901 + int(seed), array=seed)
        job.serve()
        assert job.wait() == 0, logs(tmp_path)
    runs = tmp_path / "runs" / RECIPE
    assert sorted(path.name for path in runs.iterdir()) == ["slurm-900_0", "slurm-900_2"]
    seeds = [yaml.safe_load((runs / f"slurm-900_{k}/config.yaml").read_text())["seed_everything"] for k in (0, 2)]
    assert seeds == [0, 2]


@pytest.mark.slow
def test_the_tasks_of_an_array_work_on_one_search(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, dive, daemon=False)
    command = [tuning.RECIPE, *tuning.words(tmp_path)[1:3], *tuning.COMMAND]
    jobs = []
    for task in ("0", "1"):
        jobs.append(cluster.sbatch(SCRIPTS / "tune.sbatch", *command, job=930 + int(task), array=task))
        jobs[-1].serve()
    assert [job.wait() for job in jobs] == [0, 0], logs(tmp_path)
    journal = str(tmp_path / "runs/slurm-900.journal")
    found = tuning.outcome(tmp_path, journal, "slurm-900")
    assert sorted(len(curve) for _, curve, _ in found.values())[-1] == 3 and len(found) == 3


def test_tasks_that_are_not_devices_times_nodes_are_refused(tmp_path: Path) -> None:
    words = [*WORDS, "--trainer.devices", "1"]  # overrides the script's
    job = Cluster(tmp_path, dive).sbatch(SCRIPTS / "one_node.sbatch", *words, job=19, **TWO)
    job.serve()
    assert job.wait() == 2
    assert lines(tmp_path / "19-0.log") == [
        "srun started 2 processes, but --trainer.devices 1 x --trainer.num_nodes 1 are 1: make both equal"
    ]
    assert not list((tmp_path / "runs").rglob("*.ckpt"))


def test_an_interactive_shell_is_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {"SLURM_JOB_ID": "5", "SLURM_PROCID": "0", "SLURM_JOB_NAME": "bash"}.items():
        monkeypatch.setenv(key, value)
    assert launcher_name() is None
