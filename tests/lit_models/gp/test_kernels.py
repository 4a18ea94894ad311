"""Each kernel: symmetric, positive semi-definite, its diagonal, its gradient; and what single ones say of functions."""

from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.gp.kernels import KERNELS, make_kernel

SPECS: dict[str, Any] = {
    **{name: name for name in KERNELS},
    "rough": [{"matern": {"smoothness": 0.5, "length_scale": 0.7}}],
    "once": [{"matern": {"smoothness": 1.5, "ard": False}}],
    "sum of products": [{"scale": 2.0, "rbf": {}, "periodic": {"columns": [1], "period": 0.7}}, {"linear": {}}],
    "no scale": [{"scale": None, "rbf": {}}],
}


def points(n: int, seed: int = 0) -> Tensor:
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", SPECS)
def test_a_kernel_is_symmetric_and_positive_semi_definite(name: str) -> None:
    kernel, x = make_kernel(SPECS[name], 2), points(20)
    k = kernel(x, x).detach()
    torch.testing.assert_close(k, k.T)
    assert float(torch.linalg.eigvalsh(k)[0]) > -1e-10
    torch.testing.assert_close(kernel.diagonal(x), k.diagonal())
    torch.testing.assert_close(kernel(x, points(3, 1)).detach(), kernel(points(3, 1), x).detach().T)


@pytest.mark.parametrize("name", SPECS)
def test_gradients_of_all_hyper_parameters_are_those_of_finite_differences(name: str) -> None:
    kernel, x = make_kernel(SPECS[name], 2), points(5)
    weights = torch.randn(5, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def value() -> Tensor:
        return (weights * kernel(x, x)).sum()

    value().backward()
    for parameter in kernel.parameters():
        assert parameter.grad is not None
        with torch.no_grad():
            parameter += 1e-5
            above = value()
            parameter -= 2e-5
            below = value()
            parameter += 1e-5
        assert float(parameter.grad.sum()) == pytest.approx(float(above - below) / 2e-5, abs=1e-6)


def test_the_line_of_the_book_has_bands_that_grow_with_x() -> None:
    """D2L 18.2: f = w0 + w1 x with unit normal coefficients lies within 2 sqrt(1 + x^2) in 95 % of cases."""
    x = torch.linspace(-5, 5, 11, dtype=torch.float64)[:, None]
    kernel = make_kernel([{"scale": None, "linear": {}}])
    torch.testing.assert_close(2 * kernel.diagonal(x).sqrt(), 2 * (1 + x[:, 0] ** 2).sqrt())


def test_a_period_apart_is_the_same_place() -> None:
    kernel = make_kernel([{"scale": None, "periodic": {"period": 0.5}}])
    x = torch.tensor([[0.1], [0.6], [0.35]], dtype=torch.float64)
    assert kernel(x, x)[0].tolist() == pytest.approx([1, 1, float(kernel(x, x)[2, 0])])
    assert float(kernel(x, x)[0, 2]) < 0.2


def test_arcsine_is_the_covariance_of_wide_networks_of_erf_units() -> None:
    """The average over 40,000 random units; an average over 100 is ten to twenty times further away."""
    kernel, x = make_kernel([{"scale": None, "arcsine": {"bias": 0.5, "slope": 2.0}}], 2), points(6)
    generator = torch.Generator().manual_seed(0)

    def network(width: int) -> Tensor:
        weights = 2**0.5 * torch.randn(2, width, generator=generator, dtype=torch.float64)
        units = torch.erf(x @ weights + 0.5**0.5 * torch.randn(width, generator=generator, dtype=torch.float64))
        return units @ units.T / width

    narrow, wide = (float((network(w) - kernel(x, x)).abs().max()) for w in (100, 40_000))
    assert wide < 0.015 < 0.05 < narrow


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("rfb", "'rfb' is unknown: linear, rbf"),
        ([{"rbf": {"lengthscale": 1}}], "lengthscale"),
        ([{"rbf": {"length_scale": -1.0}}], "positive"),
        ([{"rbf": {"length_scale": [1.0, 2.0, 3.0]}}], "3 values for 2 columns"),
        ([{"rbf": {"columns": [2]}}], "counted from 0"),
        ([{"matern": {"smoothness": 1.0}}], "0.5, 1.5 and 2.5"),
        ([{"scale": 2.0}], "no kernel"),
        ([], "no terms"),
    ],
)
def test_a_wrong_kernel_is_refused_in_a_line(spec: Any, says: str) -> None:
    with pytest.raises(UserError, match=says):
        make_kernel(spec, 2)
