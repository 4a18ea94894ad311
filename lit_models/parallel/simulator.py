"""How long a data-parallel step takes, for any number of processes, without having them.

A step is simulated event by event: the backward pass makes gradients ready one layer after the other, buckets are
filled and averaged around a ring in the order of ``buckets.py`` while it goes on, the step ends when both are done;
and it ends for all when the slowest process is there. The network between processes has a latency alpha and a
bandwidth beta (``cost_model.py``), which `dive bench scaling` fits to messages that it sends.

What the simulation leaves out: that a processor which sends computes more slowly, that two messages share a link, and
what a cluster's network really looks like. A number beyond the processes that were measured is a calculation.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from lit_models.parallel.cost_model import around_a_ring


@dataclass(frozen=True)
class Network:
    """The network between processes.

    Args:
        latency: Seconds of a message without bytes.
        bandwidth: Bytes per second.
    """

    latency: float
    bandwidth: float


@dataclass(frozen=True)
class Step:
    """One process's step by itself, in seconds.

    Args:
        forward: The forward pass, and loading.
        backward: Of each layer, in the order in which the backward pass computes them: the last one first.
        gradients: Bytes of each layer's gradients, in the same order.
        optimizer: The optimizer's step.
    """

    forward: float
    backward: Sequence[float]
    gradients: Sequence[float]
    optimizer: float

    @property
    def seconds(self) -> float:
        return self.forward + sum(self.backward) + self.optimizer


def simulate(
    step: Step, network: Network, processes: int, bucket: float = 25 * 2**20, overlap: bool = True
) -> dict[str, float]:
    """The seconds of a step of several processes.

    Args:
        step: A process's step by itself.
        network: Between the processes.
        processes: Their number.
        bucket: Bytes of a bucket; one that is begun takes whole layers.
        overlap: Whether buckets are sent while the backward pass goes on.

    Returns:
        ``seconds`` in all, ``sending`` of all buckets, and ``waiting``: what sending adds to the computation.
    """
    computed, link, filled, sending = step.forward, 0.0, 0.0, 0.0
    whole = step.forward + sum(step.backward)
    last = len(step.gradients) - 1
    for k, (seconds, size) in enumerate(zip(step.backward, step.gradients, strict=True)):
        computed += seconds
        filled += size
        if processes > 1 and filled and (filled >= bucket or k == last):
            begin = max(link, computed if overlap else whole)
            cost = around_a_ring(filled, network.bandwidth, processes, network.latency)
            link, sending, filled = begin + cost, sending + cost, 0.0
    end = max(computed, link)
    return {"seconds": end + step.optimizer, "sending": sending, "waiting": end - computed}


def slowest(processes: int, spread: float, seed: int = 0, draws: int = 200) -> float:
    """The mean of the slowest of some processes whose times are spread around 1 (a log-normal distribution): what
    stragglers cost where all wait for all.

    Args:
        processes: Their number.
        spread: Standard deviation of the logarithm of a process's time.
        seed: Of the draws.
        draws: Steps over which the mean is taken.
    """
    if not spread:
        return 1.0
    generator = random.Random(seed)
    means = [max(math.exp(generator.gauss(0, spread)) for _ in range(processes)) for _ in range(draws)]
    return sum(means) / draws


def speedup(step: Step, network: Network, processes: int, weak: bool, spread: float = 0.0) -> float:
    """How many times as many rows a second as one process's.

    Args:
        step: One process's step on its batch.
        network: Between the processes.
        processes: Their number K.
        weak: Each process has a whole batch; otherwise a Kth of it, with a Kth of the computation.
        spread: See ``slowest``.
    """
    part = 1.0 if weak else 1 / processes
    factor = part * slowest(processes, spread)
    mine = Step(step.forward * factor, [b * factor for b in step.backward], step.gradients, step.optimizer)
    return step.seconds / simulate(mine, network, processes)["seconds"] * (processes * part)
