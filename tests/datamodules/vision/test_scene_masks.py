"""Scenes with masks are the same pictures as those with boxes."""

import torch

from datamodules.vision.scene_masks import SceneMasks
from datamodules.vision.scenes import Scenes


def test_pictures_are_those_with_boxes_and_masks_have_their_classes() -> None:
    sizes = {"train_size": 6, "val_size": 3, "test_size": 3}
    masks, boxes = SceneMasks(**sizes), Scenes(**sizes)
    for data in (masks, boxes):
        data.setup("fit")
    x, y = masks.splits["train"]
    assert torch.equal(x, boxes.splits["train"][0]) and y.shape == (6, 96, 96) and y.dtype == torch.uint8
    for mask, labels in zip(y, boxes.splits["train"][3], strict=True):
        assert set(mask.unique().tolist()) - {0} == set((labels[labels >= 0] + 1).tolist())


def test_another_size_has_no_classes_in_between() -> None:
    data = SceneMasks(image_size=40, train_size=4, val_size=2, test_size=2)
    data.setup("fit")
    x, y = data.splits["train"]
    assert x.shape[-1] == y.shape[-1] == 40 and int(y.max()) <= 6


def test_chance_is_background_everywhere() -> None:
    data = SceneMasks(train_size=2, val_size=2, test_size=20)
    data.setup("fit")
    chance = data.baselines()["chance"]["metrics"]
    assert 0.5 < chance["test/pixel_acc"] < 1 and abs(chance["test/miou"] * 7 - chance["test/pixel_acc"]) < 1e-9
