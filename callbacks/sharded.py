"""FSDP2: each process keeps its share of the weights, of their gradients and of the optimizer's state.

Lightning's ``ModelParallelStrategy`` with two things settled: all processes share the data (no tensor parallelism), and
a checkpoint, which is a folder with a file of each process, is written beside the last one and put in its place by
renaming a link, so that a kill in the middle leaves the last one whole. It runs on the CPU (gloo) as well, where
Lightning's ``strategy: fsdp`` refuses to. ``dive export`` makes one file of such a checkpoint.
"""

import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

from lightning.pytorch.strategies import ModelParallelStrategy


class Sharded(ModelParallelStrategy):
    """Shards what ``LightningModule.configure_model`` gives to ``fully_shard`` (``lit_models/tasks/task.py``).

    Args:
        timeout: Until the others are told that a process is missing.
    """

    def __init__(self, timeout: timedelta = timedelta(minutes=10)) -> None:
        super().__init__(data_parallel_size=1, tensor_parallel_size=1, timeout=timeout)

    def setup_environment(self) -> None:
        self._data_parallel_size = self.num_nodes * self.num_processes  # known only now
        super().setup_environment()

    def save_checkpoint(self, checkpoint: dict[str, Any], filepath: Any, storage_options: Any = None) -> None:
        path = Path(self.broadcast(filepath))
        step = checkpoint["global_step"]
        folder = path.with_name(f".{path.name}-{step}")
        if self.global_rank == 0:
            old = path.resolve() if path.is_symlink() else None
            if folder == old:  # saved twice at one step
                folder = path.with_name(f".{path.name}-{step}-again")
            shutil.rmtree(folder, ignore_errors=True)
        folder = Path(self.broadcast(str(folder)))
        super().save_checkpoint(checkpoint, folder, storage_options)
        self.barrier()
        if self.global_rank == 0:
            link = path.with_name(f".{path.name}.link")
            link.unlink(missing_ok=True)
            link.symlink_to(folder.name)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            os.replace(link, path)
            if old is not None:
                shutil.rmtree(old, ignore_errors=True)
        self.barrier()
