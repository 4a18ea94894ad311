"""A person's picture and mask: sizes, values, errors of one line."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from common.messages import UserError
from datamodules.vision.image_files import decode
from lit_models.functional.picture_files import read_mask, read_picture


def saved(path: Path, size: tuple[int, int], color: int, white: tuple[int, int, int, int] | None = None) -> str:
    image = Image.new("L", size, color)
    if white:
        image.paste(255, white)
    image.save(path)
    return str(path)


def test_a_picture_gets_the_models_size_and_channels(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", (32, 24), 0, (0, 0, 16, 24))
    gray = read_picture(path, (1, 8, 8))
    assert gray.shape == (1, 1, 8, 8) and bool((gray[..., :3] == 1).all()) and bool((gray[..., 5:] == 0).all())
    assert read_picture(path, (3, 8, 8)).shape == (1, 3, 8, 8)


def test_it_is_resized_as_in_training(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for channels, size in ((3, 8), (1, 28), (3, 64)):
        found = read_picture(str(tmp_path / "a.png"), (channels, size, size))
        assert torch.equal(found[0], torch.from_numpy(decode(str(tmp_path / "a.png"), channels, size).copy()) / 255)


def test_transparent_parts_are_white_as_in_training(tmp_path: Path) -> None:
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 4, 8))
    image.save(tmp_path / "a.png")
    found = read_picture(str(tmp_path / "a.png"), (3, 8, 8))
    assert bool((found[..., :4] == 1).all()) and found[0, :, 0, 4].tolist() == [1, 0, 0]
    assert torch.equal(found[0], torch.from_numpy(decode(str(tmp_path / "a.png"), 3, 8).copy()) / 255)


def test_sixteen_bits_are_scaled_as_in_training(tmp_path: Path) -> None:
    """PIL itself cuts them off at 255."""
    Image.fromarray(np.full((8, 8), 16384, np.uint16)).save(tmp_path / "a.png")
    found = read_picture(str(tmp_path / "a.png"), (1, 8, 8))
    assert found.unique().tolist() == [pytest.approx(0.25, abs=0.002)]
    assert torch.equal(found[0], torch.from_numpy(decode(str(tmp_path / "a.png"), 1, 8).copy()) / 255)


def test_the_middle_square_is_taken_of_picture_and_mask(tmp_path: Path) -> None:
    picture = saved(tmp_path / "a.png", (32, 16), 255, (8, 0, 24, 16))
    mask = saved(tmp_path / "m.png", (32, 16), 0, (16, 0, 32, 16))
    ends = saved(tmp_path / "e.png", (32, 16), 0, (24, 0, 32, 16))
    assert read_mask(mask, picture, (1, 4, 4))[0, 0, 0].tolist() == [True, True, False, False]
    with pytest.raises(UserError, match="no white pixel in the middle square"):
        read_mask(ends, picture, (1, 4, 4))
    half = saved(tmp_path / "h.png", (32, 16), 0, (20, 0, 32, 16))
    first, *_, last = read_picture(half, (1, 4, 4))[0, 0, 0].tolist()
    assert first == 0 and last > 0.8


def test_white_of_a_mask_is_not_kept(tmp_path: Path) -> None:
    picture, mask = saved(tmp_path / "a.png", (16, 16), 0), saved(tmp_path / "m.png", (16, 16), 0, (8, 0, 16, 16))
    keep = read_mask(mask, picture, (1, 4, 4))
    assert keep.shape == (1, 1, 4, 4) and torch.equal(keep[0, 0, 0], torch.tensor([True, True, False, False]))


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    picture, other = saved(tmp_path / "a.png", (16, 16), 0), saved(tmp_path / "m.png", (8, 8), 255)
    with pytest.raises(UserError, match=r"8 x 8 pixels, .* has 16 x 16: give a mask of that size"):
        read_mask(other, picture, (1, 4, 4))
    with pytest.raises(UserError, match="no white pixel"):
        read_mask(picture, picture, (1, 4, 4))
    (tmp_path / "text.png").write_text("no picture")
    for path, says in (("text.png", "not a picture"), ("none.png", "there is no file")):
        with pytest.raises(UserError, match=says):
            read_picture(str(tmp_path / path), (1, 4, 4))
