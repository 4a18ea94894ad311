"""Receptive fields by arithmetic: the known ones, and what gradients see."""

import torch
from torch import nn

from callbacks.pictures.receptive_field import extent, input_gradients
from lit_models.cnn.lenet import LeNet
from lit_models.convolution.antialiased import AntialiasedNet
from lit_models.convolution.pooling import BlurPool2d, MaxBlurPool2d
from lit_models.convolution.receptive_field import receptive_fields
from lit_models.convolution.separable import DepthwiseSeparable2d
from lit_models.convolution.tiled import TiledConv2d
from lit_models.convolution.unshared import UnsharedConv2d


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
    assert sizes.pop("1") == 6  # the maximum inside of the pooling is no layer of its own
    assert {name: extent(g) for name, g in gradients.items()} == {name: (s, s) for name, s in sizes.items()}


def field_by_gradient(net: nn.Module, side: int) -> int:
    """The side of the pixels that reach one unit in the middle of the output."""
    x = torch.rand(8, 1, side, side).double().requires_grad_()
    y = net.double()(x)
    y[:, :, y.shape[2] // 2, y.shape[3] // 2].sum().backward()
    assert x.grad is not None
    return int(x.grad.abs().sum((0, 1, 2)).gt(0).sum())


def test_the_antialiased_network_sees_what_its_gradients_see() -> None:
    features = AntialiasedNet(width=4).features.eval()
    assert receptive_fields(features)[-1].size == field_by_gradient(features, 64) == 24


def test_every_kind_of_layer_is_counted() -> None:
    layers = {
        UnsharedConv2d(1, 1, (40, 40), 5): 5,
        TiledConv2d(1, 1, 5): 5,
        DepthwiseSeparable2d(1, 2, 3): 3,
        nn.LPPool2d(2, 3): 3,
        nn.AvgPool2d(4): 4,
        BlurPool2d(4): 4,
        MaxBlurPool2d(3): 4,
    }
    for layer, size in layers.items():
        assert receptive_fields(nn.Sequential(layer))[-1].size == field_by_gradient(layer, 40) == size, layer
