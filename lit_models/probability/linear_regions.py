"""Depth: how many linear pieces a ReLU network has along a line.

Montufar et al. 2014, "On the number of linear regions of deep neural networks"; Telgarsky 2016. Goodfellow et al.
6.4.1, figure 6.5. A layer folds the line, so that pieces multiply with depth and only add with width: the sawtooth of
L layers of two units has exactly 2^L pieces, a single layer of n units at most n + 1.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn


def patterns(net: nn.Sequential, x: Tensor) -> Tensor:
    """Which ReLU units are on: x (N, D) -> (N, units), of a Sequential of layers."""
    on = []
    for layer in net:
        x = layer(x)
        if isinstance(layer, nn.ReLU):
            on.append(x > 0)
    return torch.cat(on, 1)


@torch.no_grad()
def pieces(net: nn.Sequential, start: Tensor, end: Tensor, points: int = 10_000) -> int:
    """Linear pieces of the network from one point to another, seen at so many points between them.

    Neighboring points with the same units on are in one piece. Pieces shorter than the distance of two points are
    missed.

    Args:
        net: Linear layers and ReLUs.
        start, end: (D,).
        points: Between them.
    """
    t = (torch.arange(points, dtype=start.dtype) + 0.618) / points  # on no fold at a fraction of a power of two
    on = patterns(net, start + t[:, None] * (end - start))
    return 1 + int((on[1:] != on[:-1]).any(1).sum())


def sawtooth(depth: int) -> nn.Sequential:
    """The tent map 2 min(x, 1 - x) on [0, 1], ``depth`` times: 2^depth pieces from two units in each layer."""
    layers: list[nn.Module] = []
    for k in range(depth):
        units = nn.Linear(1 if k == 0 else 2, 2, dtype=torch.float64)  # relu(x) and relu(x - 1/2)
        tent = torch.tensor([[1.0]]) if k == 0 else torch.tensor([[2.0, -4.0]])  # x of the layer before
        with torch.no_grad():
            units.weight.copy_(tent.expand(2, -1))
            units.bias.copy_(torch.tensor([0.0, -0.5]))
        layers += [units, nn.ReLU()]
    last = nn.Linear(2, 1, dtype=torch.float64)
    with torch.no_grad():
        last.weight.copy_(torch.tensor([[2.0, -4.0]]))
        last.bias.zero_()
    return nn.Sequential(*layers, last)


def random_network(depth: int, width: int, num_features: int = 1, seed: int = 0) -> nn.Sequential:
    """He-initialized layers with biases of deviation 0.1, to count the pieces of."""
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    sizes = [num_features] + [width] * depth
    for fan_in, fan_out in pairwise(sizes):
        linear = nn.Linear(fan_in, fan_out, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.normal_(std=(2 / fan_in) ** 0.5, generator=generator)
            linear.bias.normal_(std=0.1, generator=generator)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers)
