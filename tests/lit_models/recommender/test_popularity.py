"""Popularity: the battery, and the counts that a step lands on."""

from functools import partial
from pathlib import Path

import torch

from lit_models.recommender.popularity import LitPopularity
from tests.battery import RankerBattery

SGD = partial(torch.optim.SGD, lr=1.0)


class TestLitPopularity(RankerBattery):
    parameters = 15

    def model(self) -> LitPopularity:
        return LitPopularity(num_users=12, num_items=15, optimizer=SGD)

    def test_one_step_lands_on_the_fractions_of_users(self, tmp_path: Path) -> None:
        model, data, _ = self.fitted(tmp_path, 1)
        torch.testing.assert_close(model.net.weight.detach(), data.item_counts / 12.0)
