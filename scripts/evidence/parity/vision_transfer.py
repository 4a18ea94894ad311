"""Fine-tuning against a loop in plain PyTorch on torchvision's residual network."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.vision.fine_tuning import LitFineTuning
from scripts.evidence.verify import Check, Tensors

RATE, STEPS = 0.01, 4
WATCHED = ("conv1.weight", "layer4.0.conv2.weight", "layer4.0.bn1.running_mean", "fc.weight", "fc.bias")


def their_net() -> Any:
    from torchvision.models.resnet import BasicBlock, ResNet

    torch.manual_seed(1)
    return ResNet(BasicBlock, [1, 1, 1, 1], num_classes=3).double()


def batches() -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(2)
    for _ in range(STEPS):
        yield torch.rand(4, 3, 32, 32, dtype=torch.float64, generator=generator), torch.tensor([0, 1, 2, 0])


def state(net: nn.Module, losses: list[float]) -> Tensors:
    found = net.state_dict()
    return {name: found[name] for name in WATCHED} | {"losses": torch.tensor(losses, dtype=torch.float64)}


def ours(**arguments: Any) -> Tensors:
    optimizer = partial(torch.optim.SGD, lr=RATE, momentum=0.9)
    model = LitFineTuning(depth=10, num_classes=3, optimizer=optimizer, **arguments).double()
    model.net.load_state_dict(their_net().state_dict())
    model.train()
    steps, losses = model.configure_optimizers(), []
    for x, y in batches():
        loss = F.cross_entropy(model(x), y)
        steps.zero_grad()
        loss.backward()
        losses.append(loss.item())
        steps.step()
    return state(model.net, losses)


def loop(feature_rate: float, evaluate: bool = True) -> Tensors:
    """SGD with momentum, written out. A rate of 0 freezes the features; ``evaluate``: their statistics too."""
    net, losses = their_net(), []
    velocity = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
    net.train()
    if not feature_rate and evaluate:
        net.eval()
    for x, y in batches():
        loss = F.cross_entropy(net(x), y)
        net.zero_grad()
        loss.backward()
        losses.append(loss.item())
        with torch.no_grad():
            for name, p in net.named_parameters():
                velocity[name] = 0.9 * velocity[name] + p.grad
                p -= RATE * (1 if name.startswith("fc.") else feature_rate) * velocity[name]
    return state(net, losses)


CHECKS = [
    Check(
        name="vision/slower_features",
        claim="four steps of SGD with a tenth of the rate for the features: weights, statistics, losses",
        package="torchvision",
        ours=partial(ours, feature_rate=0.1),
        reference=partial(loop, 0.1),
        control=partial(loop, 1.0),
        mistake="one rate for all",
        without="gradients: the weights after the steps have them",
    ),
    Check(
        name="vision/frozen_features",
        claim="four steps of SGD on the head, features frozen with their running statistics",
        package="torchvision",
        ours=partial(ours, freeze_features=True),
        reference=partial(loop, 0.0),
        control=partial(loop, 0.0, evaluate=False),
        mistake="batch normalization of frozen layers in training mode, as in D2L 14.14",
        without="gradients: the weights after the steps have them",
    ),
]
