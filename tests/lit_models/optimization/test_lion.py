"""Lion: the battery, and the length of its steps."""

from functools import partial

import torch
from torch import nn

from lit_models.optimization.lion import Lion
from tests.lit_models.optimization.battery import OptimizerBattery


class TestLion(OptimizerBattery):
    make = partial(Lion, lr=0.01)
    bad = [{"lr": -0.1}, {"betas": (1.0, 0.9)}]


def test_every_parameter_moves_by_the_rate() -> None:
    p = nn.Parameter(torch.zeros(3))
    p.grad = torch.tensor([1e-6, -5.0, 0.0])
    Lion([p], lr=0.1).step()
    torch.testing.assert_close(p.detach(), torch.tensor([-0.1, 0.1, 0.0]))
