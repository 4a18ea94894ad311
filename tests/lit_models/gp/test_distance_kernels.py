"""Kernels of a distance: what a length-scale is, far places, limits."""

import pytest
import torch

from lit_models.gp.distance_kernels import MaternOfPoints
from lit_models.gp.kernels import make_kernel
from tests.lit_models.gp.test_kernels import points


def test_a_far_origin_costs_no_digits() -> None:
    kernel, x = make_kernel("rbf", 2), points(6)
    torch.testing.assert_close(kernel(x + 2000, x + 2000), kernel(x, x), atol=1e-8, rtol=0)


def test_a_length_scale_is_a_length_not_its_square() -> None:
    kernel = make_kernel([{"scale": None, "rbf": {"length_scale": 2.0}}])
    x = torch.tensor([[0.0], [2.0]], dtype=torch.float64)
    assert float(kernel(x, x)[0, 1]) == pytest.approx(0.6065306597)  # exp(-1/2); the book's has exp(-1)


def test_matern_tends_to_rbf_and_rational_quadratic_is_rbf_for_a_large_alpha() -> None:
    x = points(6)
    rbf = make_kernel("rbf", 2)(x, x)
    kinds = [make_kernel([{"matern": {"smoothness": s}}], 2)(x, x) for s in (0.5, 1.5, 2.5)]
    errors = [float((k - rbf).abs().max()) for k in kinds]
    assert errors[0] > errors[1] > errors[2] > 0.01
    torch.testing.assert_close(make_kernel([{"rational_quadratic": {"alpha": 1e7}}], 2)(x, x), rbf, atol=1e-6, rtol=0)


def test_a_column_with_a_long_length_scale_is_irrelevant() -> None:
    kernel, x = make_kernel([{"rbf": {"length_scale": [1.0, 1e6]}}], 2), points(4)
    moved = x + torch.tensor([0.0, 5.0])
    torch.testing.assert_close(kernel(x, moved), kernel(x, x), atol=1e-9, rtol=0)


@pytest.mark.parametrize("smoothness", [1.5, 2.5])
def test_the_derivative_of_matern_is_that_of_differences_and_finite_between_equal_points(smoothness: float) -> None:
    a, b = (points(5, seed=seed).requires_grad_() for seed in (0, 1))
    assert torch.autograd.gradcheck(lambda x, y: MaternOfPoints.apply(x, y, smoothness), (a, b))  # type: ignore[no-untyped-call]
    kernel = make_kernel([{"matern": {"smoothness": smoothness}}], 2)
    x = torch.cat([points(3), points(3)])
    kernel(x, x).sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in kernel.parameters())


def test_near_points_keep_their_digits_in_short_length_scales() -> None:
    """By |a|^2 - 2 a.b + |b|^2 their distance would be rounding, and the matrix would have negative eigenvalues."""
    x = points(6).repeat(2, 1)
    x[6:] += 1e-9
    k = make_kernel([{"scale": None, "matern": {"length_scale": 1e-9}}], 2)(x, x).detach()
    near = k[torch.arange(6), torch.arange(6) + 6]
    d = torch.tensor(10.0, dtype=torch.float64).sqrt()  # sqrt(5) times the distance sqrt(2)
    expected = (1 + d + d.square() / 3) * (-d).exp()
    torch.testing.assert_close(near, expected.expand(6), rtol=1e-5, atol=0)
    assert float(torch.linalg.eigvalsh(k)[0]) > 0
