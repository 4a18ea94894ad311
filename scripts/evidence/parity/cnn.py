"""Convolutional networks against independent implementations."""

from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.cnn.lenet import LeNet
from scripts.evidence.verify import Check, Tensors

EXPORT = {  # the paper's names of the layers (LeCun et al. 1998, figure 2) and ours
    "c1": "features.0",
    "c3": "features.3",
    "c5": "head.1",
    "f6": "head.3",
    "output": "head.5",
}
KINDS = ("weight", "bias")


class FlattenChannelsLast(nn.Module):
    """(B, C, H, W) -> (B, H * W * C, 1, 1): the order of a port from a channels-last framework."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)[..., None, None]


def paper_lenet(activation: type[nn.Module], pooling: type[nn.Module], channels_last: bool = False) -> nn.Sequential:
    """LeNet as the paper draws it: C5 is a convolution of 5 x 5 whose output is one pixel, F6 and the output 1 x 1."""
    before_c5 = FlattenChannelsLast() if channels_last else nn.Identity()
    c5 = nn.Conv2d(400, 120, 1) if channels_last else nn.Conv2d(16, 120, 5)
    layers: list[tuple[str, nn.Module]] = [
        ("c1", nn.Conv2d(1, 6, 5, padding="same")),
        ("a1", activation()),
        ("s2", pooling(2, stride=2)),
        ("c3", nn.Conv2d(6, 16, 5)),
        ("a3", activation()),
        ("s4", pooling(2, stride=2)),
        ("order", before_c5),
        ("c5", c5),
        ("a5", activation()),
        ("f6", nn.Conv2d(120, 84, 1)),
        ("a6", activation()),
        ("output", nn.Conv2d(84, 10, 1)),
        ("flat", nn.Flatten()),
    ]
    return nn.Sequential(OrderedDict(layers)).double()


def images() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.rand(4, 1, 28, 28, dtype=torch.float64, requires_grad=True), torch.tensor([3, 1, 4, 1])


def quantities(net: nn.Module, parameters: Mapping[str, Tensor]) -> Tensors:
    """Logits, and the gradients of the cross-entropy with respect to the images and ``parameters``."""
    x, y = images()
    logits = net(x)
    F.cross_entropy(logits, y).backward()
    found: Any = {"logits": logits, "grad images": x.grad}
    return found | {f"grad {name}": p.grad.flatten() for name, p in parameters.items()}  # type: ignore[union-attr]


def ours(activation: str, pooling: str) -> LeNet:
    torch.manual_seed(2)
    return LeNet(activation=activation, pooling=pooling).double()  # type: ignore[arg-type]


def our_quantities(activation: str, pooling: str) -> Tensors:
    net = ours(activation, pooling)
    weights = dict(net.named_parameters())
    named = {f"{theirs}.{kind}": weights[f"{mine}.{kind}"] for theirs, mine in EXPORT.items() for kind in KINDS}
    return quantities(net, named)


def paper_quantities(activation: str, pooling: str, channels_last: bool = False) -> Tensors:
    kinds = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU, "avg": nn.AvgPool2d, "max": nn.MaxPool2d}
    net = paper_lenet(kinds[activation], kinds[pooling], channels_last)
    weights = ours(activation, pooling).state_dict()
    shapes = net.state_dict()
    exported = {f"{t}.{k}": weights[f"{m}.{k}"] for t, m in EXPORT.items() for k in KINDS}
    net.load_state_dict({name: value.reshape(shapes[name].shape) for name, value in exported.items()})
    return quantities(net, dict(net.named_parameters()))


CHECKS = [
    Check(
        name=name,
        claim=f"LeNet ({activation}, {pooling} pooling) against the paper's: C5, F6 and the output as convolutions",
        package="torch",
        ours=partial(our_quantities, activation, pooling),
        reference=partial(paper_quantities, activation, pooling),
        control=partial(paper_quantities, activation, pooling, channels_last=True),
        mistake="feature maps flattened in channels-last order before C5",
    )
    for name, activation, pooling in (("cnn/lenet", "sigmoid", "avg"), ("cnn/lenet_modern", "relu", "max"))
]
