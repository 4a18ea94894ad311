"""The task of normal predictions: its metrics, in the target's units, and its intervals."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from common.messages import UserError
from lit_models.tasks.gaussian_regressor import GaussianRegressor
from tests.small import small_trainer


class Sure(nn.Module):
    """Predicts the mean 0, the variances 1 and 4."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        zero = 0 * x[:, 0]
        return zero, zero + 1, zero + 4


Y = 2 * torch.randn(4000, generator=torch.Generator().manual_seed(0))


def scores(folder: Path, batches: int = 1, scale: float = 1.0) -> dict[str, float]:
    model = GaussianRegressor(net=Sure())
    rows = [(torch.zeros(len(y), 1), y) for y in Y.split([1000] * 4 if batches == 4 else [len(Y)])]
    if scale != 1:
        type(model).scale = property(lambda self: scale)  # type: ignore[assignment,method-assign]
    (found,) = small_trainer(folder).test(model, DataLoader(rows, batch_size=None), verbose=False)  # type: ignore[arg-type]
    return dict(found)


def test_a_calibrated_prediction_has_the_entropy_of_the_noise_and_full_intervals(tmp_path: Path) -> None:
    found = scores(tmp_path)
    assert found["test/nll"] == pytest.approx(math.log(2) + 1.4189, abs=0.03)
    assert found["test/rmse"] == pytest.approx(2, abs=0.06)
    assert found["test/coverage"] == pytest.approx(0.95, abs=0.012)
    assert found["test/calibration"] < 0.015


def test_metrics_do_not_depend_on_the_batches(tmp_path: Path) -> None:
    one, four = scores(tmp_path), scores(tmp_path, batches=4)
    assert one == pytest.approx(four, rel=1e-5)


def test_of_a_standardized_target_the_scores_are_in_its_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = scores(tmp_path)
    monkeypatch.setattr(GaussianRegressor, "scale", GaussianRegressor.scale)
    scaled = scores(tmp_path, scale=10.0)
    assert scaled["test/rmse"] == pytest.approx(10 * plain["test/rmse"])
    assert scaled["test/crps"] == pytest.approx(10 * plain["test/crps"])
    assert scaled["test/nll"] == pytest.approx(plain["test/nll"] + math.log(10))


def test_an_interval_is_of_observations() -> None:
    found = GaussianRegressor(net=Sure()).predict_step(torch.zeros(3, 1), 0)
    assert found["upper"].tolist() == pytest.approx([2 * 1.96] * 3, abs=1e-3)
    assert found["lower"].tolist() == pytest.approx([-2 * 1.96] * 3, abs=1e-3)


def test_a_precision_that_rounds_is_refused(tmp_path: Path) -> None:
    model = GaussianRegressor(net=Sure())
    rows = DataLoader([(torch.zeros(2, 1), torch.zeros(2))], batch_size=None)  # type: ignore[list-item,arg-type]
    with pytest.raises(UserError, match="64-true"):
        small_trainer(tmp_path, precision="bf16-true").test(model, rows, verbose=False)
