"""Data parallelism by hand: each process has all weights and rows of its own; the gradients are averaged.

D2L 13.5 writes it for GPUs of one machine. Here the average is one of five: ``naive``, ``tree`` and ``ring``
(``all_reduce.py``) after the backward pass, ``bucketed`` during it (``buckets.py``), and ``ddp``, the library's. All
give the gradients of one process on the global batch. With ``none`` each process trains for itself, which one sees
from the first process's metrics and from weights that differ.

    dive fit parallel/data_parallel --trainer.devices 2
    dive fit parallel/data_parallel --trainer.devices 3 --model.averaging bucketed

``cost.png`` shows the time of each by the formulas of ``cost_model.py``. Departs from the book: its loop sums the
losses of a batch and divides by the global batch size in the optimizer; here losses and gradients are means, so that
the learning rate has the same meaning for any number of processes. ``batch_size`` is per process.
"""

from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.strategies import DDPStrategy

from lit_models.cnn.lenet import LeNet
from lit_models.parallel import cost_model
from lit_models.parallel.all_reduce import ALGORITHMS, average
from lit_models.parallel.buckets import Buckets
from lit_models.parallel.point_to_point import world
from lit_models.tasks.image_classifier import ImageClassifier
from lit_models.tasks.trains import trains

Averaging = Literal["naive", "tree", "ring", "bucketed", "ddp", "none"]
LATENCY, BANDWIDTH = 50e-6, 1e9  # of a machine's network, for the picture: 50 us and 1 GB/s


def without_ddp(model: LightningModule) -> None:
    """Lightning starts the processes as always, but leaves the gradients to the model."""
    strategy: Any = model.trainer.strategy if model._trainer is not None else None
    if isinstance(strategy, DDPStrategy):
        strategy.configure_ddp = lambda: None  # type: ignore[method-assign]


@trains(LeNet)
class LitDataParallel(ImageClassifier):
    """LeNet trained as a classifier by any number of processes.

    Args:
        averaging: ``naive``, ``tree``, ``ring``, ``bucketed``, ``ddp`` or ``none``.
        bucket_bytes: The size of a bucket with ``bucketed``; small, since LeNet has 0.25 MB of weights.
        **task: See ``ImageClassifier``.
    """

    buckets: Any  #: those of ``bucketed``: a thread and a queue, neither a module nor copied

    def __init__(self, averaging: Averaging = "ring", bucket_bytes: int = 100_000, **task: Any) -> None:
        super().__init__(**task)
        self.averaging, self.bucket_bytes = averaging, bucket_bytes
        self.__dict__["buckets"] = None

    def configure_model(self) -> None:
        super().configure_model()
        if self.averaging != "ddp" and self.device_mesh is None:
            without_ddp(self)

    def on_fit_start(self) -> None:
        super().on_fit_start()
        if self.averaging == "bucketed" and self.device_mesh is None:
            self.__dict__["buckets"] = Buckets(self.net.parameters(), self.bucket_bytes)

    def on_after_backward(self) -> None:
        if self.buckets is not None:
            self.buckets.finish()
        elif self.averaging in ALGORITHMS and self.device_mesh is None and world() > 1:
            average([p.grad for p in self.net.parameters() if p.grad is not None], self.averaging)  # type: ignore[arg-type]

    def on_fit_end(self) -> None:
        if self.buckets is not None:
            self.buckets.close()
            self.__dict__["buckets"] = None

    def panels(self) -> list[dict[str, Any]]:
        """The lines of ``cost.png``: seconds of a sum by the number of processes, for this network and for AlexNet."""
        counts = [2, 4, 8, 16, 32, 64, 128, 256]
        panels = []
        for name, numbers in (("this network", sum(p.numel() for p in self.net.parameters())), ("AlexNet", 61_100_840)):
            lines = {
                kind: (
                    torch.tensor(counts).log2(),
                    torch.tensor([time(4 * numbers, BANDWIDTH, k, LATENCY) for k in counts], dtype=torch.float64),
                )
                for kind, time in cost_model.TIMES.items()
            }
            title = f"{name}: {4 * numbers / 1e6:.3g} MB at 1 GB/s, 50 us"
            panels.append({"title": title, "xlabel": "log2 of the processes", "lines": lines, "log": True})
        return panels
