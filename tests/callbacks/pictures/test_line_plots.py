"""Line plots: the panels of the module are drawn, once, at the end of a fit."""

from pathlib import Path
from typing import Any

import torch

from callbacks.pictures.line_plots import LinePlots, draw_panels
from tests.small import Points, SmallNet, small_trainer

X = torch.arange(3.0)
PANELS: list[dict[str, Any]] = [
    {"title": "growth", "xlabel": "layer", "lines": {"two": (X, 2**X), "ten": (X, 10**X)}, "log": True},
    {"title": "cloud", "points": {"data": (X, -X)}, "ylim": (-5, 1)},
]


class Seen(SmallNet):
    """A network that shows the panels above."""

    def panels(self) -> list[dict[str, Any]]:
        return PANELS


class Blind(SmallNet):
    """A network without anything to show, as one fitted without its datamodule."""

    def panels(self) -> list[dict[str, Any]]:
        return []


def test_lines_points_scales_and_titles_are_as_the_module_says() -> None:
    growth, cloud = draw_panels(PANELS).axes
    assert (growth.get_title(), growth.get_xlabel(), growth.get_yscale()) == ("growth", "layer", "log")
    assert [line.get_label() for line in growth.lines] == ["two", "ten"]
    assert list(growth.lines[1].get_ydata()) == [1, 10, 100]  # type: ignore[arg-type]
    assert cloud.get_ylim() == (-5, 1) and cloud.lines[0].get_linestyle() == "None"


def test_the_picture_lies_in_the_run_folder_after_a_fit(tmp_path: Path) -> None:
    small_trainer(tmp_path, LinePlots("study"), max_epochs=1).fit(Seen(), datamodule=Points())
    assert (tmp_path / "study.png").read_bytes()[:4] == b"\x89PNG"


def test_nothing_to_see_makes_no_picture(tmp_path: Path) -> None:
    small_trainer(tmp_path, LinePlots("study"), max_epochs=1).fit(Blind(), datamodule=Points())
    assert not (tmp_path / "study.png").exists()


def test_a_band_is_filled_between_its_ends() -> None:
    (axes,) = draw_panels([{"title": "band", "bands": {"two": (X, -X, 2 * X)}, "lines": {"mean": (X, X)}}]).axes
    ends = axes.collections[0].get_paths()[0].vertices
    assert (ends[:, 1].min(), ends[:, 1].max()) == (-2, 4)  # type: ignore[index]
