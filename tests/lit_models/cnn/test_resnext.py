"""ResNeXt: the battery, the published size, groups that are the cardinality."""

import pytest
import torch
from torch import Tensor

from lit_models.cnn.resnext import LitResNeXt, ResNeXt
from tests.battery import ADAM, ClassifierBattery


class TestLitResNeXt(ClassifierBattery):
    parameters = 24_554
    overfit_steps = 60

    def model(self) -> LitResNeXt:
        return LitResNeXt(
            num_classes=10,
            in_channels=1,
            image_size=16,
            depth=14,
            width=4,
            groups=4,
            group_width=16,
            stem="small",
            optimizer=ADAM,
        )

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 16, 16), torch.arange(8)


@pytest.mark.parametrize(
    ("depth", "group_width", "parameters"), [(50, 4, 25_028_904), (101, 8, 88_791_336)], ids=["50_32x4d", "101_32x8d"]
)
def test_published_number_of_parameters(depth: int, group_width: int, parameters: int) -> None:
    with torch.device("meta"):
        net = ResNeXt(depth=depth, group_width=group_width)
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_groups_are_their_number_and_not_their_width() -> None:
    with torch.device("meta"):
        conv = ResNeXt().layer1[0].conv2
    assert conv.groups == 32 and conv.in_channels // conv.groups == 4


def test_weights_bring_the_published_form() -> None:
    with torch.device("meta"):
        model = LitResNeXt(num_classes=1000, depth=14, width=8, group_width=16, weights="resnext50_32x4d.pth")
    assert sum(p.numel() for p in model.net.parameters()) == 25_028_904
