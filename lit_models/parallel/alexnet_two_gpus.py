"""AlexNet on two processes, each with one half of the kernels: the network whose picture shows two towers.

Krizhevsky, Sutskever and Hinton 2012, section 3.5: the network did not fit into the 3 GB of one GTX 580, so one GPU
has one half of each layer's kernels, and "the GPUs communicate only in certain layers". D2L 8.1 leaves it out.

    layer      reads                               parameters of one process (227 pixels, 1000 classes)
    conv1      the image                           48 kernels of 3 x 11 x 11
    conv2      the process's own 48 maps           128 kernels of 48 x 5 x 5
    conv3      all 256 maps: the towers meet       192 kernels of 256 x 3 x 3
    conv4, 5   the process's own 192 maps          192 and 128 kernels
    fc6, fc7   all 9216 and 4096 values: meet      2048 units
    fc8        the process's own 2048 values       1000 units, whose sums over both processes are the logits

Where the towers meet, each process gathers the other's maps; ``meeting.py`` has the derivative. In one process the same
network is ``lit_models/cnn/alexnet.py`` with two groups, and this file tests that they are equal to the last digits.
Response normalization is within a tower (k = 2, n = 5, alpha = 1e-4, beta = 0.75), also in one process.

Departs from the paper, besides what ``cnn/alexnet.py`` states: the paper's figure draws fc8 as reading all 4096 values;
here each process multiplies its own half and the products are summed, which sends 1000 numbers per image instead of
4096. cuda-convnet's own two-GPU configuration has fc8 on the first GPU alone.

    dive fit parallel/alexnet_two_gpus                          one process: the grouped network
    dive fit parallel/alexnet_two_gpus --trainer.devices 2      two processes (or two GPUs)

The rows of both processes' batches form the batch of a step, so ``batch_size`` is per process, as everywhere.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.cnn.alexnet import AlexNet
from lit_models.parallel.divided import DividedClassifier
from lit_models.parallel.meeting import add, gather, gather_rows
from lit_models.tasks.trains import trains

TOWERS = 2


class TowerResponseNorm(nn.Module):
    """Local response normalization within each of ``towers`` groups of channels: (B, C, H, W) -> (B, C, H, W).

    a / (k + alpha * sum of a^2 over the n neighboring channels)^beta, the paper's section 3.3. torch's function divides
    alpha by n, the paper does not.

    Args:
        towers: Groups of channels; neighbors of another group are not counted.
    """

    def __init__(self, towers: int) -> None:
        super().__init__()
        self.towers = towers

    def forward(self, x: Tensor) -> Tensor:
        maps = x.unflatten(1, (self.towers, -1)).flatten(0, 1)  # (B towers, C / towers, H, W)
        return F.local_response_norm(maps, 5, alpha=5 * 1e-4, beta=0.75, k=2.0).reshape(x.shape)


def normalize_within_towers(net: AlexNet) -> AlexNet:
    """Replaces the grouped network's response normalization, which would reach across the towers."""
    for k, layer in enumerate(net.features):
        if isinstance(layer, nn.LocalResponseNorm):
            net.features[k] = TowerResponseNorm(TOWERS)
    return net


# -- one process's layers ---------------------------------------------------------------------------------------------


class OwnConv(nn.Conv2d):
    """Half of the kernels, on what the process has: the image, or its own tower's maps."""


class MeetingConv(nn.Conv2d):
    """Half of the kernels, on the maps of both towers."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(gather(x, 1))


class MeetingLinear(nn.Linear):
    """Half of the units, on the values of both towers."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(gather(x, 1))


class SummedLinear(nn.Linear):
    """All units, on the tower's own values: the products are summed over the towers. Both have the bias."""

    def forward(self, x: Tensor) -> Tensor:
        return add(F.linear(x, self.weight)) + self.bias


