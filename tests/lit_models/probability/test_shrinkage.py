"""Ridge and lasso: the conditions of a minimum, exact zeros, and what cannot be fitted."""

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.probability.shrinkage import largest_penalty, lasso, ridge, soft_threshold


def data() -> tuple[Tensor, Tensor]:
    """Forty rows of eight columns, three of which matter."""
    x = torch.randn(40, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    noise = torch.randn(40, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return x, x @ torch.tensor([2.0, 0, 0, -1.5, 0, 0, 0.5, 0], dtype=torch.float64) + 0.3 * noise


def test_ridge_has_no_gradient_at_its_minimum() -> None:
    x, y = data()
    weights = ridge(x, y, 3.0)
    torch.testing.assert_close(x.T @ (y - x @ weights), 3.0 * weights)


def test_lasso_fulfills_the_conditions_of_a_minimum() -> None:
    """A weight that is not zero has a correlation of exactly the penalty with its sign; a zero one at most that."""
    x, y = data()
    weights = lasso(x, y, 5.0)
    correlation = x.T @ (y - x @ weights)
    kept = weights != 0
    torch.testing.assert_close(correlation[kept], 5.0 * weights[kept].sign())
    assert bool((correlation[~kept].abs() <= 5.0).all())


def test_lasso_finds_the_columns_that_matter_and_ridge_keeps_all() -> None:
    x, y = data()
    assert lasso(x, y, 12.0).nonzero().flatten().tolist() == [0, 3, 6]
    assert bool((ridge(x, y, 12.0) != 0).all())


def test_without_a_penalty_both_are_least_squares() -> None:
    x, y = data()
    expected = torch.linalg.lstsq(x, y[:, None]).solution[:, 0]
    torch.testing.assert_close(ridge(x, y, 0.0), expected)
    torch.testing.assert_close(lasso(x, y, 0.0), expected)


def test_from_the_largest_penalty_on_all_weights_are_zero() -> None:
    x, y = data()
    most = largest_penalty(x, y)
    assert not lasso(x, y, most).any()
    assert lasso(x, y, 0.99 * most).any()


def test_the_soft_threshold_is_the_minimum_of_its_objective() -> None:
    places = torch.linspace(-3, 3, 6001, dtype=torch.float64)
    for value in (-2.0, -0.3, 0.0, 0.5, 1.7):
        objective = (places - value).square() / 2 + 0.8 * places.abs()
        found = soft_threshold(torch.tensor(value, dtype=torch.float64), 0.8)
        assert abs(float(found - places[objective.argmin()])) < 1e-3


def test_a_column_of_zeros_has_no_weight() -> None:
    x, y = data()
    x[:, 2] = 0
    assert float(lasso(x, y, 1.0)[2]) == 0


@pytest.mark.parametrize(
    ("rows", "penalty", "words"),
    [(0, 1.0, "0 rows and 40 targets"), (40, -1.0, "the penalty is -1.0: it is at least 0")],
)
def test_what_cannot_be_fitted_is_one_line(rows: int, penalty: float, words: str) -> None:
    x, y = data()
    for fit in (ridge, lasso):
        with pytest.raises(UserError, match=words):
            fit(x[:rows], y, penalty)
