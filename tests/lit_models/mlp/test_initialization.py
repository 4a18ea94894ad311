"""Initialization: the battery, each scheme against torch.nn.init, what fifty layers do, and symmetry unbroken."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lit_models.mlp.dropout import Dropout
from lit_models.mlp.initialization import (
    SCHEMES,
    DeepMLP,
    LitInitialization,
    distinct_units,
    growth_rate,
    orthogonal_,
    product_norms,
    signal_and_gradient,
)
from tests.battery import ADAM, ClassifierBattery


class TestLitInitialization(ClassifierBattery):
    parameters = 31_786  # 784-32, six times 32-32, 32-10: 25,120 + 6,336 + 330

    def model(self) -> LitInitialization:
        return LitInitialization(hidden_size=32, depth=8, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 28, 28), torch.arange(8)


LIBRARY: dict[str, Any] = {
    "constant": lambda w: nn.init.constant_(w, 0.01),
    "normal": lambda w: nn.init.normal_(w, std=0.01),
    "xavier": nn.init.xavier_uniform_,
    "he": lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"),
    "orthogonal": nn.init.orthogonal_,
}


@pytest.mark.parametrize("shape", [(6, 9), (9, 6)])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_weights_are_those_of_torch_for_the_same_seed(scheme: str, shape: tuple[int, int]) -> None:
    torch.manual_seed(3)
    ours = SCHEMES[scheme](torch.empty(shape, dtype=torch.float64))
    torch.manual_seed(3)
    torch.testing.assert_close(ours, LIBRARY[scheme](torch.empty(shape, dtype=torch.float64)))


def test_xaviers_variance_times_the_mean_fan_is_one() -> None:
    weight = SCHEMES["xavier"](torch.empty(400, 600))
    assert float(weight.var() * (400 + 600) / 2) == pytest.approx(1, abs=0.02)


def test_orthogonal_layers_keep_lengths() -> None:
    weight, x = orthogonal_(torch.empty(30, 30)), torch.randn(5, 30)
    torch.testing.assert_close((x @ weight.T).norm(dim=1), x.norm(dim=1))


def through(scheme: Any, activation: Any = nn.ReLU) -> tuple[Tensor, Tensor]:
    net = DeepMLP(64, 64, 64, depth=50, scheme=scheme, activation=activation).double()
    return signal_and_gradient(net, torch.randn(64, 64, dtype=torch.float64))


def test_he_keeps_the_signal_of_fifty_relu_layers_and_its_gradient() -> None:
    signal, gradient = through("he")
    for values in (signal, gradient):
        assert 0.02 < float(values[-1] / values[0]) < 50


def test_small_normal_weights_lose_both() -> None:
    signal, gradient = through("normal")
    assert float(signal[-1] / signal[0]) < 1e-50 and float(gradient[0] / gradient[-1]) < 1e-50


def test_xavier_is_made_for_slopes_of_one_and_loses_half_the_power_at_each_relu() -> None:
    signal, _ = through("xavier")
    assert float(signal[-1] / signal[0]) == pytest.approx(2 ** (-49 / 2), rel=0.95)
    linear, _ = through("xavier", nn.Identity)
    assert 0.1 < float(linear[-1] / linear[0]) < 10


def test_orthogonal_layers_without_activation_keep_the_signal_exactly() -> None:
    signal, gradient = through("orthogonal", nn.Identity)
    torch.testing.assert_close(signal, signal[:1].expand(50))
    torch.testing.assert_close(gradient, gradient[:1].expand(50))


def test_large_weights_explode() -> None:
    net = DeepMLP(64, 64, 64, depth=50, scheme="he").double()
    for p in net.parameters():
        p.data *= 4
    signal, _ = signal_and_gradient(net, torch.randn(8, 64, dtype=torch.float64))
    assert float(signal[-1]) > 1e20


def test_a_product_of_random_matrices_grows_at_its_known_rate() -> None:
    measured = torch.stack([product_norms(200, 4, 1.0)[-1].log() / 200 for _ in range(20)])
    assert float(measured.mean()) == pytest.approx(growth_rate(4, 1.0), abs=0.05)  # 0.558: e^56 after a hundred
    assert growth_rate(4, 0.5) < 0 < growth_rate(4, 0.6)
    assert math.log10(float(product_norms(100, 4, 1.0)[-1])) > 15


def trained(*layers: nn.Module) -> nn.Linear:
    """The first layer after fifty steps on random points, all weights equal at first."""
    net = nn.Sequential(*layers)
    for module in net:
        if isinstance(module, nn.Linear):
            SCHEMES["constant"](module.weight)
            nn.init.zeros_(module.bias)
    descent = torch.optim.SGD(net.parameters(), lr=0.5)
    x, y = torch.randn(40, 5).abs(), torch.arange(40) % 3
    for _ in range(50):
        descent.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        descent.step()
    first = net[0]
    assert isinstance(first, nn.Linear) and float((first.weight - 0.01).abs().max()) > 1e-4  # it did train
    return first


def test_equal_units_stay_equal_however_long_they_train() -> None:
    assert distinct_units(trained(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 3)).weight) == 1


def test_dropout_breaks_the_symmetry() -> None:
    assert distinct_units(trained(nn.Linear(5, 16), nn.ReLU(), Dropout(0.5), nn.Linear(16, 3)).weight) == 16


def test_panels_show_five_schemes_through_all_layers() -> None:
    signal, gradient, products = LitInitialization(hidden_size=16, depth=6).panels()
    assert list(signal["lines"]) == list(gradient["lines"]) == list(SCHEMES)
    assert len(signal["lines"]["he"][1]) == 6 and len(products["lines"]) == 3
