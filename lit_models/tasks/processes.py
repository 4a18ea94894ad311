"""Training on several processes: sharded parameters (FSDP2), means over all ranks, sums per rank.

Training steps can be read without knowing this file; in a single process none of it has any effect.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

from common.messages import UserError


def rank_and_world(model: LightningModule) -> tuple[int, int]:
    """This process and the number of processes; (0, 1) for a model that has no trainer."""
    trainer = getattr(model, "_trainer", None)
    return (trainer.global_rank, trainer.world_size) if trainer else (0, 1)


def mean_over_processes(model: LightningModule, value: Tensor) -> Tensor:
    """The mean of a tensor over all processes; the tensor itself in one process.

    Steps call it: the strategy's ``reduce`` would make all processes, and a GPU, wait for each other before it.
    """
    world = rank_and_world(model)[1]
    if world == 1:
        return value
    total = value.detach().float().clone()
    torch.distributed.all_reduce(total)
    return total.div_(world)


def gather_equal(model: LightningModule, value: Tensor) -> Tensor:
    """The tensors of all processes, of equal shapes (world, ...), wherever the model is: after the training Lightning
    moves it to the CPU, from which NCCL sends nothing.
    """
    strategy = model.trainer.strategy
    return strategy.all_gather(value.to(strategy.root_device))


def gather_rows(model: LightningModule, rows: list[Any]) -> list[Any]:
    """The rows of all processes, rank after rank, on each of them. Rows are any Python objects."""
    world = rank_and_world(model)[1]
    if world == 1:
        return rows
    ranks: list[Any] = [None] * world
    torch.distributed.all_gather_object(ranks, rows)
    return [row for part in ranks for row in part]


def own_rows(model: LightningModule, rows: Any, start: int, count: int) -> list[Any]:
    """The ``count`` rows of a split that this process gets after its first ``start``; the loader distributes them."""
    rank, world = rank_and_world(model)
    return [rows[rank + world * (start + i)] for i in range(count)]


def of_first_process(model: LightningModule, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The first process's state, on all of them: what each has trained by itself, after DDP has shared the weights, may
    differ in rounding.
    """
    if rank_and_world(model)[1] == 1:
        return state
    return model.trainer.strategy.broadcast({name: value.cpu() for name, value in state.items()})


class EpochMean:
    """The mean of a per-batch loss over one epoch, weighted by batch size and summed on the device in double precision.

    It is not a buffer, since weight averaging would average it. It stores the number of its epoch, since a run that is
    resumed within an epoch does not call ``on_train_epoch_start`` and sometimes not ``on_train_epoch_end`` either.
    """

    def __init__(self) -> None:
        self.epoch = -1
        self.total: Tensor | None = None  # (): the weighted sum of this rank
        self.count: float | Tensor = 0.0
        self.saved: Tensor | None = None  # (world, 2) from a checkpoint, until the first use, when the rank is known

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

    def compute(self, epoch: int, gather: Callable[..., Any]) -> Tensor:
        """The mean over all ranks; NaN when nothing was recorded in this epoch."""
        state = self.state(gather) if epoch == self.epoch else {}
        if "total" not in state:
            return torch.tensor(float("nan"))
        total, count = state["total"].sum(0)
        return (total / count).float()

    def state(self, gather: Callable[..., Any]) -> dict[str, Any]:
        """The epoch and each rank's sum and count (world, 2), in types that ``torch.load(weights_only=True)`` reads."""
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
    """FSDP2 (``torch.distributed.fsdp.fully_shard``) for each layer of ``model.net``, then for the rest of it.

    A parameter that two layers share (tied embeddings) is sharded with the network as a whole. A network class can
    declare two attributes. ``gathered_at_once`` is for a network with a layer that is called once per time step of the
    batch, or used without being called: processes that gather weights a different number of times would wait forever.
    ``forward_methods`` lists the methods that a training step calls instead of ``net(x)``.

    Args:
        model: Its ``net`` holds all its parameters.
        mesh: The processes over which they are sharded.

    Raises:
        UserError: There is no ``net``, or it does not hold all parameters (others would not be averaged), or there are
            parameters without a dimension, which cannot be divided.
    """
    net, name = getattr(model, "net", None), type(model).__name__
    if not isinstance(net, nn.Module) or len(list(net.parameters())) != len(list(model.parameters())):
        raise UserError(f"{name} has parameters outside of `net`: train it with -c trainer/ddp")
    if numbers := [key for key, parameter in net.named_parameters() if not parameter.ndim]:
        raise UserError(f"FSDP2 cannot divide {numbers[0]} of {name}, a single number: train it with -c trainer/ddp")
    layers = [] if getattr(net, "gathered_at_once", False) else list(net.children())
    while containers := [m for m in layers if isinstance(m, nn.ModuleList | nn.ModuleDict)]:
        layers = [m for m in layers if m not in containers] + [m for c in containers for m in c.children()]
    uses = Counter(p for layer in layers for p in set(layer.parameters()))
    for layer in layers:
        if any(True for _ in layer.parameters()) and all(uses[p] == 1 for p in layer.parameters()):
            fully_shard(layer, mesh=mesh)
    fully_shard(net, mesh=mesh)
    for method in getattr(net, "forward_methods", ()):
        register_fsdp_forward_method(net, method)


def precise(device: torch.device) -> torch.dtype:
    """The most precise type of floating-point numbers that a device has."""
    return torch.float32 if device.type == "mps" else torch.float64
