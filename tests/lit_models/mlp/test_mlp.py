"""MLP: the batteries of its two tasks, and the facts of its own file."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datamodules.base import TensorDataModule
from lit_models.mlp.mlp import MLP, LitMLP, LitMLPRegressor
from tests.battery import ADAM, ClassifierBattery, RegressorBattery
from tests.small import small_trainer


class TestLitMLP(ClassifierBattery):
    parameters = 203_530  # 784-256-10: 200,960 + 2,570

    def model(self) -> LitMLP:
        return LitMLP(optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 28, 28), torch.arange(8)


class TestLitMLPOnATable(ClassifierBattery):
    parameters = 67  # 4-8-3: 40 + 27

    def model(self) -> LitMLP:
        return LitMLP(num_classes=3, num_features=4, hidden_sizes=[8], optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        y = torch.arange(9) % 3
        return torch.randn(9, 4) + 3 * y[:, None], y


class TestLitMLPRegressor(RegressorBattery):
    parameters = 386  # 4-16-16-2: 80 + 272 + 34

    def model(self) -> LitMLPRegressor:
        return LitMLPRegressor(num_features=4, num_outputs=2, hidden_sizes=[16, 16], optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        x = torch.randn(16, 4)
        return x, torch.stack([x[:, 0] * x[:, 1], x[:, 2]], dim=1)


def test_book_network_is_linear_relu_linear() -> None:
    names = [type(layer).__name__ for layer in MLP().layers]
    assert names == ["Flatten", "Linear", "ReLU", "Dropout", "Linear"]


def test_two_layers_equal_the_books_formula() -> None:
    net = MLP(6, 3, [5]).double()
    x = torch.randn(4, 6, dtype=torch.float64)
    w1, b1, w2, b2 = net.parameters()
    torch.testing.assert_close(net(x), torch.clamp(x @ w1.T + b1, min=0) @ w2.T + b2)


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh", "gelu", "identity"])
def test_only_the_identity_makes_it_linear(activation: str) -> None:
    net = MLP(6, 3, [16, 16], activation).double()  # type: ignore[arg-type]
    a, b = torch.randn(2, 8, 6, dtype=torch.float64)
    bent = net(a + b) - net(a) - net(b) + net(torch.zeros_like(a))
    assert (float(bent.detach().abs().max()) < 1e-12) == (activation == "identity")


def test_no_hidden_layer_is_a_linear_model() -> None:
    assert sum(p.numel() for p in MLP(784, 10, []).parameters()) == 7850


def test_dropout_acts_in_training_only() -> None:
    net = MLP(6, 3, [64], dropout=0.5)
    x = torch.randn(4, 6)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))


def test_image_sizes_decide_the_input_unless_columns_are_given() -> None:
    assert LitMLP(in_channels=3, image_size=8)(torch.rand(2, 3, 8, 8)).shape == (2, 10)
    assert LitMLP(num_features=5, in_channels=3)(torch.rand(2, 5)).shape == (2, 10)


def test_a_table_of_the_other_kind_is_refused_with_the_recipe_to_start_from() -> None:
    with pytest.raises(ValueError, match="start with mlp/mlp_regression"):
        LitMLP(num_classes=0, num_features=4)
    with pytest.raises(ValueError, match="start with mlp/mlp"):
        LitMLPRegressor(num_features=4, num_outputs=0)


class Prices(TensorDataModule):
    """Numbers around 2,000 that spread by 300, as a table's datamodule says."""

    target_mean, target_std = 2000.0, 300.0

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        x = torch.randn(64, 4)
        return dict.fromkeys(("train", "val", "test"), (x, 2000 + 300 * x[:, 0]))


def test_a_regressor_answers_in_the_datas_units(tmp_path: Path) -> None:
    still = partial(torch.optim.SGD, lr=0.0)
    model, data = LitMLPRegressor(num_features=4, hidden_sizes=[8], optimizer=still), Prices()
    trainer = small_trainer(tmp_path, max_epochs=1)
    trainer.fit(model, datamodule=data)
    x, y = data.splits["val"]
    torch.testing.assert_close(model(x), 2000 + 300 * model.net(x))
    rmse = (model(x).flatten() - y).square().mean().sqrt()
    assert float(trainer.callback_metrics["val/rmse"]) == pytest.approx(float(rmse), rel=1e-4)
