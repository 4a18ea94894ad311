"""Stops a run whose loss or weights are no longer finite, before a checkpoint is overwritten with them."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.distributed.tensor import DTensor


class NotFinite(RuntimeError):
    """Training failed: shown as one line, exit code 1 (``scripts/cli.py``)."""

    exit_code = 1
    on_all_ranks = True


class FiniteLoss(Callback):
    """Checks the losses on the steps that are logged and before every save, on all ranks together.

    Between two checks the losses stay on the device: a check at each step would make the GPU wait. A save also checks
    the weights: a finite loss with an infinite gradient makes them infinite one step before the loss is.
    """

    def __init__(self) -> None:
        self.pending: list[tuple[int, Tensor]] = []  # (step, loss) since the last check

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        if loss is not None:
            self.pending.append((trainer.global_step, loss.detach()))
        every = trainer.log_every_n_steps or 50  # type: ignore[attr-defined]
        if len(self.pending) >= every or trainer.is_last_batch:
            self.look(trainer)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if not trainer.training and not trainer.validating:
            return
        self.look(trainer)
        own = [part.float() for p in pl_module.parameters() if (part := own_part(p)).numel()]
        norms = torch._foreach_norm(own, float("inf")) if own else []
        ruined = torch.tensor(float(len(norms) > 0 and not bool(torch.stack(list(norms)).isfinite().all())))
        if self._any_rank(trainer, ruined):
            raise NotFinite(f"weights are not finite at step {trainer.global_step}: the previous checkpoint is kept")

    def look(self, trainer: Trainer) -> None:
        """Raises NotFinite when a loss since the last check is NaN or infinite on any rank."""
        pending, self.pending = self.pending, []
        if not pending:
            return
        finite = torch.stack([loss for _, loss in pending]).isfinite()
        bad = not bool(finite.all())
        if self._any_rank(trainer, torch.tensor(float(bad))):
            if not bad:
                raise NotFinite(f"loss is not finite on another rank, at or before step {pending[-1][0]}")
            step, loss = pending[int((~finite).nonzero()[0])]
            raise NotFinite(f"loss is {loss.item()} at step {step}: lower the learning rate or clip the gradient")

    @staticmethod
    def _any_rank(trainer: Trainer, flag: Tensor) -> bool:
        if trainer.world_size == 1:
            return bool(flag)
        return bool(trainer.strategy.reduce(flag.to(trainer.strategy.root_device), reduce_op="max"))


def own_part(weight: Tensor) -> Tensor:
    """What this process has of a weight: all of it, or its share, which is empty where a weight has fewer rows than
    there are processes (``callbacks/sharded.py``).
    """
    weight = weight.detach()
    return weight.to_local() if isinstance(weight, DTensor) else weight
