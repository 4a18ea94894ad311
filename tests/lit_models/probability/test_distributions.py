"""Each family's estimate is where the gradient vanishes, its samples have its moments, and wrong data is refused."""

import pytest
import torch

from common.messages import UserError
from lit_models.probability.distributions import Gaussian, Laplace, cholesky_of
from lit_models.probability.maximum_likelihood import Family, distribution
from scripts.evidence.parity.probability import rows_of

FAMILIES: list[Family] = ["bernoulli", "categorical", "exponential", "gaussian", "laplace", "poisson"]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_closed_form_has_no_gradient_left(family: Family) -> None:
    """Laplace's median has a subgradient that holds 0: with an even number of rows it is 0."""
    net, x = distribution(family, 3, 4).double(), rows_of(family)
    net.fit(x)
    best = net(x).mean()
    best.backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None
        assert float(parameter.grad.abs().max()) < 1e-12, name
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.1
    assert float(net(x).mean()) < float(best)


@pytest.mark.parametrize("family", FAMILIES)
def test_samples_have_the_estimate_they_were_drawn_with(family: Family) -> None:
    net = distribution(family, 3, 4).double()
    net.fit(rows_of(family))
    again = distribution(family, 3, 4).double()
    again.fit(net.sample(40_000, torch.Generator().manual_seed(0)))
    for (name, ours), other in zip(net.named_parameters(), again.parameters(), strict=True):
        ours, other = (p.softmax(1) if family == "categorical" else p for p in (ours, other))
        assert float((ours - other).detach().abs().max()) < 0.05, name


@pytest.mark.parametrize("family", ["exponential", "gaussian", "laplace"])
def test_a_density_integrates_to_one(family: Family) -> None:
    net = distribution(family, 1).double()
    with torch.no_grad():
        next(iter(net.parameters())).fill_(0.4)
    x = torch.linspace(0 if family == "exponential" else -40, 40, 400_001, dtype=torch.float64)[:, None]
    assert abs(float(torch.trapezoid(net(x).exp(), x[:, 0]).detach()) - 1) < 1e-6


def test_the_likelihoods_variance_is_too_small_by_one_nth() -> None:
    x = torch.randn(10, 1, dtype=torch.float64)
    net = Gaussian(1).double()
    net.fit(x)
    torch.testing.assert_close(net.cholesky().square()[0, 0].detach(), x.var() * 9 / 10)


def test_the_median_of_an_even_number_of_rows_is_between_the_middle_two() -> None:
    net = Laplace(1).double()
    net.fit(torch.tensor([[1.0], [2.0], [4.0], [100.0]], dtype=torch.float64))
    assert net.location.item() == 3.0


@pytest.mark.parametrize(
    ("family", "rows", "words"),
    [
        ("bernoulli", [[0.5]], "row 0, column 0.* is 0 or 1"),
        ("bernoulli", [[1.0], [1.0]], "all rows are equal"),
        ("categorical", [[0.0], [4.0]], "row 1.* is 0 to 3"),
        ("categorical", [[0.0], [1.0]], "column 0 of the data: the value 2 never occurs"),
        ("exponential", [[1.0], [-1.0]], "row 1, column 0.* at least 0"),
        ("poisson", [[1.5]], "a count is a whole number"),
        ("poisson", [[0.0]], "all counts are 0"),
        ("laplace", [[2.0], [2.0]], "all values are equal"),
    ],
)
def test_data_that_a_family_cannot_have_is_one_line(family: Family, rows: list[list[float]], words: str) -> None:
    with pytest.raises(UserError, match=words):
        distribution(family, 1, 4).double().fit(torch.tensor(rows, dtype=torch.float64))


def test_a_singular_covariance_names_its_column() -> None:
    x = torch.randn(50, 2, dtype=torch.float64)
    with pytest.raises(UserError, match="column 2 is a combination"):
        Gaussian(3).double().fit(torch.cat([x, x[:, :1]], 1))
    assert torch.equal(cholesky_of(torch.eye(2)), torch.eye(2))


def test_the_log_density_of_a_row_is_the_sum_of_its_columns() -> None:
    for family in ("bernoulli", "exponential", "laplace", "poisson"):
        x, wide, one = rows_of(family), distribution(family, 3).double(), distribution(family, 1).double()
        torch.testing.assert_close(wide(x), one(x[:, :1]) + one(x[:, 1:2]) + one(x[:, 2:]))
