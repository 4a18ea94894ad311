"""LeNet: the battery, and the facts of its own file."""

import pytest
import torch
from torch import Tensor

from lit_models.cnn.lenet import LeNet, LitLeNet
from tests.battery import ADAM, ClassifierBattery


class TestLitLeNet(ClassifierBattery):
    parameters = 61_706  # LeNet-5 with all maps connected: 156 + 2,416 + 48,120 + 10,164 + 850

    def model(self) -> LitLeNet:
        return LitLeNet(activation="relu", pooling="max", optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 28, 28), torch.arange(8)


def test_book_form_has_sigmoids_and_average_pooling() -> None:
    kinds = [type(m).__name__ for m in LeNet().modules()]
    assert kinds.count("Sigmoid") == 4 and kinds.count("AvgPool2d") == 2


@pytest.mark.parametrize(("channels", "size"), [(3, 32), (1, 12), (2, 29)])
def test_takes_other_channels_and_sizes(channels: int, size: int) -> None:
    assert LeNet(channels, 7, size)(torch.rand(2, channels, size, size)).shape == (2, 7)


def test_too_small_an_image_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 12 pixels"):
        LeNet(image_size=11)


def test_moving_the_image_moves_the_feature_maps() -> None:
    net = LeNet(activation="relu", pooling="max").eval()
    image = torch.zeros(1, 1, 28, 28)
    image[..., 10:14, 10:14] = torch.rand(4, 4)
    moved = image.roll((4, 4), dims=(2, 3))  # two poolings of two: four pixels are one cell
    before, after = net.features(image), net.features(moved)
    torch.testing.assert_close(after[..., 2:4, 2:4], before[..., 1:3, 1:3])
