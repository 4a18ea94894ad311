"""What every training task shares: the optimiser, the schedule and the training loss of an epoch.

A leaf (``LitLeNet``) inherits one task (``Classifier``), and a task inherits ``Task``: no deeper than that. A task
states its batch contract at its head and supplies ``training_step``, ``validation_step``, ``test_step`` and
``predict_step``.

Two things are done differently from a plain ``self.log(..., on_step=True, on_epoch=True)``, both measured in
``make bench``: the loss of single steps is logged only on the steps that will be recorded (``train/loss_step``), and
the epoch's mean (``train/loss``) is accumulated on the device, with no copy to the host and no deep copy of a metric
per step.
"""

from collections import Counter
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, fully_shard

from common.messages import UserError


class Task(LightningModule):
    """Base of all tasks.

    Args:
        optimizer: Makes an optimiser from parameters, e.g. ``partial(torch.optim.SGD, lr=0.1)``.
        lr_scheduler: Makes a schedule from an optimiser; None keeps the rate constant.
        lr_interval: Whether the schedule moves after each ``epoch`` or each optimiser ``step``.
        lr_monitor: The metric that ``ReduceLROnPlateau`` watches; other schedules ignore it.
        decay_biases: False exempts biases and normalisation gains (parameters with fewer than two dimensions) from
            the optimiser's weight decay, as Goodfellow et al. 7.1 and D2L 3.7 do.
    """

    net: nn.Module
    #: A batch of one, as ``forward`` takes it: for ``dive describe`` and exports. Lightning's ``example_input_array``
    #: would go through the datamodule's transform as if it were raw data.
    example_input: Tensor | tuple[Tensor, ...]

    def __init__(
        self,
        optimizer: OptimizerCallable = torch.optim.SGD,
        lr_scheduler: LRSchedulerCallable | None = None,
        lr_interval: Literal["step", "epoch"] = "epoch",
        lr_monitor: str = "val/loss",
        decay_biases: bool = True,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["optimizer", "lr_scheduler"])
        self.optimizer = optimizer
        self.lr_scheduler = lr_scheduler
        self.lr_interval = lr_interval
        self.lr_monitor = lr_monitor
        self.decay_biases = decay_biases
        self.epoch_loss = EpochMean()

    def __setattr__(self, name: str, value: Any) -> None:
        """Lightning notes the name of each hook it runs, some forty times a step; ``nn.Module`` would ask each time
        whether the name is a parameter, which is a tenth of a softmax regression's step.
        """
        if name == "_current_fx_name":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    def forward(self, *inputs: Tensor) -> Any:
        return self.net(*inputs)

    # -- many processes -------------------------------------------------------------------------------------------

    def configure_model(self) -> None:
        """Under ``-c trainer/fsdp`` each process keeps its share of the parameters of each layer of ``net``."""
        if self.device_mesh is not None and not isinstance(getattr(self, "net", None), FSDPModule):
            shard(self, self.device_mesh["data_parallel"])

    def mean_count(self, count: Tensor) -> Tensor:
        """The mean over all processes of the number of items in a loss, a tensor (): ``count`` itself in one process.

        For losses over a number of items that differs from process to process (tokens that are no padding): DDP takes
        the mean of the processes' gradients, so the sum of a process's losses divided by this gives the gradient of the
        mean over all items, where the mean of means would give short batches' items more weight.
        """
        if self._trainer is None or self.trainer.world_size == 1:
            return count
        return self.trainer.strategy.reduce(count.detach().float().clone(), reduce_op="mean")

    # -- optimisation ---------------------------------------------------------------------------------------------

    def parameter_groups(self) -> list[dict[str, Any]]:
        """All trainable parameters, the undecayed ones in a group of their own where ``decay_biases`` is False."""
        parameters = [p for p in self.parameters() if p.requires_grad]
        if self.decay_biases:
            return [{"params": parameters}]
        decayed = [p for p in parameters if p.ndim >= 2]
        exempt = [p for p in parameters if p.ndim < 2]
        groups: list[dict[str, Any]] = [{"params": decayed}, {"params": exempt, "weight_decay": 0.0}]
        return [group for group in groups if group["params"]]

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.parameter_groups())
        if self.lr_scheduler is None:
            return optimizer
        scheduler = self.lr_scheduler(optimizer)
        if getattr(scheduler, "total_steps", None) == 0:  # OneCycle's way to ask for the length of the run
            scheduler.total_steps = int(self.trainer.estimated_stepping_batches)  # type: ignore[attr-defined]
        schedule = {"scheduler": scheduler, "interval": self.lr_interval, "monitor": self.lr_monitor}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    # -- training loss --------------------------------------------------------------------------------------------

    def record_train_loss(self, loss: Tensor, count: int | Tensor) -> None:
        """Adds one batch's mean ``loss`` over ``count`` items to the epoch's mean; logs it on the recorded steps."""
        self.epoch_loss.update(self.current_epoch, loss.detach(), count)
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and (self.trainer.global_step + 1) % every == 0:
            self.log("train/loss_step", loss.detach())

    def on_train_epoch_end(self) -> None:
        loss = self.epoch_loss.compute(self.current_epoch, self.all_gather)
        self.log("train/loss", loss, sync_dist=True)  # equal on all ranks already; Lightning warns without the flag

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["epoch_loss"] = self.epoch_loss.state(self.all_gather)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.epoch_loss.restore(checkpoint.get("epoch_loss"))


