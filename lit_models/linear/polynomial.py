"""Generalization: one noisy cubic, and polynomials that are too small, right and too large for it.

D2L 3.6, which describes it without code; the experiment is that of the book's earlier editions.
Departs from them: x is uniform and 20 points are given, so that a polynomial of degree 19 can go through all of them
and does: training error zero, validation error very large. ``fits.png`` has the three curves, and the errors of
every degree, which only the validation split tells apart.

    dive fit linear/polynomial                       degree 3, as the data, offline
    dive fit linear/polynomial --model.degree 1      underfits: both errors are large

The numbers it reaches are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn

from lit_models.linear.linear_regression import LinearRegression, closed_form
from lit_models.tasks.regressor import Regressor
from lit_models.tasks.trains import trains


def powers(x: Tensor, degree: int) -> Tensor:
    """x^k / k! for k from 1 to ``degree``: (B, 1) -> (B, degree). The factorial keeps high powers small."""
    k = torch.arange(1, degree + 1, device=x.device, dtype=x.dtype)
    return x**k / torch.exp(torch.lgamma(k + 1))


class Polynomial(nn.Module):
    """A polynomial, linear in its coefficients. (B, 1) -> (B, 1).

    Args:
        degree: Highest power, at least 1.
    """

    def __init__(self, degree: int = 3) -> None:
        super().__init__()
        self.degree = degree
        self.regression = LinearRegression(degree)

    def forward(self, x: Tensor) -> Tensor:
        return self.regression(powers(x, self.degree))


def least_squares(x: Tensor, y: Tensor, degree: int) -> Polynomial:
    """The polynomial of ``degree`` with the least squared error at x (N, 1), y (N,), in double precision.

    The minimum is found exactly, so that what is seen is the model's size and not how long it was trained.
    """
    x, y = x.double(), y.double()
    net = Polynomial(degree).double()
    features = powers(x, degree)
    scale = features.norm(dim=0)  # columns of one length: else the solver drops the high powers as noise
    weights, bias = closed_form(features / scale, y)
    weights = weights / scale
    net.regression.linear.load_state_dict({"weight": weights[None], "bias": bias[None]})
    return net


def rmse(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """Root mean squared error of a network on x (N, 1), y (N,)."""
    with torch.no_grad():
        return float((net(x.double())[:, 0] - y.double()).square().mean().sqrt())


@trains(Polynomial)
class LitPolynomial(Regressor):
    """A polynomial of one number, trained by gradient descent.

    Args:
        num_features: Numbers in x, which must be 1.
        **task: See ``Task``.
    """

    def __init__(self, num_features: int = 1, **task: Any) -> None:
        if num_features != 1:
            raise ValueError(f"num_features is {num_features}: a polynomial of one number takes 1")
        super().__init__(**task)

    def panels(self) -> list[dict[str, Any]]:
        """For ``LinePlots``: exact fits of degree 1, 3 and N - 1, and the errors of every degree."""
        splits = self.data_attribute("splits", {})
        if not {"train", "val"} <= set(splits):
            return []
        (x, y), val = splits["train"][:2], splits["val"][:2]
        most = len(x) - 1
        line = torch.linspace(float(x.min()), float(x.max()), 300)[:, None]
        curves = {}
        for name, degree in (("too small", 1), ("right", 3), ("too large", most)):
            with torch.no_grad():
                curves[f"degree {degree}: {name}"] = (line, least_squares(x, y, degree)(line.double()))
        degrees = torch.arange(1, most + 1)
        nets = [least_squares(x, y, int(degree)) for degree in degrees]
        errors = {
            name: (degrees, torch.tensor([rmse(net, *split) for net in nets]).clamp(min=1e-4))
            for name, split in (("training", (x, y)), ("validation", val))
        }
        room = 0.3 * float(y.max() - y.min())
        limits = (float(y.min()) - room, float(y.max()) + room)
        return [
            {"title": "three fits", "xlabel": "x", "points": {"training": (x, y)}, "lines": curves, "ylim": limits},
            {"title": "rmse (at least 0.0001)", "xlabel": "degree", "lines": errors, "log": True},
        ]
