"""Dropout: the battery, and the hand-written layer against torch's."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.mlp.dropout import Dropout, DropoutMLP, LitDropout, dropout
from tests.battery import ADAM, ClassifierBattery


class TestLitDropout(ClassifierBattery):
    parameters = 269_322  # 784-256-256-10: 200,960 + 65,792 + 2,570

    def model(self) -> LitDropout:
        return LitDropout(dropout=0.2, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 28, 28), torch.arange(8)


def without_rescaling(x: Tensor, p: float) -> Tensor:
    """The plausible mistake: what stays is not divided by 1 - p."""
    return x * torch.empty_like(x).bernoulli_(1 - p)


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 1.0])
def test_equals_torchs_in_value_and_gradient_for_the_same_draws(p: float) -> None:
    results = []
    for form in (dropout, F.dropout):
        torch.manual_seed(5)
        x = torch.linspace(-3, 3, 1000, dtype=torch.float64, requires_grad=True)
        y = form(x, p)
        y.square().sum().backward()
        results.append((y.detach(), x.grad))
    torch.testing.assert_close(results[0], results[1])


def test_keeps_the_expectation_and_the_mistake_does_not() -> None:
    x = torch.full((1_000_000,), 2.0)
    for p in (0.2, 0.5, 0.8):
        tolerance = 4 * 2.0 * (p / (1 - p) / len(x)) ** 0.5  # four standard errors of the mean
        assert abs(float(dropout(x, p).mean()) - 2.0) < tolerance
        assert abs(float(without_rescaling(x, p).mean()) - 2.0) > tolerance


def test_drops_the_stated_share_and_scales_the_rest() -> None:
    y = dropout(torch.ones(100_000), 0.3)
    assert abs(float((y == 0).float().mean()) - 0.3) < 0.006  # four standard errors
    torch.testing.assert_close(y[y != 0].unique(), torch.tensor([1 / 0.7]))


def test_certain_dropout_gives_zeros_and_zero_gradients_not_nan() -> None:
    x = torch.randn(10, requires_grad=True)
    y = dropout(x, 1.0)
    y.sum().backward()
    assert float(y.detach().abs().sum()) == 0
    assert x.grad is not None and float(x.grad.abs().sum()) == 0


def test_evaluation_is_the_identity() -> None:
    x = torch.randn(10)
    assert Dropout(0.9).eval()(x) is x


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_what_is_no_probability_is_refused_when_the_layer_is_made(p: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Dropout(p)


def test_dropout_follows_each_activation() -> None:
    names = [type(layer).__name__ for layer in DropoutMLP().layers]
    assert names == ["Flatten", "Linear", "ReLU", "Dropout", "Linear", "ReLU", "Dropout", "Linear"]
