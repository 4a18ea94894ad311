"""Messages from process to process, and a count of them: all that the collectives of this topic are made of.

``torch.distributed`` sends a tensor with ``isend`` and receives one with ``irecv``. Everything else (a sum over all
processes, a gathered tensor, a pipeline) is a pattern of such messages. Here every message goes through ``exchange``,
so that a test can count bytes and steps and compare them with a formula. D2L 13.7.

With gloo (CPU) the tests of this topic run it. With NCCL (GPUs) ``batch_isend_irecv`` puts the messages of a step into
one group, which NCCL needs where two processes send to each other; that has not been run here.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch.distributed as dist
from torch import Tensor


@dataclass
class Traffic:
    """What this process sent and received.

    Args:
        sent, received: Bytes.
        messages: Tensors that were sent.
        steps: Exchanges, one after the other.
    """

    sent: int = 0
    received: int = 0
    messages: int = 0
    steps: int = 0


_counters: list[Traffic] = []


@contextmanager
def counted() -> Iterator[Traffic]:
    """Counts this process's messages inside of the ``with`` block."""
    traffic = Traffic()
    _counters.append(traffic)
    try:
        yield traffic
    finally:
        _counters.remove(traffic)


def rank() -> int:
    """The number of this process; 0 where there is one only."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def world() -> int:
    """The number of processes."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def start(
    sends: Mapping[int, Tensor], receives: Mapping[int, Tensor], group: dist.ProcessGroup | None = None
) -> list[dist.Work]:
    """Starts one step: sends a tensor to each process of ``sends``, receives into those of ``receives``.

    Args:
        sends: By the receiving process; contiguous tensors that do not change before the step ends.
        receives: By the sending process.
        group: What runs in another thread uses a group of its own, so that its messages are not taken for others.
    """
    operations = [dist.P2POp(dist.irecv, tensor, peer, group) for peer, tensor in receives.items()]
    operations += [dist.P2POp(dist.isend, tensor, peer, group) for peer, tensor in sends.items()]
    for traffic in _counters:
        traffic.sent += sum(t.numel() * t.element_size() for t in sends.values())
        traffic.received += sum(t.numel() * t.element_size() for t in receives.values())
        traffic.messages += len(sends)
        traffic.steps += 1
    return dist.batch_isend_irecv(operations) if operations else []


def exchange(
    sends: Mapping[int, Tensor], receives: Mapping[int, Tensor], group: dist.ProcessGroup | None = None
) -> None:
    """One step from its start to its end."""
    for work in start(sends, receives, group):
        work.wait()


def everybody(mine: Tensor) -> list[Tensor]:
    """The tensors of all processes, by rank: each sends its own to every other one. All have the same shape."""
    me, mine = rank(), mine.contiguous()
    parts = [mine if k == me else mine.new_empty(mine.shape) for k in range(world())]
    others = [k for k in range(world()) if k != me]
    exchange(dict.fromkeys(others, mine), {k: parts[k] for k in others})
    return parts
