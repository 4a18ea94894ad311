"""Initialization: what fifty layers do to a signal and to its gradient, and why equal weights stay equal.

Glorot and Bengio 2010 (Xavier); He et al. 2015; Saxe et al. 2014 (orthogonal). D2L 5.4.
Departs from the book: He and orthogonal weights stand beside its N(0, 0.01^2) and Xavier, a network of fifty layers
shows the difference, and the growth of its product of a hundred 4 x 4 matrices is compared with its known rate.

    dive fit mlp/initialization                              fifty ReLU layers, 5,000 real MNIST digits, offline
    dive fit mlp/initialization --model.scheme normal        N(0, 0.01^2): signal and gradient vanish

The numbers they reach are in RESULTS.md; ``initialization.png`` draws signal and gradient through the layers.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lit_models.tasks.classifier import Classifier
from lit_models.tasks.trains import flat_size, trains

Scheme = Literal["constant", "normal", "xavier", "he", "orthogonal"]


@torch.no_grad()
def constant_(weight: Tensor, value: float = 0.01) -> Tensor:
    """All weights equal: the units of a layer are then equal, get the same gradient and stay equal."""
    return weight.fill_(value)


@torch.no_grad()
def normal_(weight: Tensor, std: float = 0.01) -> Tensor:
    return weight.normal_(0, std)


@torch.no_grad()
def xavier_(weight: Tensor) -> Tensor:
    """U(-a, a) with a = sqrt(6 / (fan_in + fan_out)): half the sum of the fans times the variance is 1."""
    bound = math.sqrt(6 / sum(weight.shape))
    return weight.uniform_(-bound, bound)


@torch.no_grad()
def he_(weight: Tensor) -> Tensor:
    """N(0, 2 / fan_in): the 2 makes up for the half of the units that a ReLU turns off."""
    return weight.normal_(0, math.sqrt(2 / weight.shape[1]))


@torch.no_grad()
def orthogonal_(weight: Tensor) -> Tensor:
    """Rows (or columns, if fewer) of length one and at right angles: a linear layer then keeps every length.

    The signs of R's diagonal go into Q: without that, directions are not evenly distributed.
    """
    rows, columns = weight.shape
    noise = torch.empty_like(weight).normal_()
    q, r = torch.linalg.qr(noise if rows >= columns else noise.T)
    q = q * r.diagonal().sign()
    return weight.copy_(q if rows >= columns else q.T)


SCHEMES: dict[str, Callable[[Tensor], Tensor]] = {
    "constant": constant_,
    "normal": normal_,
    "xavier": xavier_,
    "he": he_,
    "orthogonal": orthogonal_,
}


class DeepMLP(nn.Module):
    """``depth`` linear layers with an activation after each but the last. (B, ...) -> (B, num_classes) logits.

    Args:
        num_features: Numbers in one sample once it is flattened.
        num_classes: Number of logits.
        hidden_size: Width of the layers.
        depth: Number of linear layers, at least 2.
        scheme: How weights are drawn; biases are zero.
        activation: Makes the activation.
    """

    def __init__(
        self,
        num_features: int = 784,
        num_classes: int = 10,
        hidden_size: int = 64,
        depth: int = 50,
        scheme: Scheme = "he",
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        self.sizes, self.depth = (num_features, num_classes, hidden_size), depth
        sizes = [num_features, *[hidden_size] * (depth - 1), num_classes]
        layers: list[nn.Module] = [nn.Flatten()]
        for k in range(depth):
            linear = nn.Linear(sizes[k], sizes[k + 1])
            SCHEMES[scheme](linear.weight)
            nn.init.zeros_(linear.bias)
            layers += [linear, activation()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def signal_and_gradient(net: DeepMLP, x: Tensor) -> tuple[Tensor, Tensor]:
    """Root mean square of each linear layer's output, and of the loss's gradient there: two tensors (depth,).

    The loss is half the squared logits' mean, whose gradient at the output is as large as the output.
    """
    outputs = []
    for layer in net.layers:
        x = layer(x)
        if isinstance(layer, nn.Linear):
            outputs.append(x)
    gradients = torch.autograd.grad(x.square().mean() / 2, outputs)
    return rms(outputs), rms(gradients)


def rms(tensors: Any) -> Tensor:
    return torch.stack([tensor.detach().double().square().mean().sqrt() for tensor in tensors])


def product_norms(depth: int = 100, size: int = 4, std: float = 1.0) -> Tensor:
    """Norm of a vector of length one after each of ``depth`` random matrices N(0, std^2) (size, size): (depth,)."""
    vector = torch.ones(size, dtype=torch.float64) / math.sqrt(size)
    norms = []
    for _ in range(depth):
        vector = std * torch.randn(size, size, dtype=torch.float64) @ vector
        norms.append(vector.norm())
    return torch.stack(norms)


def growth_rate(size: int, std: float) -> float:
    """Mean log growth of that norm per matrix: log std + (log 2 + digamma(size / 2)) / 2 (Newman 1986).

    Above zero the product explodes, below zero it vanishes; with many layers it does not stay at zero by chance.
    """
    return math.log(std) + (math.log(2) + float(torch.digamma(torch.tensor(size / 2)))) / 2


def distinct_units(weight: Tensor, tolerance: float = 1e-6) -> int:
    """How many of a layer's units (rows) differ by more than rounding."""
    weight = weight.detach()
    alike = (weight[:, None] - weight).abs().amax(2) <= tolerance  # (units, units)
    return int((~alike.tril(-1).any(1)).sum())


@trains(DeepMLP, num_features=flat_size, activation=lambda: nn.ReLU)
class LitInitialization(Classifier):
    """A deep ReLU network as a classifier of images."""

    def panels(self) -> list[dict[str, Any]]:
        """For ``LinePlots``: signal and gradient of new networks of each scheme, and products of random matrices."""
        own: Any = self.net
        x, layers = torch.randn(32, own.sizes[0]).double(), torch.arange(1, own.depth + 1)
        signal, gradient = {}, {}
        for name in SCHEMES:
            net = DeepMLP(*own.sizes, own.depth, name).double()  # type: ignore[call-arg, arg-type]
            forward, back = signal_and_gradient(net, x)
            signal[name], gradient[name] = (layers, forward), (layers, back / back[-1])
        steps = torch.arange(1, 101)
        products = {f"N(0, {std}²)": (steps, product_norms(100, 4, std)) for std in (1.0, 0.57, 0.3)}
        layerwise: dict[str, Any] = {"xlabel": "layer", "log": True, "ylim": (1e-40, 1e10)}
        return [
            {"title": "signal", "lines": signal, **layerwise},
            {"title": "gradient, of the last layer's", "lines": gradient, **layerwise},
            {"title": "product of 4 x 4 matrices", "xlabel": "matrices", "lines": products, "log": True},
        ]
