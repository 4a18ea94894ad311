"""Activations and their derivatives, both by hand: the forward pass and the backward pass.

Nair and Hinton 2010 (ReLU); He et al. 2015 (PReLU); Hendrycks and Gimpel 2016 (GELU). D2L 5.1.2.
Departs from the book: the derivatives are computed by hand and train the network; the book draws those that autograd
computes for the library's functions.

The sigmoid's derivative is at most 1/4, so that ten layers of it pass on less than a millionth of a gradient; tanh
reaches 1 only at zero; ReLU has 1 on one side and 0 on the other. ``activations.png`` draws them.

    dive fit mlp/activations                                  5,000 real MNIST digits, offline, with GELU
    dive fit mlp/activations --model.activation sigmoid

The numbers they reach are in RESULTS.md.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lit_models.tasks.classifier import Classifier
from lit_models.tasks.trains import flat_size, trains

Elementwise = Callable[[Tensor], Tensor]
Name = Literal["relu", "prelu", "sigmoid", "tanh", "gelu", "identity"]


def relu(x: Tensor) -> Tensor:
    return x * (x > 0)


def relu_derivative(x: Tensor) -> Tensor:
    """0 or 1; at zero, where it does not exist, 0 by convention."""
    return (x > 0).to(x.dtype)


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)), with an exponent of at most zero: exp(100) would be infinite in single precision."""
    small = torch.exp(-x.abs())
    return torch.where(x >= 0, 1.0, small) / (1 + small)


def sigmoid_derivative(x: Tensor) -> Tensor:
    return sigmoid(x) * sigmoid(-x)


def tanh(x: Tensor) -> Tensor:
    """A sigmoid of twice the input, moved: 2 sigmoid(2 x) - 1."""
    return 2 * sigmoid(2 * x) - 1


def tanh_derivative(x: Tensor) -> Tensor:
    return 4 * sigmoid_derivative(2 * x)


def normal_cdf(x: Tensor) -> Tensor:
    return (1 + torch.erf(x / math.sqrt(2))) / 2


def gelu(x: Tensor) -> Tensor:
    """x times the probability that a standard normal number is smaller."""
    return x * normal_cdf(x)


def gelu_derivative(x: Tensor) -> Tensor:
    return normal_cdf(x) + x * torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


FUNCTIONS: dict[str, tuple[Elementwise, Elementwise]] = {
    "relu": (relu, relu_derivative),
    "sigmoid": (sigmoid, sigmoid_derivative),
    "tanh": (tanh, tanh_derivative),
    "gelu": (gelu, gelu_derivative),
    "identity": (torch.clone, torch.ones_like),
}


class WithDerivative(torch.autograd.Function):
    """An elementwise function whose backward pass multiplies by the given derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Elementwise, slope: Elementwise) -> Tensor:
        ctx.save_for_backward(x)
        ctx.slope = slope
        return function(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return gradient * ctx.slope(x), None, None


class Activation(nn.Module):
    """One of ``FUNCTIONS``, or ``prelu``: max(0, x) + a min(0, x) with one learned a, initially 1/4. Any shape.

    Args:
        name: Which function.
    """

    def __init__(self, name: Name = "relu") -> None:
        super().__init__()
        self.name = name
        if name == "prelu":
            self.a = nn.Parameter(torch.tensor(0.25))

    def forward(self, x: Tensor) -> Tensor:
        if self.name == "prelu":
            return rectify(x) - self.a * rectify(-x)
        return WithDerivative.apply(x, *FUNCTIONS[self.name])


def rectify(x: Tensor) -> Tensor:
    return WithDerivative.apply(x, relu, relu_derivative)


class ActivationMLP(nn.Module):
    """One hidden layer with a hand-written activation. (B, ...) -> (B, num_classes) logits.

    Args:
        num_features: Numbers of a flattened sample.
        num_classes: Number of classes.
        hidden_size: Units of the hidden layer.
        activation: See ``Activation``.
    """

    def __init__(
        self, num_features: int = 784, num_classes: int = 10, hidden_size: int = 256, activation: Name = "relu"
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),  # (B, num_features)
            nn.Linear(num_features, hidden_size),
            Activation(activation),
            nn.Linear(hidden_size, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


@trains(ActivationMLP, num_features=flat_size)
class LitActivations(Classifier):
    """The MLP above as a classifier of images."""

    def panels(self) -> list[dict[str, Any]]:
        """For ``LinePlots``: the functions, and their derivatives."""
        x = torch.linspace(-5, 5, 501)
        names = [name for name in FUNCTIONS if name != "identity"]
        values = {name: (x, FUNCTIONS[name][0](x)) for name in names}
        slopes = {name: (x, FUNCTIONS[name][1](x)) for name in names}
        return [
            {"title": "activations", "xlabel": "x", "lines": values, "ylim": (-1.2, 3)},
            {"title": "slopes", "xlabel": "x", "lines": slopes},
        ]
