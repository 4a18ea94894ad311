"""Channels-last order changes the memory and no number."""

from pathlib import Path

import pytest
import torch
from torch import nn

from callbacks.channels_last import ChannelsLast, corrupts_memory
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


def test_a_shortcut_whose_gradient_would_corrupt_the_memory_keeps_its_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """4 channels, 1 x 1, stride 2, channels last: "double free or corruption" in oneDNN on processors with AVX2."""
    model = SmallNet()
    model.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 8, 1, stride=2, bias=False))
    ChannelsLast().setup(small_trainer(tmp_path), model, "fit")
    assert model.net[0].weight.is_contiguous()  # type: ignore[operator]
    assert "not in channels-last order" in capsys.readouterr().err
    for narrow, kernel, stride in ((1, 1, 2), (8, 1, 2), (4, 3, 2), (4, 1, 1)):
        assert not corrupts_memory(nn.Conv2d(narrow, 8, kernel, stride))
