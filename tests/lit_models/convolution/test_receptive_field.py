"""Receptive fields by arithmetic: the known ones, and what gradients see."""

import torch
from torch import nn

from callbacks.pictures.receptive_field import extent, input_gradients
from lit_models.cnn.lenet import LeNet
from lit_models.convolution.pooling import MaxBlurPool2d
from lit_models.convolution.receptive_field import receptive_fields


def test_lenet_by_hand() -> None:
    # conv 5: 5; pool 2: 6, jump 2; conv 5: 6 + 4 * 2 = 14; pool 2: 14 + 2 = 16, jump 4
    fields = receptive_fields(LeNet().features)
    assert [(f.size, f.jump) for f in fields] == [(5, 1), (6, 2), (14, 2), (16, 4)]
    assert fields[0].start == -2  # two pixels of padding


def test_three_small_kernels_see_what_one_of_seven_sees() -> None:
    three = receptive_fields(nn.Sequential(*(nn.Conv2d(1, 1, 3) for _ in range(3))))
    assert three[-1].size == receptive_fields(nn.Conv2d(1, 1, 7))[-1].size == 7


def test_gradients_reach_exactly_the_field() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3, dilation=2), MaxBlurPool2d(3), nn.Conv2d(2, 2, 3, stride=2)).double()
    gradients = input_gradients(net, torch.rand(64, 1, 40, 40).double())
    sizes = {f.name: f.size for f in receptive_fields(net)}
    sizes["1.blur"] += 1  # its maximum at stride 1 is a function and no layer that can be found
    sizes["2"] += 1
    assert {name: extent(g) for name, g in gradients.items()} == {name: (s, s) for name, s in sizes.items()}
