"""Pairs of digits: a hundred kinds, each digit in its channel, from its own split."""

import torch

from datamodules.vision.digit_pairs import DigitPairs
from datamodules.vision.mnist import MNIST5k


def test_each_channel_has_the_digit_that_the_class_says() -> None:
    data, single = DigitPairs(train_size=30, val_size=20, test_size=10), MNIST5k(image_size=16)
    data.setup("fit")
    single.setup("fit")
    for split, size in (("train", 30), ("val", 20), ("test", 10)):
        x, y = data.splits[split]
        digits, labels = (part.clone() for part in single.splits[split])
        assert x.shape == (size, 2, 16, 16) and x.dtype == torch.uint8
        for channel, wanted in enumerate((y // 10, y % 10)):
            same = (x[:, channel, None] == digits[None, :, 0]).flatten(2).all(2)  # (pairs, digits)
            assert bool(same.any(1).all()) and torch.equal(labels[same.float().argmax(1)], wanted)


def test_all_hundred_pairs_are_about_equally_frequent() -> None:
    data = DigitPairs()
    data.setup("fit")
    counts = data.splits["train"][1].bincount(minlength=100)
    assert len(counts) == 100 and int(counts.min()) > 60 and int(counts.max()) < 150
    assert data.class_names[7] == "07" and data.baselines() == {}
