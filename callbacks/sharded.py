"""FSDP2: each process keeps its shard of the weights, of their gradients and of the optimizer's state.

Lightning's ``ModelParallelStrategy`` with two changes: all processes are data parallel (no tensor parallelism), and a
checkpoint, which is a folder with one file per process, is written beside the previous one and replaces it by renaming
a link, so that a kill during the save leaves the previous one complete. It runs on the CPU (gloo) as well, where
Lightning's ``strategy: fsdp`` refuses to. ``dive export`` makes one file of such a checkpoint.

While a model is validated, tested or predicts, each process holds its weights whole. Processes have different numbers
of evaluation batches and generate outputs of different lengths: a process that asks for the others' parts once more
than they do would get another result in its place, or wait forever. Whole weights without gradients and optimizer
state take a quarter of what training with Adam takes in one process.
"""

import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.distributed.fsdp import FSDPModule

from common.messages import UserError


class Sharded(ModelParallelStrategy):
    """Shards what ``LightningModule.configure_model`` gives to ``fully_shard`` (``lit_models/tasks/task.py``).

    Args:
        timeout: Time after which the other processes fail when one is missing.
    """

    def __init__(self, timeout: timedelta = timedelta(minutes=10)) -> None:
        super().__init__(data_parallel_size=1, tensor_parallel_size=1, timeout=timeout)

    def setup_environment(self) -> None:
        """As Lightning's.

        Raises:
            UserError: Weights are to be averaged over steps, in a copy that would not be divided.
        """
        callbacks = self.lightning_module.trainer.callbacks if self.lightning_module else []  # type: ignore[attr-defined]
        if any(isinstance(callback, WeightAveraging) for callback in callbacks):
            raise UserError("averaging the weights over steps takes whole ones: train with -c trainer/ddp")
        self._data_parallel_size = self.num_nodes * self.num_processes  # known only now
        super().setup_environment()

    def setup_optimizers(self, trainer: Trainer) -> None:
        """An optimizer whose fused step knows no divided weights (torch 2.14: SGD's) takes its ordinary one.

        Raises:
            UserError: L-BFGS, which takes all gradients as one vector.
        """
        super().setup_optimizers(trainer)
        for optimizer in self.optimizers:
            if isinstance(optimizer, torch.optim.LBFGS):
                raise UserError("torch.optim.LBFGS takes no weights that are divided: train with -c trainer/ddp")
            if isinstance(optimizer, torch.optim.SGD | torch.optim.Adagrad):
                optimizer._step_supports_amp_scaling = False  # type: ignore[union-attr]  # of the fused step alone
                for group in optimizer.param_groups:
                    group["fused"] = False

    def on_validation_start(self) -> None:
        """Each process gets all weights and keeps them until the evaluation ends."""
        with torch.inference_mode(False), torch.no_grad():  # training goes on with the same tensors
            for module in self.sharded_modules():
                module.set_reshard_after_forward(False, recurse=False)
                module.set_reshard_after_backward(False, recurse=False)  # some pictures derive by the input
                module.unshard()

    def on_validation_end(self) -> None:
        """Each process keeps its part alone, again."""
        net = self.lightning_module.net if self.lightning_module else None
        for module in self.sharded_modules():
            module.set_reshard_after_forward(module is not net, recurse=False)  # torch's own settings
            module.set_reshard_after_backward(True, recurse=False)
            module.reshard()

    on_test_start = on_predict_start = on_validation_start
    on_test_end = on_predict_end = on_validation_end

    def sharded_modules(self) -> list[FSDPModule]:
        return [module for module in self.model.modules() if isinstance(module, FSDPModule)] if self.model else []

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
