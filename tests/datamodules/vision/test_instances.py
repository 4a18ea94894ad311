"""Instances move with their pictures; what comes from outside of a picture shows no object."""

import pytest
import torch

from common.messages import UserError
from datamodules.vision.augmentation import Augmentation
from datamodules.vision.instances import augment_instances, refuse_mixing


def test_pixels_from_outside_of_the_picture_show_no_object() -> None:
    torch.manual_seed(0)
    whole = torch.tensor([[[0.0, 0.0, 1.0, 1.0]]]).expand(8, 1, 4)
    batch = torch.ones(8, 3, 20, 20), whole, torch.zeros(8, 1, dtype=torch.bool), torch.zeros(8, 1).long()
    moved = augment_instances((*batch, torch.ones(8, 20, 20, dtype=torch.uint8)), False, Augmentation(shift=0.4))
    assert set(moved[4].unique().tolist()) == {0, 1} and len(moved) == 5
    dark = (moved[0] < 0.01).all(1)
    assert not moved[4][dark].any() and bool(moved[4][(moved[0] > 0.99).all(1)].all())


@pytest.mark.parametrize("change", ["mosaic", "mixup"])
def test_changes_that_mix_pictures_are_refused(change: str) -> None:
    refuse_mixing(None)
    refuse_mixing(Augmentation(rotate=10))
    with pytest.raises(UserError, match="mosaic and mixup mix the numbers"):
        refuse_mixing(Augmentation(**{change: 0.5}))
