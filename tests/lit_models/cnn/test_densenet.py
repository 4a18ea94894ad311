"""DenseNet: the battery, published sizes, what a block keeps."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lit_models.cnn.densenet import DenseBlock, DenseNet, LitDenseNet
from tests.battery import ADAM, ClassifierBattery


class TestLitDenseNet(ClassifierBattery):
    parameters = 3_602
    overfit_steps = 50

    def model(self) -> LitDenseNet:
        return LitDenseNet(
            num_classes=10,
            in_channels=1,
            image_size=16,
            block_layers=(2, 2),
            growth=4,
            stem="small",
            optimizer=ADAM,
        )

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 16, 16), torch.arange(8)


@pytest.mark.parametrize(("layers", "parameters"), [((6, 12, 24, 16), 7_978_856), ((6, 12, 48, 32), 20_013_928)])
def test_published_number_of_parameters(layers: tuple[int, ...], parameters: int) -> None:
    with torch.device("meta"):
        net = DenseNet(block_layers=layers)
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_the_books_channels() -> None:
    with torch.device("meta"):
        net = DenseNet(1, 10, (4, 4, 4, 4), bottleneck=False)
    reduced = [m.conv.out_channels for name, m in net.features.named_children() if name.startswith("transition")]
    assert reduced == [96, 112, 120] and net.classifier.in_features == 248  # 64 + 4 * 32 halved, and so on (D2L 8.7)


def test_a_block_keeps_its_input_and_adds_the_newest_maps_last() -> None:
    block = DenseBlock(6, layers=3, growth=2, bottleneck=True).eval()
    x = torch.rand(2, 6, 4, 4)
    out = block(x)
    assert out.shape == (2, 12, 4, 4) and torch.equal(out[:, :6], x)
    torch.testing.assert_close(out[:, 10:], block.denselayer3(out[:, :10]))


@pytest.mark.parametrize(
    ("blocks", "stem", "least"),
    [(2, "imagenet", 5), (3, "imagenet", 13), (4, "imagenet", 29), (2, "small", 2), (3, "small", 4), (4, "small", 8)],
)
def test_the_least_size_works_and_one_less_is_refused(blocks: int, stem: Any, least: int) -> None:
    sizes: Any = {"block_layers": (1,) * blocks, "growth": 2, "stem": stem}
    assert LitDenseNet(num_classes=10, image_size=least, **sizes).eval()(torch.rand(1, 3, least, least)).shape == (
        1,
        10,
    )
    with pytest.raises(ValueError, match=f"DenseNet needs at least {least} pixels"):
        LitDenseNet(num_classes=10, image_size=least - 1, **sizes)


def test_weights_bring_the_published_form() -> None:
    with torch.device("meta"):
        model = LitDenseNet(num_classes=1000, growth=8, block_layers=(1, 1), weights="densenet121.pth")
    assert sum(p.numel() for p in model.net.parameters()) == 7_978_856


def test_the_input_of_a_layer_is_left_as_it_was() -> None:
    x = torch.randn(2, 4, 4, 4)
    before = x.clone()
    DenseBlock(4, 2, 2, bottleneck=False)(x)
    assert torch.equal(x, before) and isinstance(x, Tensor) and not isinstance(x, nn.Parameter)
