"""EASE: the battery, and the conditions of the optimum."""

from functools import partial

import torch

from lit_models.recommender.ease import LitEASE, ease_weights
from tests.battery import RankerBattery

SGD = partial(torch.optim.SGD, lr=1.0)


class TestLitEASE(RankerBattery):
    parameters = 15 * 15

    def model(self) -> LitEASE:
        return LitEASE(num_users=12, num_items=15, ridge=2.0, optimizer=SGD)


def test_no_item_predicts_itself_and_the_gradient_elsewhere_is_zero() -> None:
    torch.manual_seed(0)
    x = (torch.rand(30, 6, dtype=torch.float64) < 0.4).double()
    weights = ease_weights(x.T @ x, 3.0)
    assert not weights.diagonal().any()
    gradient = x.T @ (x @ weights - x) + 3.0 * weights
    assert float((gradient - gradient.diagonal().diag()).abs().max()) < 1e-10