class Tower(nn.Module):
    """One process's half of the network: (B, in_channels, S, S) -> (B, num_classes), both the same in both processes.

    Its parameters have the names of the whole network's; ``split`` says which dimension of each is divided.

    Args:
        whole: The grouped network, of which the weights are taken.
        tower: 0 or 1.
    """

    split: Mapping[str, int]

    def __init__(self, whole: AlexNet, tower: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(tower_layer(layer, tower, reads_image=k == 0) for k, layer in enumerate(whole.features))
        )
        self.avgpool = whole.avgpool
        last = len(whole.classifier) - 1
        dense = [tower_layer(layer, tower) for layer in whole.classifier[:last]]
        self.classifier = nn.Sequential(*dense, columns_of(whole.classifier[last], tower))
        summed = {f"classifier.{last}.weight": 1, f"classifier.{last}.bias": None}
        dims = {name: summed.get(name, 0) for name, _ in self.named_parameters()}
        self.split = {name: dim for name, dim in dims.items() if dim is not None}

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def tower_layer(layer: nn.Module, tower: int, reads_image: bool = False) -> nn.Module:
    """A layer as one tower has it: half of a convolution's kernels or of a dense layer's units; others as they are."""
    if isinstance(layer, TowerResponseNorm):
        return TowerResponseNorm(1)
    if isinstance(layer, nn.Linear):
        return with_weights(MeetingLinear(layer.in_features, layer.out_features // TOWERS), layer, tower)
    if not isinstance(layer, nn.Conv2d):
        return layer
    kind = OwnConv if layer.groups == TOWERS or reads_image else MeetingConv
    own = kind(
        layer.in_channels // layer.groups,
        layer.out_channels // TOWERS,
        layer.kernel_size,  # type: ignore[arg-type]
        layer.stride,  # type: ignore[arg-type]
        layer.padding,  # type: ignore[arg-type]
    )
    return with_weights(own, layer, tower)


def with_weights(part: nn.Module, whole: nn.Module, tower: int) -> nn.Module:
    """A part of a layer with its rows of the whole one's weights."""
    part.to(whole.weight.dtype)  # type: ignore[arg-type]
    with torch.no_grad():
        for mine, theirs in zip(part.parameters(), whole.parameters(), strict=True):
            mine.copy_(theirs.chunk(TOWERS)[tower])
            mine.requires_grad_(theirs.requires_grad)
    return part


def columns_of(whole: Any, tower: int) -> nn.Module:
    """The last layer: the columns of the weights that multiply the tower's own values, and the bias."""
    part = SummedLinear(whole.in_features // TOWERS, whole.out_features).to(whole.weight.dtype)
    with torch.no_grad():
        part.weight.copy_(whole.weight.chunk(TOWERS, 1)[tower])
        part.bias.copy_(whole.bias)
    return part


# -- the task ---------------------------------------------------------------------------------------------------------


@trains(AlexNet)
class LitAlexNetTwoGPUs(DividedClassifier):
    """The paper's AlexNet trained as a classifier, on one process or divided among two.

    Args:
        variant: The paper's network is the grouped one.
        image_size: Height and width S of the image in pixels.
        **task: See ``DividedClassifier``.
    """

    def __init__(self, variant: Literal["grouped"] = "grouped", image_size: int = 227, **task: Any) -> None:
        super().__init__(image_size=image_size, **task)
        if isinstance(self.net, AlexNet):
            normalize_within_towers(self.net)

    def divide(self, net: nn.Module, mine: int, count: int) -> Tower:
        if count != TOWERS:
            raise UserError(f"AlexNet has two towers, not {count}: --trainer.devices 2, or 1 for the grouped network")
        if not isinstance(net, AlexNet):
            raise UserError(f"{type(net).__name__} has no two towers: train it with -c trainer/ddp or one process")
        refuse_odd(net)
        return Tower(net, mine)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        whole: Any = gather_rows(batch) if self.split else batch
        return super().training_step(whole, batch_idx)

    def placement(self) -> list[dict[str, Any]]:
        """Which process has what, for ``placement.png``."""
        return placement(self.undivided or self.net)


def refuse_odd(net: AlexNet) -> None:
    """Raises a ``UserError`` where a layer's units cannot be halved."""
    last = len(net.classifier) - 1
    layers = [*net.features.named_children(), *net.classifier.named_children()]
    for name, layer in layers:
        units: int = getattr(layer, "out_channels", 0) or getattr(layer, "out_features", 0)
        if units % TOWERS and layer is not net.classifier[last]:
            raise UserError(f"layer {name} has {units} units, which two towers do not divide: an even hidden_size")


def placement(net: Any) -> list[dict[str, Any]]:
    """The rows of ``placement.png``: each layer with weights, what each process has of it and what it reads."""
    rows: list[dict[str, Any]] = []
    convs: list[Any] = [layer for layer in net.features if isinstance(layer, nn.Conv2d)]
    dense: list[Any] = [layer for layer in net.classifier if isinstance(layer, nn.Linear)]
    for k, layer in enumerate([*convs, *dense], 1):
        conv = k <= len(convs)
        units: int = layer.out_channels if conv else layer.out_features
        last = layer is dense[-1]
        reads = "own" if last or (conv and layer.groups == TOWERS) else "image" if k == 1 else "both"
        size = sum(p.numel() for p in layer.parameters()) // TOWERS
        text = f"{units} sums" if last else f"{units // TOWERS} {'kernels' if conv else 'units'}"
        boxes = [f"{text}\n{size:,} weights"] * TOWERS
        rows.append({"name": f"{'conv' if conv else 'fc'}{k}", "boxes": boxes, "reads": reads})
    rows[-1]["adds"] = True
    return rows
