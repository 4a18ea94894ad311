"""Trains a small network and writes what came out: in one process, in two under DDP, in two with sharded weights."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from torch import Tensor, nn

from callbacks.predictions import Predictions
from callbacks.random_state import RandomState
from callbacks.sharded import Sharded
from tests.small import Points, SmallNet, small_trainer


class Exact(Points):
    """Double precision and no noise, so that one process and two can be compared to the last digits."""

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        return {name: (x.double(), *rest) for name, (x, *rest) in super().load(stage).items()}

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return batch


class Steps(Callback):
    """The loss and the gradient of each step: of the whole batch, however many processes share it."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.gradients: list[list[float]] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.losses.append(float(trainer.strategy.reduce(outputs["loss"].detach(), reduce_op="mean")))

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        if trainer.world_size == 1 or trainer.strategy.__class__.__name__ == "DDPStrategy":
            self.gradients.append(torch.cat([p.grad.flatten() for p in pl_module.parameters()]).tolist())


def train(folder: Path, world: int, kind: str = "ddp", rows: int = 48, batch: int = 12) -> None:
    """One process of the training.

    Args:
        kind: ``ddp``; ``batch_norm``, the same with such a layer; ``sync_batch_norm``, with torch's over all processes;
            ``sharded``.
        rows: Of the training data.
        batch: Rows of the global batch.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = SmallNet(dropout=0.0, optimizer=partial(torch.optim.SGD, lr=0.1, momentum=0.9)).double()
    if kind.endswith("batch_norm"):
        model.net.insert(1, (nn.SyncBatchNorm if "sync" in kind else nn.BatchNorm1d)(8).double())
    data = Exact(batch_size=batch // world, rows=rows)
    data.eval_batch_size = 5  # of 11 rows, one process has a batch more than the other
    strategy: Any = "auto" if world == 1 else Sharded() if kind == "sharded" else "ddp"
    steps = Steps()
    settings = {"devices": world, "strategy": strategy, "max_epochs": 3, "use_distributed_sampler": False}
    trainer = small_trainer(folder, RandomState(), Predictions(), steps, **settings)
    trainer.fit(model, datamodule=data)
    fitted = {name: float(value) for name, value in trainer.callback_metrics.items()}
    trainer.save_checkpoint(folder / "last.ckpt")
    tested = trainer.test(model, datamodule=data, verbose=False)[0]
    trainer.predict(model, datamodule=data, return_predictions=False)
    if trainer.is_global_zero:
        whole = [] if kind == "sharded" else list(model.parameters())  # else a part: the checkpoint has all
        weights = [value for p in whole for value in p.detach().flatten().tolist()]
        out = {"weights": weights, "metrics": fitted | tested, "losses": steps.losses, "gradients": steps.gradients}
        (folder / "out.json").write_text(json.dumps(out))
