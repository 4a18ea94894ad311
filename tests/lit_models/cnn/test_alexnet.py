"""AlexNet in both forms: the battery, published sizes, the least size of each."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lit_models.cnn.alexnet import AlexNet, LitAlexNet
from tests.battery import ADAM, ClassifierBattery


class TestLitAlexNet(ClassifierBattery):
    parameters = 49_586
    overfit_steps = 100

    def model(self) -> LitAlexNet:
        return LitAlexNet(
            num_classes=10,
            in_channels=3,
            image_size=32,
            stem="small",
            width=0.125,
            pool_size=3,
            hidden_size=32,
            dropout=0.0,
            optimizer=ADAM,
        )

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 3, 32, 32), torch.arange(8)


class TestGroupedAlexNet(TestLitAlexNet):
    parameters = 47_610

    def model(self) -> LitAlexNet:
        small: Any = {"stem": "small", "width": 0.125, "pool_size": 3, "hidden_size": 32, "dropout": 0.0}
        return LitAlexNet(num_classes=10, in_channels=3, image_size=32, variant="grouped", **small, optimizer=ADAM)


@pytest.mark.parametrize(
    ("variant", "size", "parameters"), [("one_tower", 224, 61_100_840), ("grouped", 227, 60_965_224)]
)
def test_published_number_of_parameters(variant: Any, size: int, parameters: int) -> None:
    with torch.device("meta"):
        net = AlexNet(image_size=size, variant=variant)
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_feature_maps_are_the_papers() -> None:
    net = AlexNet(image_size=227, variant="grouped", width=1 / 32, hidden_size=4)
    sides, x = [], torch.rand(1, 3, 227, 227)
    for layer in net.features:
        x = layer(x)
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            sides.append(x.shape[-1])
    assert sides == [55, 27, 27, 13, 13, 13, 13, 6]  # figure 2


@pytest.mark.parametrize(
    ("variant", "stem", "least"),
    [("one_tower", "imagenet", 63), ("grouped", "imagenet", 67), ("one_tower", "small", 15), ("grouped", "small", 15)],
)
def test_the_least_size_works_and_one_less_is_refused(variant: Any, stem: Any, least: int) -> None:
    def net(size: int) -> AlexNet:
        return AlexNet(3, 4, size, variant, stem, width=0.05, hidden_size=4)

    assert net(least).eval()(torch.rand(1, 3, least, least)).shape == (1, 4)
    with pytest.raises(ValueError, match=f"AlexNet needs at least {least} pixels"):
        net(least - 1)


def test_towers_meet_in_the_third_convolution_alone() -> None:
    net = AlexNet(3, 4, 67, variant="grouped", width=0.125, hidden_size=4)
    assert [m.groups for m in net.features if isinstance(m, nn.Conv2d)] == [1, 2, 1, 2, 2]


def test_weights_bring_torchvisions_form() -> None:
    with torch.device("meta"):
        model = LitAlexNet(num_classes=1000, variant="grouped", width=0.25, weights="alexnet.pth")
    assert sum(p.numel() for p in model.net.parameters()) == 61_100_840
