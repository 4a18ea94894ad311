"""Colored solids: numbers, masks and attributes agree with the pictures."""

import pytest
import torch

from datamodules.vision.colored_solids import MOST, RGB, SOLIDS, ColoredSolids, Scene, draw


@pytest.fixture(scope="module")
def data() -> ColoredSolids:
    data = ColoredSolids(train_size=200, val_size=20, test_size=40)
    data.setup("fit")
    return data


def test_splits_are_fixed_in_color_and_all_numbers_occur(data: ColoredSolids) -> None:
    images, labels = data.splits["train"]
    again = ColoredSolids(train_size=200, val_size=20, test_size=40).load("fit")
    assert images.shape == (200, 3, 32, 32) and images.dtype == torch.uint8
    assert torch.equal(images, again["train"][0]) and not torch.equal(images[:20], again["val"][0])
    assert labels.bincount(minlength=MOST).min() > 20


def test_the_mask_has_as_many_solids_as_the_label_says(data: ColoredSolids) -> None:
    masks, labels = data.masks["train"], data.splits["train"][1]
    found = torch.tensor([int((mask.unique() > 0).sum()) for mask in masks])
    assert torch.equal(found, labels + 1)
    assert torch.equal((data.scenes["train"].solid >= 0).sum(1), labels + 1)


def test_a_solid_s_pixels_have_the_hue_of_its_color(data: ColoredSolids) -> None:
    images, scene, masks = data.splits["train"][0] / 255, data.scenes["train"], data.masks["train"]
    right = []
    for n, k in (scene.solid >= 0).nonzero().tolist():
        pixels = images[n][:, masks[n] == k + 1].mean(1)
        near = torch.nn.functional.cosine_similarity(pixels[None], RGB).argmax()
        right.append(int(near) == int(scene.color[n, k]))
    assert sum(right) / len(right) > 0.9  # a few are mostly behind another


def test_the_nearest_solid_is_drawn_last_and_is_the_lowest(data: ColoredSolids) -> None:
    y = data.scenes["train"].y
    assert bool((y[:, 1:] >= y[:, :-1]).all())


def test_a_shadow_falls_to_the_right_and_a_missing_solid_leaves_nothing() -> None:
    place = torch.tensor([[0.5] * MOST])
    one = {"x": place, "y": place + 0.2, "size": place / 4}
    for solid in range(len(SOLIDS)):
        kinds = torch.tensor([[solid, -1, -1, -1, -1]])
        image, mask = draw(Scene(kinds, kinds.clamp(max=0), **one), 32)
        empty, nothing = draw(Scene(kinds * 0 - 1, kinds * 0 - 1, **one), 32)
        assert not bool(nothing.any()) and int(mask.max()) == 1
        darker = (image.float() < empty.float() - 8).all(1)[0] & (mask[0] == 0)
        columns, inside = darker.nonzero()[:, 1].float().mean(), mask[0].nonzero()[:, 1].float().mean()
        assert float(columns) > float(inside) + 1


def test_the_size_of_the_pictures_changes_them_and_not_the_scenes() -> None:
    small, large = (ColoredSolids(image_size=s, train_size=10, val_size=2, test_size=2) for s in (16, 64))
    for data in (small, large):
        data.setup("fit")
    assert torch.equal(small.scenes["train"].color, large.scenes["train"].color)
    reduced = torch.nn.functional.avg_pool2d(large.splits["train"][0].float(), 4)
    assert float((small.splits["train"][0] - reduced).abs().mean()) < 4  # of 255
