"""Outputs of the layers with kernels, in the order of use."""

import torch
from torch import nn

from callbacks.pictures.layer_outputs import has_kernels, layer_outputs
from lit_models.convolution.pooling import BlurPool2d


def test_layers_with_kernels_are_kept_by_name_and_hooks_go() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), BlurPool2d(3), nn.Flatten(), nn.Linear(18, 2))
    x = torch.rand(1, 1, 8, 8)
    with layer_outputs(net) as maps:
        net(x)
    assert {name: tuple(m.shape) for name, m in maps.items()} == {"0": (1, 2, 6, 6), "3": (1, 2, 3, 3)}
    maps.clear()
    net(x)
    assert not maps


def test_kernels_are_parameters_of_three_dimensions_or_fixed_ones_of_two() -> None:
    assert has_kernels(nn.Conv1d(1, 1, 3)) and has_kernels(BlurPool2d(3))
    assert not has_kernels(nn.Linear(3, 3)) and not has_kernels(nn.BatchNorm2d(3)) and not has_kernels(nn.ReLU())
