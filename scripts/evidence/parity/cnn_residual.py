"""Pre-activation residual networks and the networks of a design space against torch's layers, called one by one.

He et al. 2016, "Identity mappings in deep residual networks", figure 4e and its code: normalization and ReLU before
each convolution; where the shape changes, a 1 x 1 convolution of the pre-activated input is the shortcut, and
everywhere else the input as it came. Radosavovic et al. 2020, figure 4: 1 x 1, grouped 3 x 3 with the stride, 1 x 1.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.cnn.design_space import LitDesignSpace, Space
from lit_models.cnn.resnet import ResNet
from lit_models.layers.residual import Bottleneck
from scripts.evidence.parity.cnn_by_hand import compared, filled
from scripts.evidence.verify import Check, Tensors

Weights = Mapping[str, Tensor]


def norm(x: Tensor, w: Weights, name: str) -> Tensor:
    """In training: by the mean and the variance of the batch."""
    mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt() * w[f"{name}.weight"][:, None, None] + w[f"{name}.bias"][:, None, None]


def conv(x: Tensor, w: Weights, name: str, stride: int = 1, groups: int = 1) -> Tensor:
    weight = w[f"{name}.weight"]
    return F.conv2d(x, weight, None, stride, weight.shape[-1] // 2, 1, groups)


def residual_block(x: Tensor, w: Weights, name: str, stride: int, convs: int, wrong: str) -> Tensor:
    """``convs`` is 2 for a basic block, 3 for a bottleneck, whose stride lies on the 3 x 3."""
    first = F.relu(norm(x, w, f"{name}.bn1"))
    h = first
    for k in range(1, convs + 1):
        h = h if k == 1 else F.relu(norm(h, w, f"{name}.bn{k}"))
        h = conv(h, w, f"{name}.conv{k}", stride if k == convs - 1 else 1)
    if f"{name}.downsample.0.weight" in w:
        return h + conv(x if wrong == "projection" else first, w, f"{name}.downsample.0", stride)
    return h + (first if wrong == "identity" else x)


def our_resnet() -> Tensors:
    net = filled(ResNet(1, 4, 18, width=4, stem="small", pre_activation=True))
    return compared(net, net, (4, 1, 10, 10))


def their_resnet(wrong: str = "") -> Tensors:
    net = filled(ResNet(1, 4, 18, width=4, stem="small", pre_activation=True))
    w = dict(net.named_parameters())

    def forward(x: Tensor) -> Tensor:
        x = conv(x, w, "conv1")
        for stage in range(1, 5):
            for block in range(2):
                stride = 2 if stage > 1 and block == 0 else 1
                x = residual_block(x, w, f"layer{stage}.{block}", stride, 2, wrong)
        x = F.relu(norm(x, w, "bn"))
        return x.mean((2, 3)) @ w["fc.weight"].T + w["fc.bias"]

    return compared(net, forward, (4, 1, 10, 10))


def bottlenecks() -> nn.Module:
    """One that changes the shape and one that does not, and a mean over the image."""
    blocks = (Bottleneck(6, 3, 2, pre_activation=True), Bottleneck(12, 3, pre_activation=True))
    return filled(nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten()))


def our_bottlenecks() -> Tensors:
    net = bottlenecks()
    return compared(net, net, (4, 6, 7, 7))


def their_bottlenecks(wrong: str = "") -> Tensors:
    net = bottlenecks()
    w = dict(net.named_parameters())

    def forward(x: Tensor) -> Tensor:
        for block, stride in (("0", 2), ("1", 1)):
            x = residual_block(x, w, block, stride, 3, wrong)
        return x.mean((2, 3))

    return compared(net, forward, (4, 6, 7, 7))


# -- a design space ---------------------------------------------------------------------------------------------------

COST, POPULATION, SIDE = 0.5, 3, 14
SPACES: tuple[Space, ...] = ("any", "regnet")


def study() -> Any:
    """Two families of three networks, and nothing that logs."""
    torch.manual_seed(4)
    lit: Any = filled(LitDesignSpace(SPACES, POPULATION, COST, 3, 1, 4, SIDE))
    lit.record_train_loss = lambda loss, count: None
    return lit


def trained(space: str, logits: Tensor, parameters: Weights) -> Tensors:
    gradients: Any = {f"grad {space} {name}": p.grad for name, p in parameters.items()}
    return {f"{space} logits": logits.detach()} | gradients


def data() -> tuple[Tensor, Tensor]:
    torch.manual_seed(5)
    return torch.rand(4, 1, SIDE, SIDE, dtype=torch.float64), torch.tensor([0, 3, 1, 2])


def our_space() -> Tensors:
    """A training step of all networks; of those the second one of each family."""
    lit, (x, y) = study(), data()
    lit.training_step((x, y), 0).backward()
    logits = lit(x)  # (B, families * population, classes)
    found: Tensors = {}
    for k, space in enumerate(SPACES):
        member = lit.net[k].networks[1]
        found |= trained(space, logits[:, k * POPULATION + 1], dict(member.named_parameters()))
    return found


def alone(lit: Any, k: int, reduce: Callable[[Tensor], Tensor] = lambda loss: loss, first: bool = False) -> Tensors:
    """The second network of a family by its design, trained by itself; ``first`` puts the stride on the first 1 x 1."""
    (x, y), net = data(), lit.net[k]
    w = dict(net.networks[1].named_parameters())
    depths, widths, groups = net.designs[1]
    h = F.relu(norm(conv(x, w, "stem.0"), w, "stem.1"))
    for stage, (depth, width, group) in enumerate(zip(depths, widths, groups, strict=True), 1):
        for i in range(depth):
            name = f"trunk_output.block{stage}.block{stage}-{i}"
            stride, kept = 1 if i else 2, h
            if i == 0:
                kept = norm(conv(h, w, f"{name}.proj.0", 2), w, f"{name}.proj.1")
            for part, settings in (
                ("a", (stride if first else 1, 1)),
                ("b", (1 if first else stride, width // group)),
                ("c", (1, 1)),
            ):
                h = norm(conv(h, w, f"{name}.f.{part}.0", *settings), w, f"{name}.f.{part}.1")
                h = h if part == "c" else F.relu(h)
            h = F.relu(h + kept)
    logits = h.mean((2, 3)) @ w["fc.weight"].T + w["fc.bias"]
    reduce(F.cross_entropy(logits, y)).backward()
    return trained(SPACES[k], logits, w)


def their_space(**wrong: Any) -> Tensors:
    lit = study()
    return alone(lit, 0, **wrong) | alone(lit, 1, **wrong)


def check(name: str, claim: str, ours: Any, theirs: Any, mistake: str, **wrong: Any) -> Check:
    return Check(
        name=f"cnn/{name}",
        claim=claim,
        package="torch",
        ours=ours,
        reference=theirs,
        control=partial(theirs, **wrong),
        mistake=mistake,
    )


PRE = "ResNet-18 of the pre-activation form in training against torch's operations"
ALONE = "one network of a design space, trained beside others, against the same by itself from torch's operations"
CHECKS = [
    check("resnet_pre", PRE, our_resnet, their_resnet, "the shortcut from the pre-activated input", wrong="identity"),
    check(
        "resnet_pre_projection",
        PRE,
        our_resnet,
        their_resnet,
        "a projection of the input as it came",
        wrong="projection",
    ),
    check(
        "bottleneck_pre",
        "bottlenecks of the pre-activation form in training against torch's operations",
        our_bottlenecks,
        their_bottlenecks,
        "the shortcut from the pre-activated input",
        wrong="identity",
    ),
    check("design_space", ALONE, our_space, their_space, "the stride on the first 1 x 1", first=True),
    check(
        "design_space_loss",
        ALONE,
        our_space,
        their_space,
        "the mean of the networks' losses for their sum",
        reduce=lambda loss: loss / POPULATION,
    ),
]
