"""Implicit ALS: the battery, and what a sweep does."""

from functools import partial
from pathlib import Path

import torch

from lit_models.recommender.als import LitALS, least_squares
from tests.battery import RankerBattery

SGD = partial(torch.optim.SGD, lr=1.0)


class TestLitALS(RankerBattery):
    parameters = (12 + 15) * 3

    def model(self) -> LitALS:
        return LitALS(num_users=12, num_items=15, embed_size=3, ridge=1.0, optimizer=SGD)

    def test_a_known_users_history_folds_in_to_its_own_scores(self, tmp_path: Path) -> None:
        """After many sweeps a user's vector is the solution for its items; a new user with the same items gets it."""
        model, data, _ = self.fitted(tmp_path, 200)
        users, history, _ = data.transform(data.splits["val"])
        torch.testing.assert_close(model.fold_in(history), model.net(users, history), atol=1e-4, rtol=1e-3)


def test_a_solution_has_no_gradient() -> None:
    torch.manual_seed(0)
    has = (torch.rand(5, 8, dtype=torch.float64) < 0.4).double()
    vectors = torch.randn(8, 3, dtype=torch.float64)
    found = least_squares(has, vectors, 4.0, 0.7).requires_grad_()
    confidence = 1 + 3 * has
    loss = (confidence * (has - found @ vectors.T).square()).sum() + 0.7 * found.square().sum()
    loss.backward()
    assert found.grad is not None and float(found.grad.abs().max()) < 1e-10
