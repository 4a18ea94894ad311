"""What a whole process costs: seconds from the command to its end, and the most memory it held."""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from common.messages import UserError

ROOT = Path(__file__).resolve().parents[3]
FIRST_STEP = (
    "from scripts.evidence.benches import bare, workloads as w; bare.train(w.WORKLOADS[-1], w.Clock(1, 0), 128)"
)
STARTS = {
    "`dive list`": ["-m", "scripts.cli", "list"],
    "`dive fit cnn/lenet`, one step, its checkpoint and its picture": [
        *("-m", "scripts.cli", "fit", "cnn/lenet", "--trainer.max_steps", "1"),
    ],
    "the bare loop, LeNet, one step (the limit: importing torch)": ["-c", FIRST_STEP],
}
TRAIN = (
    "from scripts.evidence.benches import {side}, processes, workloads as w; "
    "{side}.train(w.WORKLOADS[-1], w.Clock({steps}), **{options}); print(); print(processes.peak_memory())"
)
SIDES = {"ours": ("ours", {}), "d2l's manner, no workers": ("d2l_manner", {"workers": 0}), "bare": ("bare", {})}


def python(arguments: list[str], threads: int = 1) -> tuple[float, float, str]:
    """Runs a Python process in the project's folder: wall seconds, CPU seconds of it and its children, its stdout.

    Raises:
        RuntimeError: It failed.
    """
    with TemporaryDirectory() as runs:
        env = os.environ | {"OMP_NUM_THREADS": str(threads), "DIVE_RUNS": runs}
        before, start = os.times(), time.perf_counter()
        done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True)
        seconds, after = time.perf_counter() - start, os.times()
    if done.returncode:
        raise RuntimeError(f"{arguments} ended with {done.returncode}: {done.stderr[-500:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, cpu, done.stdout


def training_memory(side: str, options: dict[str, int], steps: int = 50) -> float:
    """The most memory in MiB that training LeNet on all images holds, the interpreter and its libraries included."""
    return float(python(["-c", TRAIN.format(side=side, steps=steps, options=options)])[2].split()[-1])


def peak_memory() -> float:
    """The most memory this process has held, in MiB.

    Not ``ru_maxrss``: a child process begins with its parent's there.

    Raises:
        UserError: The system has no ``/proc``.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        raise UserError("memory is read from /proc, which only Linux has: leave `memory` out")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
