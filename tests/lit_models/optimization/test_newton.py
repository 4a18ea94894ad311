"""Newton: the battery; one step on a quadratic; what damping and absolute values are for; what is refused."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.optimization.newton import Newton
from tests.lit_models.optimization.battery import OptimizerBattery
from tests.small import Points, SmallNet, small_trainer


class TestNewton(OptimizerBattery):
    make = partial(Newton, lr=0.5, damping=0.5, absolute=True)
    bad = [{"lr": -1.0}, {"damping": -0.1}]
    graph = True
    gain = 0.9

    def test_a_parameter_without_a_gradient_stays(self) -> None:
        super().test_a_parameter_without_a_gradient_stays()

    def test_sparse_gradients_are_taken_or_refused(self) -> None:
        """Its vector is dense: not tried."""


def step(optimizer: Newton, function: object, p: nn.Parameter) -> None:
    optimizer.zero_grad()
    function(p).backward(create_graph=True)  # type: ignore[operator]
    optimizer.step()


def test_one_step_reaches_the_minimum_of_a_quadratic() -> None:
    matrix = torch.tensor([[3.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    p = nn.Parameter(torch.tensor([5.0, -7.0], dtype=torch.float64))
    step(Newton([p]), lambda x: x @ matrix @ x / 2 - x.sum(), p)
    torch.testing.assert_close(p.detach(), torch.linalg.solve(matrix, torch.ones(2, dtype=torch.float64)))


def saddle(x: Tensor) -> Tensor:
    return x[0] ** 2 - x[1] ** 2


def test_the_plain_step_goes_to_a_saddle_and_absolute_values_leave_it() -> None:
    p, q = (nn.Parameter(torch.tensor([1.0, 0.1])) for _ in range(2))
    step(Newton([p]), saddle, p)
    step(Newton([q], absolute=True), saddle, q)
    assert float(p.detach().abs().max()) < 1e-6
    assert float(q.detach()[0]) == pytest.approx(0, abs=1e-6) and float(q.detach()[1]) == pytest.approx(0.2)


def test_a_singular_hessian_is_one_line_and_damping_helps() -> None:
    def trough(x: Tensor) -> Tensor:
        return x[0] ** 2

    p = nn.Parameter(torch.ones(2))
    with pytest.raises(UserError, match="damping"):
        step(Newton([p]), trough, p)
    step(Newton([p], damping=1e-3), trough, p)
    assert abs(float(p.detach()[0])) < 1e-3 and float(p.detach()[1]) == 1.0


def test_more_than_two_thousand_parameters_are_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="at most 2,000 parameters"):
        Newton([nn.Parameter(torch.ones(2001))])


def test_a_gradient_without_its_graph_is_refused() -> None:
    p = nn.Parameter(torch.ones(1))
    p.grad = torch.ones(1)
    with pytest.raises(UserError, match="create_graph"):
        Newton([p]).step()


def test_trains_in_a_run_where_the_task_leaves_the_graph(tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path, max_epochs=8)
    model = SmallNet(optimizer=partial(Newton, damping=0.5, absolute=True), dropout=0.0)
    trainer.fit(model, datamodule=Points(batch_size=48))
    assert float(trainer.callback_metrics["train/loss"]) < 0.3
