"""A cluster of this machine: ``sbatch``, ``srun`` and ``scontrol`` that do what SLURM's do, as far as a job can see.

``sbatch`` reads the script's #SBATCH lines and runs it with the variables of a job. ``srun`` starts its tasks, each
with its rank's variables; so that a task costs no import, it asks the test, which forks it (``tests/warm.py``).
``scontrol requeue`` is noted; the test runs the job again under the same number, as SLURM would.
"""

import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.warm import SECONDS, free_port, start

SRUN = """#!/bin/bash
while [[ $1 == -* ]]; do shift; done
ask=$(mktemp -d "$FAKE/ask.XXXX")
env | grep -E '^(SLURM|DIVE)' > "$ask/env"
printf '%s\\n' "$@" > "$ask/words.new"
mv "$ask/words.new" "$ask/words"
until [ -e "$ask/code" ]; do sleep 0.05; done
exit "$(cat "$ask/code")"
"""
SCONTROL = """#!/bin/bash
echo "$@" >> "$FAKE/requeued"
"""


class Cluster:
    """A queue without waiting.

    Args:
        folder: For the executables, the logs and the runs.
        target: What a task runs, in the place of the command ``dive``; gets its arguments.
        daemon: False for tasks that have processes of their own.
    """

    def __init__(self, folder: Path, target: Callable[..., Any], daemon: bool = True) -> None:
        self.folder, self.target, self.daemon = folder, target, daemon
        self.tasks: list[BaseProcess] = []
        for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)

    def sbatch(self, script: Path, *words: str, job: int, restarts: int = 0, **overrides: str) -> "Job":
        """Starts a job, or the task ``array`` of a job array; ``nodes="2"`` and the like as sbatch's options."""
        found = dict(re.findall(r"^#SBATCH --([\w-]+)=(\S+)", script.read_text(), re.MULTILINE))
        options = found | {key.replace("_", "-"): value for key, value in overrides.items()}
        nodes, per_node = int(options["nodes"]), int(options["ntasks-per-node"])
        env = {
            "SLURM_JOB_ID": str(job),
            "SLURM_JOB_NAME": options["job-name"],
            "SLURM_NNODES": str(nodes),
            "SLURM_NTASKS": str(nodes * per_node),
            "SLURM_NTASKS_PER_NODE": str(per_node),
            "SLURM_CPUS_PER_TASK": options["cpus-per-task"],
            "SLURM_NODELIST": "127.0.0.1",
            "SLURM_RESTART_COUNT": str(restarts),
        }
        if "array" in overrides:
            env |= {"SLURM_ARRAY_JOB_ID": "900", "SLURM_ARRAY_TASK_ID": overrides["array"]}
        own = {"FAKE": str(self.folder), "PATH": f"{self.folder}:{os.environ['PATH']}"}
        own["DIVE_RUNS"] = str(self.folder / "runs")
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SLURM")}
        shell = subprocess.Popen(["bash", str(script), *words], env=clean | own | env)
        return Job(self, shell, nodes, per_node)


class Job:
    """A job that runs; ``serve`` starts its tasks."""

    def __init__(self, cluster: Cluster, shell: subprocess.Popen[bytes], nodes: int, per_node: int) -> None:
        self.cluster, self.shell, self.nodes, self.per_node = cluster, shell, nodes, per_node
        self.tasks: list[BaseProcess] = []

    def serve(self) -> list[BaseProcess]:
        """Starts the tasks that the script's srun asks for."""
        folder, end = self.cluster.folder, time.monotonic() + SECONDS
        while not (asked := [a for a in folder.glob("ask.*") if (a / "words").exists() and not (a / "seen").exists()]):
            assert self.shell.poll() is None and time.monotonic() < end, "the script ended without srun"
            time.sleep(0.02)
        (self.ask,) = asked
        (self.ask / "seen").touch()
        command, *words = (self.ask / "words").read_text().splitlines()
        assert command == "dive"
        env: dict[str, Any] = dict(line.split("=", 1) for line in (self.ask / "env").read_text().splitlines())
        env |= {"PATH": f"{folder}:{os.environ['PATH']}", "FAKE": str(folder), "MASTER_PORT": str(free_port())}
        for rank in range(self.nodes * self.per_node):
            node, local = divmod(rank, self.per_node)
            place = {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(local), "SLURM_NODEID": str(node)}
            log = folder / f"{shlex.quote(env['SLURM_JOB_ID'])}-{rank}.log"
            task = start(self.cluster.target, *words, log=log, env=env | place, daemon=self.cluster.daemon)
            self.tasks.append(task)
        return self.tasks

    def wait(self) -> int:
        """The job's exit code: the largest of its tasks'."""
        for task in self.tasks:
            task.join(SECONDS)
        codes = [task.exitcode for task in self.tasks]
        for task in self.tasks:
            task.kill()
        assert None not in codes, "a task still ran"
        (self.ask / "code").write_text(str(max(code or 0 for code in codes)))
        return self.shell.wait(SECONDS)
