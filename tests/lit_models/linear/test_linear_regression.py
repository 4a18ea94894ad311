"""Linear regression: the battery, and descent against the closed form."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lit_models.linear.linear_regression import LinearRegression, LitLinearRegression, closed_form
from tests.battery import ADAM, RegressorBattery


class TestLitLinearRegression(RegressorBattery):
    parameters = 4  # three weights and a bias

    def model(self) -> LitLinearRegression:
        return LitLinearRegression(num_features=3, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        x = torch.randn(16, 3)
        return x, x.sum(1) / 2


def test_closed_form_agrees_with_numpys_normal_equations() -> None:
    x, y = torch.randn(50, 4, dtype=torch.float64), torch.randn(50, dtype=torch.float64)
    weights, bias = closed_form(x, y)
    a = np.column_stack([x.numpy(), np.ones(50)])
    expected = np.linalg.solve(a.T @ a, a.T @ y.numpy())
    np.testing.assert_allclose(torch.cat([weights, bias[None]]).numpy(), expected, rtol=1e-10)


def test_gradient_of_the_loss_is_zero_at_the_closed_form() -> None:
    x, y = torch.randn(50, 4, dtype=torch.float64), torch.randn(50, dtype=torch.float64)
    model = LitLinearRegression(num_features=4).double()
    weights, bias = closed_form(x, y)
    with torch.no_grad():
        model.net.linear.weight.copy_(weights[None])
        model.net.linear.bias.copy_(bias[None])
    model.loss(model(x), y).backward()
    for p in model.parameters():
        assert p.grad is not None and float(p.grad.abs().max()) < 1e-12


def test_descent_arrives_at_the_closed_form(tmp_path: Path) -> None:
    x = torch.randn(100, 2)
    y = x @ torch.tensor([2.0, -3.4]) + 4.2 + 0.5 * torch.randn(100)
    model = LitLinearRegression(optimizer=partial(torch.optim.SGD, lr=0.5))
    trainer = TestLitLinearRegression().trainer(tmp_path, max_steps=60, max_epochs=-1)
    trainer.fit(model, DataLoader([(x, y)], batch_size=None))
    weights, bias = closed_form(x, y)
    torch.testing.assert_close(model.net.linear.weight[0], weights, atol=1e-4, rtol=0)
    torch.testing.assert_close(model.net.linear.bias[0], bias, atol=1e-4, rtol=0)


def test_half_the_squared_error_has_the_residual_as_its_gradient() -> None:
    prediction = torch.randn(1, 1, requires_grad=True)
    y = torch.randn(1)
    LitLinearRegression.loss(prediction, y).backward()
    torch.testing.assert_close(prediction.grad, prediction.detach() - y[:, None])


def test_without_a_bias_the_origin_is_mapped_to_zero() -> None:
    assert LinearRegression(3, bias=False)(torch.zeros(2, 3)).abs().sum() == 0
