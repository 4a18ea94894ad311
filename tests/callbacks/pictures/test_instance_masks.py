"""instance_masks.png: the class of each object's pixels, borders between objects, improbable detections left out."""

from pathlib import Path

import torch
from torch.utils.data import DataLoader

from callbacks.pictures.instance_masks import InstanceMasks, class_map
from lit_models.vision.mask_rcnn import LitMaskRCNN
from tests.lit_models.vision.test_mask_rcnn import SMALL, objects, triangles
from tests.small import small_trainer


def test_pixels_have_the_class_of_their_object_and_a_border_where_objects_meet() -> None:
    instances = torch.tensor([[[0, 1, 1, 2, 2], [0, 1, 1, 2, 2], [3, 3, 0, 0, 0]]])
    found = class_map(instances, torch.tensor([[4, 4, -1]]))
    assert found.tolist() == [[[0, 255, 5, 255, 5], [0, 255, 5, 255, 5], [0, 255, 255, 255, 255]]]


def test_a_test_draws_its_first_pictures(tmp_path: Path) -> None:
    model = LitMaskRCNN(image_size=32, **SMALL)
    boxes, ignored, labels = objects()
    batch = torch.rand(4, 3, 32, 32), boxes, ignored, labels, triangles(boxes, labels)
    loader = DataLoader([batch], batch_size=None)  # type: ignore[arg-type]
    small_trainer(tmp_path, InstanceMasks(pictures=2)).test(model, loader, verbose=False)
    assert (tmp_path / "instance_masks.png").stat().st_size > 1000
