"""The picture of calibration: the quantiles of the targets, and where there is nothing to draw."""

import torch

from callbacks.pictures.calibration import Calibration, draw_calibration


def test_targets_of_the_predicted_distribution_are_on_the_diagonal_and_unsure_ones_are_not() -> None:
    y = torch.randn(4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ones = torch.ones_like(y)
    for std, near in ((ones, True), (3 * ones, False)):
        line = draw_calibration(y, 0 * y, std).axes[0].lines[1]
        away = abs(line.get_xdata() - line.get_ydata()).max()  # type: ignore[operator]
        assert bool(away < 0.03) is near


def test_outputs_without_a_variance_are_left_alone() -> None:
    outputs = {"prediction": torch.zeros(3)}
    assert Calibration().collect(None, outputs, (None, torch.zeros(3))) is None  # type: ignore[arg-type]
