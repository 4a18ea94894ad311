"""C3D: the battery, the published size, clips that are too small."""

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.video.c3d import C3D, LitC3D
from tests.battery import ADAM, ClassifierBattery


class TestLitC3D(ClassifierBattery):
    parameters = 3_480  # features 2,928; dense layers 144, 272 and 136
    overfit_steps = 60

    def model(self) -> LitC3D:
        return LitC3D(
            num_classes=8, in_channels=1, num_frames=4, image_size=8, width=2, stages=3, hidden_size=16,
            dropout=0.0, batch_norm=True, optimizer=ADAM,
        )  # fmt: skip

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 4, 8, 8), torch.arange(8)


def test_the_published_form_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        net = C3D()
        assert sum(p.numel() for p in net.parameters()) == 78_409_573
        assert net(torch.rand(1, 3, 16, 112, 112)).shape == (1, 101)


def test_the_first_pooling_keeps_the_frames() -> None:
    net = C3D(1, 3, 4, 8, 2, 2, 4)
    assert net.features[:3](torch.rand(1, 1, 4, 8, 8)).shape == (1, 2, 4, 4, 4)


def test_too_small_a_clip_is_named() -> None:
    with pytest.raises(UserError, match=r"5 stages need 16 frames of 32 pixels: data.num_frames is 8"):
        C3D(1, 3, 8, 112, 2)
