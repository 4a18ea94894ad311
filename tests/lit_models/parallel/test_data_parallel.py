"""Data parallelism by hand, in one process: the battery and the picture; several are in tests/distributed."""

import pytest
import torch
from torch import Tensor

from lit_models.parallel.data_parallel import LitDataParallel
from tests.battery import ADAM, ClassifierBattery
from tests.test_configs import meets_threshold, train_and_test


class TestLitDataParallel(ClassifierBattery):
    parameters = 61_706
    overfit_steps = 60

    def model(self) -> LitDataParallel:
        return LitDataParallel(activation="relu", averaging="bucketed", optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 28, 28), torch.arange(8)


def test_the_picture_shows_that_a_tree_is_for_small_tensors_and_a_ring_for_large_ones() -> None:
    small, large = LitDataParallel().panels()
    assert small["lines"]["tree"][1][-1] < small["lines"]["ring"][1][-1]
    assert large["lines"]["ring"][1][-1] < large["lines"]["tree"][1][-1] < large["lines"]["naive"][1][-1]


@pytest.mark.slow
def test_the_recipe_meets_its_threshold() -> None:
    assert meets_threshold(train_and_test("parallel/data_parallel"), "parallel/data_parallel")
