"""Products with the Hessian, its largest eigenvalues, the noise of gradients, and slices through a loss."""

import pytest
import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.optimization.curvature import (
    Hessian,
    changes_along_gradient,
    filter_direction,
    gradient_noise_scale,
    lanczos,
    slice_of,
)

VALUES = torch.tensor([-3.0, 0.0, 0.0, 1.0, 2.0, 10.0], dtype=torch.float64)


def matrix(values: Tensor = VALUES) -> Tensor:
    """Symmetric with these eigenvalues."""
    q, _ = torch.linalg.qr(
        torch.randn(len(values), len(values), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    )
    return q @ torch.diag(values) @ q.T


def quadratic() -> tuple[Hessian, Tensor, Tensor]:
    """Of 1/2 x^T A x, whose gradient is A x and Hessian A; the parameter is split in two."""
    a = matrix()
    params = [nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64)), nn.Parameter(torch.ones(2, 2).double())]

    def loss() -> Tensor:
        x = torch.cat([p.flatten() for p in params])
        return x @ a @ x / 2

    return Hessian(loss, params), a, torch.tensor([1.0, -2.0, 1.0, 1.0, 1.0, 1.0], dtype=torch.float64)


def test_a_product_is_that_of_the_matrix() -> None:
    hessian, a, x = quadratic()
    vector = torch.randn(6, dtype=torch.float64)
    torch.testing.assert_close(hessian.product(vector), a @ vector)
    torch.testing.assert_close(hessian.gradient, a @ x)
    g = a @ x
    assert hessian.along_gradient() == pytest.approx(float(g @ a @ g / (g @ g)))


def test_lanczos_finds_all_eigenvalues_of_a_small_matrix_once() -> None:
    """Also a double one: its second copy is not in what one vector reaches."""
    found = lanczos(lambda v: matrix() @ v, torch.zeros(6, dtype=torch.float64))
    torch.testing.assert_close(found, torch.tensor([-3.0, 0.0, 1.0, 2.0, 10.0], dtype=torch.float64), atol=1e-8, rtol=0)


def test_a_few_products_find_the_largest_eigenvalue_of_a_large_matrix() -> None:
    a = matrix(torch.cat([torch.linspace(0, 1, 299, dtype=torch.float64), torch.tensor([5.0], dtype=torch.float64)]))
    found = lanczos(lambda v: a @ v, torch.zeros(300, dtype=torch.float64), steps=12)
    assert len(found) == 12
    assert float(found[-1]) == pytest.approx(5, abs=1e-6)


def test_a_rate_above_two_over_the_curvature_along_the_gradient_raises_the_loss() -> None:
    hessian, a, x = quadratic()
    limit, g = 2 / hessian.along_gradient(), a @ x

    def after(rate: float) -> float:
        moved = x - rate * g
        return float(moved @ a @ moved - x @ a @ x)

    assert after(0.99 * limit) < 0 < after(1.01 * limit)


def test_the_noise_scale_is_the_trace_of_the_covariance_over_the_squared_gradient() -> None:
    """Gradients of rows (3, 4) plus normal noise of covariance 4 I: 8 / 25."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.tensor([3.0, 4.0]) + 2 * torch.randn(40_000, 2, generator=generator)
    norms = [float(rows.view(-1, size, 2).mean(1).square().sum(1).mean()) for size in (10, 1000)]
    assert gradient_noise_scale(*norms, 10, 1000) == pytest.approx(8 / 25, rel=0.1)


def test_a_slice_does_not_see_that_a_layer_was_multiplied_and_the_next_divided() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)).double()
    nn.init.zeros_(net[0].bias)
    x, places = torch.randn(30, 4, dtype=torch.float64), torch.linspace(-1, 1, 5)

    def look() -> Tensor:
        params = list(net.parameters())
        direction = filter_direction(params, torch.Generator().manual_seed(3))
        return slice_of(lambda: net(x).square().mean(), params, direction, places)

    before = look()
    weights = net[0].weight.detach().clone()
    with torch.no_grad():
        net[0].weight.mul_(10)
        net[2].weight.div_(10)
    torch.testing.assert_close(look(), before)
    torch.testing.assert_close(net[0].weight.detach(), weights * 10)  # put back
    assert float(before.max() - before.min()) > 0.01


def test_what_cannot_be_measured_is_one_line() -> None:
    with pytest.raises(UserError, match="with 0 steps"):
        lanczos(lambda v: v, torch.zeros(2), steps=0)
    with pytest.raises(UserError, match="100 and 100 rows"):
        gradient_noise_scale(1.0, 1.0, 100, 100)


def test_the_changes_along_the_gradient_of_a_quadratic_are_its_curvature_and_nothing_is_moved() -> None:
    matrix = torch.diag(torch.tensor([1.0, 9.0], dtype=torch.float64))
    w = torch.tensor([1.0, 1.0], dtype=torch.float64, requires_grad=True)
    found = changes_along_gradient(lambda: w @ matrix @ w / 2, [w], [0.1, 0.3])
    g = matrix @ w.detach()
    for change, rise in found:
        assert change == pytest.approx(float((matrix @ g).norm() / g.norm()))
        assert rise == pytest.approx(float(g @ matrix @ g / (g @ g)))
    assert w.tolist() == [1.0, 1.0]
    with pytest.raises(UserError, match="above 0"):
        changes_along_gradient(lambda: w.sum(), [w], [0.0])
