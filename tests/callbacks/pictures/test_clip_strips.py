"""Strips and animations of clips: one of each class, named, with what was predicted."""

from pathlib import Path

import torch
from PIL import Image

from callbacks.pictures.clip_strips import ClipStrips, animation, draw_strips


def test_the_first_clip_of_each_class_is_drawn() -> None:
    picture = ClipStrips()
    x, y = torch.rand(5, 1, 3, 4, 4), torch.tensor([2, 0, 2, 1, 0])
    rows = picture.collect(None, {"logits": torch.eye(3)[[2, 0, 0, 0, 0]]}, (x, y))  # type: ignore[arg-type]
    found = picture.look(None, None, rows)  # type: ignore[arg-type]
    assert found["truth"].tolist() == [0, 1, 2] and found["prediction"].tolist() == [0, 0, 2]
    assert torch.equal(found["x"], x[[1, 3, 0]])
    labels = [ax.get_ylabel() for ax in draw_strips(found, ["a", "b", "c"]).axes]
    assert labels == ["a", "b, taken\nfor a", "c"]


def test_of_several_clips_of_a_video_the_first_is_drawn() -> None:
    x = torch.rand(2, 4, 3, 2, 4, 4)
    rows = ClipStrips().collect(None, {"logits": torch.zeros(2, 3)}, (x, torch.tensor([0, 1])))  # type: ignore[arg-type]
    assert torch.equal(rows["x"], x[:, 0])


def test_the_animation_has_a_frame_for_each_frame(tmp_path: Path) -> None:
    animation(torch.rand(7, 3, 5, 4, 4), tmp_path / "a.gif", zoom=2)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 5 and image.size == (6 * 5 * 2, 2 * 5 * 2) and image.info["duration"] == 120  # type: ignore[attr-defined]
