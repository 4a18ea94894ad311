"""Mixup and CutMix: each sample has its own draw, and targets are mixed by what is there."""

from typing import Any

import pytest
import torch

from common.messages import UserError
from lit_models.cnn.lenet import LitLeNet
from lit_models.regularization.mixing import CutMix, Mixup, boxes


def mixed(regularizer: Any, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return regularizer.batch(LitLeNet(num_classes=4), x, y)


@pytest.mark.parametrize("regularizer", [Mixup(1.0), CutMix(1.0)])
def test_the_target_has_the_part_that_each_image_has(regularizer: Any) -> None:
    """Images that are their class, so that the mean of a mixture is the mean of its classes."""
    y = torch.arange(4).repeat(4)
    x = y.float()[:, None, None, None].expand(-1, 1, 20, 30).contiguous()
    changed, target = mixed(regularizer, x, y)
    torch.testing.assert_close(target.sum(1), torch.ones(16))
    torch.testing.assert_close(changed.mean((1, 2, 3)), target @ torch.arange(4.0))
    assert len(target.max(1).values.unique()) > 4, "one weight for all samples"


def test_cutmix_pastes_and_does_not_blend() -> None:
    x, y = torch.rand(6, 3, 12, 12), torch.arange(6) % 4
    changed, _ = mixed(CutMix(), x, y)
    same = [
        bool((changed[i][:, r, c] == x[:, :, r, c]).all(1).any()) for i in range(6) for r in (0, 6) for c in (5, 11)
    ]
    assert all(same)


def test_boxes_have_the_area_that_was_drawn_where_they_are_not_cut() -> None:
    inside = boxes(torch.tensor([0.75, 0.0, 1.0]), torch.full((3, 2), 0.5), 40, 20)
    assert inside.float().mean((1, 2)).tolist() == [0.25, 1.0, 0.0]


def test_an_alpha_of_zero_is_refused() -> None:
    for kind in (Mixup, CutMix):
        with pytest.raises(UserError, match="alpha is 0: give a number above 0"):
            kind(0)
