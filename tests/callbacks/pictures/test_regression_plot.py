"""regression.png: every test sample is a point, and the rmse in its title is the metric's."""

from pathlib import Path

import pytest
import torch

from callbacks.pictures import regression_plot as module
from callbacks.pictures.regression_plot import RegressionPlot, draw_regression
from datamodules.synthetic.linear import SyntheticRegression
from lit_models.linear.linear_regression import LitLinearRegression
from tests.small import small_trainer


def test_every_test_sample_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []
    original = draw_regression
    monkeypatch.setattr(module, "draw_regression", lambda t, p: seen.extend((t, p)) or original(t, p))
    data, model = SyntheticRegression(num_test=50, batch_size=8), LitLinearRegression()
    (metrics,) = small_trainer(tmp_path, RegressionPlot()).test(model, datamodule=data, verbose=False)
    truth, prediction = seen
    assert torch.equal(truth, data.splits["test"][1]) and prediction.shape == (50,)
    assert float((truth - prediction).square().mean().sqrt()) == pytest.approx(metrics["test/rmse"], rel=1e-5)
    assert (tmp_path / "regression.png").read_bytes()[:4] == b"\x89PNG"


def test_the_diagonal_is_where_both_are_equal() -> None:
    left, right = draw_regression(torch.tensor([1.0, 3.0]), torch.tensor([2.0, 4.0])).axes
    assert list(left.lines[0].get_xdata()) == list(left.lines[0].get_ydata()) == [1.0, 3.0]  # type: ignore[arg-type]
    assert left.get_title() == "rmse 1" and right.get_title() == "mean error 1"
