"""Kernels: the covariance of a function's values at two places, which says how the function looks.

Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", chapter 4; MacKay 1998 for the periodic
kernel; Williams 1998 for the arcsine kernel, that of a network of infinite width; Wilson and Adams 2013 for the
spectral mixture. D2L 18.2.
Departs from the book: ``rbfkernel(ls)`` of D2L 18.3 divides by 2 ls, so that its ``ls`` is the squared length-scale;
here a length-scale is a length. The arcsine kernel, which the book has in its text only, has code.

``make_kernel`` builds a sum of products from plain values, as in a recipe::

    kernel:
      - {scale: 66.0, rbf: {length_scale: 50}}                       # a slow trend, plus
      - {scale: 2.0, rbf: {length_scale: 90}, periodic: {period: 1}}  # a period whose shape changes slowly

Kernels of a distance are in ``distance_kernels.py``.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.gp.distance_kernels import RBF, Kernel, Matern, RationalQuadratic, Values, positive

Spec = str | list[dict[str, Any]]


class Linear(Kernel):
    """bias + sum_d slope_d a_d b_d: a line with normal coefficients of these variances, f(x) = w0 + w.x (D2L 18.2).

    Args:
        num_features, columns: See ``Kernel``.
        bias: Variance of w0.
        slope: Variance of w, one for all columns or one for each.
    """

    def __init__(self, num_features: int = 1, bias: float = 1.0, slope: Values = 1.0, columns: Any = None) -> None:
        super().__init__(num_features, columns)
        self.log_bias, self.log_slope = positive(bias, None, "bias"), positive(slope, self.width, "slope")

    def covariance(self, a: Tensor, b: Tensor) -> Tensor:
        return self.log_bias.exp() + (a * self.log_slope.exp()) @ b.T

    def diagonal(self, a: Tensor) -> Tensor:
        return self.log_bias.exp() + self.take(a).square() @ self.log_slope.exp()


class Periodic(Kernel):
    """exp(-2 sum_d sin^2(pi (a_d - b_d) / period_d) / length_scale_d^2).

    Args:
        num_features, columns: See ``Kernel``.
        period: After which a function repeats, one for all columns or one for each.
        length_scale: In a part of the period; a large one makes the function a sine.
    """

    def __init__(
        self, num_features: int = 1, period: Values = 1.0, length_scale: Values = 1.0, columns: Any = None
    ) -> None:
        super().__init__(num_features, columns)
        self.log_period = positive(period, self.width, "period")
        self.log_length_scale = positive(length_scale, self.width, "length_scale")

    def covariance(self, a: Tensor, b: Tensor) -> Tensor:
        turns = (a[:, None, :] - b[None, :, :]) / self.log_period.exp()  # (N, M, F)
        waves = (torch.sin(math.pi * turns) / self.log_length_scale.exp()).square().sum(-1)
        return (-2 * waves).exp()


class Arcsine(Kernel):
    """2/pi asin(2 a~.S b~ / sqrt((1 + 2 a~.S a~)(1 + 2 b~.S b~))), a~ = (1, a): a network of infinitely many erf units.

    Args:
        num_features, columns: See ``Kernel``.
        bias: Variance of the units' biases.
        slope: Variance of their weights, one for all columns or one for each; the output's weights have 1 / width.
    """

    def __init__(self, num_features: int = 1, bias: float = 1.0, slope: Values = 1.0, columns: Any = None) -> None:
        super().__init__(num_features, columns)
        self.log_bias, self.log_slope = positive(bias, None, "bias"), positive(slope, self.width, "slope")

    def _lengths(self, a: Tensor) -> Tensor:
        return 1 + 2 * (self.log_bias.exp() + a.square() @ self.log_slope.exp())  # (N,)

    def covariance(self, a: Tensor, b: Tensor) -> Tensor:
        inner = 2 * (self.log_bias.exp() + (a * self.log_slope.exp()) @ b.T)
        return 2 / math.pi * torch.asin(inner / (self._lengths(a)[:, None] * self._lengths(b)).sqrt())

    def diagonal(self, a: Tensor) -> Tensor:
        lengths = self._lengths(self.take(a))
        return 2 / math.pi * torch.asin((lengths - 1) / lengths)


class SpectralMixture(Kernel):
    """sum_q weight_q prod_d exp(-2 pi^2 delta_d^2 width_qd^2) cos(2 pi delta_d frequency_qd): any stationary kernel.

    Its spectrum is a mixture of normal distributions.

    Args:
        num_features, columns: See ``Kernel``.
        num_mixtures: Normal distributions Q of the spectrum.
        max_frequency: The frequencies to start from are spread up to this one, in turns per unit of x.
    """

    def __init__(
        self, num_features: int = 1, num_mixtures: int = 4, max_frequency: float = 1.0, columns: Any = None
    ) -> None:
        super().__init__(num_features, columns)
        places = (torch.arange(num_mixtures, dtype=torch.float64) + 0.5) / num_mixtures * max_frequency
        shape = (num_mixtures, self.width)
        self.log_weight = positive([1 / num_mixtures] * num_mixtures, num_mixtures, "weight")
        self.log_frequency = nn.Parameter(places.log()[:, None].expand(shape).clone())
        self.log_width = nn.Parameter(torch.full(shape, max_frequency / num_mixtures, dtype=torch.float64).log())

    def covariance(self, a: Tensor, b: Tensor) -> Tensor:
        delta = (a[:, None, :] - b[None, :, :])[:, :, None, :]  # (N, M, 1, F)
        decay = (-2 * (math.pi * delta * self.log_width.exp()).square()).exp()
        waves = torch.cos(2 * math.pi * delta * self.log_frequency.exp())
        return (decay * waves).prod(-1) @ self.log_weight.exp()

    def diagonal(self, a: Tensor) -> Tensor:
        return self.log_weight.exp().sum().expand(a.shape[0])


class Constant(Kernel):
    """The same covariance everywhere: a factor of a product.

    Args:
        num_features: See ``Kernel``.
        variance: To start from.
    """

    def __init__(self, num_features: int = 1, variance: float = 1.0) -> None:
        super().__init__(num_features)
        self.log_variance = positive(variance, None, "scale")

    def covariance(self, a: Tensor, b: Tensor) -> Tensor:
        return self.log_variance.exp().expand(a.shape[0], b.shape[0])

    def diagonal(self, a: Tensor) -> Tensor:
        return self.log_variance.exp().expand(a.shape[0])


class Combined(Kernel):
    """The sum or the product of kernels, which is a kernel.

    Args:
        parts: The kernels.
        product: Whether they are multiplied.
    """

    def __init__(self, parts: Sequence[Kernel], product: bool = False) -> None:
        super().__init__()
        self.parts, self.product = nn.ModuleList(parts), product

    def _together(self, found: list[Tensor]) -> Tensor:
        total = found[0]
        for each in found[1:]:
            total = total * each if self.product else total + each
        return total

    def covariance(self, a: Tensor, b: Tensor) -> Tensor:
        return self._together([part(a, b) for part in self.parts])

    def diagonal(self, a: Tensor) -> Tensor:
        return self._together([part.diagonal(a) for part in self.parts])  # type: ignore[operator]


KERNELS: dict[str, type[Kernel]] = {
    "linear": Linear,
    "rbf": RBF,
    "matern": Matern,
    "periodic": Periodic,
    "rational_quadratic": RationalQuadratic,
    "arcsine": Arcsine,
    "spectral_mixture": SpectralMixture,
}


def make_kernel(spec: Spec, num_features: int = 1) -> Kernel:
    """The kernel of a name, or the sum of the terms of a list; a term is the product of its kernels and its ``scale``.

    Args:
        spec: A name of ``KERNELS``, or a list of mappings from names to arguments. ``scale`` is the variance that the
            term starts with, 1 without it; null leaves the factor out.
        num_features: Columns of the inputs.

    Raises:
        UserError: An unknown kernel or argument.
    """
    terms = [{spec: {}}] if isinstance(spec, str) else spec
    if not terms:
        raise UserError("model.kernel has no terms: give a name such as rbf")
    made = [product_of(dict(term), num_features) for term in terms]
    return made[0] if len(made) == 1 else Combined(made)


def product_of(term: Mapping[str, Any], num_features: int) -> Kernel:
    """The product of the kernels of a term and its variance."""
    scale = term.get("scale", 1.0)
    parts: list[Kernel] = [] if scale is None else [Constant(num_features, scale)]
    for name, arguments in term.items():
        if name == "scale":
            continue
        if name not in KERNELS:
            raise UserError(f"model.kernel: {name!r} is unknown: {', '.join(KERNELS)}")
        try:
            parts.append(KERNELS[name](num_features, **(arguments or {})))
        except TypeError as error:
            raise UserError(f"model.kernel: {name}: {str(error).split('()')[-1].strip()}") from None
    if not parts or (len(parts) == 1 and scale is not None):
        raise UserError(f"model.kernel: a term has no kernel: name one of {', '.join(KERNELS)}")
    return parts[0] if len(parts) == 1 else Combined(parts, product=True)
