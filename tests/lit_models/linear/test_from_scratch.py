"""Linear regression from scratch: the battery, and every step against torch's own."""

from copy import deepcopy
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from lit_models.linear.from_scratch import LitFromScratch, ScratchLinear, ScratchSGD, half_squared_error
from tests.battery import ADAM, RegressorBattery


class TestLitFromScratch(RegressorBattery):
    parameters = 4  # three weights and a bias

    def model(self) -> LitFromScratch:
        return LitFromScratch(num_features=3, optimizer=partial(ScratchSGD, lr=0.3))

    def batch(self) -> tuple[Tensor, Tensor]:
        x = torch.randn(16, 3)
        return x, x.sum(1) / 2


def walk(lr_factor: float = 1.0) -> float:
    """The largest distance between our parameters and torch's over 20 steps on the same batches, in float64."""
    ours = ScratchLinear(3).double()
    theirs = nn.Linear(3, 1).double()
    with torch.no_grad():
        theirs.weight.copy_(ours.w.T)
        theirs.bias.copy_(ours.b)
    our_sgd = ScratchSGD(ours.parameters(), lr=0.1 * lr_factor)
    their_sgd = torch.optim.SGD(theirs.parameters(), lr=0.1)
    distance = 0.0
    for _ in range(20):
        x, y = torch.randn(8, 3, dtype=torch.float64), torch.randn(8, dtype=torch.float64)
        our_sgd.zero_grad()
        half_squared_error(ours(x), y).backward()
        our_sgd.step()
        their_sgd.zero_grad()
        (nn.functional.mse_loss(theirs(x)[:, 0], y) / 2).backward()
        their_sgd.step()
        apart = torch.cat([(ours.w.T - theirs.weight)[0], ours.b - theirs.bias])
        distance = max(distance, float(apart.detach().abs().max()))
    return distance


def test_every_step_equals_torchs_sgd() -> None:
    assert walk() < 1e-14


def test_the_comparison_sees_the_books_doubled_step() -> None:
    assert walk(lr_factor=2.0) > 1e-2  # nn.MSELoss without the half, D2L 3.5


def test_loss_does_not_broadcast_a_column_against_a_row() -> None:
    prediction, y = torch.randn(5, 1), torch.randn(5)
    torch.testing.assert_close(half_squared_error(prediction, y), ((prediction[:, 0] - y) ** 2).mean() / 2)
    assert not torch.isclose(half_squared_error(prediction, y), ((prediction - y) ** 2).mean() / 2)


def test_step_runs_its_closure_with_gradients_and_returns_the_loss() -> None:
    p = nn.Parameter(torch.tensor([3.0]))
    optimizer = ScratchSGD([p], lr=0.1)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = p.square().sum() / 2
        loss.backward()
        return loss

    with torch.no_grad():
        assert float(optimizer.step(closure)) == 4.5
    torch.testing.assert_close(p.detach(), torch.tensor([2.7]))


def test_parameters_without_a_gradient_stay() -> None:
    p, q = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    optimizer = ScratchSGD([p, q], lr=0.1)
    p.sum().backward()
    optimizer.step()
    assert float(p.detach()) == pytest.approx(0.9) and float(q.detach()) == 1.0


def test_groups_have_their_own_rate() -> None:
    p, q = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    optimizer = ScratchSGD([{"params": [p]}, {"params": [q], "lr": 1.0}], lr=0.1)
    (p + q).sum().backward()
    optimizer.step()
    assert float(p.detach()) == pytest.approx(0.9) and float(q.detach()) == 0.0


def test_schedules_and_state_dicts_of_torch_work_on_it() -> None:
    net = ScratchLinear(2)
    optimizer = ScratchSGD(net.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    schedule.step()
    again = ScratchSGD(deepcopy(net).parameters(), lr=1.0)
    again.load_state_dict(optimizer.state_dict())
    assert again.param_groups[0]["lr"] == 0.5


def test_any_other_optimizer_can_be_given() -> None:
    assert isinstance(LitFromScratch(optimizer=ADAM).configure_optimizers(), torch.optim.Adam)
