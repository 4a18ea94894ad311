"""The regressor's numbers against scikit-learn."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.metrics import mean_squared_error, r2_score, root_mean_squared_error
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lit_models.tasks.regressor import Regressor
from tests.battery import RegressorBattery
from tests.small import small_trainer


class Line(Regressor):
    def __init__(self, num_features: int = 3, **task: Any) -> None:
        task.setdefault("optimizer", partial(torch.optim.Adam, lr=0.05))
        super().__init__(**task)
        self.net = nn.Linear(num_features, 1)


class TestLine(RegressorBattery):
    parameters = 4

    def model(self) -> Line:
        return Line()

    def batch(self) -> tuple[Tensor, Tensor]:
        x = torch.randn(8, 3)
        return x, x @ torch.tensor([1.0, -2.0, 0.5])


def test_metrics_agree_with_scikit_learn(tmp_path: Path) -> None:
    model, x, y = Line(), torch.randn(10, 3), torch.randn(10)
    batches = [(x[:4], y[:4]), (x[4:8], y[4:8]), (x[8:], y[8:])]
    trainer, loader = small_trainer(tmp_path), DataLoader(batches, batch_size=None)
    metrics = trainer.validate(model, loader, verbose=False)[0] | trainer.test(model, loader, verbose=False)[0]
    guess = model.eval()(x).flatten().detach()
    for split in ("val", "test"):
        assert metrics[f"{split}/rmse"] == pytest.approx(root_mean_squared_error(y, guess), rel=1e-5)
        assert metrics[f"{split}/loss"] == pytest.approx(mean_squared_error(y, guess) / 2, rel=1e-5)
    assert metrics["test/r2"] == pytest.approx(r2_score(y, guess), rel=1e-4, abs=1e-4)


def test_the_gradient_is_the_plain_residual() -> None:
    prediction = torch.tensor([[3.0]], requires_grad=True)
    Regressor.loss(prediction, torch.tensor([1.0])).backward()
    assert prediction.grad is not None and prediction.grad.item() == 2.0


def test_a_flat_target_is_not_broadcast_against_a_column() -> None:
    assert float(Regressor.loss(torch.tensor([[1.0], [2.0]]), torch.tensor([1.0, 2.0]))) == 0.0
