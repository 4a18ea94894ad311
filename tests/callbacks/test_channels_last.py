"""Channels-last order changes the memory and no number."""

from pathlib import Path

import torch
from torch import nn

from callbacks.channels_last import ChannelsLast
from tests.small import SmallNet, small_trainer


def test_weights_and_outputs_are_in_channels_last_order_and_equal(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = SmallNet()
    model.net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3))
    x = torch.rand(2, 3, 9, 9)
    before = model(x)
    ChannelsLast().setup(small_trainer(tmp_path), model, "fit")
    after = model(x)
    assert model.net[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert after.is_contiguous(memory_format=torch.channels_last) and not after.is_contiguous()
    torch.testing.assert_close(after, before)
