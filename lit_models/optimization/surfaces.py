"""Functions of one or two numbers with known minima: the landscapes of D2L 12.

``SURFACES`` has each by its name; a function takes points (N, D) and returns values (N,).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Surface:
    """A function to descend.

    Args:
        function: (N, D) -> (N,).
        minima: Where it is lowest.
        limits: (low, high) of each dimension, for pictures.
    """

    function: Callable[[Tensor], Tensor]
    minima: list[list[float]]
    limits: list[tuple[float, float]]

    @property
    def lowest(self) -> float:
        return float(self.function(torch.tensor(self.minima[:1], dtype=torch.float64)))


def rosenbrock(x: Tensor) -> Tensor:
    """A curved valley whose floor falls slowly: Rosenbrock 1960."""
    return (1 - x[:, 0]).square() + 100 * (x[:, 1] - x[:, 0].square()).square()


def beale(x: Tensor) -> Tensor:
    """Flat regions and steep corners (Beale 1958)."""
    a, b = x[:, 0], x[:, 1]
    return (1.5 - a + a * b).square() + (2.25 - a + a * b**2).square() + (2.625 - a + a * b**3).square()


def himmelblau(x: Tensor) -> Tensor:
    """Four minima of the same depth (Himmelblau 1972)."""
    a, b = x[:, 0], x[:, 1]
    return (a.square() + b - 11).square() + (a + b.square() - 7).square()


def tilted_saddle(x: Tensor) -> Tensor:
    """x^2 - y^2 near zero, with walls: a saddle between two minima."""
    a, b = x[:, 0], x[:, 1]
    return a.square() - b.square() + b.pow(4) / 2


HIMMELBLAU = [
    [3.0, 2.0],
    [-2.805118086952745, 3.131312518250573],
    [-3.779310253377747, -3.283185991286170],
    [3.584428340330492, -1.848126526964404],
]
SURFACES = {
    "square": Surface(lambda x: x[:, 0].square(), [[0.0]], [(-11, 11)]),  # D2L 12.3.1
    "bowl": Surface(lambda x: x[:, 0].square() + 2 * x[:, 1].square(), [[0.0, 0.0]], [(-5.5, 1), (-3, 1)]),  # 12.3.2
    "narrow_bowl": Surface(  # D2L 12.6.1
        lambda x: 0.1 * x[:, 0].square() + 2 * x[:, 1].square(), [[0.0, 0.0]], [(-5.5, 1), (-3, 2)]
    ),
    "cosh": Surface(lambda x: torch.cosh(x[:, 0] / 2), [[0.0]], [(-10, 10)]),  # D2L 12.3.3
    "waves": Surface(  # x cos(pi x), D2L 12.1.2.1: a local minimum at 1.09, and lower ones outside of the picture
        lambda x: x[:, 0] * torch.cos(math.pi * x[:, 0]), [[-2.0490556504686923]], [(-2.2, 2.2)]
    ),
    "saddle": Surface(tilted_saddle, [[0.0, 1.0], [0.0, -1.0]], [(-2, 2), (-1.6, 1.6)]),
    "rosenbrock": Surface(rosenbrock, [[1.0, 1.0]], [(-1.7, 1.7), (-0.7, 1.7)]),
    "beale": Surface(beale, [[3.0, 0.5]], [(-0.5, 4.2), (-1.5, 1.5)]),
    "himmelblau": Surface(himmelblau, HIMMELBLAU, [(-5, 5), (-5, 5)]),
}
