"""Schedule-free AdamW: the battery; y in training, x in evaluation."""

from functools import partial

import torch

from lit_models.optimization.schedule_free import ScheduleFreeAdamW
from tests.lit_models.optimization.battery import OptimizerBattery, Problem


class TestScheduleFreeAdamW(OptimizerBattery):
    make = partial(ScheduleFreeAdamW, lr=0.05, warmup=5)
    bad = [{"lr": -1.0}, {"betas": (0.9, 1.0)}, {"warmup": -1}]


def test_training_and_evaluation_have_different_weights_and_switching_is_exact() -> None:
    problem = Problem()
    optimizer = ScheduleFreeAdamW(problem.net.parameters(), lr=0.05)
    problem.train(optimizer, 20)
    y = problem.weights()
    optimizer.eval()
    x = problem.weights()
    assert float((x - y).abs().max()) > 1e-4
    optimizer.eval()
    assert torch.equal(problem.weights(), x)
    optimizer.train()
    assert torch.equal(problem.weights(), y)
