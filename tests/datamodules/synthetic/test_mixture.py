"""The mixture: its density, score and samples agree, with noise too."""

import pytest
import torch

from common.messages import UserError
from datamodules.synthetic.mixture import MixturePoints, places


def test_points_have_mean_0_and_variance_1() -> None:
    x = MixturePoints(num_train=50_000).load("fit")["train"][0]
    assert float(x.mean(0).abs().max()) < 0.02
    torch.testing.assert_close(x.std(0), torch.ones(2), atol=0.01, rtol=0)


@pytest.mark.parametrize(("a", "s"), [(1.0, 0.0), (0.6, 0.8)])
def test_score_is_the_gradient_of_the_density(a: float, s: float) -> None:
    mixture = MixturePoints(num_modes=9, arrangement="grid").mixture
    x = torch.randn(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    (gradient,) = torch.autograd.grad(mixture.log_prob(x, a, s).sum(), x)
    torch.testing.assert_close(mixture.score(x, a, s).detach(), gradient)


def test_density_sums_to_one() -> None:
    line = torch.linspace(-6, 6, 400, dtype=torch.float64)
    grid = torch.cartesian_prod(line, line)
    total = MixturePoints().mixture.log_prob(grid, 0.8, 0.5).exp().sum() * (line[1] - line[0]) ** 2
    assert abs(float(total) - 1) < 1e-6


def test_each_row_may_have_its_own_level() -> None:
    mixture, x = MixturePoints().mixture, torch.randn(3, 2)
    a, s = torch.tensor([[1.0], [0.5], [0.1]]), torch.tensor([[0.1], [0.8], [1.0]])
    rows = [mixture.log_prob(x[k : k + 1], float(a[k]), float(s[k])) for k in range(3)]
    torch.testing.assert_close(mixture.log_prob(x, a, s), torch.cat(rows))


def test_coverage_sees_a_missing_component_and_points_outside() -> None:
    mixture = MixturePoints().mixture
    x, k = mixture.sample(4000, torch.Generator().manual_seed(0))
    shares, inside = mixture.coverage(x[k > 0])
    assert int((shares >= 1 / 16).sum()) == 7 and float(shares[0]) == 0
    assert abs(float(inside) - 0.989) < 0.006  # of a round Gaussian in the plane, 1 - exp(-9 / 2) are that near
    assert float(mixture.coverage(torch.zeros(5, 2))[1]) == 0


def test_chance_is_one_gaussian_and_below_the_mixtures_own_likelihood() -> None:
    data = MixturePoints()
    data.splits = data.load("test")
    chance = data.baselines()["chance"]["metrics"]["test/log_likelihood"]
    assert abs(chance + 2.838) < 0.02  # of two standard normal numbers, -log(2 pi e)
    assert float(data.mixture.log_prob(data.splits["test"][0]).mean()) > chance + 1.5


def test_numbers_that_cannot_be_are_one_line() -> None:
    with pytest.raises(UserError, match="a square number"):
        places("grid", 8)
    with pytest.raises(UserError, match=r"data\.std is 1"):
        MixturePoints(std=1.0)
