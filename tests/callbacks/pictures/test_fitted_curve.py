"""The curve, its points and the attention are drawn in the order of x."""

from pathlib import Path

import torch

from callbacks.pictures.fitted_curve import FittedCurve, draw_curve
from datamodules.synthetic.wavy_line import WavyLine
from lit_models.attention.nadaraya_watson import LitNadarayaWatson
from tests.small import small_trainer


def test_points_are_sorted_and_weights_with_them() -> None:
    x = torch.tensor([2.0, 0.0, 1.0])
    found = {"x": x, "y": x, "prediction": 2 * x, "weights": torch.eye(3)}
    figure = draw_curve(found, (x[:, None], x))
    assert figure.axes[0].lines[1].get_ydata().tolist() == [0, 2, 4]  # type: ignore[union-attr]
    assert figure.axes[1].images[0].get_array().tolist() == torch.eye(3).tolist()  # type: ignore[union-attr]


def test_is_written_after_a_test(tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path, FittedCurve())
    trainer.test(LitNadarayaWatson(num_keys=40), datamodule=WavyLine(num_test=50), verbose=False)
    assert (tmp_path / "curve.png").stat().st_size > 1000
