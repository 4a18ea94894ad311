"""Activations: the battery, every function and slope against torch, and the facts about slopes."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.mlp.activations import (
    FUNCTIONS,
    Activation,
    LitActivations,
    sigmoid,
    sigmoid_derivative,
    tanh_derivative,
)
from tests.battery import ADAM, ClassifierBattery

LIBRARY = {"relu": F.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "gelu": F.gelu, "identity": lambda x: x + 0}


class TestLitActivations(ClassifierBattery):
    parameters = 50_891  # 784-64-10 and PReLU's slope: 50,240 + 650 + 1

    def model(self) -> LitActivations:
        return LitActivations(hidden_size=64, activation="prelu", optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 28, 28), torch.arange(8)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_and_slope_are_torchs(name: str) -> None:
    x = torch.linspace(-8, 8, 200, dtype=torch.float64)  # without 0, where ReLU has no slope
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    a, b = Activation(name)(ours), LIBRARY[name](theirs)  # type: ignore[arg-type]
    torch.testing.assert_close(a, b, atol=1e-14, rtol=0)
    weights = torch.randn_like(x)
    (a * weights).sum().backward()
    (b * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-14, rtol=0)


def test_prelu_learns_the_slope_below_nought() -> None:
    ours, theirs = Activation("prelu").double(), torch.nn.PReLU().double()
    x = torch.randn(50, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x))
    ours(x).square().sum().backward()
    theirs(x).square().sum().backward()
    assert ours.a.grad is not None and theirs.weight.grad is not None
    torch.testing.assert_close(ours.a.grad, theirs.weight.grad[0])


def test_the_sigmoids_slope_is_a_quarter_at_most_and_tanhs_is_one() -> None:
    x = torch.linspace(-8, 8, 1601)
    assert float(sigmoid_derivative(x).max()) == pytest.approx(0.25) and int(sigmoid_derivative(x).argmax()) == 800
    assert float(tanh_derivative(x).max()) == pytest.approx(1.0)


def test_ten_sigmoids_pass_on_less_than_a_millionth_of_a_gradient() -> None:
    x = torch.zeros(1, requires_grad=True)
    y = x
    for _ in range(10):
        y = Activation("sigmoid")(y)
    y.backward()
    assert x.grad is not None and 0 < float(x.grad) < 1e-6


@pytest.mark.parametrize("name", FUNCTIONS)
def test_large_numbers_stay_finite(name: str) -> None:
    x = torch.tensor([-1e4, -200.0, 200.0, 1e4])
    for function in FUNCTIONS[name]:
        assert bool(function(x).isfinite().all())


def test_the_formula_as_it_stands_is_no_number_where_ours_is_one() -> None:
    x = torch.tensor([200.0])
    assert bool((torch.exp(x) / (1 + torch.exp(x))).isnan()) and float(sigmoid(x)) == 1.0


def test_panels_have_a_line_for_each_function() -> None:
    values, slopes = LitActivations().panels()
    assert list(values["lines"]) == list(slopes["lines"]) == ["relu", "sigmoid", "tanh", "gelu"]
