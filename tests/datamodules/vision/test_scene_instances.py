"""Scenes with instances: the same pictures and boxes, each object's pixels in its box, and both move together."""

import pytest
import torch

from common.messages import UserError
from datamodules.vision.augmentation import Augmentation
from datamodules.vision.scene_instances import SceneInstances
from datamodules.vision.scenes import Scenes

SIZES = {"train_size": 12, "val_size": 2, "test_size": 2}


def box_of(shown: torch.Tensor) -> list[int]:
    y, x = shown.nonzero().unbind(1)
    return [int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1]


def test_pictures_are_those_of_scenes_and_a_box_is_that_of_its_instance() -> None:
    data, scenes = SceneInstances(**SIZES), Scenes(**SIZES)
    data.setup("fit")
    scenes.setup("fit")
    *boxed, instances = data.splits["train"]
    assert all(torch.equal(a, b) for a, b in zip(boxed, scenes.splits["train"], strict=True))
    _, boxes, _, labels = boxed
    for shown, own, kinds in zip(instances, boxes, labels, strict=True):
        count = int((kinds >= 0).sum())
        assert set(shown.unique().tolist()) - {0} == set(range(1, count + 1))
        for k in range(count):
            assert box_of(shown == k + 1) == (own[k] * 96).round().tolist()
    assert "test/map50" in data.baselines()["baseline"]["metrics"]


def test_instances_are_mirrored_and_moved_with_their_boxes() -> None:
    torch.manual_seed(0)
    data = SceneInstances(flip=True, augmentation=Augmentation(shift=0.1), **SIZES)
    data.setup("fit")
    before = data.transform(data.splits["train"])
    x, boxes, _, labels, instances = data.augment(before)
    assert not torch.equal(x, before[0]) and int(instances.max()) <= labels.shape[1]
    inside = ((boxes > 0.02) & (boxes < 0.98)).all(2) & (labels >= 0)
    assert int(inside.sum()) > 12
    for i, k in inside.nonzero().tolist():
        found = torch.tensor(box_of(instances[i] == k + 1))
        assert (found - boxes[i, k] * 96).abs().max() <= 1.1  # a shift need not be a whole number of pixels


def test_mosaic_is_refused() -> None:
    with pytest.raises(UserError, match="leave them at 0 with masks"):
        SceneInstances(augmentation=Augmentation(mosaic=0.5))
