"""SAM: the battery, and the gradient of the worst point nearby."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.optimization.sam import SAM
from lit_models.optimization.sgd import SGD
from tests.lit_models.optimization.battery import ClosureBattery


class TestSAM(ClosureBattery):
    make = partial(SAM, base=partial(SGD, lr=0.1, momentum=0.9))
    bad = [{"radius": -0.1}]


def test_the_step_has_the_gradient_from_a_radius_uphill() -> None:
    p = nn.Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))
    optimizer = SAM([p], base=partial(SGD, lr=0.1), radius=0.5)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = p.pow(4).sum()
        loss.backward()
        return loss

    start = p.detach().clone()
    gradient = 4 * start**3
    uphill = start + 0.5 * gradient / gradient.norm()
    optimizer.step(closure)
    torch.testing.assert_close(p.detach(), start - 0.1 * 4 * uphill**3)


def test_accumulated_batches_are_refused() -> None:
    with pytest.raises(UserError, match="accumulate_grad_batches is 4"):
        SAM([nn.Parameter(torch.ones(1))]).check_run(SimpleNamespace(accumulate_grad_batches=4))
