"""One weird trick: convolutions data parallel, dense layers model parallel.

Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks". Convolutions have 5 % of AlexNet's
parameters and 95 % of its arithmetic: each process computes them for rows of its own, and their gradients are averaged
(here by DDP). Dense layers have 95 % of the parameters and little arithmetic: each process has a share of their units,
for the rows of all processes, so that their gradients are never sent. Between the two, the processes exchange what the
convolutions computed, in one of the paper's three schemes (section 4):

    at_once     each process gets the rows of all, and computes the dense layers once, on the large batch
    in_turns    in K turns: process k hands its rows to all, who compute the dense layers on them
    slices      in K turns: each process hands out a Kth of its rows

All three send as many bytes. In the second and third the dense layers work on small batches, so that the paper can
hide the sending of the next turn behind the work of this one, and the third spreads the sending over all processes in
each turn. The gradient of all K turns is one step here, so that each scheme equals a single process on the
global batch; the paper also allows a step of the dense layers after each turn, which does not.

Departs from the paper: one step for all turns; the last layer's logits are summed over the processes (as in
``alexnet_two_gpus.py``); the turns follow each other without overlap.

    dive fit parallel/one_weird_trick
    dive fit parallel/one_weird_trick --trainer.devices 2 --model.scheme slices

``batch_size`` is per process, as everywhere.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.cnn.alexnet import AlexNet
from lit_models.layers.precision import at_least_float32
from lit_models.parallel.alexnet_two_gpus import MeetingLinear, SummedLinear
from lit_models.parallel.divided import DividedClassifier
from lit_models.parallel.meeting import gather, hand_out, scale_gradient
from lit_models.parallel.point_to_point import world
from lit_models.tasks.trains import trains

Scheme = Literal["at_once", "in_turns", "slices"]


def batches(mine: Tensor, scheme: Scheme) -> Iterator[Tensor]:
    """The batches on which all processes compute the dense layers: the rows (b, ...) of all of them, in some order."""
    if scheme == "at_once":
        yield gather(mine, 0)  # (K b, ...)
    elif scheme == "in_turns":
        for owner in range(world()):
            yield hand_out(mine, owner)  # (b, ...)
    else:
        for piece in mine.tensor_split(world()):
            if len(piece):
                yield gather(piece, 0)  # (about b, ...)


class Worker(nn.Module):
    """One process's part of AlexNet: all convolutions, and a share of each dense layer's units.

    Its parameters have the names of the whole network's; ``split`` says which dimension of each is divided.

    Args:
        whole: The network, of which the weights are taken.
        mine, count: The number of this process, and the number of processes.
    """

    split: Mapping[str, int]

    def __init__(self, whole: AlexNet, mine: int, count: int) -> None:
        super().__init__()
        self.features, self.avgpool = whole.features, whole.avgpool
        drop, first, relu, drop_too, second, relu_too, last = whole.classifier
        self.classifier = nn.Sequential(
            drop,
            rows(nn.Linear, first, mine, count),
            relu,
            drop_too,
            rows(MeetingLinear, second, mine, count),
            relu_too,
            columns(last, mine, count),
        )
        names = ("1.weight", "1.bias", "4.weight", "4.bias", "6.weight")
        self.split = {f"classifier.{name}": int(name == "6.weight") for name in names}

    def activities(self, x: Tensor) -> Tensor:
        """The convolutions on the process's own rows, and the first dropout: (b, C, S, S) -> (b, F).

        The gradient is multiplied by the number of processes: it is that of the mean over all rows, which the
        processes' gradients add up to, and DDP takes their mean.
        """
        h = self.avgpool(self.features(x)).flatten(1)
        return scale_gradient(self.classifier[0](h), world())

    def head(self, h: Tensor) -> Tensor:
        """The dense layers on the same rows in all processes: (B, F) -> logits (B, num_classes), the same in all."""
        for layer in self.classifier[1:]:
            h = layer(h)
        return h

    def forward(self, x: Tensor) -> Tensor:
        """The logits (K b, num_classes) of the rows of all processes."""
        return self.head(gather(self.activities(x), 0))


def rows(kind: type[nn.Linear], whole: Any, mine: int, count: int) -> nn.Linear:
    """A dense layer with a share of the units."""
    if whole.out_features % count:
        raise UserError(f"{count} processes do not divide {whole.out_features} units: another --model.hidden_size")
    part = kind(whole.in_features, whole.out_features // count).to(whole.weight.dtype)
    with torch.no_grad():
        part.weight.copy_(whole.weight.chunk(count)[mine])
        part.bias.copy_(whole.bias.chunk(count)[mine])
    return part


def columns(whole: Any, mine: int, count: int) -> nn.Linear:
    """The last layer, on a share of its inputs."""
    part = SummedLinear(whole.in_features // count, whole.out_features).to(whole.weight.dtype)
    with torch.no_grad():
        part.weight.copy_(whole.weight.chunk(count, 1)[mine])
        part.bias.copy_(whole.bias)
    return part


def mean_loss(worker: Worker, x: Tensor, y: Tensor, scheme: Scheme, label_smoothing: float = 0.0) -> Tensor:
    """The mean cross-entropy over the rows of all processes; x (b, C, S, S) and y (b,) are this process's rows."""
    total: Any = 0.0
    for h, targets in zip(batches(worker.activities(x), scheme), batches(y, scheme), strict=True):
        logits = at_least_float32(worker.head(h))
        total = total + F.cross_entropy(logits, targets, label_smoothing=label_smoothing) * len(targets)
    return total / (len(y) * world())


