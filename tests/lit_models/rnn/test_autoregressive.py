"""Forecasts: the battery of regressors, and many steps on the model's own forecasts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from callbacks.predictions import Predictions
from datamodules.tabular.series import CO2
from lit_models.rnn.autoregressive import Autoregressive, LitAutoregressive
from tests.battery import ADAM, RegressorBattery
from tests.small import small_trainer


class TestLitAutoregressive(RegressorBattery):
    parameters = 3 * 8 * (1 + 8 + 2) + 9
    overfit_loss = 0.05

    def model(self) -> LitAutoregressive:
        return LitAutoregressive(num_features=4, num_outputs=6, kind="gru", hidden_size=8, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        time = torch.arange(30.0)
        windows = torch.sin(time).unfold(0, 10, 1)[:8]
        return windows[:, :4].contiguous(), windows[:, 4:].contiguous()


def test_many_steps_use_the_models_own_forecasts() -> None:
    net = Autoregressive(2)
    net.head.weight.data, net.head.bias.data = torch.tensor([[1.0, 1.0]]), torch.zeros(1)
    assert net.forecast(torch.tensor([[1.0, 1.0]]), 5).tolist() == [[2.0, 3.0, 5.0, 8.0, 13.0]]  # Fibonacci


@pytest.mark.parametrize("kind", ["linear", "mlp", "gru"])
def test_relative_forecasts_move_with_the_level(kind: Any) -> None:
    torch.manual_seed(0)
    net, x = Autoregressive(4, kind, 8, relative=True).double(), torch.randn(3, 4, dtype=torch.float64)
    torch.testing.assert_close(net.forecast(x + 100, 5), net.forecast(x, 5) + 100)
    plain = Autoregressive(4, kind, 8).double()
    assert not torch.allclose(plain.forecast(x + 100, 5), plain.forecast(x, 5) + 100)


def test_errors_are_in_the_units_of_the_series(tmp_path: Path) -> None:
    """A forecast of the training part's mean: its errors are those of numpy on the measured values."""
    data, model = CO2(num_features=4, num_outputs=16), LitAutoregressive(num_features=4, num_outputs=16)
    torch.nn.init.zeros_(model.net.head.weight)  # type: ignore[union-attr,arg-type]
    torch.nn.init.zeros_(model.net.head.bias)  # type: ignore[union-attr,arg-type]
    trainer = small_trainer(tmp_path, Predictions())
    (found,) = trainer.test(model, datamodule=data, verbose=False)
    values = data.values()
    rest = values[-len(data.splits["test"][0]) - 15 :]
    for k in (1, 4, 16):
        error = rest[k - 1 : len(rest) - 16 + k] - data.mean
        assert found[f"test/rmse_{k}"] == pytest.approx(float(np.sqrt((error**2).mean())), rel=1e-4)
    assert found["test/rmse"] == pytest.approx(found["test/rmse_1"])
    trainer.predict(model, datamodule=data, return_predictions=False)
    row = (tmp_path / "predictions.csv").read_text().splitlines()[1].split(",")
    assert float(row[1]) == pytest.approx(data.mean, abs=1e-3)


def test_errors_are_of_their_steps(tmp_path: Path) -> None:
    model = LitAutoregressive(num_features=2, num_outputs=16)
    x = torch.zeros(5, 2)
    model.net.head.weight.data.zero_()  # type: ignore[union-attr]
    model.net.head.bias.data.zero_()  # type: ignore[union-attr]
    y = torch.arange(1.0, 17.0).expand(5, 16)
    (found,) = small_trainer(tmp_path).test(
        model, torch.utils.data.DataLoader([(x, y)], batch_size=None), verbose=False
    )
    assert {k: found[f"test/rmse_{k}"] for k in (1, 4, 16)} == {1: 1.0, 4: 4.0, 16: 16.0} and found["test/rmse"] == 1.0
    assert "test/rmse_64" not in found
