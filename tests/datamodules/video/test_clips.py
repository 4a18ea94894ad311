"""The base of video sets: the order of frames, and sizes."""

import pytest
import torch

from common.messages import UserError
from datamodules.video.clips import Clips, in_order


def test_orders_of_frames() -> None:
    x = torch.arange(2 * 3 * 6).view(2, 3, 6, 1, 1).expand(2, 3, 6, 2, 2).float()
    assert in_order(x, "true") is x
    assert torch.equal(in_order(x, "one"), x[:, :, 3:4].expand_as(x))
    torch.manual_seed(0)
    shuffled = in_order(x, "shuffled")
    assert torch.equal(shuffled.sort(2).values, x) and not torch.equal(shuffled, x)
    relative = shuffled - x.amin(2, keepdim=True)
    assert torch.equal(relative[:, :1].expand_as(relative), relative)  # one order for all channels
    assert not torch.equal(relative[0], relative[1])  # and another for each clip


def test_several_clips_of_a_video_are_shuffled_too() -> None:
    x = torch.rand(2, 3, 1, 4, 2, 2)
    shuffled = in_order(x, "shuffled")
    assert torch.equal(shuffled.sort(3).values, x.sort(3).values)


def test_a_size_of_zero_is_named() -> None:
    with pytest.raises(UserError, match=r"data.num_frames is 0"):
        Clips(2, 1, 0, 8)
