"""VGG: the battery, the table of the paper, the least size."""

import pytest
import torch
from torch import Tensor, nn

from lit_models.cnn.vgg import VGG, LitVGG
from scripts.cli import main
from tests.battery import ADAM, ClassifierBattery


class TestLitVGG(ClassifierBattery):
    parameters = 37_594
    overfit_steps = 60

    def model(self) -> LitVGG:
        return LitVGG(
            num_classes=10,
            in_channels=3,
            image_size=32,
            width=4,
            batch_norm=True,
            pool_size=1,
            hidden_size=16,
            dropout=0.0,
            optimizer=ADAM,
        )

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 3, 32, 32), torch.arange(8)


@pytest.mark.parametrize(
    ("depth", "parameters"), [(11, 132_863_336), (13, 133_047_848), (16, 138_357_544), (19, 143_667_240)]
)
def test_the_papers_depths_have_the_published_number_of_parameters(depth: int, parameters: int) -> None:
    with torch.device("meta"):
        net = VGG(depth=depth)
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in net.modules()) == depth


def test_the_books_quarter_width() -> None:
    with torch.device("meta"):
        net = VGG(1, 10, width=16)
    assert [m.out_channels for m in net.features if isinstance(m, nn.Conv2d)] == [16, 32, 64, 64, 128, 128, 128, 128]


def test_32_pixels_are_the_least() -> None:
    assert VGG(3, 4, 32, width=1, hidden_size=4).eval()(torch.rand(1, 3, 32, 32)).shape == (1, 4)
    with pytest.raises(ValueError, match="image_size is 31: VGG needs at least 32 pixels"):
        VGG(3, 4, 31, width=1, hidden_size=4)


def test_the_command_says_it_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "cnn/vgg", "--data.image_size", "20"]) == 2
    error = capsys.readouterr().err
    assert "VGG needs at least 32 pixels" in error and error.count("\n") == 1


def test_another_depth_is_refused() -> None:
    with pytest.raises(ValueError, match="depth is 12: choose one of 11, 13, 16, 19"):
        VGG(depth=12)


def test_weights_bring_the_published_form() -> None:
    with torch.device("meta"):
        model = LitVGG(num_classes=1000, width=8, pool_size=1, hidden_size=64, weights="vgg11.pth")
    assert sum(p.numel() for p in model.net.parameters()) == 132_863_336


def test_frozen_features_do_not_learn() -> None:
    model = LitVGG(num_classes=10, image_size=32, width=1, hidden_size=4, freeze_features=True)
    assert not any(p.requires_grad for p in model.net.features.parameters())
    assert all(p.requires_grad for p in model.net.classifier.parameters())
