"""Devices: one that is not there is said to be missing, a module moved in part is seen."""

import pytest
import torch
from torch import nn

from common.messages import UserError
from lit_models.builders import devices
from lit_models.builders.blocks import FixedHidden
from lit_models.builders.devices import best_device, devices_of, gpu


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "gpu_count", lambda: 2)
    assert gpu(1) == torch.device("cuda", 1) and best_device() == torch.device("cuda", 0)
    for i in (2, -1):
        with pytest.raises(UserError, match=f"GPU {i} was asked for, and there are 2"):
            gpu(i)


def test_without_a_gpu_the_best_device_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "gpu_count", lambda: 0)
    assert best_device().type in ("cpu", "mps")


def test_buffers_move_with_their_module_and_plain_attributes_do_not() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.fixed = nn.Linear(5, 5), torch.rand(5, 5)

    plain = Plain().to("meta")
    assert plain.fixed.device.type == "cpu"  # the book's FixedHiddenMLP: its product would now fail
    block = FixedHidden(5).to("meta")
    assert {device.type for device in devices_of(block)} == {"meta"}


def test_a_module_moved_in_part_lies_in_two_places() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).to("meta"))
    assert {device.type for device in devices_of(net)} == {"cpu", "meta"}
