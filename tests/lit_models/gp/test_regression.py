"""The equations against their definitions, and the book's worked numbers."""

from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.gp.kernels import make_kernel
from lit_models.gp.regression import (
    condition,
    leave_one_out,
    log_marginal_likelihood,
    refuse_too_many,
    safe_cholesky,
    sample,
)


def problem(n: int = 12) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    y = torch.randn(n, generator=generator, dtype=torch.float64)
    return make_kernel("rbf", 2)(x, x).detach() + 0.1 * torch.eye(n, dtype=torch.float64), y


@pytest.mark.parametrize(("k", "mean", "low", "high"), [(0.9, 1.08, 0.64, 1.52), (0.95, 1.14, 0.83, 1.45)])
def test_the_books_worked_numbers(k: float, mean: float, low: float, high: float) -> None:
    """D2L 18.1: f(x1) = 1.2 is observed, its covariance with f(x) is k, the variances are 1.

    The book's intervals reach one standard deviation to each side, which is 68 %, not two.
    """
    one = torch.ones(1, 1, dtype=torch.float64)
    factor, alpha = safe_cholesky(one), 1.2 * one[0]
    found, variance = condition(k * one, one[0], factor, alpha)
    assert float(found) == pytest.approx(mean, abs=0.005)
    ends = (found - variance.sqrt(), found + variance.sqrt())
    assert [float(end) for end in ends] == pytest.approx([low, high], abs=0.005)


def test_marginal_likelihood_is_torchs_normal_density() -> None:
    covariance, y = problem()
    expected = torch.distributions.MultivariateNormal(torch.zeros(len(y)).double(), covariance).log_prob(y)
    torch.testing.assert_close(log_marginal_likelihood(covariance, y), expected)


def test_its_closed_form_gradient_is_that_of_automatic_differentiation() -> None:
    covariance, y = (t.requires_grad_() for t in problem())
    mine = torch.autograd.grad(3 * log_marginal_likelihood(covariance, y), [covariance, y])
    normal = torch.distributions.MultivariateNormal(torch.zeros(len(y)).double(), covariance, validate_args=False)
    expected = torch.autograd.grad(3 * normal.log_prob(y), [covariance, y])
    torch.testing.assert_close(mine[0], (expected[0] + expected[0].T) / 2)
    torch.testing.assert_close(mine[1], expected[1])


def test_leave_one_out_is_leaving_one_out() -> None:
    covariance, y = problem()
    mean, variance = leave_one_out(covariance, y)
    for i in range(len(y)):
        rest = torch.arange(len(y)) != i
        k, cross = covariance[rest][:, rest], covariance[rest, i]
        torch.testing.assert_close(mean[i], cross @ torch.linalg.solve(k, y[rest]))
        torch.testing.assert_close(variance[i], covariance[i, i] - cross @ torch.linalg.solve(k, cross))


def test_jitter_is_added_where_it_is_needed_and_nowhere_else() -> None:
    covariance, _ = problem()
    assert torch.equal(safe_cholesky(covariance), torch.linalg.cholesky(covariance))
    ones = torch.ones(5, 5, dtype=torch.float64)  # of rank one
    factor = safe_cholesky(ones)
    torch.testing.assert_close(factor @ factor.T, ones, atol=1e-7, rtol=0)


def test_a_matrix_that_is_no_covariance_is_refused_with_its_smallest_eigenvalue() -> None:
    with pytest.raises(UserError, match=r"smallest eigenvalue is -0\.5"):
        safe_cholesky(torch.tensor([[1.0, 1.5], [1.5, 1.0]], dtype=torch.float64))
    with pytest.raises(UserError, match="not finite"):
        safe_cholesky(torch.full((2, 2), float("nan"), dtype=torch.float64))


def test_samples_have_the_covariance() -> None:
    covariance, _ = problem(4)
    torch.manual_seed(0)
    drawn = sample(covariance, 40_000, mean=2.0)
    torch.testing.assert_close(drawn.mean(0), torch.full((4,), 2.0).double(), atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), covariance, atol=0.04, rtol=0)


def test_rows_on_a_gpu_are_counted_against_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class Rows:
        device = torch.device("cuda")

        def __len__(self) -> int:
            return 10_000

    x: Any = Rows()
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 80 * 2**30))
    refuse_too_many(x, "use fewer")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 2**30))
    with pytest.raises(UserError, match="10,000 rows needs 4 GiB, this GPU has 1: use fewer"):
        refuse_too_many(x, "use fewer")
