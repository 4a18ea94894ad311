"""RMSProp and Adadelta: the battery and what their steps measure."""

from functools import partial

import pytest
import torch
from torch import nn

from lit_models.optimization.rmsprop import Adadelta, RMSProp
from tests.lit_models.optimization.battery import OptimizerBattery


class TestRMSProp(OptimizerBattery):
    make = partial(RMSProp, lr=0.01, centered=True, momentum=0.5)
    bad = [{"lr": -0.1}, {"alpha": 1.5}, {"momentum": -0.1}]


class TestAdadelta(OptimizerBattery):
    make = partial(Adadelta, rho=0.9, eps=1e-4)
    bad = [{"rho": 1.0}, {"eps": -1.0}]


def test_the_step_does_not_depend_on_the_scale_of_the_gradient() -> None:
    ends = []
    for scale in (1e-2, 1e3):
        p = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        optimizer = RMSProp([p], lr=0.1, alpha=0.9)
        for _ in range(5):
            p.grad = torch.tensor([scale], dtype=torch.float64)
            optimizer.step()
        ends.append(p.item())
    assert ends[0] == pytest.approx(ends[1], rel=1e-5)


def test_adadeltas_first_step_is_the_root_of_epsilon() -> None:
    p = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    p.grad = torch.tensor([100.0], dtype=torch.float64)
    Adadelta([p], rho=0.9, eps=1e-6).step()
    assert -p.item() == pytest.approx(1e-3 / 0.1**0.5, rel=1e-6)
