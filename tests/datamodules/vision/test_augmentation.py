"""Augmentation: equal to torchvision's at equal parameters; boxes and masks move; each picture has its own draw."""

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from common.messages import UserError
from datamodules.vision.augmentation import (
    Augmentation,
    Pictures,
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    affine_maps,
    mosaic,
    warp,
)


def photos(count: int = 3, height: int = 20, width: int = 30) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (adjust_brightness, tv.adjust_brightness),
        (adjust_contrast, tv.adjust_contrast),
        (adjust_saturation, tv.adjust_saturation),
    ],
)
def test_colors_are_torchvisions_with_a_factor_for_each_picture(ours: object, theirs: object) -> None:
    x, factors = photos(), torch.tensor([0.4, 1.0, 1.7])
    expected = torch.stack([theirs(image, float(f)) for image, f in zip(x, factors, strict=True)])  # type: ignore[operator]
    torch.testing.assert_close(ours(x, factors), expected, atol=1e-5, rtol=0)  # type: ignore[operator]


def test_hue_is_torchvisions() -> None:
    x, turns = photos(), torch.tensor([-0.4, 0.0, 0.21])
    x[0, :, 0] = 0.5  # gray pixels
    expected = torch.stack([tv.adjust_hue(image, float(t)) for image, t in zip(x, turns, strict=True)])
    torch.testing.assert_close(adjust_hue(x, turns), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(24, 24), (20, 30)])
def test_affine_maps_are_torchvisions(size: tuple[int, int]) -> None:
    x = photos(3, *size)
    degrees, scale, shear = torch.tensor([20.0, -35, 0]), torch.tensor([1.0, 1.3, 0.7]), torch.tensor([0.0, 10, -15])
    pixels = torch.tensor([[3.0, -2], [0, 0], [-4, 5]])
    shift = pixels / torch.tensor([size[1], size[0]])
    maps = affine_maps(degrees, shift, scale, shear, torch.ones(3), size[1] / size[0])
    expected = torch.stack(
        [
            tv.affine(image, float(a), t.int().tolist(), float(s), [float(k), 0.0], tv.InterpolationMode.BILINEAR)
            for image, a, t, s, k in zip(x, degrees, pixels, scale, shear, strict=True)
        ]
    )
    torch.testing.assert_close(warp(Pictures(x), maps).x, expected, atol=1e-4, rtol=0)


def scene(count: int = 6) -> Pictures:
    """Black pictures with a white rectangle, its box and its mask."""
    x, masks, boxes = (
        torch.zeros(count, 3, 40, 40),
        torch.zeros(count, 40, 40, dtype=torch.long),
        torch.zeros(count, 2, 4),
    )
    for k in range(count):
        top, left = 8 + k, 12 - k
        x[k, :, top : top + 14, left : left + 18], masks[k, top : top + 14, left : left + 18] = 1, 2
        boxes[k, 0] = torch.tensor([left, top, left + 18, top + 14]) / 40
    labels = torch.tensor([[1, -1]] * count)
    return Pictures(x, boxes, torch.zeros(count, 2, dtype=torch.bool), labels, masks)


def box_of(image: Tensor) -> Tensor:
    y, x = (image > 0.5).nonzero().unbind(1)
    return torch.tensor([x.min(), y.min(), x.max() + 1, y.max() + 1])


@pytest.mark.parametrize("change", [{"flip": 1.0}, {"scale": 0.3}, {"shift": 0.1}, {"flip": 0.5, "scale": 0.2}])
def test_boxes_and_masks_move_with_their_picture(change: dict[str, float]) -> None:
    torch.manual_seed(1)
    found = Augmentation(**change)(scene())
    for k in range(6):
        box = found.boxes[k, 0] * 40  # type: ignore[index]
        assert (box - box_of(found.x[k, 0])).abs().max() <= 1.01
        inside = (found.masks[k] == 2) == (found.x[k, 0] > 0.5)  # type: ignore[index]
        assert inside.float().mean() > 0.97
    assert (found.labels == scene().labels).all() and set(found.masks.unique().tolist()) <= {0, 2, 255}  # type: ignore[union-attr]


def test_a_box_around_a_turned_object_holds_it() -> None:
    torch.manual_seed(0)
    found = Augmentation(rotate=40, shear=10)(scene())
    for k in range(6):
        tight, box = box_of(found.x[k, 0]), found.boxes[k, 0] * 40  # type: ignore[index]
        assert (box[:2] <= tight[:2] + 1).all() and (box[2:] >= tight[2:] - 1).all()


def test_each_picture_has_its_own_draw_and_nothing_given_changes_nothing() -> None:
    same = Pictures(photos(1).expand(4, -1, -1, -1))
    torch.manual_seed(0)
    for change in ({"rotate": 30}, {"color": 0.5}, {"hue": 0.3}, {"shift": 0.3}):
        x = Augmentation(**change)(same).x  # type: ignore[arg-type]
        assert not any(torch.allclose(x[0], x[k]) for k in range(1, 4)), change
    assert Augmentation()(same).x is same.x


def test_objects_that_leave_are_ignored_or_gone() -> None:
    torch.manual_seed(0)
    found = Augmentation(shift=1.0)(scene(40))
    gone, hardly = found.labels[:, 0] < 0, found.ignored[:, 0]  # type: ignore[index]
    assert gone.any() and hardly.any() and not (gone & hardly).any() and not (gone | hardly).all()


def test_a_mosaic_has_the_objects_of_four_pictures_where_they_are() -> None:
    torch.manual_seed(0)
    batch = scene()
    batch.x = batch.x * torch.linspace(0.5, 1, 6).view(-1, 1, 1, 1)
    found = mosaic(batch, 1.0)
    assert found.boxes.shape == (6, 8, 4)  # type: ignore[union-attr]
    for k in range(6):
        drawn = torch.zeros(40, 40, dtype=torch.bool)
        for left, top, right, bottom in (found.boxes[k][found.labels[k] >= 0] * 40).round().int().tolist():  # type: ignore[index]
            drawn[top:bottom, left:right] = True
        assert torch.equal(drawn, found.x[k, 0] > 0) and torch.equal(drawn, found.masks[k] == 2)  # type: ignore[index]
    whole = mosaic(batch, 0.0)
    assert torch.equal(whole.x, batch.x) and (whole.labels >= 0).sum() == 6  # type: ignore[operator]


def test_mixed_pictures_have_mixed_classes() -> None:
    torch.manual_seed(0)
    x = torch.eye(4).view(4, 4, 1, 1).expand(-1, -1, 5, 5)
    found = Augmentation(mixup=1.0)(Pictures(x, classes=torch.arange(4)), num_classes=4)
    assert found.classes is not None
    torch.testing.assert_close(found.classes, found.x[:, :, 0, 0])
    assert (found.classes.diagonal() >= 0.5).all() and (found.classes.diagonal() < 1).any()


def test_what_cannot_be_is_one_line() -> None:
    with pytest.raises(UserError, match=r"data.augmentation.hue is 0.7: give a number from 0 to 0.5"):
        Augmentation(hue=0.7).checked()
    with pytest.raises(UserError, match=r"augmentation.mosaic"):
        Augmentation(mosaic=0.5)(Pictures(photos(), classes=torch.arange(3)))
    with pytest.raises(UserError, match=r"augmentation.mixup"):
        Augmentation(mixup=0.5)(scene())
