"""Photographs and a style: splits, the style's picture, examples in any color, files, words that are no texture."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from common.messages import UserError
from datamodules.vision.photo_textures import TEXTURES, PhotoTextures, as_bytes, texture
from datamodules.vision.textured_shapes import COLUMNS, crops


def test_a_batch_has_contents_and_one_style() -> None:
    data = PhotoTextures(train_size=6, val_size=2, test_size=4, image_size=32, flip=True)
    data.setup("fit")
    content, style = data.augment(data.transform(data.splits["train"]))
    assert content.shape == style.shape == (6, 3, 32, 32) and bool((style == style[:1]).all())
    assert float(content.max()) <= 1 and len(content.flatten(1).unique(dim=0)) == 6


def test_contents_of_each_split_are_of_its_own_columns() -> None:
    data = PhotoTextures(train_size=3, val_size=3, test_size=3, image_size=32)
    data.setup("test")
    for seed, name in enumerate(("train", "val", "test")):
        own = crops(3, COLUMNS[name], torch.Generator().manual_seed(seed), 32)
        assert torch.equal(data.splits[name][0], as_bytes(own))
    edges = [COLUMNS[name] for name in ("train", "val", "test")]
    assert all(a[1] <= b[0] or b[1] <= a[0] for a in edges for b in edges if a is not b)


def test_pictures_may_be_larger_than_the_columns_of_a_split() -> None:
    data = PhotoTextures(train_size=2, val_size=2, test_size=2, source_size=5, image_size=256)
    data.setup("fit")
    assert all(part[0].shape == (2, 3, 256, 256) for name, part in data.splits.items() if name != "predict")
    assert data.source()[0].shape == (5, 3, 256, 256)


def test_textures_look_as_they_are_called() -> None:
    one = torch.ones(1)
    stripes, checks, dots, _ = (texture(one.long() * k, 64, one * 16, one * 0, one * 0)[0] for k in range(4))
    assert float(stripes.std(0).max()) < 1e-6 and float(stripes.std(1).min()) > 0.3  # the same along one axis
    torch.testing.assert_close(checks, checks.roll((8, 8), (0, 1)), atol=1e-4, rtol=0)  # half a period each way
    assert float(dots.mean()) < 0.4 < float(checks.mean())


def test_examples_are_in_turn_of_all_classes_and_their_colors_say_nothing() -> None:
    images, labels = PhotoTextures(source_size=100, image_size=32).source()
    assert labels.bincount().tolist() == [20] * 5 and images.dtype == torch.uint8
    means = torch.stack([images[labels == k].float().mean((0, 2, 3)) for k in range(4)])
    assert float((means - means.mean(0)).abs().max()) < 30


def test_a_style_is_a_texture_or_a_file(tmp_path: Path) -> None:
    Image.new("RGB", (50, 40), (255, 0, 0)).save(tmp_path / "red.png")
    data = PhotoTextures(style=str(tmp_path / "red.png"), image_size=32, train_size=2, val_size=2, test_size=2)
    data.setup("test")
    assert data.style_class is None and data.splits["test"][1][0, :, 5, 5].tolist() == [255, 0, 0]
    assert PhotoTextures(style="dots").style_class == TEXTURES.index("dots")
    with pytest.raises(UserError, match=r"data.style is stripe: did you mean 'stripes'\?: give a file or stripes"):
        PhotoTextures(style="stripe")
    with pytest.raises(UserError, match=r"no file lost.png: give --data.style a picture"):
        PhotoTextures(style="lost.png", image_size=32).setup("fit")
