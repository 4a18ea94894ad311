"""curves.png: one panel per quantity, one line per stage."""

from pathlib import Path

from callbacks.metrics_csv import MetricsCSV
from callbacks.pictures.curves import Curves, draw_curves
from tests.small import Points, SmallNet, small_trainer


def test_training_and_validation_share_a_panel() -> None:
    rows = [{"step": 1, "train/loss": 2.0, "val/loss": 3.0}, {"step": 2, "val/acc": 0.5, "train/loss_step": 1.0}]
    figure = draw_curves(rows)
    assert figure is not None
    panels = {ax.get_title(): {line.get_label() for line in ax.get_lines()} for ax in figure.axes}
    assert panels == {"acc": {"val/acc"}, "loss": {"train/loss", "train/loss_step", "val/loss"}}


def test_many_panels_stand_in_rows_of_four() -> None:
    figure = draw_curves([{"step": step, **{f"val/m{i}": float(step) for i in range(6)}} for step in (1, 2)])
    assert figure is not None and len(figure.axes) == 6
    tops = [round(ax.get_position().y0, 2) for ax in figure.axes]
    assert len(set(tops[:4])) == len(set(tops[4:])) == 1 and tops[0] > tops[4]


def test_nothing_recorded_draws_nothing() -> None:
    assert draw_curves([]) is None


def test_a_fit_ends_with_its_curves(tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path, Curves(), logger=MetricsCSV(str(tmp_path)))
    trainer.fit(SmallNet(), datamodule=Points())
    assert (tmp_path / "curves.png").stat().st_size > 1000
