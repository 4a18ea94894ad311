"""Tensor parallelism: each process has some heads of every attention and some units of every feed-forward part.

Shoeybi et al. 2019, "Megatron-LM", section 3. A pair of matrices is divided so that only one sum over the processes is
needed: the first by its outputs (``ColwiseParallel``), the second by its inputs (``RowwiseParallel``). What lies
between, heads or units, is computed where it is. Each process has everything else whole: embeddings, normalization,
the output matrix, attention to an encoder's output. They compute the same there.

torch's own parts do it: ``parallelize_module`` makes the divided weights ``DTensor`` (a tensor that knows how it is
distributed) and adds the sums. What is done here is what it does not know: queries, keys and values lie in one matrix
(and SwiGLU's two projections), whose rows are put in another order first, so that a contiguous share has whole heads;
checkpoints have the usual order. Optimizers step each tensor by itself, since fused ones take no mixture of divided
and whole ones.

    dive fit attention/gpt -c trainer/tensor_parallel --trainer.accelerator cpu

Run on gloo by ``tests/distributed/test_divided_networks.py``; not run with NCCL.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

from common.messages import UserError
from lit_models.layers.feed_forward import FeedForward, SwiGLU
from lit_models.layers.kv_cache import KVCache
from lit_models.layers.multi_head import MultiHeadAttention
from lit_models.layers.precision import at_least_float32
from lit_models.parallel.whole_batch import WholeBatch


class OwnHeads(MultiHeadAttention):
    """An attention that has a share of the heads: (B, Q, D) -> (B, Q, D), the sum over the processes.

    It is built whole, as ``MultiHeadAttention``, and then divided.
    """

    def forward(
        self, x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None, cache: KVCache | None = None
    ) -> Tensor:
        if memory is not None or cache is not None:
            raise ValueError("a divided attention is for training a text's attention to itself")
        query, pairs = self._project(x, None, None)
        assert pairs is not None
        if self.rotary is not None:
            key, value = pairs.split(self.groups, 1)
            query, pairs = self.rotary(query, 0), torch.cat([self.rotary(key, 0), value], 1)
        mean = self._attend(query, *pairs.split(self.groups, 1), mask)  # type: ignore[call-arg]  # (B, H / K, Q, d)
        return self.output(mean.transpose(1, 2).flatten(2))


class TensorParallel(WholeBatch):
    """Divides attention and feed-forward layers among all processes.

    Args:
        timeout: Time after which the other processes fail when one is missing.
    """

    def __init__(self, timeout: timedelta = timedelta(minutes=10)) -> None:
        super().__init__(timeout=timeout)
        self.orders: dict[str, Tensor] = {}  # of a divided weight's rows
        self.placed: dict[str, DTensor] = {}

    def divide(self, net: nn.Module) -> nn.Module:
        net.to(self.root_device)
        mesh = init_device_mesh(self.root_device.type, (self.world_size,))
        self.orders = divide(net, mesh)
        self.placed = {name: p.data for name, p in net.named_parameters() if isinstance(p.data, DTensor)}
        return net

    def setup_optimizers(self, trainer: Trainer) -> None:
        super().setup_optimizers(trainer)
        self.step_singly()

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        super().load_optimizer_state_dict(checkpoint)  # also settings, which may be of one process
        self.step_singly()

    def step_singly(self) -> None:
        """Fused steps take no mixture of divided and whole weights."""
        for optimizer in self.optimizers if self.part is not None else ():
            optimizer._step_supports_amp_scaling = False  # type: ignore[union-attr,attr-defined]  # of the fused step alone
            for group in optimizer.param_groups:
                group.update({key: False for key in ("fused", "foreach") if key in group})

    def whole(self, name: str, value: Tensor) -> Tensor:
        full = value.full_tensor() if isinstance(value, DTensor) else value
        return full if name not in self.orders else full[self.orders[name].argsort()]

    def own(self, name: str, value: Tensor) -> Tensor:
        like = self.placed.get(name)
        if like is None:
            return value
        ordered = value[self.orders[name]] if name in self.orders else value
        return distribute_tensor(ordered, like.device_mesh, like.placements)

    def square_sum(self, gradients: list[Tensor]) -> Tensor:
        squares = [at_least_float32(g).square().sum() for g in gradients]
        return torch.stack([s.full_tensor() if isinstance(s, DTensor) else s for s in squares]).sum()


def divide(net: nn.Module, mesh: DeviceMesh) -> dict[str, Tensor]:
    """Divides a network's layers in place; returns the order of the rows of each weight whose rows were reordered.

    Raises:
        UserError: There is nothing to divide, or the processes do not divide heads or units.
    """
    count, orders = mesh.size(), {}
    layers = list(divisible(net))
    if not layers:
        raise UserError(
            f"{type(net).__name__} has no attention to divide: train it with -c trainer/ddp or trainer/fsdp"
        )
    for name, layer in layers:
        attention = isinstance(layer, MultiHeadAttention)
        first, last = ("qkv", "output") if attention else ("inner", "outer")
        sizes = blocks_of(layer)
        unit = layer.head_size if attention else 1
        if any(size % (unit * count) for size in sizes):
            what = "heads of keys or queries" if attention else "units"
            raise UserError(f"{count} processes do not divide the {min(sizes) // unit} {what} of {name}")
        order = by_process(sizes, count)
        matrix: Any = getattr(layer, first)
        with torch.no_grad():
            for kind, parameter in matrix.named_parameters():
                parameter.copy_(parameter[order])
                orders[f"{name}.{first}.{kind}"] = order.to(parameter.device)
        parallelize_module(layer, mesh, {first: ColwiseParallel(), last: RowwiseParallel()})
        if attention:
            layer.num_heads, layer.groups = layer.num_heads // count, layer.groups // count
            layer.sizes = tuple(size // count for size in layer.sizes)  # type: ignore[assignment]
            layer.__class__ = OwnHeads
    return orders


def divisible(net: nn.Module) -> Iterator[tuple[str, Any]]:
    """Attentions of a text to itself, and feed-forward parts, by name."""
    for name, layer in net.named_modules():
        own = isinstance(layer, MultiHeadAttention) and not name.endswith("cross_attention")
        if own or isinstance(layer, FeedForward | SwiGLU):
            yield name, layer


def blocks_of(layer: Any) -> tuple[int, ...]:
    """The sizes of the matrices that lie in a layer's first one."""
    if isinstance(layer, MultiHeadAttention):
        return layer.sizes
    features: int = layer.outer.in_features
    return (features, features) if isinstance(layer, SwiGLU) else (features,)


def by_process(sizes: tuple[int, ...], count: int) -> Tensor:
    """The order of rows in which process k's share, of each block its kth part, is contiguous."""
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    parts = [
        torch.arange(start + k * size // count, start + (k + 1) * size // count)
        for k in range(count)
        for start, size in zip(starts, sizes, strict=True)
    ]
    return torch.cat(parts)
