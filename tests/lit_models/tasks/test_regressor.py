"""The regressor's numbers against scikit-learn."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningDataModule
from sklearn.metrics import mean_squared_error, r2_score, root_mean_squared_error
from torch import Tensor, nn
from torch.utils.data import DataLoader

from common.messages import UserError
from lit_models.mlp.mlp import LitMLPRegressor
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


@pytest.mark.parametrize("precision", ["bf16-mixed", "64-true"])
def test_targets_far_from_zero_are_predicted_to_the_last_digit_in_each_precision(
    precision: Any, tmp_path: Path
) -> None:
    """bfloat16 knows no number between 2000 and 2008; a product with a 0-dimensional tensor stays in bfloat16."""
    model, x = LitMLPRegressor(num_features=3), torch.randn(64, 3)
    model.target_mean.fill_(2005.0)
    model.target_std.fill_(0.5)
    with torch.no_grad():
        y = model.eval()(x)[:, 0]
    data = DataLoader([(x, y)], batch_size=None)
    trainer = small_trainer(tmp_path, precision=precision)
    assert trainer.test(model, data, verbose=False)[0]["test/rmse"] < 1e-3
    (predicted,) = trainer.predict(model, data)  # type: ignore[misc]
    torch.testing.assert_close(predicted["prediction"][:, 0], y, atol=1e-3, rtol=0)  # type: ignore[call-overload]


def test_training_in_mixed_precision_is_training_in_single_precision(tmp_path: Path) -> None:
    losses = []
    for precision in ("32-true", "bf16-mixed"):
        torch.manual_seed(0)
        x = torch.randn(32, 3)
        trainer = small_trainer(tmp_path, precision=precision, max_epochs=5, limit_train_batches=1)
        trainer.fit(Line(), DataLoader([(x, x @ torch.tensor([1.0, -2.0, 0.5]))], batch_size=None))
        losses.append(float(trainer.callback_metrics["train/loss"]))
    assert losses[0] == losses[1]


@pytest.mark.parametrize("precision", ["bf16-true", "16-true"])
def test_a_precision_that_rounds_the_targets_is_refused(precision: str) -> None:
    model = Line()
    model._trainer = SimpleNamespace(precision=precision)  # type: ignore[assignment]
    with pytest.raises(UserError, match=rf"trainer.precision {precision} rounds the targets"):
        model.setup("test")


def test_errors_are_in_the_units_of_a_target_that_the_data_standardized(tmp_path: Path) -> None:
    class Standardized(LightningDataModule):
        scale = 4.0

        def test_dataloader(self) -> DataLoader[Any]:
            return DataLoader([(x, y)], batch_size=None)  # type: ignore[arg-type]

        val_dataloader = test_dataloader

    model, x, y = Line().eval(), torch.randn(10, 3), torch.randn(10)
    expected = 4.0 * root_mean_squared_error(y, model(x).flatten().detach())
    trainer = small_trainer(tmp_path)
    assert trainer.validate(model, Standardized(), verbose=False)[0]["val/rmse"] == pytest.approx(expected, rel=1e-5)
    assert trainer.test(model, Standardized(), verbose=False)[0]["test/rmse"] == pytest.approx(expected, rel=1e-5)


class Plane(Regressor):
    def __init__(self, shift: float = 0.0) -> None:
        super().__init__()
        self.net, self.shift = nn.Linear(3, 2), shift

    def forward(self, *inputs: Tensor) -> Tensor:
        return super().forward(*inputs) + self.shift


@pytest.mark.parametrize("shift", [0.0, 2005.0, 1e5])
def test_r2_is_scikit_learns_for_each_output_and_far_from_zero(shift: float, tmp_path: Path) -> None:
    """Its outputs have different variances, so that R2 of all numbers in one row is another number."""
    model, x = Plane(shift).eval(), torch.randn(200, 3)
    with torch.no_grad():
        y = model(x) + torch.tensor([0.3, 2.0]) * torch.randn(200, 2) + torch.tensor([0.0, 50.0])
    data = DataLoader([(x[:90], y[:90]), (x[90:], y[90:])], batch_size=None)
    for _ in range(2):  # each test begins anew
        found = small_trainer(tmp_path).test(model, data, verbose=False)[0]["test/r2"]
        assert found == pytest.approx(r2_score(y.double(), model(x).detach().double()), rel=1e-3)


def test_one_row_has_no_r2_and_a_test_all_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = DataLoader([(torch.randn(1, 3), torch.randn(1))], batch_size=None)
    (found,) = small_trainer(tmp_path).test(Line(), data, verbose=False)
    assert "test/rmse" in found and "test/r2" not in found
    assert "test/r2 needs two rows" in capsys.readouterr().err
