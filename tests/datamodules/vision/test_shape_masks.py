"""Large shapes with masks: what is drawn, what the splits share, sizes."""

import torch

from datamodules.vision.shape_masks import NAMES, ShapeMasks, draw_pictures


def test_pictures_are_fixed_and_each_split_has_its_own() -> None:
    images, masks = draw_pictures(8, "train")
    again, _ = draw_pictures(8, "train")
    other, _ = draw_pictures(8, "test")
    assert images.shape == (8, 3, 48, 48) and images.dtype == masks.dtype == torch.uint8 and masks.shape == (8, 48, 48)
    assert torch.equal(images, again) and not torch.equal(images, other)


def test_every_picture_has_an_object_and_classes_are_about_equally_frequent() -> None:
    _, masks = draw_pictures(300, "train")
    assert bool((masks > 0).flatten(1).any(1).all()) and int(masks.max()) == len(NAMES)
    present = torch.stack([(masks == k).flatten(1).any(1).float().mean() for k in range(1, 4)])
    assert bool((present > 0.4).all()) and bool((present < 0.7).all())


def test_an_object_has_one_color_and_its_mask_covers_it_exactly() -> None:
    images, masks = draw_pictures(60, "val")
    single = [(x.float(), y) for x, y in zip(images, masks, strict=True) if len(y.unique()) == 2]
    inside = [x[:, y > 0] for x, y in single]
    spread = torch.stack([part.std(1).min() for part in inside])
    assert float(spread.median()) < 7  # the noise of a plain color; two objects of a class have two


def test_no_color_belongs_to_a_class() -> None:
    images, masks = draw_pictures(400, "train")
    means = []
    for k in range(1, 4):
        rows = (masks == k).flatten(1).any(1)
        chosen = [x[:, y == k].float().mean(1) for x, y in zip(images[rows], masks[rows], strict=True)]
        means.append(torch.stack(chosen).mean(0))
    assert float((torch.stack(means) - torch.stack(means).mean(0)).abs().max()) < 20  # 74 / sqrt(200) is 5


def test_another_size_keeps_classes_whole() -> None:
    data = ShapeMasks(image_size=24, train_size=4, val_size=2, test_size=3)
    data.setup("fit")
    x, y = data.splits["train"]
    assert x.shape == (4, 3, 24, 24) and y.shape == (4, 24, 24) and set(y.unique().tolist()) <= {0, 1, 2, 3}
    assert 0.1 < data.baselines()["chance"]["metrics"]["test/miou"] < 0.4
