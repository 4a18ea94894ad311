"""The three pictures of a style transfer."""

from types import SimpleNamespace
from typing import Any

import torch

from callbacks.pictures.stylized_picture import StylizedPicture


def test_content_style_and_both_are_shown_with_their_names() -> None:
    trainer: Any = SimpleNamespace()
    content, style, both = torch.rand(3, 2, 3, 8, 8)
    rows = StylizedPicture().collect(trainer, {"picture": both}, (content, style))
    figure = StylizedPicture().draw(trainer, rows)
    assert [cell.get_title("left") for cell in figure.axes] == ["content", "style", "both"]
    for cell, pictures in zip(figure.axes, (content, style, both), strict=True):
        shown = torch.as_tensor(cell.images[0].get_array())
        assert torch.allclose(shown, pictures[0].permute(1, 2, 0))
