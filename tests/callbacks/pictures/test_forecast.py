"""The picture of forecasts."""

from pathlib import Path

import torch

from callbacks.pictures.forecast import Forecast, draw_forecasts
from datamodules.synthetic.noisy_sine import NoisySine
from lit_models.rnn.autoregressive import LitAutoregressive
from tests.small import small_trainer


def test_a_picture_is_written_after_the_test(tmp_path: Path) -> None:
    small_trainer(tmp_path, Forecast()).test(
        LitAutoregressive(num_features=4, num_outputs=64), datamodule=NoisySine(), verbose=False
    )
    assert (tmp_path / "forecast.png").stat().st_size > 5000


def test_a_forecast_is_drawn_at_its_time() -> None:
    truth = torch.arange(12.0).unfold(0, 4, 1)
    (axes,) = draw_forecasts(truth, truth, (1, 4, 16)).axes
    measured, *forecasts = axes.lines
    assert len(forecasts) == 2 and len(measured.get_xdata()) == 12
    for line in forecasts:  # a perfect forecast lies on the series
        assert list(line.get_xdata()) == list(line.get_ydata())