def bytes_sent(net: AlexNet, rows: int, workers: int, element: int = 4) -> dict[str, int]:
    """What one process sends in a step, in bytes, by formula; the tests count the same.

    Args:
        net: The whole network.
        rows: Rows b of one process's batch.
        workers: Number K of processes.
        element: Bytes of a number.

    Returns:
        ``data parallel``: all gradients by a ring, 2 (K - 1) / K of the parameters. ``convolutions``: the same for the
        convolutions and the last bias alone. ``dense``: the activities and back, the first dense layer's units and
        back, and the sums of the last layer.
    """
    first, second, last = (layer for layer in net.classifier if isinstance(layer, nn.Linear))
    k, numbers = workers, sum(p.numel() for p in net.parameters())
    shared = sum(p.numel() for p in net.features.parameters()) + last.out_features
    others = k - 1
    activities = others * rows * first.in_features
    units = others * (k * rows) * (second.in_features // k)
    sums = others * (k * rows) * last.out_features
    return {
        "data parallel": 2 * others * numbers * element // k,
        "convolutions": 2 * others * shared * element // k,
        "dense": (2 * activities + 2 * units + sums) * element,
    }


@trains(AlexNet)
class LitOneWeirdTrick(DividedClassifier):
    """AlexNet of one tower trained as a classifier, by one process or by several.

    Args:
        scheme: How the processes exchange what the convolutions computed: ``at_once``, ``in_turns`` or ``slices``.
        variant: The paper's network has one tower.
        **task: See ``DividedClassifier``.
    """

    def __init__(self, scheme: Scheme = "at_once", variant: Literal["one_tower"] = "one_tower", **task: Any) -> None:
        super().__init__(**task)
        self.scheme = scheme

    def divide(self, net: nn.Module, mine: int, count: int) -> Worker:
        if not isinstance(net, AlexNet):
            raise UserError(f"{type(net).__name__} is not AlexNet: train it with -c trainer/ddp or one process")
        return Worker(net, mine, count)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        if not isinstance(self.net, Worker):
            return super().training_step(batch, batch_idx)
        x, y = batch
        loss = mean_loss(self.net, self.normalized(x), y, self.scheme, self.label_smoothing)
        self.record_train_loss(loss, len(x))
        return loss

    def placement(self) -> list[dict[str, Any]]:
        """Which process has what, for ``placement.png``."""
        return placement(self.undivided or self.net, max(2, world()))


def placement(net: Any, workers: int) -> list[dict[str, Any]]:
    """The rows of ``placement.png``: whole convolutions for own rows, then a share of the units for all rows."""
    table: list[dict[str, Any]] = []
    for conv in (layer for layer in net.features if isinstance(layer, nn.Conv2d)):
        size = sum(p.numel() for p in conv.parameters())
        text = f"{conv.out_channels} kernels, own rows\n{size:,} weights"
        table.append({"name": f"conv{len(table) + 1}", "boxes": [text] * workers, "reads": "own" if table else "image"})
    dense: list[Any] = [layer for layer in net.classifier if isinstance(layer, nn.Linear)]
    for layer in dense:
        size, last = sum(p.numel() for p in layer.parameters()) // workers, layer is dense[-1]
        units = f"{layer.out_features} sums" if last else f"{layer.out_features // workers} units"
        reads = "own" if last else "all"
        boxes = [f"{units}, all rows\n{size:,} weights"] * workers
        table.append({"name": f"fc{len(table) + 1}", "boxes": boxes, "reads": reads, "adds": last})
    return table
