"""The scripts of scripts/slurm under SLURM itself: each ending, planned or not, equals the undisturbed run."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.distributed.real_slurm import ENDED, Slurm, unpack
from tests.faults import tuning
from tests.faults.runs import check_equal
from tests.warm import SECONDS

ROOT = Path(__file__).parents[2]
RECIPE = "cnn/lenet"
FIT = [RECIPE, "--trainer.accelerator", "cpu", "--trainer.max_epochs", "10", "--trainer.limit_train_batches", "20"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    prefix = tmp_path_factory.mktemp("prefix")
    if why := unpack(prefix):
        pytest.skip(why)
    with Slurm(tmp_path_factory.mktemp("slurm"), prefix) as cluster:
        yield cluster


class Jobs:
    """Jobs whose runs are below one folder.

    Args:
        slurm: The cluster.
        folder: For the runs and the jobs' outputs.
    """

    def __init__(self, slurm: Slurm, folder: Path) -> None:
        self.slurm, self.folder = slurm, folder
        path = f"{Path(sys.executable).parent}:{slurm.env['PATH']}"  # where `dive` is
        self.env = {"DIVE_RUNS": str(folder / "runs"), "OMP_NUM_THREADS": "1", "PATH": path}

    def submit(self, script: str, *options: str, words: tuple[str, ...] = ()) -> str:
        out = ["--chdir", ROOT, "-o", self.folder / "%j.log"]
        path = ROOT / f"scripts/slurm/{script}.sbatch"
        return self.slurm.sbatch(*out, *options, path, *FIT, *words, **self.env)

    def run_of(self, job: str) -> Path:
        return self.folder / "runs" / RECIPE / f"slurm-{job}"

    def log(self, job: str) -> str:
        return (self.folder / f"{job}.log").read_text()

    def complete(self, job: str) -> dict[str, str]:
        facts = self.slurm.wait(job, *ENDED)
        assert facts["JobState"] == "COMPLETED", self.log(job)
        return facts

    def until(self, job: str, path: Path) -> None:
        end = time.monotonic() + SECONDS
        while not path.exists():
            assert time.monotonic() < end and self.slurm.facts(job)["JobState"] not in ENDED, self.log(job)
            time.sleep(0.05)


@pytest.fixture(scope="module")
def jobs(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Jobs:
    return Jobs(slurm, tmp_path_factory.mktemp("jobs"))


@pytest.fixture(scope="module")
def undisturbed(jobs: Jobs) -> Path:
    job = jobs.submit("one_node", "--ntasks-per-node=2")
    jobs.complete(job)
    return jobs.run_of(job)


def test_exit_codes_and_arrays_are_slurms(slurm: Slurm, tmp_path: Path) -> None:
    job = slurm.sbatch("-N2", "--ntasks-per-node=2", "-o", tmp_path / "out", "--wrap", "srun hostname; exit 3")
    assert slurm.wait(job, *ENDED)["ExitCode"] == "3:0"
    assert len((tmp_path / "out").read_text().splitlines()) == 4


def test_usr1_in_training_requeues_the_job_which_ends_as_if_undisturbed(jobs: Jobs, undisturbed: Path) -> None:
    job = jobs.submit("one_node", "--ntasks-per-node=2")
    jobs.until(job, jobs.run_of(job) / "checkpoints/last.ckpt")
    jobs.slurm.run("scancel", "--signal=USR1", job)
    jobs.slurm.wait(job, "PENDING", *ENDED)
    stopped = json.loads((jobs.run_of(job) / "run.json").read_text())
    assert stopped["status"] == "stopped", jobs.log(job)  # SLURM's SIGTERM came after all else had ended
    facts = jobs.complete(job)
    assert facts["Restarts"] == "1"
    assert f"job {job} requeued" in jobs.log(job) and "Restored all states" in jobs.log(job)
    check_equal(undisturbed, jobs.run_of(job))


def test_usr1_before_training_requeues_the_job_too(jobs: Jobs, undisturbed: Path) -> None:
    job = jobs.submit("one_node", "--ntasks-per-node=2")
    jobs.until(job, jobs.folder / f"{job}.log")
    while "Seed set to" not in jobs.log(job):  # imports are over, the processes do not know each other yet
        assert jobs.slurm.facts(job)["JobState"] not in ENDED, jobs.log(job)
        time.sleep(0.02)
    jobs.slurm.run("scancel", "--signal=USR1", job)
    jobs.slurm.wait(job, "PENDING", *ENDED)
    facts = jobs.complete(job)
    assert facts["Restarts"] == "1", jobs.log(job)
    check_equal(undisturbed, jobs.run_of(job))


def test_a_requeue_from_outside_saves_and_ends_as_if_undisturbed(jobs: Jobs, undisturbed: Path) -> None:
    job = jobs.submit("one_node", "--ntasks-per-node=2")
    jobs.until(job, jobs.run_of(job) / "checkpoints/last.ckpt")
    jobs.slurm.run("scontrol", "requeue", job)  # SIGTERM
    assert jobs.complete(job)["Restarts"] == "1"
    assert "stopped after step" in jobs.log(job)
    check_equal(undisturbed, jobs.run_of(job))


def test_two_nodes_are_two_processes_of_one_node(jobs: Jobs, undisturbed: Path) -> None:
    job = jobs.submit("many_nodes", "--ntasks-per-node=1")
    jobs.complete(job)
    check_equal(undisturbed, jobs.run_of(job))


def test_each_task_of_an_array_has_its_seed_and_its_run(jobs: Jobs) -> None:
    job = jobs.submit("seeds", "--array=0-1", words=("--trainer.max_epochs", "1"))
    for seed in (0, 1):
        jobs.slurm.wait(f"{job}_{seed}", *ENDED)
        run = json.loads((jobs.run_of(f"{job}_{seed}") / "run.json").read_text())
        assert (run["status"], run["seed"]) == ("finished", seed)


def test_tasks_of_an_array_work_on_one_search_and_one_that_is_requeued_joins_again(jobs: Jobs, tmp_path: Path) -> None:
    """USR1 for the batch shell alone, as SLURM sends it two minutes before the end; each of twelve trials once."""
    command = [tuning.RECIPE, *tuning.words(tmp_path)[1:3], *tuning.COMMAND, "--trials", "12"]
    out = ["--chdir", ROOT, "-o", jobs.folder / "%A_%a.log", "--array=0-1"]
    script = ROOT / "scripts/slurm/tune.sbatch"
    job = jobs.slurm.sbatch(*out, script, *command, "--trainer.accelerator", "cpu", **jobs.env)
    study = jobs.folder / "runs" / tuning.RECIPE / "tune" / f"slurm-{job}"
    jobs.until(f"{job}_0", study / "trials/0000/trial.log")
    jobs.slurm.run("scancel", "--batch", "--signal=USR1", f"{job}_0")
    facts = [jobs.slurm.wait(f"{job}_{task}", *ENDED) for task in (0, 1)]
    assert [fact["JobState"] for fact in facts] == ["COMPLETED"] * 2, jobs.log(f"{job}_0") + jobs.log(f"{job}_1")
    assert facts[0]["Restarts"] == "1", jobs.log(f"{job}_0")
    journal = str(jobs.folder / f"runs/slurm-{job}.journal")
    assert len(tuning.outcome(jobs.folder, journal, f"slurm-{job}")) == 12


def test_a_wrong_number_of_tasks_ends_the_job_with_code_2(jobs: Jobs) -> None:
    job = jobs.submit("one_node", "--ntasks-per-node=2", words=("--trainer.devices", "1"))
    assert jobs.slurm.wait(job, *ENDED)["ExitCode"] == "2:0", jobs.log(job)


def test_the_scripts_are_accepted_without_gpus(jobs: Jobs) -> None:
    script = ROOT / "scripts/slurm/one_node.sbatch"
    done = jobs.slurm.run("sbatch", "--test-only", "--gpus-per-node=0", script, RECIPE)
    assert done.returncode == 0, done.stderr
