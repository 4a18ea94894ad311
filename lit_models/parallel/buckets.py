"""Gradients in buckets that are averaged while the backward pass still computes others: what DDP does, written out.

The backward pass finishes the last layers' gradients first. They are put into buckets in this order; as soon as all
gradients of a bucket are there (a hook on each parameter says so) a second thread sums it over the processes, around
the ring of ``all_reduce.py``, while the first thread goes on with the layers before. Buckets, because a message of a
single bias costs as much waiting as one of a megabyte; not one bucket only, because it could begin when all is done.

Li et al. 2020, "PyTorch Distributed: experiences on accelerating data parallel training", section 3.2. The processes
sum their buckets in the same order, also where gradients become ready in another one: otherwise they would wait for
each other. Departs from DDP: parameters that get no gradient in a step are not looked for; the step would wait.
On the CPU the two threads run at the same time; on a GPU the thread would need a stream of its own, which is not here.
"""

import queue
import threading
from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lit_models.parallel.all_reduce import Algorithm, average
from lit_models.parallel.point_to_point import world


class Buckets:
    """Averages the gradients of some parameters over all processes during the backward pass; ``finish`` waits for it.

    Args:
        parameters: In the order of use; buckets are filled from the last.
        size: Bytes of a bucket; 25 MB are DDP's.
        algorithm: How a bucket is summed: ``naive``, ``tree`` or ``ring``.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], size: int = 25 * 1024 * 1024, algorithm: Algorithm = "ring"
    ) -> None:
        self.buckets = filled([p for p in parameters if p.requires_grad], size)
        self.algorithm = algorithm
        self.place = {p: k for k, bucket in enumerate(self.buckets) for p in bucket}
        self.log: list[str] = []  # "ready 0", "averaged 0", ...: what happened in this step, in its order
        self.group: Any = dist.new_group() if world() > 1 else None  # messages of the second thread only
        self.work: queue.Queue[int | None] = queue.Queue()
        self.done: queue.Queue[BaseException | None] = queue.Queue()
        self.hooks = [p.register_post_accumulate_grad_hook(self._ready) for p in self.place]
        self.begin()
        if world() > 1:
            threading.Thread(target=self._serve, daemon=True).start()

    def begin(self) -> None:
        """Before each backward pass."""
        self.missing = [len(bucket) for bucket in self.buckets]
        self.next = 0  # the first bucket that was not given to the second thread

    def _ready(self, parameter: Any) -> None:
        place = self.place[parameter]
        self.missing[place] -= 1
        if not self.missing[place]:
            self.log.append(f"ready {place}")
        while self.next < len(self.buckets) and not self.missing[self.next]:  # in the same order everywhere
            self.work.put(self.next)
            self.next += 1

    def _serve(self) -> None:
        """The second thread."""
        while (place := self.work.get()) is not None:
            try:
                with torch.no_grad():
                    grads: list[Tensor] = [p.grad for p in self.buckets[place]]  # type: ignore[misc]
                    average(grads, self.algorithm, self.group)
                self.log.append(f"averaged {place}")
                self.done.put(None)
            except BaseException as error:
                self.done.put(error)

    def finish(self) -> None:
        """Waits until all buckets are averaged; then the next step can begin.

        Raises:
            RuntimeError: A parameter got no gradient in this step, so that its bucket is not complete.
        """
        if self.next < len(self.buckets):
            raise RuntimeError(f"{sum(self.missing)} parameters got no gradient: their bucket waits for them")
        for _ in self.buckets if world() > 1 else ():
            error = self.done.get()
            if error is not None:
                raise error
        self.begin()

    def close(self) -> None:
        """Ends the thread and takes the hooks away."""
        self.work.put(None)
        for hook in self.hooks:
            hook.remove()


def filled(parameters: list[nn.Parameter], size: int) -> list[list[nn.Parameter]]:
    """The parameters in buckets of at most ``size`` bytes, the last parameter first; a larger one has its own."""
    buckets: list[list[nn.Parameter]] = []
    room = 0
    for parameter in reversed(parameters):
        need = parameter.numel() * parameter.element_size()
        if not buckets or need > room:
            buckets.append([])
            room = size
        buckets[-1].append(parameter)
        room -= need
    return buckets