class EpochMean:
    """The mean of a per-batch loss over one epoch, weighted by batch size and summed on the device in double precision.

    It is no buffer, since weight averaging would average it, and it carries its epoch's number, since a run resumed in
    the middle of an epoch calls neither ``on_train_epoch_start`` nor, at times, ``on_train_epoch_end``.
    """

    def __init__(self) -> None:
        self.epoch = -1
        self.total: Tensor | None = None  # (): the weighted sum of this rank
        self.count: float | Tensor = 0.0
        self.saved: Tensor | None = None  # (world, 2) out of a checkpoint, until the first use knows its rank

    def update(self, epoch: int, loss: Tensor, count: int | Tensor) -> None:
        """Adds a batch's mean ``loss`` () over ``count`` items: one operation on the device where count is a number."""
        if epoch != self.epoch:
            self.epoch, self.saved, self.total, self.count = epoch, None, None, 0.0
        self._take_saved()
        if self.total is None:
            self.total = torch.zeros((), dtype=precise(loss.device), device=loss.device)
        elif self.total.device != loss.device:
            self.total = self.total.to(loss.device)
        if isinstance(count, Tensor):
            self.total += loss * count
        else:
            self.total.add_(loss, alpha=count)
        self.count = self.count + count

    def compute(self, epoch: int, gather: Any) -> Tensor:
        """The mean over all ranks; NaN when nothing was recorded in this epoch."""
        state = self.state(gather) if epoch == self.epoch else {}
        if "total" not in state:
            return torch.tensor(float("nan"))
        total, count = state["total"].sum(0)
        return (total / count).float()

    def state(self, gather: Any) -> dict[str, Any]:
        """The epoch and each rank's sum and count (world, 2), plain enough for ``torch.load(weights_only=True)``."""
        self._take_saved()
        if self.total is None:
            return {"epoch": -1}
        count = torch.as_tensor(self.count, dtype=self.total.dtype, device=self.total.device)
        return {"epoch": self.epoch, "total": gather(torch.stack([self.total, count])).reshape(-1, 2).cpu()}

    def restore(self, state: dict[str, Any] | None) -> None:
        if state and "total" in state:
            self.epoch, self.saved, self.total = state["epoch"], state["total"], None

    def _take_saved(self) -> None:
        """Takes this rank's part of a restored sum; with another number of ranks, rank 0 takes all of it."""
        if self.saved is None:
            return
        ranks = torch.distributed.is_available() and torch.distributed.is_initialized()
        rank, world = (torch.distributed.get_rank(), torch.distributed.get_world_size()) if ranks else (0, 1)
        mine = self.saved[rank] if len(self.saved) == world else self.saved.sum(0) * (rank == 0)
        self.total, self.count, self.saved = mine[0].clone(), float(mine[1]), None


def shard(model: LightningModule, mesh: Any) -> None:
    """FSDP2 (``torch.distributed.fsdp.fully_shard``) of each layer of ``model.net``, then of what is left of it.

    A parameter that two layers share (tied embeddings) stays with the whole.

    Args:
        model: Its ``net`` holds all its parameters.
        mesh: The processes that share them.

    Raises:
        UserError: There is no ``net``, or there are parameters outside of it, which nothing would average.
    """
    net = getattr(model, "net", None)
    if not isinstance(net, nn.Module) or len(list(net.parameters())) != len(list(model.parameters())):
        raise UserError(f"{type(model).__name__} has parameters outside of `net`: train it with -c trainer/ddp")
    layers = list(net.children())
    while containers := [m for m in layers if isinstance(m, nn.ModuleList | nn.ModuleDict)]:
        layers = [m for m in layers if m not in containers] + [m for c in containers for m in c.children()]
    uses = Counter(p for layer in layers for p in set(layer.parameters()))
    for layer in layers:
        if any(True for _ in layer.parameters()) and all(uses[p] == 1 for p in layer.parameters()):
            fully_shard(layer, mesh=mesh)
    fully_shard(net, mesh=mesh)


def precise(device: torch.device) -> torch.dtype:
    """The most precise type of floating-point numbers that a device has."""
    return torch.float32 if device.type == "mps" else torch.float64
