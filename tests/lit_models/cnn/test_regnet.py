"""AnyNet and RegNetX: the battery, the published line, the book's network."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.models.regnet import BlockParams

from lit_models.cnn.regnet import AnyNet, LitRegNet, stages_of_line
from tests.battery import ADAM, ClassifierBattery

LINES = {  # Radosavovic et al. 2020, table 2: depth, initial width, slope, step, group width
    "400MF": (22, 24, 24.48, 2.54, 16),
    "800MF": (16, 56, 35.73, 2.28, 16),
    "1.6GF": (18, 80, 34.01, 2.25, 24),
    "3.2GF": (25, 88, 26.31, 2.25, 48),
    "8GF": (23, 80, 49.56, 2.88, 120),
    "32GF": (23, 320, 69.86, 2.0, 168),
}


class TestLitRegNet(ClassifierBattery):
    parameters = 7_650
    overfit_steps = 60

    def model(self) -> LitRegNet:
        line: Any = {"depth": 3, "initial_width": 8, "slope": 8.0, "width_step": 2.0, "group_width": 8}
        return LitRegNet(
            num_classes=10, in_channels=1, image_size=16, **line, stem_width=8, stem="small", optimizer=ADAM
        )

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 16, 16), torch.arange(8)


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_stages_of_published_lines_are_torchvisions(line: tuple[Any, ...]) -> None:
    names = ("depth", "w_0", "w_a", "w_m", "group_width")
    theirs = BlockParams.from_init_params(**dict(zip(names, line, strict=True)))
    assert stages_of_line(*line) == (theirs.depths, theirs.widths, theirs.group_widths)


def test_regnetx_400mf_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        model = LitRegNet(num_classes=1000, depths=(1,), widths=(16,), weights="regnet_x_400mf.pth")
    assert sum(p.numel() for p in model.net.parameters()) == 5_495_976


def test_the_books_network_by_its_stages() -> None:
    model = LitRegNet(num_classes=10, in_channels=1, image_size=96, depths=(4, 6), widths=(32, 80), group_width=16)
    net: Any = model.net
    assert [len(stage) for stage in net.trunk_output] == [4, 6]
    x = net.stem(torch.rand(1, 1, 96, 96))
    shapes = [tuple(x.shape[1:])]
    for stage in net.trunk_output:
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(32, 48, 48), (32, 24, 24), (80, 12, 12)]  # D2L 8.8.3


def test_a_block_that_keeps_the_shape_has_no_projection() -> None:
    first, second = AnyNet((2,), (8,), (4,), 1, 3, 8, "small").trunk_output[0]
    assert first.proj is not None and second.proj is None


def test_a_width_that_its_group_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="widths 20 is not a multiple of its group width 8"):
        AnyNet((1,), (20,), (8,))


@pytest.mark.parametrize("line", [(4, 12, 8.0, 2.0, 8), (4, 8, -1.0, 2.0, 8), (4, 8, 8.0, 1.0, 8), (0, 8, 8.0, 2.0, 8)])
def test_a_line_outside_of_the_papers_range_is_refused(line: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="the initial width is a multiple of 8"):
        stages_of_line(*line)
