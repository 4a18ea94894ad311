"""Heat maps: names and numbers are as the module says."""

from pathlib import Path
from typing import Any

import torch

from callbacks.pictures.heat_maps import HeatMaps, draw_maps
from tests.small import Points, SmallNet, small_trainer

SMALL: dict[str, Any] = {
    "title": "one", "values": torch.tensor([[0.25, 1.0]]), "rows": ["layer"], "columns": ["a", "b"],
}  # fmt: skip


class Mapped(SmallNet):
    """A network that shows the map above."""

    def maps(self) -> list[dict[str, Any]]:
        return [SMALL]


def test_small_maps_have_numbers_and_wide_ones_do_not() -> None:
    wide = {"title": "two", "values": torch.zeros(1, 17), "rows": ["layer"], "columns": [""] * 17}
    first, second = draw_maps([SMALL, wide]).axes
    assert [t.get_text() for t in first.texts] == ["0.25", "1.00"] and not second.texts
    assert [t.get_text() for t in first.get_xticklabels()] == ["a", "b"] and first.get_title() == "one"


def test_the_picture_lies_in_the_run_folder_after_a_fit(tmp_path: Path) -> None:
    small_trainer(tmp_path, HeatMaps("maps"), max_epochs=1).fit(Mapped(), datamodule=Points())
    assert (tmp_path / "maps.png").read_bytes()[:4] == b"\x89PNG"
