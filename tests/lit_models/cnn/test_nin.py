"""Network in network: the battery, maps of the book, the least size."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lit_models.cnn.nin import LitNiN, NiN
from tests.battery import ADAM, ClassifierBattery


class TestLitNiN(ClassifierBattery):
    parameters = 35_494
    overfit_steps = 150

    def model(self) -> LitNiN:
        return LitNiN(
            num_classes=10,
            in_channels=1,
            image_size=20,
            stem="small",
            width=0.125,
            dropout=0.0,
            last_relu=False,
            optimizer=ADAM,
        )

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 20, 20), torch.arange(8)


def test_maps_are_the_books() -> None:
    net = NiN(1, 10, 224, width=1 / 32)
    sides, x = [], torch.rand(1, 1, 224, 224)
    for layer in net.features:
        x = layer(x)
        if isinstance(layer, nn.MaxPool2d):
            sides.append(x.shape[-1])
    assert sides == [26, 12, 5] and x.shape == (1, 10, 5, 5)  # D2L 8.3.2


def test_no_dense_layers_and_published_widths() -> None:
    with torch.device("meta"):
        net = NiN(1, 10)
    assert not any(isinstance(m, nn.Linear) for m in net.modules())
    widths = [m.out_channels for m in net.features if isinstance(m, nn.Conv2d)]
    assert widths == [96] * 3 + [256] * 3 + [384] * 3 + [10] * 3


def test_with_the_last_relu_no_logit_is_negative() -> None:
    torch.manual_seed(0)
    x = torch.rand(16, 1, 20, 20)
    logits = [NiN(1, 10, 20, "small", 0.125, last_relu=relu).eval()(x) for relu in (True, False)]
    assert bool((logits[0] >= 0).all()) and bool((logits[1] < 0).any())


@pytest.mark.parametrize(("stem", "least"), [("imagenet", 67), ("small", 15)])
def test_the_least_size_works_and_one_less_is_refused(stem: Any, least: int) -> None:
    assert NiN(3, 4, least, stem, 0.05).eval()(torch.rand(1, 3, least, least)).shape == (1, 4)
    with pytest.raises(ValueError, match=f"NiN needs at least {least} pixels"):
        NiN(3, 4, least - 1, stem, 0.05)


def test_frozen_features_leave_the_last_block() -> None:
    model = LitNiN(num_classes=10, in_channels=1, image_size=20, stem="small", width=0.125, freeze_features=True)
    learning = [p for p in model.parameters() if p.requires_grad]
    assert len(learning) == 6 and sum(p.numel() for p in learning) == 48 * 10 * 9 + 10 + 2 * (10 * 10 + 10)
