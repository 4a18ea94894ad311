"""What runs inside the processes that a launcher starts."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from callbacks.last_checkpoint import LastCheckpoint
from lit_models.cnn.lenet import LitLeNet
from tests.warm import dive

RECIPE = "cnn/lenet"
STEPS = 8 * 3
#: Small enough for a test, and long enough to be interrupted.
FIT = [
    *("fit", RECIPE, "--trainer.accelerator", "cpu", "--trainer.max_epochs", "3"),
    *("--trainer.limit_train_batches", "8", "--trainer.limit_val_batches", "1"),
]


def worker(words: list[str], kill_at: int) -> None:
    """``dive`` as a worker of torchrun; in the first attempt, rank 1 is killed at step ``kill_at``."""
    if kill_at >= 0 and os.environ["RANK"] == "1" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        step = LitLeNet.training_step

        def killed(self: LitLeNet, batch: Any, batch_idx: int) -> Tensor:
            if self.global_step == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(self, batch, batch_idx)

        LitLeNet.training_step = killed  # type: ignore[method-assign]
    try:
        dive(*words)
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"dive ended with code {end.code}") from None


def torchrun(job: str, port: int, words: list[str], nodes: int = 1, workers: int = 2, kill_at: int = -1) -> None:
    """One node's agent, as the command ``torchrun`` starts it; the workers are forks of this process."""
    config = LaunchConfig(
        min_nodes=nodes,
        max_nodes=nodes,
        nproc_per_node=workers,
        run_id=job,
        rdzv_backend="c10d",
        rdzv_endpoint=f"127.0.0.1:{port}",
        max_restarts=1,
        monitor_interval=0.1,
        start_method="fork",
    )
    elastic_launch(config, worker)(words, kill_at)


def waiting_dive(*words: str) -> None:
    """``dive`` that waits within its second epoch until the cluster's folder has a file ``signalled``.

    It makes a file ``waiting<rank>`` there first. Afterwards it asks after each step whether a signal came: on a fast
    machine it would ask at the end of the epoch only.
    """
    step = LitLeNet.training_step

    def waiting(self: LitLeNet, batch: Any, batch_idx: int) -> Tensor:
        if self.global_step == 12:
            folder = Path(os.environ["FAKE"])
            (folder / f"waiting{self.global_rank}").touch()
            while not (folder / "signalled").exists():
                time.sleep(0.02)
            (last,) = (c for c in self.trainer.callbacks if isinstance(c, LastCheckpoint))  # type: ignore[attr-defined]
            last.every = 1
        return step(self, batch, batch_idx)

    LitLeNet.training_step = waiting  # type: ignore[method-assign]
    dive(*words)
