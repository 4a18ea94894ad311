"""SGD: the battery, and its own facts."""

from functools import partial

import pytest
import torch
from torch import nn

from common.messages import UserError
from lit_models.optimization.sgd import SGD
from tests.lit_models.optimization.battery import OptimizerBattery


class TestSGD(OptimizerBattery):
    make = partial(SGD, lr=0.1, momentum=0.9, nesterov=True)
    bad = [{"lr": -0.1}, {"momentum": 1.0}, {"momentum": -0.1}, {"weight_decay": -1.0}]


def test_nesterov_needs_momentum() -> None:
    with pytest.raises(UserError, match="nesterov"):
        SGD([nn.Parameter(torch.ones(1))], nesterov=True)


def test_a_constant_gradient_moves_ten_times_as_far_with_momentum() -> None:
    p = nn.Parameter(torch.zeros(1))
    optimizer = SGD([p], lr=0.1, momentum=0.9)
    for _ in range(300):
        p.grad = torch.ones(1)
        before = p.item()
        optimizer.step()
    assert before - p.item() == pytest.approx(1.0, rel=1e-4)  # lr / (1 - momentum)


def test_a_parameter_that_joins_later_begins_with_its_gradient() -> None:
    a, b = (nn.Parameter(torch.zeros(1)) for _ in range(2))
    optimizer = SGD([a, b], lr=1.0, momentum=0.5, dampening=0.5)
    a.grad = torch.ones(1)
    optimizer.step()
    a.grad, b.grad = torch.ones(1), torch.ones(1)
    optimizer.step()
    assert (a.item(), b.item()) == (-2.0, -1.0)


def test_sparse_gradients_move_their_rows_only() -> None:
    table = nn.Embedding(5, 2, sparse=True)
    before = table.weight.detach().clone()
    table(torch.tensor([1, 3, 3])).sum().backward()
    SGD(table.parameters(), lr=0.5).step()
    moved = before - table.weight.detach()
    torch.testing.assert_close(moved[:, 0], torch.tensor([0.0, 0.5, 0.0, 1.0, 0.0]))
