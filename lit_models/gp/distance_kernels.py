"""Kernels of a distance, and what all kernels share: RBF, Matern, rational quadratic.

Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", section 4.2. D2L 18.2.
Departs from the book: ``rbfkernel(ls)`` of D2L 18.3 divides by 2 ls, so that its ``ls`` is the squared length-scale;
here a length-scale is a length. Each hyper-parameter is positive and is stored as its logarithm, in double precision.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from common.messages import UserError

Values = float | Sequence[float]


def positive(value: Values, size: int | None, name: str) -> nn.Parameter:
    """The logarithm of a starting value, repeated to (size,) where one is given; (), where ``size`` is None."""
    start = torch.as_tensor(value, dtype=torch.float64)
    if not bool((start > 0).all()):
        raise UserError(f"model.kernel: {name} is {value}: give positive numbers")
    if size is not None and start.ndim and len(start) != size:
        raise UserError(f"model.kernel: {name} has {len(start)} values for {size} columns: give one, or one for each")
    return nn.Parameter(start.log().expand((size,) if size is not None else ()).clone())


class Kernel(nn.Module):
    """k(a, b): a (N, F), b (M, F) -> (N, M), positive semi-definite.

    Args:
        num_features: Columns F of the inputs.
        columns: Which of them the kernel looks at; all without it.
    """

    def __init__(self, num_features: int = 1, columns: Sequence[int] | None = None) -> None:
        super().__init__()
        self.columns = list(columns) if columns is not None else None
        self.width = len(self.columns) if self.columns is not None else num_features
        if self.columns is not None and not all(0 <= c < num_features for c in self.columns):
            raise UserError(f"model.kernel: columns {self.columns} of {num_features}: they are counted from 0")

    def take(self, x: Tensor) -> Tensor:
        return x if self.columns is None else x[:, self.columns]

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.covariance(self.take(a), self.take(b))

    def covariance(self, a: Tensor, b: Tensor) -> Tensor:
        """k of the kernel's own columns."""
        raise NotImplementedError

    def diagonal(self, a: Tensor) -> Tensor:
        """k(a_i, a_i) (N,): one, for a kernel of differences."""
        return torch.ones_like(a[:, 0])

    def hyperparameters(self) -> dict[str, Tensor]:
        """The values by name, those of parts with their place (``0.length_scale``)."""
        return {name.replace("log_", ""): p.detach().exp() for name, p in self.named_parameters()}


class OfDistance(Kernel):
    """A function of the distance in length-scales, one for each column (ARD) or one for all.

    Args:
        num_features, columns: See ``Kernel``.
        length_scale: To start from; the root of the number of columns without it, the usual distance of standardized
            points.
        ard: Whether each column has its own: a long one makes a column irrelevant.
    """

    def __init__(
        self, num_features: int = 1, length_scale: Values | None = None, ard: bool = True, columns: Any = None
    ) -> None:
        super().__init__(num_features, columns)
        start = math.sqrt(self.width) if length_scale is None else length_scale
        self.log_length_scale = positive(start, self.width if ard else 1, "length_scale")

    def squares(self, a: Tensor, b: Tensor) -> Tensor:
        """Squared distances by a matrix product, around the mean of a, so that years do not cancel."""
        middle = a.mean(0) if a.shape[0] else a.new_zeros(a.shape[1])
        a, b = (a - middle) / self.log_length_scale.exp(), (b - middle) / self.log_length_scale.exp()
        products = torch.addmm(b.square().sum(1)[None, :], a, b.T, alpha=-2)  # |b|^2 - 2 a.b
        return (products + a.square().sum(1, keepdim=True)).clamp(min=0)

    def distances(self, a: Tensor, b: Tensor) -> Tensor:
        """Distances, exactly zero between equal points, where their root has no derivative."""
        scale = self.log_length_scale.exp()
        return torch.cdist(a / scale, b / scale, compute_mode="donot_use_mm_for_euclid_dist")


class RBF(OfDistance):
    """exp(-d^2 / 2): functions that are smooth in all derivatives."""

    def covariance(self, a: Tensor, b: Tensor) -> Tensor:
        return (self.squares(a, b) / -2).exp()


class MaternOfPoints(torch.autograd.Function):
    """Matern's covariance (N, M) of points a (N, F), b (M, F) in length-scales, with its derivative by the squared
    distance r^2, which is finite where two points are the same; d = sqrt(2 smoothness) r.

    (1 + d) exp(-d) has -3/2 exp(-d), (1 + d + d^2 / 3) exp(-d) has -5/6 (1 + d) exp(-d). Distances are differences: a
    product would lose the digits of near points where a length-scale is short. Automatic differentiation of a distance
    would pass over all pairs and columns twice more.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, smoothness: float) -> Tensor:
        d = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").mul_(math.sqrt(2 * smoothness))
        decay = d.neg().exp_()
        ctx.smoothness = smoothness
        ctx.save_for_backward(a, b, d, decay)
        factor = d + 1 if smoothness == 1.5 else torch.addcmul(d + 1, d, d, value=1 / 3)
        return factor.mul_(decay)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:  # type: ignore[override]
        a, b, d, decay = ctx.saved_tensors
        by_square = (decay * -1.5 if ctx.smoothness == 1.5 else (d + 1).mul_(decay).mul_(-5 / 6)).mul_(grad)
        middle = a.mean(0) if len(a) else a.new_zeros(a.shape[1])  # so that years do not cancel
        a, b = a - middle, b - middle
        to_a = 2 * (by_square.sum(1, keepdim=True) * a - by_square @ b)
        return to_a, 2 * (by_square.sum(0)[:, None] * b - by_square.T @ a), None


class Matern(OfDistance):
    """Functions that are as rough as ``smoothness`` says.

    Args:
        num_features: See ``Kernel``.
        smoothness: 0.5 (Ornstein-Uhlenbeck, no derivative), 1.5 (one derivative) or 2.5 (two).
        **distance: See ``OfDistance``.
    """

    def __init__(self, num_features: int = 1, smoothness: float = 2.5, **distance: Any) -> None:
        super().__init__(num_features, **distance)
        if smoothness not in (0.5, 1.5, 2.5):
            raise UserError(f"model.kernel: smoothness is {smoothness}: matern has 0.5, 1.5 and 2.5; rbf is the limit")
        self.smoothness = smoothness

    def covariance(self, a: Tensor, b: Tensor) -> Tensor:
        if self.smoothness == 0.5:  # has a kink at 0
            return (-self.distances(a, b)).exp()
        scale = self.log_length_scale.exp()
        return MaternOfPoints.apply(a / scale, b / scale, self.smoothness)  # type: ignore[no-any-return, no-untyped-call]


class RationalQuadratic(OfDistance):
    """(1 + d^2 / (2 alpha))^-alpha: a mixture of RBF kernels of many length-scales.

    Args:
        num_features: See ``Kernel``.
        alpha: How alike the length-scales are; RBF for a large one.
        **distance: See ``OfDistance``.
    """

    def __init__(self, num_features: int = 1, alpha: float = 1.0, **distance: Any) -> None:
        super().__init__(num_features, **distance)
        self.log_alpha = positive(alpha, None, "alpha")

    def covariance(self, a: Tensor, b: Tensor) -> Tensor:
        alpha = self.log_alpha.exp()
        return (-alpha * torch.log1p(self.squares(a, b) / (2 * alpha))).exp()
