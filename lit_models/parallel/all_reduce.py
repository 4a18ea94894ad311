"""The sum of a tensor over all processes, in three ways, written out on single messages.

    naive    all send to process 0, which adds and sends the sum back      2 steps, 2 (K - 1) N bytes through process 0
    tree     pairs add up, then pairs of pairs; then back down              2 log2(K) steps of N bytes
    ring     each process passes a Kth of the tensor to its neighbor: after K - 1 steps each part is summed in one place
             (reduce-scatter), after K - 1 more it is everywhere (all-gather)   2 (K - 1) steps of N / K bytes

For N bytes and K processes. The ring sends 2 (K - 1) / K of the tensor per process, however many there are: the least
that is possible (Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of workstations"); the
tree has fewer steps, which decides for small tensors. D2L 13.7; ``cost_model.py`` has the times that follow.

The result is the same in all processes, to the last bit, since each part is summed in one place. The order of the sum
differs between the three, so that they agree up to rounding.
"""

from collections.abc import Callable
from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor

from lit_models.parallel.point_to_point import exchange, rank, world

Group = dist.ProcessGroup | None
Algorithm = Literal["naive", "tree", "ring"]


def naive(tensor: Tensor, group: Group = None) -> None:
    """Sums in place through process 0."""
    me, others = rank(), range(1, world())
    if me:
        exchange({0: tensor}, {}, group)
        exchange({}, {0: tensor}, group)
        return
    received = {k: torch.empty_like(tensor) for k in others}
    exchange({}, received, group)
    for k in others:
        tensor += received[k]
    exchange(dict.fromkeys(others, tensor), {}, group)


def tree(tensor: Tensor, group: Group = None) -> None:
    """Sums in place along a binary tree with process 0 at its root; K need not be a power of two."""
    me, count, reach = rank(), world(), 1
    levels: list[int] = []  # of the steps in which this process received
    while reach < count:
        if me % (2 * reach):  # the right one of a pair: gives its sum away and waits for the whole one
            exchange({me - reach: tensor}, {}, group)
            exchange({}, {me - reach: tensor}, group)
            break
        if me + reach < count:
            part = torch.empty_like(tensor)
            exchange({}, {me + reach: part}, group)
            tensor += part
            levels.append(reach)
        reach *= 2
    for reach in reversed(levels):
        exchange({me + reach: tensor}, {}, group)


def ring(tensor: Tensor, group: Group = None) -> None:
    """Sums in place around a ring: reduce-scatter, then all-gather."""
    me, count = rank(), world()
    if count == 1:
        return
    parts = list(tensor.view(-1).tensor_split(count))  # views: what is written into them is in the tensor
    right, left = (me + 1) % count, (me - 1) % count
    for step in range(count - 1):  # part k begins at process k and is complete at process k - 1
        out, into = parts[(me - step) % count], parts[(me - step - 1) % count]
        received = torch.empty_like(into)
        exchange({right: out}, {left: received}, group)
        into += received
    for step in range(count - 1):
        exchange({right: parts[(me + 1 - step) % count]}, {left: parts[(me - step) % count]}, group)


ALGORITHMS: dict[str, Callable[[Tensor, Group], None]] = {"naive": naive, "tree": tree, "ring": ring}


def average(tensors: list[Tensor], algorithm: Algorithm, group: Group = None) -> None:
    """The mean over all processes of each tensor, in place, sent as one."""
    flat = torch.cat([t.reshape(-1) for t in tensors])
    ALGORITHMS[algorithm](flat, group)
    flat /= world()
    for tensor, mean in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def bytes_through(algorithm: Algorithm, size: int, count: int) -> int:
    """The most bytes that one process sends, for a tensor of ``size`` bytes whose parts are equal."""
    sends = {
        "naive": (count - 1) * size,
        "tree": max(0, count - 1).bit_length() * size,
        "ring": 2 * (count - 1) * size // count,
    }
    return sends[algorithm]
