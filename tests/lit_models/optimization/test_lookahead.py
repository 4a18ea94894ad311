"""Lookahead: the battery around torch's Adam; half of the way after every k steps."""

from functools import partial

import pytest
import torch
from torch import nn

from common.messages import UserError
from lit_models.optimization.lookahead import Lookahead
from lit_models.optimization.sgd import SGD
from tests.lit_models.optimization.battery import OptimizerBattery


class TestLookahead(OptimizerBattery):
    make = partial(Lookahead, base=partial(torch.optim.Adam, lr=0.03))
    bad = [{"toward": 1.5}, {"toward": -0.1}, {"every": 0}]
    dense_only = False


def test_every_third_step_goes_half_of_the_way_back() -> None:
    p = nn.Parameter(torch.zeros(1))
    optimizer = Lookahead([p], base=partial(SGD, lr=1.0), every=3)
    places = []
    for _ in range(6):
        p.grad = -torch.ones(1)
        optimizer.step()
        places.append(p.item())
    assert places == [1.0, 2.0, 1.5, 2.5, 3.5, 3.0]


def test_none_at_a_time_is_refused() -> None:
    with pytest.raises(UserError, match="every is 0"):
        Lookahead([nn.Parameter(torch.zeros(1))], every=0)
