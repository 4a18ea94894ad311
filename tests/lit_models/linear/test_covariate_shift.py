"""Covariate shift: the battery, the estimated weights against the true ones, and what they repair over five draws."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from callbacks.pictures.line_plots import LinePlots
from datamodules.synthetic.shift import CovariateShift
from lit_models.linear.covariate_shift import LitCovariateShift, log_density_ratio, logistic_regression, squares
from tests.battery import ADAM, RegressorBattery
from tests.small import small_trainer


class TestLitCovariateShift(RegressorBattery):
    parameters = 4  # three weights and a bias; the classifier behind the weights is not trained

    def model(self) -> LitCovariateShift:
        return LitCovariateShift(num_features=3, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        x = torch.randn(16, 3)
        return x, x.sum(1) / 2

    def test_every_parameter_gets_a_gradient(self) -> None:
        model, (x, _) = self.model(), self.batch()
        model(x).square().sum().backward()
        assert all((p.grad is not None) == p.requires_grad for p in model.parameters())


def test_log_density_ratio_of_two_normal_samples_is_the_true_one() -> None:
    source, target = 0.5 + 0.5 * torch.randn(50_000, 1), 0.3 * torch.randn(25_000, 1)  # not equally many
    weights, bias = log_density_ratio(squares(source), squares(target), l2=0.0)
    # log(0.5 / 0.3) - x^2 / (2 * 0.09) + (x - 0.5)^2 / (2 * 0.25)
    true = torch.tensor([-2.0, 2 - 1 / 0.18], dtype=torch.float64)
    torch.testing.assert_close(weights, true, atol=0.12, rtol=0)
    assert float(bias) == pytest.approx(0.5 + float(torch.log(torch.tensor(5 / 3))), abs=0.03)


def test_weights_average_to_one_over_the_source() -> None:
    source, target = 0.5 + 0.5 * torch.randn(5000, 1), 0.3 * torch.randn(5000, 1)
    weights, bias = log_density_ratio(squares(source), squares(target))
    assert float((squares(source).double() @ weights + bias).exp().mean()) == pytest.approx(1, abs=0.05)


def test_samples_that_a_plane_parts_get_finite_weights() -> None:
    weights, bias = logistic_regression(torch.tensor([[-1.0], [1.0]]), torch.tensor([-1.0, 1.0]))
    assert bool(weights.isfinite().all()) and float(weights) > 1 and abs(float(bias)) < 1e-9


def fitted_line(weighted: bool, seed: int) -> float:
    """Target rmse of the exact (weighted) least-squares line."""
    data = CovariateShift(data_seed=seed)
    data.setup("fit")
    model = LitCovariateShift(weighted=weighted)
    model.trainer = type("Trainer", (), {"datamodule": data})()
    model.setup("fit")
    x, y = data.splits["train"]
    with torch.no_grad():
        root = model.row_weights(x).sqrt()[:, None]
    design = torch.cat([x, torch.ones_like(x)], dim=1)
    line = torch.linalg.lstsq(design * root, y[:, None] * root).solution
    x, y = data.splits["test"]
    return float((x[:, 0] * line[0] + line[1] - y).square().mean().sqrt())


def test_weighting_repairs_the_target_error_in_each_of_five_draws() -> None:
    plain = [fitted_line(False, seed) for seed in range(5)]
    weighted = [fitted_line(True, seed) for seed in range(5)]
    assert max(weighted) < 0.33  # the best line is at 0.307
    assert all(before - after > 0.2 for before, after in zip(plain, weighted, strict=True))


def test_weights_are_clipped() -> None:
    model = LitCovariateShift(clip=2.0)
    torch.nn.init.constant_(model.ratio.bias, 5.0)
    assert model.row_weights(torch.zeros(3, 1)).tolist() == [2.0, 2.0, 2.0]


def test_unweighted_training_has_weights_of_one(tmp_path: Path) -> None:
    model = LitCovariateShift(weighted=False)
    small_trainer(tmp_path, max_epochs=1).fit(model, datamodule=CovariateShift())
    assert model.row_weights(torch.randn(5, 1)).tolist() == [1.0] * 5


def test_without_inputs_of_the_target_every_weight_is_one() -> None:
    x, model = torch.randn(20, 1), LitCovariateShift()
    model.trainer = type("Trainer", (), {"datamodule": SimpleNamespace(splits={"train": (x, x[:, 0])})})()
    model.setup("fit")
    assert model.row_weights(x).tolist() == [1.0] * 20
    assert model.panels()[0]["points"].keys() == {"source"}


def test_the_weights_are_saved_with_the_model(tmp_path: Path) -> None:
    model = LitCovariateShift()
    trainer = small_trainer(tmp_path, LinePlots("shift"), max_epochs=1)
    trainer.fit(model, datamodule=CovariateShift())
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = LitCovariateShift.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    x = torch.randn(5, 1)
    assert torch.equal(again.row_weights(x), model.row_weights(x)) and float(model.row_weights(x).std()) > 0
    assert (tmp_path / "shift.png").is_file()
