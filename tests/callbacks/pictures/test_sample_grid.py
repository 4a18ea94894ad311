"""A picture of samples."""

from types import SimpleNamespace
from typing import Any

import torch

from callbacks.pictures.sample_grid import SampleGrid


def test_a_cell_shows_each_sample() -> None:
    module: Any = SimpleNamespace(picture_rows=lambda count: torch.rand(count, 1, 8, 8))
    callback = SampleGrid(columns=3, rows=2)
    found = callback.look(None, module)  # type: ignore[arg-type]
    figure = callback.draw(None, found)  # type: ignore[arg-type]
    shown = [ax.images[0].get_array() for ax in figure.axes]
    assert len(shown) == 6
    for image, pixels in zip(found, shown, strict=True):
        assert torch.equal(torch.tensor(pixels), image[0])
