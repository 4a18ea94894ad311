"""The curve has no noise, and its splits have no point in common."""

import torch

from datamodules.synthetic.wiggle import Wiggle, wiggle


def test_targets_are_on_the_curve_and_points_are_new_in_each_split() -> None:
    splits = Wiggle().load("fit")
    for x, *y in (splits[name] for name in ("train", "val", "test")):
        assert torch.equal(y[0], wiggle(x[:, 0]))
    assert not set(splits["train"][0][:, 0].tolist()) & set(splits["test"][0][:, 0].tolist())
