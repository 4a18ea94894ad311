"""placement.png: a box for each process and layer."""

from pathlib import Path
from typing import Any

from callbacks.pictures.placement import PlacementPicture, draw_placement
from tests.small import Points, SmallNet, small_trainer

ROWS: list[dict[str, Any]] = [
    {"name": "conv1", "boxes": ["48 kernels", "48 kernels"], "reads": "image"},
    {"name": "fc2", "boxes": ["5 units", "5 units"], "reads": "both"},
    {"name": "fc3", "boxes": ["sums", "sums"], "reads": "own", "adds": True},
]


class Placed(SmallNet):
    def placement(self) -> list[dict[str, Any]]:
        return ROWS


def test_each_process_has_a_box_of_each_layer_and_crossing_arrows_where_it_reads_both() -> None:
    (ax,) = draw_placement(ROWS).axes
    assert len(ax.patches) == 6
    texts = [text.get_text() for text in ax.texts]
    assert texts.count("48 kernels") == 2 and "process 1" in texts and "summed over the processes" in texts
    assert sum(text.arrow_patch is not None for text in ax.texts if hasattr(text, "arrow_patch")) == 4 + 2


def test_it_is_drawn_at_the_end_of_a_fit(tmp_path: Path) -> None:
    small_trainer(tmp_path, PlacementPicture(), max_epochs=1).fit(Placed(), datamodule=Points())
    assert (tmp_path / "placement.png").stat().st_size > 1000
