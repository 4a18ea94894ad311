"""Parameters of a network: drawing them by class of layer, and finding those that are one under several names.

D2L 6.2, 6.3.
Departs from the book: initializers are chosen by ``isinstance`` over the whole tree, where ``apply`` with
``type(m) == nn.Linear`` passes over subclasses in silence; a layer that no rule covers can be asked for.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

Initializer = Callable[[Tensor], object]


def initialize(
    module: nn.Module, weights: Mapping[type[nn.Module], Initializer], bias: Initializer = nn.init.zeros_
) -> list[str]:
    """Draws ``weight`` of every layer by the first class that it is an instance of, and ``bias`` by ``bias``.

    Args:
        module: Any network.
        weights: Class of layer to initializer, e.g. ``{nn.Conv2d: he_, nn.Linear: nn.init.xavier_uniform_}``.
        bias: Of the same layers.

    Returns:
        Names of the layers with a weight that no class covers: they are as they were.
    """
    left = []
    for name, layer in module.named_modules():
        weight = getattr(layer, "weight", None)
        if not isinstance(weight, nn.Parameter):
            continue
        initializer = next((weights[kind] for kind in weights if isinstance(layer, kind)), None)
        if initializer is None:
            left.append(name)
            continue
        initializer(weight)
        if isinstance(getattr(layer, "bias", None), nn.Parameter):
            bias(layer.bias)  # type: ignore[arg-type]
    return left


@torch.no_grad()
def tails_(weight: Tensor) -> Tensor:
    """The book's own distribution (D2L 6.3.2): U(-10, 10), with values between -5 and 5 set to zero."""
    weight.uniform_(-10, 10)
    return weight.mul_(weight.abs() >= 5)


def tied(module: nn.Module) -> list[list[str]]:
    """The names of each parameter that has several: one tensor, one gradient, one entry in ``parameters()``.

    ``state_dict`` lists it under every name, so that a sum over its sizes counts it several times.
    """
    names: dict[int, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return [group for group in names.values() if len(group) > 1]
