"""A job of SLURM puts itself back into the queue when its time is nearly up (``#SBATCH --signal=USR1@120``).

In training ``callbacks/last_checkpoint.py`` saves first, and the command requeues the job as the last thing it does:
``scontrol requeue`` makes SLURM send SIGTERM to all processes of the job at once. Before training (imports, data,
waiting for the other processes) there is nothing to save, and USR1 would kill the process: a job that is unlucky once
would never come back. Here a thread waits for it, because Python's handlers do not run while the main thread is inside
a library's call, such as the wait for another process.
"""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

REQUEUED = 128 + signal.SIGUSR1


def is_task() -> bool:
    """Whether ``srun`` of a batch job started this process."""
    env = os.environ
    return bool(env.get("SLURM_JOB_ID") and env.get("SLURM_PROCID")) and not is_shell()


def is_shell() -> bool:
    """Whether a person works in an interactive shell of SLURM."""
    return os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")


@contextmanager
def requeueing_on_usr1() -> Iterator[None]:
    """Until training begins, and after it, USR1 requeues the job and ends it with exit code 138."""
    if not is_task() or threading.current_thread() is not threading.main_thread():
        yield
        return

    def heard(signum: int, frame: object) -> None:
        """Nothing: Python writes the signal's number to the pipe, and the thread reads it."""

    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    handler, pipe = signal.signal(signal.SIGUSR1, heard), signal.set_wakeup_fd(writing)

    def watch() -> None:
        while numbers := os.read(reading, 1):
            if numbers[0] == signal.SIGUSR1 and signal.getsignal(signal.SIGUSR1) is heard:  # else: LastCheckpoint's
                end_requeued()

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(pipe)
        signal.signal(signal.SIGUSR1, handler)
        os.close(writing)
        watching.join()
        os.close(reading)


def end_requeued() -> None:
    """Requeues the job and ends this process at once; it has nothing to save."""
    if os.environ.get("SLURM_PROCID") == "0":
        requeue()
    else:
        wait_for_requeue()
    os._exit(REQUEUED)


def wait_for_requeue() -> None:
    """In another process than the first of a job: waits ten seconds, in which the first one requeues the job.

    Under ``srun -K`` (``scripts/slurm/many_nodes.sbatch``) a process that ends with an error ends the others.
    """
    if is_task() and os.environ["SLURM_PROCID"] != "0":
        time.sleep(10)


def requeue() -> None:
    """Requeues this SLURM job, or this task of a job array; says so, also when SLURM refuses.

    SIGTERM, which SLURM then sends, is ignored: this process ends by itself.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if os.environ.get("SLURM_ARRAY_JOB_ID"):
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ.get('SLURM_ARRAY_TASK_ID', '')}"
    if not job or not re.fullmatch(r"[0-9_]+", job):
        return
    with suppress(ValueError):  # in another thread than the main one
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True)
        failed = (done.stderr.strip() or f"exit code {done.returncode}") if done.returncode else ""
    except OSError as error:
        failed = str(error)
    text = f"job {job} not requeued: {failed}" if failed else f"job {job} requeued"
    os.write(1, f"{text}\n".encode())  # not print: the main thread may be inside of one
